//! A map that never changes, to prices that do.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use super::ProductRow;
use crate::domain::{Money, Product};

#[derive(Debug)]
pub(super) struct Catalogue {
    by_sku: HashMap<String, Entry>,
}

/// A price is one word and nothing else is published with it, hence relaxed: a reader sees the price
/// before or the price after a refresh, which is all that anybody can ask.
#[derive(Debug)]
struct Entry {
    id: u32,
    cents: AtomicU64,
}

impl Catalogue {
    pub(super) fn new(rows: Vec<ProductRow>) -> Self {
        let entry = |row: ProductRow| (row.sku, Entry { id: row.id, cents: AtomicU64::new(row.price.cents()) });
        Self { by_sku: rows.into_iter().map(entry).collect() }
    }

    pub(super) fn get(&self, sku: &str) -> Option<Product> {
        let entry = self.by_sku.get(sku)?;
        let price = Money::from_cents(entry.cents.load(Ordering::Relaxed));
        Some(Product { id: entry.id, price })
    }

    pub(super) fn refresh(&self, rows: &[ProductRow]) {
        for row in rows {
            if let Some(entry) = self.by_sku.get(&row.sku) {
                entry.cents.store(row.price.cents(), Ordering::Relaxed);
            }
        }
    }
}
