//! The tables, made so that every step of an order *adds* rows at the end of one.
//!
//! An order has no status column. Its state is what has been recorded about it: a row in `payments`
//! settles it (the primary key is the compare-and-set), a row in `deliveries` ends it. Sequence numbers
//! come from one writer, so rows appear in their order and a reader that follows `outbox.seq` never
//! misses a late one. An effect's primary key is the event it belongs to (a delivery's its order, of which
//! there is one paid event), so the row of the effect is its inbox row too.
//!
//! Two tables are not written at their end: `stock`, a few rows for ever changed, and `idempotency`, where
//! a key can be anywhere. Both say nothing that `orders` and `outbox` do not say, and so are
//! **projections**: the tuned store writes them late and in bulk, `marks` tells how far they are, and
//! opening a database brings them up to date. `shelf` is the stock of this moment, whatever the mark.
//!
//! Rejected: writing both with every order, a row for each line and an inbox row beside each effect, and
//! reading the log from its table. With all of that the tuned service took 26,700 orders/s (64 connections, two
//! cores shared with the clients) and wrote 11.5 KB to the disk for each; without it 44,400 and 2.9 KB.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::Shop;
use crate::{
    Variant,
    catalogue::ProductRow,
    crash::{self, Step},
    limits,
};

/// Of the tables below. A file of another version is refused.
const VERSION: u32 = 2;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, price_cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, body_hash BLOB NOT NULL,
    status INTEGER NOT NULL, response BLOB NOT NULL,
    customer TEXT NOT NULL, total_cents INTEGER NOT NULL,
    lines TEXT NOT NULL, document BLOB NOT NULL);
CREATE VIEW IF NOT EXISTS order_lines AS
    SELECT orders.id AS order_id, line.key AS line, line.value ->> 0 AS product,
        line.value ->> 1 AS quantity, line.value ->> 2 AS unit_price_cents
    FROM orders, json_each(orders.lines) AS line;
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, kind INTEGER NOT NULL,
    amount_cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS payments (
    order_id INTEGER PRIMARY KEY, amount_cents INTEGER NOT NULL, receipt TEXT, declined TEXT);
CREATE TABLE IF NOT EXISTS deliveries (
    order_id INTEGER PRIMARY KEY, event INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notifications (
    event INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, kind INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS offsets (
    consumer INTEGER PRIMARY KEY, seq INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS stock (
    product INTEGER PRIMARY KEY, initial INTEGER NOT NULL,
    available INTEGER NOT NULL CHECK (available >= 0));
CREATE TABLE IF NOT EXISTS idempotency (
    key BLOB PRIMARY KEY, order_id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (
    only INTEGER PRIMARY KEY CHECK (only = 1), stock_seq INTEGER, keys_below INTEGER);
INSERT OR IGNORE INTO marks VALUES (1, NULL, NULL);

CREATE VIEW IF NOT EXISTS unnoted AS
    SELECT product, sum(CASE kind WHEN 1 THEN quantity ELSE -quantity END) AS taken
    FROM outbox CROSS JOIN order_lines ON order_lines.order_id = outbox.order_id
    WHERE seq > (SELECT stock_seq FROM marks) AND kind IN (1, 3) GROUP BY product;
CREATE VIEW IF NOT EXISTS shelf AS
    SELECT stock.product, available - ifnull(taken, 0) AS available
    FROM stock LEFT JOIN unnoted ON unnoted.product = stock.product;
";

/// Brings the projections up to date, so that both marks stand at the end.
const CATCH_UP: &str = "
UPDATE stock SET available = available - taken FROM unnoted WHERE unnoted.product = stock.product;
INSERT OR IGNORE INTO idempotency
    SELECT key, id FROM orders WHERE id >= (SELECT keys_below FROM marks) ORDER BY key;
UPDATE marks SET stock_seq = (SELECT ifnull(max(seq), 0) FROM outbox),
    keys_below = (SELECT ifnull(max(id), 0) + 1 FROM orders);
";

/// Who writes the projections with every order needs no marks.
const IN_STEP: &str = "UPDATE marks SET stock_seq = NULL, keys_below = NULL";

/// The connection that writes, on a database that has all tables, a filled shop and no arrears.
pub(super) fn open(path: &Path, variant: Variant, shop: &Shop<'_>) -> rusqlite::Result<Connection> {
    let mut writer = Connection::open(path)?;
    writer.busy_timeout(limits::BUSY_TIMEOUT)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    // FULL syncs the log at every commit: "accepted" survives a power cut, not just a crash.
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update(None, "wal_autocheckpoint", limits::CHECKPOINT_PAGES)?;
    writer.pragma_update(None, "cache_size", -i64::from(limits::CACHE_KIB))?;
    check_version(&writer)?;
    writer.execute_batch(TABLES)?;
    fill(&mut writer, shop)?;
    let opening = writer.transaction()?;
    catch_up(&opening)?;
    if variant == Variant::Naive {
        opening.execute(IN_STEP, [])?;
    }
    crash::passing(Step::Opening);
    opening.commit()?;
    Ok(writer)
}

/// Writes what the projections lack. To be called in a transaction.
pub(super) fn catch_up(writer: &Connection) -> rusqlite::Result<()> {
    writer.execute_batch(CATCH_UP)
}

/// A connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    reader.busy_timeout(limits::BUSY_TIMEOUT)?;
    Ok(reader)
}

fn check_version(writer: &Connection) -> rusqlite::Result<()> {
    let number = |sql| writer.query_row(sql, [], |row| row.get::<_, u32>(0));
    let is_new = number("SELECT count(*) FROM sqlite_schema")? == 0;
    let version = number("PRAGMA user_version")?;
    if is_new {
        return writer.pragma_update(None, "user_version", VERSION);
    }
    if version == VERSION {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_SCHEMA);
    let why = format!("the file has tables of version {version}, this program those of version {VERSION}");
    Err(rusqlite::Error::SqliteFailure(code, Some(why)))
}

/// Puts the products on the shelf, unless they are there already.
fn fill(writer: &mut Connection, shop: &Shop<'_>) -> rusqlite::Result<()> {
    let filling = writer.transaction()?;
    for ProductRow { id, sku, price } in shop.products {
        let product = "INSERT OR IGNORE INTO products VALUES (?, ?, ?)";
        filling.prepare_cached(product)?.execute((id, sku, price.cents()))?;
        let shelf = "INSERT OR IGNORE INTO stock VALUES (?, ?2, ?2)";
        filling.prepare_cached(shelf)?.execute((id, shop.stock))?;
    }
    filling.commit()
}
