//! The tree of values first, then each field picked out of it by name and copied.

use serde_json::{Map, Value};

use super::{Address, Draft, DraftLine, DraftLines, Text, tree::Tree};
use crate::{domain::Reject, limits};

pub(super) fn decode(body: &[u8]) -> Result<Draft<'_>, Reject> {
    let Tree(value) = Tree::read(body)?;
    let order = Fields::new(&value, "")?;
    order.only(&["customer", "currency", "lines", "ship_to", "note"])?;
    Ok(Draft {
        customer: order.text("customer")?,
        currency: order.text("currency")?,
        lines: lines(order.value("lines")?)?,
        ship_to: address(order.value("ship_to")?)?,
        note: order.optional("note", Fields::text)?,
    })
}

fn lines<'a>(value: &Value) -> Result<DraftLines<'a>, Reject> {
    let list = value.as_array().ok_or_else(|| Reject::invalid("lines", "must be a list"))?;
    if list.len() > limits::LINES {
        return Err(Reject::invalid("lines", format!("must be at most {}", limits::LINES)));
    }
    let numbered = list.iter().enumerate();
    numbered.map(|(number, value)| line(value, number)).collect::<Result<_, _>>().map(DraftLines)
}

fn line<'a>(value: &Value, number: usize) -> Result<DraftLine<'a>, Reject> {
    let line = Fields::new(value, &format!("lines[{number}]"))?;
    line.only(&["sku", "quantity", "unit_price_cents"])?;
    Ok(DraftLine {
        sku: line.text("sku")?,
        quantity: line.whole_number("quantity")?,
        unit_price_cents: line.optional("unit_price_cents", Fields::whole_number)?,
    })
}

fn address<'a>(value: &Value) -> Result<Address<'a>, Reject> {
    let address = Fields::new(value, "ship_to")?;
    address.only(&["name", "street", "postcode", "city", "country"])?;
    Ok(Address {
        name: address.text("name")?,
        street: address.text("street")?,
        postcode: address.text("postcode")?,
        city: address.text("city")?,
        country: address.text("country")?,
    })
}

/// An object and where it is in the body, so that an error can name the place.
struct Fields<'v> {
    object: &'v Map<String, Value>,
    place: String,
}

impl<'v> Fields<'v> {
    fn new(value: &'v Value, place: &str) -> Result<Self, Reject> {
        let named = if place.is_empty() { "body" } else { place };
        let object = value.as_object();
        let object = object.ok_or_else(|| Reject::invalid(named.to_owned(), "must be an object"))?;
        Ok(Self { object, place: place.to_owned() })
    }

    fn path(&self, name: &str) -> String {
        let dot = if self.place.is_empty() { "" } else { "." };
        format!("{}{dot}{name}", self.place)
    }

    fn wrong(&self, name: &str, reason: &'static str) -> Reject {
        Reject::invalid(self.path(name), reason)
    }

    fn only(&self, known: &[&str]) -> Result<(), Reject> {
        match self.object.keys().find(|key| !known.contains(&key.as_str())) {
            Some(unknown) => Err(self.wrong(unknown, "is not a known field")),
            None => Ok(()),
        }
    }

    fn value(&self, name: &str) -> Result<&'v Value, Reject> {
        self.object.get(name).ok_or_else(|| self.wrong(name, "is required"))
    }

    fn text<'a>(&self, name: &str) -> Result<Text<'a>, Reject> {
        let text = self.value(name)?.as_str().ok_or_else(|| self.wrong(name, "must be a text"))?;
        Ok(Text(text.to_owned().into()))
    }

    fn whole_number(&self, name: &str) -> Result<u64, Reject> {
        let number = self.value(name)?.as_u64();
        number.ok_or_else(|| self.wrong(name, "must be a whole number"))
    }

    fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, Reject>,
    ) -> Result<Option<T>, Reject> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => read(self, name).map(Some),
        }
    }
}
