//! Takes the monitor's turns in the reactor where they might not come back.
//!
//! If every machine is stuck, the monitor sees to the reactor itself. Wakers only push; but a task that a library gave to
//! `tokio::spawn` is run there as well, and may block. A monitor that is held up takes no permit from anybody. So, while
//! there are such tasks, a thread of its own goes in: if it does not come back, sockets and timers wait, which cannot be helped,
//! and all the rest goes on. It is started at the first need, and ends with the monitor.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::current;
use crate::runtime::{Handle, Shared};

/// The monitor's side.
#[derive(Debug)]
pub(crate) struct Deputy(SyncSender<()>);

impl Deputy {
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let (asks, asked) = sync_channel(1);
        let shared = Arc::clone(shared);
        let name = format!("{}-reactor", shared.options.thread_name);
        thread::Builder::new().name(name).spawn(move || serve(&shared, &asked))?;
        Ok(Self(asks))
    }

    /// Asks for a turn. One that has not begun is enough.
    pub(crate) fn turn(&self) {
        let _ = self.0.try_send(());
    }
}

fn serve(shared: &Arc<Shared>, asked: &Receiver<()>) {
    let _reactor = shared.reactor.enter();
    // Tasks of tokio's may spawn ours.
    let _handle = current::enter(Handle::new(Arc::clone(shared)));
    while asked.recv().is_ok() && !shared.is_stopping() {
        shared.reactor.turn();
    }
}
