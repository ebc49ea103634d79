//! The unpaid orders, in the order of the log; those without an answer come round again.
//!
//! The cursor moves over the log once, so an order is handed out once and then belongs to the worker
//! that took it, until that worker settles it or gives it back. A run starts with the cursor at zero
//! and finds whatever earlier runs left unpaid.

use std::{
    collections::VecDeque,
    sync::{Mutex as SyncMutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Mutex, watch},
    time::{Instant, timeout},
};

use crate::{
    Pipeline, limits,
    store::{Event, Reader, StoreError},
};

pub(super) struct Feed {
    pipeline: Pipeline,
    log: Mutex<Log>,
    /// Orders to ask about again and when; the wait is the same for all, so the first is due first.
    again: SyncMutex<VecDeque<(Instant, Event)>>,
}

struct Log {
    reader: Reader,
    head: watch::Receiver<u64>,
    cursor: u64,
    page: VecDeque<Event>,
}

impl Feed {
    pub(super) fn open(pipeline: Pipeline) -> Result<Self, StoreError> {
        let (reader, head) = (pipeline.store().reader()?, pipeline.store().progress().follow());
        let log = Log { reader, head, cursor: 0, page: VecDeque::new() };
        Ok(Self { pipeline, log: Mutex::new(log), again: SyncMutex::default() })
    }

    /// Waits for unpaid orders and takes up to `max`. While one worker waits here the others wait for
    /// it, so that one wake-up wakes one worker. Dropped, it takes nothing.
    pub(super) async fn next(&self, max: usize) -> Vec<Event> {
        let mut log = self.log.lock().await;
        loop {
            let due = self.take_due(max);
            if !due.is_empty() {
                return due;
            }
            if log.page.is_empty() {
                log.turn_page(&self.pipeline).await;
            }
            if !log.page.is_empty() {
                let count = log.page.len().min(max);
                return log.page.drain(..count).collect();
            }
            // The head may move, or an order come round: neither is missed for longer than this.
            let _ = timeout(limits::SWEEP, log.head.changed()).await;
        }
    }

    /// Gives an order back, to be asked about later.
    pub(super) fn again(&self, event: Event) {
        self.waiting().push_back((Instant::now() + limits::SWEEP, event));
    }

    fn take_due(&self, max: usize) -> Vec<Event> {
        let mut waiting = self.waiting();
        if waiting.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        let due = waiting.iter().take(max).take_while(|(when, _)| *when <= now).count();
        waiting.drain(..due).map(|(_, event)| event).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Instant, Event)>> {
        // Whole elements go in and out, so a panic cannot have left half of one.
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Reads the pages that the head says are there, until one has something to pay.
    async fn turn_page(&mut self, pipeline: &Pipeline) {
        let head = *self.head.borrow_and_update();
        while self.cursor < head && self.page.is_empty() {
            match pipeline.store().unpaid(&self.reader, self.cursor, limits::PAGE) {
                Ok((page, reach)) => (self.page, self.cursor) = (page.into(), reach),
                Err(error) => {
                    eprintln!("unpaid orders: {error}");
                    tokio::time::sleep(limits::STORE_PAUSE).await;
                }
            }
        }
    }
}
