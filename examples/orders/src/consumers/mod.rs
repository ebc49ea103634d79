//! Delivery and notification: each follows the log and gives every event its effect exactly once.
//!
//! The outbox is the event log. It is written in the transaction of the change it tells of and read by
//! sequence number from each consumer's own offset, so there is no relay that could lose or reorder
//! anything. Reading is at-least-once (the offset may lag behind a crash); that the effect's row has the
//! event for its primary key, and so is its own inbox row, makes the *effect* exactly-once.
//!
//! **Naive** deals with one event at a time and records its offset after each page; **tuned** hands a
//! whole page to the store, effects and offset together.

use tidemill::JoinHandle;

use crate::{
    Count, Pipeline, Stop, Variant,
    crash::{self, Step},
    limits,
    store::{Consumer, Consumption, Event, Reader, StoreError},
};

/// Starts one consumer where it left off.
pub(crate) fn start(pipeline: Pipeline, consumer: Consumer, stop: Stop) -> Result<JoinHandle<()>, StoreError> {
    let reader = pipeline.store().reader()?;
    let offset = reader.offset(consumer)?;
    let follower = Follower { pipeline, consumer, reader, offset };
    Ok(tidemill::spawn(async move {
        tokio::select! {
            () = stop.requested() => {}
            () = follower.follow() => {}
        }
    }))
}

struct Follower {
    pipeline: Pipeline,
    consumer: Consumer,
    reader: Reader,
    offset: u64,
}

impl Follower {
    async fn follow(mut self) {
        let mut head = self.pipeline.store().progress().follow();
        while head.wait_for(|&head| head > self.offset).await.is_ok() {
            match self.turn_page().await {
                Ok(offset) => self.offset = offset,
                Err(error) => {
                    // The same page comes again; what had its effect has its row.
                    eprintln!("{:?}: {error}", self.consumer);
                    self.pipeline.counters().add(Count::StoreErrors, 1);
                    tokio::time::sleep(limits::STORE_PAUSE).await;
                }
            }
        }
    }

    /// Reads a page, gives it its effect and says how far that was.
    async fn turn_page(&mut self) -> Result<u64, StoreError> {
        let page = self.pipeline.store().events(&self.reader, self.offset, limits::PAGE)?;
        crash::passing(Step::EventsRead);
        let whole = Consumption::of_page(self.consumer, &page);
        match self.pipeline.stages().consumers {
            Variant::Tuned => self.consume(whole).await?,
            Variant::Naive => self.one_by_one(whole).await?,
        }
        Ok(page.last().map_or(self.offset, |event: &Event| event.seq))
    }

    async fn one_by_one(&mut self, page: Consumption) -> Result<(), StoreError> {
        let Consumption { consumer, events, offset } = page;
        for event in events {
            self.consume(Consumption { consumer, events: vec![event], offset: None }).await?;
        }
        self.consume(Consumption { consumer, events: Vec::new(), offset }).await
    }

    async fn consume(&mut self, consumption: Consumption) -> Result<(), StoreError> {
        let count = match self.consumer {
            Consumer::Delivery => Count::Delivered,
            Consumer::Notification => Count::Notified,
        };
        let new = self.pipeline.store().consume(consumption).await?;
        self.pipeline.counters().add(count, new);
        Ok(())
    }
}
