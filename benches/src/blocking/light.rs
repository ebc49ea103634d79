//! Light tasks: the neighbours whose waiting is measured.
//!
//! An outside thread submits an empty task, waits until it has run, and repeats: a closed loop, so the count of
//! completed tasks falls with every stall. (An open loop would add the tasks that were due meanwhile; its worst value is
//! the same. The row `tail` is an open loop.)

use std::time::{Duration, Instant};

use crate::executor::Executor;

/// What the light tasks saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Light {
    /// Light tasks that completed.
    pub(super) completed: u64,
    /// The longest time from submission to completion.
    pub(super) worst: Duration,
}

/// Runs light tasks one after the other for as long as `go_on` says.
///
/// # Errors
/// Those of `go_on`.
pub(super) fn light_tasks<E: Executor, R>(
    executor: &E,
    mut go_on: impl FnMut() -> Result<bool, R>,
) -> Result<Light, R> {
    let mut seen = Light::default();
    while go_on()? {
        let submitted = Instant::now();
        executor.run(|_| async {});
        seen.worst = seen.worst.max(submitted.elapsed());
        seen.completed += 1;
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::convert::Infallible;

    use super::*;
    use crate::Tokio;

    #[test]
    fn each_task_is_counted() {
        let mut left = 4;
        let seen = light_tasks(&Tokio::start(1).unwrap(), || {
            left -= 1;
            Ok::<_, Infallible>(left > 0)
        });
        let Ok(seen) = seen;
        assert!(seen.completed == 3 && seen.worst > Duration::ZERO, "{seen:?}");
    }
}
