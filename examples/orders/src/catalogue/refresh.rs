//! Reads the prices again every second, so that a change in the table reaches new orders.

use tidemill::JoinHandle;

use crate::{Pipeline, Stop, limits, store::StoreError};

pub(crate) fn start(pipeline: Pipeline, stop: Stop) -> Result<JoinHandle<()>, StoreError> {
    let reader = pipeline.store().reader()?;
    Ok(tidemill::spawn(async move {
        let mut tick = tokio::time::interval(limits::REFRESH);
        loop {
            tokio::select! {
                () = stop.requested() => return,
                _ = tick.tick() => {}
            }
            match tidemill::blocking(|| reader.products()) {
                Ok(rows) => pipeline.catalogue().refresh(rows),
                // The prices we have stay in force.
                Err(error) => eprintln!("refresh of the catalogue: {error}"),
            }
        }
    }))
}
