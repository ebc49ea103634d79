//! Channels between tasks, and between threads.
//!
//! The tasks of all async channels run on tidemill with two permits, so that only the channel differs. The project hands its own work
//! over by flume, which therefore stands in the first line. Who has no form of a kind is missing there: tokio's and std's
//! channels have one receiver, tokio's and async-channel's no rendezvous.

mod tasks;
mod threads;

use std::collections::VecDeque;

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};

pub(crate) use tasks::queue;

pub(crate) const ROW: Row = Row {
    section: 7,
    name: "channels",
    measures: "messages of 8 bytes through a channel of 128 places, of none and of any number: tasks on tidemill with P = 2, and threads",
    leaves_out: "selecting, closing, receivers that are slow; what a message would be worth; flume is in the first line",
    seconds: 3.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

/// How many messages may wait; `None` is any number.
type Room = Option<usize>;

const PLACES: Room = Some(128);
const RENDEZVOUS: Room = Some(0);
const UNBOUNDED: Room = None;

/// Messages of one timed run.
const MESSAGES: u64 = 200_000;

/// A rendezvous may take two switches of threads for each message.
const FEW_MESSAGES: u64 = 2_000;

fn benches() -> Vec<Bench> {
    let mut all = tasks::benches();
    all.extend(threads::benches());
    all
}

/// What each of some senders has to send.
fn part(ops: u64, senders: u64, i: u64) -> u64 {
    ops * (i + 1) / senders - ops * i / senders
}

fn floor() -> Case {
    Case::floor("floor: a queue of one thread", || {
        let mut queue = VecDeque::with_capacity(PLACES.unwrap_or(0));
        move |ops| {
            Lap::of(|| {
                let pass = |_| {
                    queue.push_back(std::hint::black_box(1));
                    std::hint::black_box(queue.pop_front()).unwrap_or(0)
                };
                (0..ops).map(pass).sum()
            })
        }
    })
}
