//! Every number of the server: its name, its reason, its source.

use std::time::Duration;

/// How long a client may take to send the head of a request. hyper's own default, where it has a timer.
pub(crate) const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests may go on after the end was asked for: what Kubernetes waits before it kills.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The pause after a first failed accept, doubled up to `ACCEPT_PAUSE_MAX`. Go's `net/http` takes the same two.
pub(crate) const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(5);
pub(crate) const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);
