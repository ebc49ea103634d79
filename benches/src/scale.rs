//! How much a row does: enough for a result, a look, or only a proof that it runs.

/// The amount of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The amounts that are documented.
    Full,
    /// About a tenth: a look, not a result.
    Quick,
    /// The least there is: proves that everything ends and adds up.
    Smoke,
}

impl Scale {
    /// The value for this scale.
    #[must_use]
    pub fn pick<T>(self, full: T, quick: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Smoke => smoke,
        }
    }
}
