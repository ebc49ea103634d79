//! The judgement over what a session left behind: the store, the provider's ledger, and what the clients
//! were told, against each other.
//!
//! The evidence stays beside the store, so that `orders check` can be asked again.

use std::fs;
use std::path::Path;

use orders_report::{Invariant, Variant};

use super::error::{Doing, JobError};
use super::plan;
use crate::check::{self, Acceptance, Evidence, Finding};

/// What is left of a session for its judge.
pub(crate) struct Remains {
    /// The provider's ledger, as it answered.
    pub(crate) ledger: Vec<u8>,
    /// The numbers of all orders that a client was told are accepted.
    pub(crate) accepted: Vec<u64>,
    /// Why the server did not end when it was asked to, if so.
    pub(crate) stop_failure: Option<String>,
}

/// Checks every promise of the variant whose store is in `folder`.
pub(crate) fn judge(variant: Variant, folder: &Path, remains: Remains) -> Result<Vec<Invariant>, JobError> {
    keep(folder, &remains).doing(|| format!("keeping the evidence in {}", folder.display()))?;
    let judging = || format!("judging the {} run", variant.name());
    let ledger = serde_json::from_slice(&remains.ledger).doing(judging)?;
    let accepted = remains.accepted.into_iter().map(|order| Acceptance { order, key: None });
    let evidence = Evidence { ledger: Some(ledger), accepted: Some(accepted.collect()) };
    let report = check::check(&folder.join(super::DATABASE), &evidence).doing(judging)?;
    let findings = report.findings.iter().map(|finding| invariant(variant, finding));
    Ok(findings.chain([ending(variant, remains.stop_failure)]).collect())
}

fn ending(variant: Variant, failure: Option<String>) -> Invariant {
    Invariant {
        variant,
        name: format!("the server ends within {:?} of SIGTERM", plan::STOP),
        held: failure.is_none(),
        detail: failure.unwrap_or_else(|| "it did".to_owned()),
    }
}

/// In the form that `orders check --ledger ledger.json --accepted accepted.txt` reads.
fn keep(folder: &Path, remains: &Remains) -> std::io::Result<()> {
    let numbers: Vec<_> = remains.accepted.iter().map(u64::to_string).collect();
    fs::write(folder.join("ledger.json"), &remains.ledger)?;
    fs::write(folder.join("accepted.txt"), numbers.join("\n"))
}

fn invariant(variant: Variant, finding: &Finding) -> Invariant {
    let Finding { invariant, checked, violations, examples } = finding;
    let held = *violations == 0;
    let detail = if held {
        format!("{checked} checked")
    } else {
        format!("{violations} of {checked}, such as {}", examples.join(", "))
    };
    Invariant { variant, name: invariant.claim.to_owned(), held, detail }
}
