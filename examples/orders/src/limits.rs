//! Every number of the service, with its reason.

use std::time::Duration;

// What an order may ask for.

/// Bytes of a customer's number.
pub const CUSTOMER_BYTES: usize = 64;
/// Bytes of an idempotency key: what payment providers commonly accept, and what they promise to keep.
pub const KEY_BYTES: usize = 255;
/// Lines of an order: a shopping basket, not a bulk import.
pub const LINES: usize = 50;
/// Pieces of one line.
pub const QUANTITY: u64 = 10_000;
/// Cents of a whole order (100,000.00): above it a person should look.
pub const TOTAL_CENTS: u64 = 10_000_000;
/// Bytes of each text of the address.
pub const ADDRESS_BYTES: usize = 120;
/// Bytes of the note to the courier.
pub const NOTE_BYTES: usize = 1_000;

// What a client may do to the server.

/// Bytes of a request body. The largest sensible order (50 lines, full texts) takes 6 KiB.
pub const BODY_BYTES: usize = 64 << 10;
/// Connections served at a time; further ones wait in the listen queue of the kernel.
pub const CONNECTIONS: usize = 4_096;
/// Orders between their arrival and their answer. Past it the answer is 503 at once: at 20,000
/// orders a second a full queue is about 0.2 s of work, which is as long as a client should wait.
pub const IN_FLIGHT: usize = 4_096;
/// Time to send the head of a request, and then to send its body.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// What a refused client is told to wait.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Time of a request, from its head to its answer. A client that has not heard by then repeats it.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// Orders per second of one customer, and at once: a shop's own robot, but not a loop that has run away.
pub const CUSTOMER_RATE: u64 = 50;
/// See above.
pub const CUSTOMER_BURST: u64 = 200;
/// Customers whose limits are kept (6 MiB); those who have not ordered lately need none.
pub const CUSTOMERS: usize = 64 << 10;
/// Time open connections get to finish their requests at shutdown; the whole shutdown may take 5 s.
pub const DRAIN: Duration = Duration::from_secs(3);

// The store.

/// Orders and stage writes in one transaction. A commit costs about one `fsync`; spread over some
/// hundred orders it no longer shows, while the first of them waits only some milliseconds.
pub const GROUP: usize = 1_024;
/// Commands waiting for the writer: a full group behind the one in work.
pub const WRITER_QUEUE: usize = 2 * GROUP;
/// Time to wait for a lock of another process, such as a checker's.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of the log between two checkpoints (64 MiB): each one syncs two files, so seldom is better.
pub const CHECKPOINT_PAGES: u32 = 16_384;
/// KiB of page cache of the writing connection: the inner pages of every index, and then some.
pub const CACHE_KIB: u32 = 64 << 10;
/// Orders whose keys wait for their place in the index (some 4 MiB), and events between two writings of the
/// stock. The more wait the more of them share a page; opening the store after a crash writes what is left.
pub const LAG: usize = 32 << 10;
/// Latest events kept in memory for those who follow the log (512 KiB): who is further behind reads the table.
pub const TAIL: usize = 16 << 10;

// The stages behind the store.

/// Events read from the log at a time.
pub const PAGE: usize = 512;
/// Charges in one request to the payment provider.
pub const CHARGES: usize = orders_payment::limits::BATCH;
/// Time for such a request and its repeats. What has no answer by then is asked for again later.
pub const CHARGE_DEADLINE: Duration = Duration::from_secs(5);
/// Repeats of requests to the provider: so many, and a tenth of one more for each that succeeds.
pub const CHARGE_RETRIES: (u32, u32) = (20, 10);
/// The provider is left alone once this percentage of the latest hundred requests had no answer, at first for so long.
pub const CHARGE_BREAKER: (u32, Duration) = (50, Duration::from_millis(200));
/// Workers that talk to the provider, one request each: enough to hide its answer time.
pub const PAYERS: usize = 8;
/// Wait before a payment of unknown outcome is asked for again.
pub const SWEEP: Duration = Duration::from_millis(500);
/// How often the catalogue reads the prices again.
pub const REFRESH: Duration = Duration::from_secs(1);

// The shop of a new database.

/// Products, named `SKU-00000` onwards.
pub const PRODUCTS: u32 = 1_000;
/// Pieces of each: hours of load at full speed.
pub const STOCK: u64 = 100_000_000;
/// How often a waiter looks whether the pipeline has run empty.
pub const DRAIN_POLL: Duration = Duration::from_millis(5);
/// Wait before a failed read or write of a background stage is tried again.
pub const STORE_PAUSE: Duration = Duration::from_millis(200);
