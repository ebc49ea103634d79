//! The CPU quota of one level.
//!
//! v2: `cpu.max` holds `quota period` or `max period`. v1: `cpu.cfs_quota_us` (negative: none) and
//! `cpu.cfs_period_us`. Two files cannot be read in one step, so a v1 reading may pair a new quota
//! with an old period; the next poll puts it right.

use std::io::ErrorKind;
use std::num::NonZeroU64;

use crate::control::ControlFile;
use crate::hierarchy::Level;
use crate::membership::Version;
use crate::note::{Note, Trouble};
use crate::quota::Quota;

/// The quota files of one level.
#[derive(Debug)]
pub(crate) enum QuotaFiles {
    /// `cpu.cfs_quota_us`, `cpu.cfs_period_us`.
    V1 { quota: ControlFile, period: ControlFile },
    /// `cpu.max`.
    V2 { max: ControlFile },
}

impl QuotaFiles {
    /// Nothing is opened yet.
    pub(crate) fn at(level: &Level) -> Self {
        match level.version {
            Version::V1 => Self::V1 { quota: level.file("cpu.cfs_quota_us"), period: level.file("cpu.cfs_period_us") },
            Version::V2 => Self::V2 { max: level.file("cpu.max") },
        }
    }

    /// `Ok(None)` if this level sets no quota.
    pub(crate) fn read(&mut self) -> Result<Option<Quota>, Note> {
        match self {
            Self::V1 { quota, period } => {
                let Some(Some(quota_us)) = quota.value(parse_v1_quota)? else {
                    return Ok(None);
                };
                let period_us = period.value(|text| text.parse().ok())?;
                let missing = || period.note(Trouble::Unreadable(ErrorKind::NotFound));
                fraction(period, quota_us, period_us.ok_or_else(missing)?).map(Some)
            }
            Self::V2 { max } => {
                let Some((Some(quota_us), period_us)) = max.value(parse_v2)? else {
                    return Ok(None);
                };
                fraction(max, quota_us, period_us).map(Some)
            }
        }
    }
}

/// The kernel refuses a period of 0, but a container runtime's fake file system need not.
fn fraction(file: &ControlFile, quota_us: u64, period_us: u64) -> Result<Quota, Note> {
    let period_us = NonZeroU64::new(period_us).ok_or_else(|| file.note(Trouble::ZeroPeriod))?;
    Ok(Quota::new(quota_us, period_us))
}

/// Outer `None`: malformed. Inner `None`: no quota.
fn parse_v1_quota(text: &str) -> Option<Option<u64>> {
    let quota: i64 = text.parse().ok()?;
    Some(u64::try_from(quota).ok())
}

/// Quota (`None` for `max`) and period.
fn parse_v2(text: &str) -> Option<(Option<u64>, u64)> {
    let (quota, period) = text.split_once(' ')?;
    let quota = if quota == "max" { None } else { Some(quota.parse().ok()?) };
    Some((quota, period.parse().ok()?))
}
