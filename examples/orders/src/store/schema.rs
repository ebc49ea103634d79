//! The tables, made so that every step of an order *adds* rows.
//!
//! An order has no status column. Its state is what has been recorded about it: a row in `payments`
//! settles it (the primary key is the compare-and-set), a row in `deliveries` ends it. So no page is
//! written twice for one order, save those of the stock, and the history is there for the checker.
//! Sequence numbers come from one writer, so rows appear in their order and a reader that follows
//! `outbox.seq` never misses a late one.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::{catalogue::ProductRow, limits};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, price_cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS stock (
    product INTEGER PRIMARY KEY, initial INTEGER NOT NULL,
    available INTEGER NOT NULL CHECK (available >= 0));
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total_cents INTEGER NOT NULL,
    document BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS order_lines (
    order_id INTEGER NOT NULL, line INTEGER NOT NULL, product INTEGER NOT NULL,
    quantity INTEGER NOT NULL, unit_price_cents INTEGER NOT NULL,
    PRIMARY KEY (order_id, line)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS idempotency (
    key BLOB PRIMARY KEY, body_hash BLOB NOT NULL, order_id INTEGER NOT NULL,
    status INTEGER NOT NULL, response BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, kind INTEGER NOT NULL,
    amount_cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS payments (
    order_id INTEGER PRIMARY KEY, amount_cents INTEGER NOT NULL, receipt TEXT, declined TEXT);
CREATE TABLE IF NOT EXISTS deliveries (
    order_id INTEGER PRIMARY KEY, event INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notifications (
    event INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, kind INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS inbox (
    event INTEGER NOT NULL, consumer INTEGER NOT NULL,
    PRIMARY KEY (event, consumer)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS offsets (
    consumer INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
";

/// The connection that writes, on a database that has all tables and a filled shop.
pub(super) fn open(path: &Path, shop: &[ProductRow], stock: u64) -> rusqlite::Result<Connection> {
    let mut writer = Connection::open(path)?;
    writer.busy_timeout(limits::BUSY_TIMEOUT)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    // FULL syncs the log at every commit: "accepted" survives a power cut, not just a crash.
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update(None, "wal_autocheckpoint", limits::CHECKPOINT_PAGES)?;
    writer.pragma_update(None, "cache_size", -i64::from(limits::CACHE_KIB))?;
    writer.execute_batch(TABLES)?;
    fill(&mut writer, shop, stock)?;
    Ok(writer)
}

/// A connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    reader.busy_timeout(limits::BUSY_TIMEOUT)?;
    Ok(reader)
}

/// Puts the products on the shelf, unless they are there already.
fn fill(writer: &mut Connection, shop: &[ProductRow], stock: u64) -> rusqlite::Result<()> {
    let filling = writer.transaction()?;
    for ProductRow { id, sku, price } in shop {
        let product = "INSERT OR IGNORE INTO products VALUES (?, ?, ?)";
        filling.prepare_cached(product)?.execute((id, sku, price.cents()))?;
        let shelf = "INSERT OR IGNORE INTO stock VALUES (?, ?2, ?2)";
        filling.prepare_cached(shelf)?.execute((id, stock))?;
    }
    filling.commit()
}
