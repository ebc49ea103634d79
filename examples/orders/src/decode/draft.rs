//! The shape of an order's body, with texts that point into the body where they can.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use smallvec::SmallVec;

use crate::limits;

/// A text of the body: borrowed, unless it has escapes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// An order as it was written, before it is checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft<'a> {
    /// Who orders.
    #[serde(borrow)]
    pub customer: Text<'a>,
    /// The currency the customer saw.
    #[serde(borrow)]
    pub currency: Text<'a>,
    /// What is ordered.
    #[serde(borrow)]
    pub lines: DraftLines<'a>,
    /// Where it goes.
    #[serde(borrow, deserialize_with = "object")]
    pub ship_to: Address<'a>,
    /// A word to the courier.
    #[serde(borrow, default)]
    pub note: Option<Text<'a>>,
}

/// One line of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftLine<'a> {
    /// The product.
    #[serde(borrow)]
    pub sku: Text<'a>,
    /// How many pieces.
    pub quantity: u64,
    /// The price the customer saw, if the client says so.
    #[serde(default)]
    pub unit_price_cents: Option<u64>,
}

/// Where an order goes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address<'a> {
    /// Who receives it.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Street and number.
    #[serde(borrow)]
    pub street: Text<'a>,
    /// Post code.
    #[serde(borrow)]
    pub postcode: Text<'a>,
    /// Town.
    #[serde(borrow)]
    pub city: Text<'a>,
    /// Country, two letters.
    #[serde(borrow)]
    pub country: Text<'a>,
}

/// The lines of a draft, at most [`limits::LINES`]; a few of them need no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftLines<'a>(pub(super) SmallVec<[DraftLine<'a>; 4]>);

impl<'a> Deref for DraftLines<'a> {
    type Target = [DraftLine<'a>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for DraftLines<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(LinesVisitor(PhantomData))
    }
}

struct LinesVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for LinesVisitor<'a> {
    type Value = DraftLines<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of lines")
    }

    /// Stops at the limit: a long list costs no more than an order of full length.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut lines = DraftLines::default();
        while let Some(Object(line)) = list.next_element()? {
            if lines.len() == limits::LINES {
                return Err(A::Error::custom("too many lines"));
            }
            lines.0.push(line);
        }
        Ok(lines)
    }
}

/// A value that is written as a JSON object. A derived struct alone would also take a bare list of its
/// fields, which is an accident of serde and not part of our format.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Object)
    }
}

fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}
