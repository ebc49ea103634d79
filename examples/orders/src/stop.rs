//! One switch that ends every background task.

use std::future::pending;

use tokio::sync::watch;

/// The hand on the switch. Dropping it does not stop anything.
///
/// ```
/// use orders::Stopper;
/// let stopper = Stopper::default();
/// let stop = stopper.stop_signal();
/// stopper.stop();
/// tidemill::block_on(stop.requested());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stopper(watch::Sender<bool>);

/// The lamp: tells when the switch was used.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stopper {
    /// Asks everybody to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// A lamp that belongs to this switch.
    #[must_use]
    pub fn stop_signal(&self) -> Stop {
        Stop(self.0.subscribe())
    }
}

impl Stop {
    /// Waits until everybody is asked to stop; for ever, if nobody is left to ask. Cancel safe.
    pub async fn requested(&self) {
        if self.0.clone().wait_for(|stopped| *stopped).await.is_err() {
            pending::<()>().await;
        }
    }
}
