//! The task dump: every live task with where it was spawned, what it does, and for how long.
//!
//! The slabs of live tasks are walked while everything goes on (`task/slots.rs`, `visit`): each pointer is borrowed for
//! as long as a line is copied, and a task that completes in that moment is released by the walk. So the dump is not of
//! one instant: a task that moves may be missed, or be told in a state that it has left.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::Hub;
use crate::runtime::{Handle, Shared};
use crate::task::{Header, Origin, Phase};

/// Every live task of a runtime, from [`Handle::dump`].
///
/// ```
/// use tidemill_scheduler::{Runtime, spawn};
///
/// let rt = Runtime::new()?;
/// rt.block_on(async {
///     let waits = spawn(std::future::pending::<()>());
///     let dump = tidemill_scheduler::Handle::current().dump();
///     println!("{dump}");
///     assert_eq!(dump.tasks()[0].site.file(), file!());
///     waits.abort();
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TaskDump {
    tasks: Vec<TaskInfo>,
}

/// A live task, as a [`TaskDump`] has it. Times are to a few milliseconds.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its number. No two live tasks have the same; that of an ended task is used again.
    pub id: u64,
    /// The type of its future.
    pub name: &'static str,
    /// Where it was spawned.
    pub site: &'static Location<'static>,
    /// What it does.
    pub state: TaskState,
    /// How long ago it was spawned.
    pub age: Duration,
    /// How long ago its last poll began. None before its first, and while it is queued if its wake-up was sampled.
    pub since_poll: Option<Duration>,
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// It waits to be woken.
    Idle,
    /// It is ready and waits for its turn.
    Queued,
    /// It is being polled. If its last poll began long ago, it blocks, or uses its CPU for long.
    Running,
}

impl TaskDump {
    fn of(shared: &Shared) -> Self {
        let now = shared.watch.now_coarse();
        let mut tasks = Vec::new();
        shared.visit(|task, origin| tasks.extend(TaskInfo::of(task, origin, now)));
        tasks.sort_by_key(|task| std::cmp::Reverse(task.age));
        Self { tasks }
    }

    /// The tasks, oldest first.
    pub fn tasks(&self) -> &[TaskInfo] {
        &self.tasks
    }
}

impl TaskInfo {
    fn of(task: &Header, Origin { site, born }: Origin, now: u32) -> Option<Self> {
        let state = match task.phase() {
            Phase::Idle => TaskState::Idle,
            Phase::Queued => TaskState::Queued,
            Phase::Running => TaskState::Running,
            Phase::Complete => return None,
        };
        let since_poll = task.last_poll().map(|then| Hub::between(then, now));
        Some(Self { id: task.id(), name: task.name(), site, state, age: Hub::between(born, now), since_poll })
    }
}

impl fmt::Display for TaskDump {
    /// A table with one line per task, oldest first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} tasks", self.tasks.len())?;
        writeln!(f, "{:>12} {:>12} {:<7} {:<14} spawned at, future", "age", "last poll", "state", "id")?;
        self.tasks.iter().try_for_each(|task| writeln!(f, "{task}"))
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: Duration| format!("{:.3} s", time.as_secs_f64());
        let (age, poll) = (seconds(self.age), self.since_poll.map_or_else(|| "-".to_owned(), seconds));
        let Self { id, name, site, state, .. } = self;
        write!(f, "{age:>12} {poll:>12} {state:<7} {id:<14} {site} {name}")
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Running => "running",
        })
    }
}

impl Handle {
    /// Lists every live task.
    ///
    /// # Cost
    /// A walk through the table of live tasks and some hundred bytes for each. The runtime's threads are neither stopped
    /// nor woken nor delayed; only the end of the runtime waits for the walk.
    pub fn dump(&self) -> TaskDump {
        TaskDump::of(self.shared())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_per_task() {
        let site = Location::caller();
        let task = |id, state, age, since_poll| TaskInfo {
            id,
            name: "shop::Order",
            site,
            state,
            age: Duration::from_millis(age),
            since_poll: Option::map(since_poll, Duration::from_millis),
        };
        let tasks = vec![task(77, TaskState::Running, 61_500, Some(2)), task(8, TaskState::Queued, 1, None)];
        let text = TaskDump { tasks }.to_string();
        let lines: Vec<&str> = text.lines().collect();
        let at = format!("{site} shop::Order");
        assert_eq!(lines[0], "2 tasks");
        assert_eq!(lines[1], "         age    last poll state   id             spawned at, future");
        assert_eq!(lines[2], format!("    61.500 s      0.002 s running 77             {at}"));
        assert_eq!(lines[3], format!("     0.001 s            - queued  8              {at}"));
    }

    #[test]
    fn the_coarse_clock_may_begin_again() {
        let last = (1 << 31) - 1;
        for (then, now, millis) in
            [(1, 1, 0), (1, 501, 500), (last, 1, 1), (last - 5, 10, 15), (10, 9, 0), (1, last, 0)]
        {
            assert_eq!(Hub::between(then, now), Duration::from_millis(millis), "from {then} to {now}");
        }
    }
}
