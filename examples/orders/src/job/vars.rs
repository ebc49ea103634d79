//! What the job reads from the server's `GET /debug/vars`.

use serde::Deserialize;

/// The counts, the gauges and the process of a server; what the job does not need is left out.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct Vars {
    /// Accepted orders without an outcome of their payment.
    unpaid: u64,
    /// Events that some consumer has not dealt with.
    outbox_depth: u64,
    /// Orders that came to a good end, and to the other one.
    delivered: u64,
    cancelled: u64,
    process: Process,
    allocator: Allocator,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Process {
    cpu_seconds: f64,
    peak_rss_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Allocator {
    allocations: u64,
    allocated_bytes: u64,
}

impl Vars {
    /// Reads the page.
    pub(crate) fn parse(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// Whether every accepted order has come to its end and everybody has been told.
    pub(crate) fn is_drained(&self) -> bool {
        self.pending() == 0
    }

    /// Things left to do.
    pub(crate) fn pending(&self) -> u64 {
        self.unpaid + self.outbox_depth
    }

    /// Orders that have come to their end.
    pub(crate) fn finished(&self) -> u64 {
        self.delivered + self.cancelled
    }

    pub(crate) fn peak_rss_bytes(&self) -> u64 {
        self.process.peak_rss_bytes
    }

    /// What was spent since an `earlier` reading.
    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        Spent {
            allocations: self.allocator.allocations - earlier.allocator.allocations,
            allocated_bytes: self.allocator.allocated_bytes - earlier.allocator.allocated_bytes,
            cpu_seconds: self.process.cpu_seconds - earlier.process.cpu_seconds,
        }
    }
}

/// What a server process spent over some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spent {
    pub(crate) allocations: u64,
    pub(crate) allocated_bytes: u64,
    pub(crate) cpu_seconds: f64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn page(unpaid: u64, allocations: u64, cpu_seconds: f64) -> Vars {
        let json = format!(
            r#"{{"accepted":9,"unpaid":{unpaid},"outbox_depth":0,"delivered":5,"cancelled":1,
                "process":{{"cpu_seconds":{cpu_seconds},"rss_bytes":1,"peak_rss_bytes":2}},
                "allocator":{{"allocations":{allocations},"allocated_bytes":{allocations}}}}}"#
        );
        Vars::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn costs_are_differences_of_pages() {
        let spent = page(0, 25, 1.5).since(&page(3, 10, 1.0));
        assert_eq!(spent, Spent { allocations: 15, allocated_bytes: 15, cpu_seconds: 0.5 });
    }

    #[test]
    fn a_server_with_unpaid_orders_is_not_drained() {
        assert!(page(0, 0, 0.0).is_drained());
        assert!(!page(1, 0, 0.0).is_drained());
    }
}
