//! The accept loop, and the end in order: no new connection, then each open one finishes what it is at, then, after the
//! drain time-out, what is left is cut off.
//!
//! Every connection is a task of its own, so one that blocks or panics is alone in it. They listen on a watch channel,
//! whose receivers are at the same time the count of open connections.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tower_service::Service;

use crate::Served;
use crate::connection::{self, BoxError, Stage, Tag, Watched};
use crate::first::first;
use crate::listener::{Backoff, Listener};
use crate::options::{OnAcceptError, Options, WithPeer};

pub(crate) async fn run<L, S, B>(
    mut listener: L,
    service: S,
    signal: impl Future<Output = ()>,
    options: Options<L::Peer>,
) -> io::Result<Served>
where
    L: Listener,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let options = options.checked()?;
    if tidemill_scheduler::Handle::try_current().is_none() {
        return Err(io::Error::other(
            "no tidemill runtime here: serve inside of block_on, a task or #[tidemill::main]",
        ));
    }
    let drain_timeout = options.drain_timeout;
    let stages = watch::Sender::new(Stage::Open);
    let accepting = async { match accept_all(&mut listener, service, options, &stages).await {} };
    first(signal, accepting).await;
    drop(listener);
    stages.send_replace(Stage::Drain);
    if timeout(drain_timeout, stages.closed()).await.is_ok() {
        return Ok(Served::Complete);
    }
    let connections = stages.receiver_count();
    stages.send_replace(Stage::Cut);
    Ok(if connections == 0 { Served::Complete } else { Served::CutOff { connections } })
}

async fn accept_all<L, S, B>(
    listener: &mut L,
    service: S,
    options: Options<L::Peer>,
    stages: &watch::Sender<Stage>,
) -> Infallible
where
    L: Listener,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let Options { max_connections, header_read_timeout, with_peer, mut on_accept_error, http, .. } = options;
    let (room, http) = (Arc::new(Semaphore::new(max_connections)), Arc::new(http));
    loop {
        // First the room, then the connection: who has to wait does so in the system's queue.
        let place = Arc::clone(&room).acquire_owned().await.expect("nobody closes it");
        let (io, peer) = accept(listener, &mut on_accept_error).await;
        let service = Watched::new(service.clone(), with_peer.clone().map(|with_peer| tag(with_peer, peer)));
        let connection = connection::run(io, service, Arc::clone(&http), header_read_timeout, stages.subscribe());
        drop(tidemill_scheduler::spawn(async move {
            connection.await;
            drop(place);
        }));
    }
}

fn tag<P: Send + Sync + 'static>(with_peer: WithPeer<P>, peer: P) -> Tag {
    Box::new(move |request| with_peer(request, &peer))
}

async fn accept<L: Listener>(listener: &mut L, on_error: &mut OnAcceptError) -> (L::Io, L::Peer) {
    let mut backoff = Backoff::default();
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(why) => {
                on_error(&why);
                sleep(backoff.failed(&why)).await;
            }
        }
    }
}
