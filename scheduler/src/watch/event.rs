//! What the flight recorder knows of: an event is the begin or the end of something a thread does, or a point in time.

use std::time::Duration;

use crate::monitor::Stuck;

/// Something that happened on a thread of the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When, after the runtime was built.
    pub at: Duration,
    /// On which thread.
    pub track: Track,
    /// What it was.
    pub what: What,
}

/// A thread of the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Track {
    /// The thread that takes turns away from others.
    Monitor,
    /// A thread that runs tasks, by its number. A thread that starts after another has ended may get its number.
    Machine(u32),
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The thread begins to do something.
    Begin(Span),
    /// It has done it.
    End(Span),
    /// It took tasks out of another thread's queue.
    Steal {
        /// How many.
        tasks: u32,
    },
    /// The monitor took a thread's turn away.
    Retake {
        /// From which thread.
        machine: u32,
        /// Why.
        reason: RetakeReason,
    },
    /// The monitor gave tasks of a thread that burns its CPU to the others.
    Relieve {
        /// The thread.
        machine: u32,
    },
    /// The number of tasks that run at the same time changed.
    Resize {
        /// To this.
        procs: u32,
    },
}

/// What takes a thread some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Span {
    /// It polls a task.
    Poll {
        /// The task's number, as in [`TaskInfo`](super::TaskInfo). The number of an ended task is used again.
        task: u64,
        /// The type of the task's future.
        name: &'static str,
    },
    /// It is in [`blocking`](crate::blocking), or waits in a nested `block_on`.
    Blocking,
    /// It came out of there, its turn had been taken, and it waits for the next.
    Wait,
    /// It has a look at sockets and timers.
    Turn,
    /// It has nothing to do, and sleeps until a socket or a timer is ready.
    Drive,
    /// It has nothing to do, and sleeps.
    Park,
}

/// Why the monitor took a thread's turn away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetakeReason {
    /// It was in [`blocking`](crate::blocking).
    Marked,
    /// It blocked without saying so.
    Blocked,
    /// It used its CPU past the slice.
    Burning,
}

impl From<Stuck> for RetakeReason {
    fn from(stuck: Stuck) -> Self {
        match stuck {
            Stuck::Marked => Self::Marked,
            Stuck::Blocked => Self::Blocked,
            Stuck::Burning => Self::Burning,
        }
    }
}

/// In a code: the event is an end.
const END: u64 = 1 << 8;

impl Span {
    fn encode(self) -> (u64, u64, &'static str) {
        match self {
            Self::Poll { task, name } => (0, task, name),
            Self::Blocking => (1, 0, ""),
            Self::Wait => (2, 0, ""),
            Self::Turn => (3, 0, ""),
            Self::Drive => (4, 0, ""),
            Self::Park => (5, 0, ""),
        }
    }

    fn decode(code: u64, argument: u64, name: &'static str) -> Option<Self> {
        Some(match code {
            0 => Self::Poll { task: argument, name },
            1 => Self::Blocking,
            2 => Self::Wait,
            3 => Self::Turn,
            4 => Self::Drive,
            5 => Self::Park,
            _ => return None,
        })
    }
}

impl What {
    /// As what a slot of the recorder holds: a code, an argument, a name.
    pub(super) fn encode(self) -> (u64, u64, &'static str) {
        match self {
            Self::Begin(span) => span.encode(),
            Self::End(span) => {
                let (code, argument, name) = span.encode();
                (code | END, argument, name)
            }
            Self::Steal { tasks } => (16, u64::from(tasks), ""),
            Self::Retake { machine, reason: RetakeReason::Marked } => (17, u64::from(machine), ""),
            Self::Retake { machine, reason: RetakeReason::Blocked } => (18, u64::from(machine), ""),
            Self::Retake { machine, reason: RetakeReason::Burning } => (19, u64::from(machine), ""),
            Self::Relieve { machine } => (20, u64::from(machine), ""),
            Self::Resize { procs } => (21, u64::from(procs), ""),
        }
    }

    /// The reverse; none for a code that nobody writes.
    pub(super) fn decode(code: u64, argument: u64, name: &'static str) -> Option<Self> {
        let number = argument as u32;
        let retake = |reason| Self::Retake { machine: number, reason };
        Some(match code {
            16 => Self::Steal { tasks: number },
            17 => retake(RetakeReason::Marked),
            18 => retake(RetakeReason::Blocked),
            19 => retake(RetakeReason::Burning),
            20 => Self::Relieve { machine: number },
            21 => Self::Resize { procs: number },
            _ if code & END != 0 => Self::End(Span::decode(code & !END, argument, name)?),
            _ => Self::Begin(Span::decode(code, argument, name)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_comes_back_as_it_was() {
        let spans = [
            Span::Poll { task: u64::MAX, name: "a task" },
            Span::Blocking,
            Span::Wait,
            Span::Turn,
            Span::Drive,
            Span::Park,
        ];
        let reasons = [RetakeReason::Marked, RetakeReason::Blocked, RetakeReason::Burning];
        let all = spans.into_iter().flat_map(|span| [What::Begin(span), What::End(span)]);
        let all = all.chain(reasons.map(|reason| What::Retake { machine: 7, reason }));
        let all = all.chain([What::Steal { tasks: 3 }, What::Relieve { machine: 1 }, What::Resize { procs: 2 }]);
        for what in all {
            let (code, argument, name) = what.encode();
            assert_eq!(What::decode(code, argument, name), Some(what));
        }
        assert_eq!(What::decode(99, 0, ""), None);
    }
}
