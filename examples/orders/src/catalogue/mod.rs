//! What the shop sells at which price, kept in memory and refreshed from the store.
//!
//! **Naive** rebuilds its whole map behind a lock at every refresh and at every unknown product, and
//! hands out copies from under that lock. **Tuned** changes prices in place: the set of products is
//! fixed while the service runs, each price is one atomic, and a look-up takes no lock at all.
//!
//! Not taken: a cache with eviction (the whole catalogue fits, so a miss can only mean "no such
//! product", which must be cheap), and a map swapped as a whole (still rebuilds it to change one price).

mod naive;
mod refresh;
mod tuned;

use crate::{
    Variant,
    domain::{Money, Product},
};
pub(crate) use refresh::start as start_refresh;

/// A row of the store's table of products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductRow {
    /// Its number in the store.
    pub id: u32,
    /// The name customers order it by.
    pub sku: String,
    /// The price of one piece.
    pub price: Money,
}

/// The catalogue in one of its forms.
///
/// ```
/// use orders::{Variant, catalogue::{Catalogue, shop}, domain::Money};
/// let catalogue = Catalogue::new(Variant::Tuned, shop(3));
/// assert!(catalogue.get("SKU-00002").is_some());
/// assert!(catalogue.get("SKU-00003").is_none());
///
/// let mut rows = shop(3);
/// rows[2].price = Money::from_cents(1);
/// catalogue.refresh(rows);
/// assert_eq!(catalogue.get("SKU-00002").unwrap().price.cents(), 1);
/// ```
#[derive(Debug)]
pub struct Catalogue(Form);

#[derive(Debug)]
enum Form {
    Naive(naive::Catalogue),
    Tuned(tuned::Catalogue),
}

impl Catalogue {
    /// A catalogue of these products.
    #[must_use]
    pub fn new(variant: Variant, rows: Vec<ProductRow>) -> Self {
        Self(match variant {
            Variant::Naive => Form::Naive(naive::Catalogue::new(rows)),
            Variant::Tuned => Form::Tuned(tuned::Catalogue::new(rows)),
        })
    }

    /// The product of this name.
    #[must_use]
    pub fn get(&self, sku: &str) -> Option<Product> {
        match &self.0 {
            Form::Naive(catalogue) => catalogue.get(sku),
            Form::Tuned(catalogue) => catalogue.get(sku),
        }
    }

    /// Takes over the prices of `rows`.
    pub fn refresh(&self, rows: Vec<ProductRow>) {
        match &self.0 {
            Form::Naive(catalogue) => catalogue.refresh(rows),
            Form::Tuned(catalogue) => catalogue.refresh(&rows),
        }
    }
}

/// The products of a new shop: `SKU-00000` onwards, at prices between 1.00 and 50.99.
#[must_use]
pub fn shop(products: u32) -> Vec<ProductRow> {
    let product = |id: u32| ProductRow { id, sku: sku(id), price: price(id) };
    (0..products).map(product).collect()
}

/// The name of the product with this number in a new shop.
#[must_use]
pub fn sku(id: u32) -> String {
    format!("SKU-{id:05}")
}

/// Its price: spread over the range by a factor without a common divisor.
fn price(id: u32) -> Money {
    Money::from_cents(100 + u64::from(id) * 613 % 5_000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_forms_find_refresh_and_miss_alike() {
        for variant in Variant::ALL {
            let catalogue = Catalogue::new(variant, shop(10));
            assert_eq!(catalogue.get("SKU-00007").unwrap(), Product { id: 7, price: price(7) });
            for unknown in ["SKU-00010", "sku-00007", ""] {
                assert_eq!(catalogue.get(unknown), None, "{variant} {unknown:?}");
            }
            let mut rows = shop(10);
            rows[7].price = Money::from_cents(1);
            catalogue.refresh(rows);
            assert_eq!(catalogue.get("SKU-00007").unwrap().price.cents(), 1, "{variant}");
            assert_eq!(catalogue.get("SKU-00008").unwrap().price, price(8), "{variant}");
        }
    }
}
