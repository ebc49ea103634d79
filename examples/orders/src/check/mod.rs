//! The invariants of a pipeline at rest, checked on its database and on the provider's ledger.
//!
//! Each invariant is one query that lists its violations, so what is checked is on the page and not in
//! code. What comes from outside (the ledger, the answers clients got) is first put into temporary
//! tables beside the real ones. The database is only read; run it when no service uses it.

mod evidence;
mod invariants;

use std::{fmt, path::Path};

pub use evidence::{Acceptance, Evidence, EvidenceError};
pub use invariants::{INVARIANTS, Invariant, Needs};

use crate::store::{self, StoreError};

/// What the check of one invariant found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The invariant.
    pub invariant: &'static Invariant,
    /// How many things it speaks of.
    pub checked: u64,
    /// How many of them break it.
    pub violations: u64,
    /// Some of those, by number.
    pub examples: Vec<String>,
}

/// The findings, one for each invariant that could be checked with the evidence given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In the order of [`INVARIANTS`].
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether every invariant holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.iter().all(|finding| finding.violations == 0)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { invariant: Invariant { name, claim, .. }, checked, violations, examples } = self;
        let verdict = if *violations == 0 { "ok    " } else { "BROKEN" };
        write!(f, "{verdict} {name:<18} {checked:>9} checked, {violations} violations: {claim}")?;
        match examples.is_empty() {
            true => Ok(()),
            false => write!(f, " (such as {})", examples.join(", ")),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

/// Checks every invariant that the evidence allows.
///
/// # Errors
/// If the database cannot be read.
pub fn check(db: &Path, evidence: &Evidence) -> Result<Report, StoreError> {
    let connection = store::open_reader(db)?;
    evidence.load(&connection)?;
    let possible = INVARIANTS.iter().filter(|invariant| evidence.suffices(invariant.needs));
    let findings = possible.map(|invariant| invariant.check(&connection));
    Ok(Report { findings: findings.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests;
