//! Which of its two forms each stage runs in.
//!
//! `Naive` is what a careful text book says, `Tuned` what is left after profiling it. Both answer the
//! same requests in the same words, so that any mix of them can be compared.

use std::{fmt, str::FromStr};

/// The form of one stage.
///
/// ```
/// use orders::Variant;
/// assert_eq!("tuned".parse(), Ok(Variant::Tuned));
/// assert_eq!(Variant::Naive.to_string(), "naive");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Variant {
    /// The honest text-book form.
    Naive,
    /// The form after profiling.
    #[default]
    Tuned,
}

impl Variant {
    /// Both forms, in the order of history.
    pub const ALL: [Self; 2] = [Self::Naive, Self::Tuned];
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Naive => "naive",
            Self::Tuned => "tuned",
        })
    }
}

/// The text is not the name it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName(String);

impl UnknownName {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is none of the known names", self.0)
    }
}

impl std::error::Error for UnknownName {}

impl FromStr for Variant {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|variant| variant.to_string() == text).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// The form of every stage.
///
/// ```
/// use orders::{Stages, Variant};
/// let mixed = Stages { decode: Variant::Naive, ..Stages::all(Variant::Tuned) };
/// assert_ne!(mixed, Stages::default());
/// assert_eq!("store=naive".parse::<Stages>()?, Stages { store: Variant::Naive, ..Stages::default() });
/// # Ok::<(), orders::UnknownName>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// HTTP in and out.
    pub intake: Variant,
    /// Bytes to an order.
    pub decode: Variant,
    /// Where prices come from.
    pub catalogue: Variant,
    /// How writes become durable.
    pub store: Variant,
    /// How the provider is asked.
    pub pay: Variant,
    /// How events take effect.
    pub consumers: Variant,
}

impl Stages {
    /// Every stage in the same form.
    #[must_use]
    pub const fn all(form: Variant) -> Self {
        Self { intake: form, decode: form, catalogue: form, store: form, pay: form, consumers: form }
    }

    /// These stages, with the one of this name in another form.
    ///
    /// # Errors
    /// If no stage has the name.
    pub fn with(mut self, stage: &str, form: Variant) -> Result<Self, UnknownName> {
        let slot = match stage {
            "intake" => &mut self.intake,
            "decode" => &mut self.decode,
            "catalogue" => &mut self.catalogue,
            "store" => &mut self.store,
            "pay" => &mut self.pay,
            "consumers" => &mut self.consumers,
            _ => return Err(UnknownName(stage.to_owned())),
        };
        *slot = form;
        Ok(self)
    }
}

impl FromStr for Stages {
    type Err = UnknownName;

    /// Either a variant for all stages or a list such as `store=naive,decode=naive`, the rest tuned.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        if let Ok(form) = text.parse() {
            return Ok(Self::all(form));
        }
        text.split(',').try_fold(Self::default(), |stages, part| {
            let (stage, form) = part.split_once('=').ok_or_else(|| UnknownName(part.to_owned()))?;
            stages.with(stage, form.parse()?)
        })
    }
}
