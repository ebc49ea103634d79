//! Why a run could not be made. What the server does during a run is not an error but a count.

use std::{error::Error, fmt, io, net::SocketAddr};

/// Why there is no report.
#[derive(Debug)]
pub enum LoadError {
    /// A connection could not be opened before the start.
    Connect {
        /// Where to.
        addr: SocketAddr,
        /// What the operating system said.
        error: io::Error,
    },
    /// The thread of the pacer could not be started.
    Pacer(io::Error),
    /// A sending task ended early: the plan's source or id parser panicked, or the runtime shut down.
    Source,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { addr, error } => write!(f, "cannot connect to {addr}: {error}"),
            Self::Pacer(error) => write!(f, "cannot start the pacer's thread: {error}"),
            Self::Source => f.write_str("a sending task panicked or was shut down"),
        }
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect { error, .. } | Self::Pacer(error) => Some(error),
            Self::Source => None,
        }
    }
}
