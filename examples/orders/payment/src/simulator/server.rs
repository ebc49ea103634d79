//! The accept loop: one task per connection, all of which end when the stop channel closes.

use std::{sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::routes::Provider;

/// Pause after a failed accept: the usual reason, no file descriptor left, does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Accepts until `stopped` closes.
pub(super) async fn accept(listener: TcpListener, provider: Arc<Provider>, mut stopped: watch::Receiver<()>) {
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    drop(tidemill::spawn(serve(stream, Arc::clone(&provider), stopped.clone())));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// Serves one connection until it ends, a fault ends it or `stopped` closes.
async fn serve(stream: TcpStream, provider: Arc<Provider>, mut stopped: watch::Receiver<()>) {
    // Without it each answer waits for the peer's delayed acknowledgement; a lost option is no fault.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| provider.answer(request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = stopped.changed() => {}
        // Broken connections are the client's to notice; faults break them on purpose.
        _ = connection => {}
    }
}
