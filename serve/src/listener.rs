//! Where connections come from, and what to do when they do not come.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, unix};

use crate::limits::{ACCEPT_PAUSE_MAX, ACCEPT_PAUSE_MIN};

/// What [`serve`](crate::serve()) accepts connections from: tokio's TCP and Unix listeners, or your own.
///
/// ```
/// use std::{io, net::SocketAddr, time::Duration};
/// use tidemill_serve::Listener;
/// use tokio::net::{TcpListener, TcpStream};
///
/// /// Lets in whoever calls from this machine.
/// struct LocalOnly(TcpListener);
///
/// impl Listener for LocalOnly {
///     type Io = TcpStream;
///     type Peer = SocketAddr;
///
///     async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
///         loop {
///             let (stream, peer) = Listener::accept(&mut self.0).await?;
///             if peer.ip().is_loopback() {
///                 return Ok((stream, peer));
///             }
///         }
///     }
/// }
/// ```
pub trait Listener: Send + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Who is at its other end.
    type Peer: Send + Sync + 'static;

    /// Waits for the next connection. One at a time is waited for, so a handshake does not belong here.
    ///
    /// # Errors
    /// The system's. The server reports it, pauses unless it is one connection's alone, and goes on.
    ///
    /// # Cancel safety
    /// The server drops this future when it is to stop; no connection may be lost by that.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Peer)>> + Send;
}

impl Listener for TcpListener {
    type Io = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        // Without it an answer waits for the client's delayed acknowledgement. A socket that refuses is closed already.
        let _: io::Result<()> = stream.set_nodelay(true);
        Ok((stream, peer))
    }
}

impl Listener for UnixListener {
    type Io = UnixStream;
    type Peer = unix::SocketAddr;

    async fn accept(&mut self) -> io::Result<(UnixStream, unix::SocketAddr)> {
        Self::accept(self).await
    }
}

/// How long to wait after failed accepts, one after the other; a success ends the row.
///
/// The usual reason, no file descriptor left, does not pass at once, and asking again at once burns a CPU.
#[derive(Debug, Default)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    /// The pause before the next attempt.
    pub(crate) fn failed(&mut self, why: &io::Error) -> Duration {
        if is_the_connections(why) {
            return Duration::ZERO;
        }
        self.0 = (self.0 * 2).clamp(ACCEPT_PAUSE_MIN, ACCEPT_PAUSE_MAX);
        self.0
    }
}

/// The client went away between its call and our answer: that says nothing about the next one.
fn is_the_connections(why: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(why.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_a_second() {
        let full = || io::Error::from_raw_os_error(24); // EMFILE
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..10).map(|_| backoff.failed(&full()).as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[test]
    fn a_client_that_went_away_causes_no_pause() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.failed(&io::ErrorKind::ConnectionAborted.into()), Duration::ZERO);
        assert_ne!(backoff.failed(&io::ErrorKind::OutOfMemory.into()), Duration::ZERO);
    }
}
