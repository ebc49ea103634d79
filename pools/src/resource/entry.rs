//! One pooled resource with its papers. The box is made once, with the resource: a get and a return move a pointer.

use tokio::time::Instant;

/// Owned by whoever has the resource: the shelf of idle ones, a place in line, a lease, or the task that closes it.
#[derive(Debug)]
pub(super) struct Entry<R> {
    pub(super) resource: R,
    /// Never used twice by a pool.
    pub(super) id: u64,
    /// Its row in the table of holders, for as long as the pool counts it.
    pub(super) row: usize,
    pub(super) born: Instant,
    /// The end of its life, jitter included.
    pub(super) expires: Option<Instant>,
    /// Since when nobody has used it. Keep-alive does not count as use.
    pub(super) idle_since: Instant,
    /// When it last worked, as far as we know: its creation, its last return, its last validation.
    pub(super) proven: Instant,
    pub(super) uses: u64,
}

impl<R> Entry<R> {
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}
