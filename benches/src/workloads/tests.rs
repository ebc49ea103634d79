//! Every workload adds up on every executor, alone and with two threads.
#![allow(clippy::unwrap_used)]

use super::Workload;
use crate::{AsyncExecutor, Executor, Listed, Tidemill, Tokio, Unlisted, scale::Scale};

fn all_add_up<E: Executor>() {
    for procs in [1, 2] {
        let executor = E::start(procs).unwrap();
        for workload in Workload::ALL {
            let size = workload.size(Scale::Smoke);
            assert_eq!(
                workload.run(&executor, size),
                workload.checksum(size),
                "{workload} on {} with {procs}",
                E::NAME
            );
        }
    }
}

#[test]
fn on_tidemill() {
    all_add_up::<Tidemill>();
}

#[test]
fn on_tokio() {
    all_add_up::<Tokio>();
}

#[test]
fn on_async_executor() {
    all_add_up::<AsyncExecutor<Listed>>();
    all_add_up::<AsyncExecutor<Unlisted>>();
}

#[test]
fn a_smaller_scale_is_never_empty() {
    for workload in Workload::ALL {
        let (full, smoke) = (workload.size(Scale::Full), workload.size(Scale::Smoke));
        assert!(smoke.steps >= 1 && smoke.steps < full.steps, "{workload}");
        assert_eq!(smoke.lanes, full.lanes, "{workload}");
    }
}
