//! One map behind one lock, rebuilt as a whole whenever something may have changed.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::ProductRow;
use crate::domain::Product;

#[derive(Debug)]
pub(super) struct Catalogue {
    cache: Mutex<Cache>,
}

#[derive(Debug)]
struct Cache {
    rows: Vec<ProductRow>,
    by_sku: HashMap<String, ProductRow>,
}

impl Cache {
    fn rebuild(&mut self) {
        self.by_sku = self.rows.iter().map(|row| (row.sku.clone(), row.clone())).collect();
    }
}

impl Catalogue {
    pub(super) fn new(rows: Vec<ProductRow>) -> Self {
        let catalogue = Self { cache: Mutex::new(Cache { rows: Vec::new(), by_sku: HashMap::new() }) };
        catalogue.refresh(rows);
        catalogue
    }

    pub(super) fn get(&self, sku: &str) -> Option<Product> {
        let mut cache = self.cache();
        if !cache.by_sku.contains_key(sku) {
            // It may be new: look again in everything we know.
            cache.rebuild();
        }
        let row = cache.by_sku.get(sku).cloned()?;
        Some(Product { id: row.id, price: row.price })
    }

    pub(super) fn refresh(&self, rows: Vec<ProductRow>) {
        let mut cache = self.cache();
        cache.rows = rows;
        cache.rebuild();
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // A rebuild replaces the map in one assignment, so a panic cannot leave half of one.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
