//! Bounded caches: the registry of resilience, which keeps one value for each key, and the catalogue of the order pipeline.
//!
//! The registry hands out its values behind an `Arc` (a breaker is shared by all who call that host), so everybody's values are.
//! papaya has no bound: it takes part where nothing is pushed out.

use std::{hint::black_box, sync::Arc};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use orders::{
    Variant,
    catalogue::{Catalogue, shop, sku},
    domain::Product,
};
use tidemill::resilience::{Keep, Keyed};

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "cache",
    measures: "a value by its key: found, and made while another one is pushed out; the catalogue of the order pipeline by name",
    leaves_out: "values that are dear to make, two threads that make the same one, ageing, and how well it guesses what stays",
    seconds: 3.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

/// Keys that are asked for where all of them are found.
const KEYS: u64 = 10_000;

/// Room for all of them: a sharded cache is full when one of its shards is.
const ROOM: u64 = 4;

/// Of a cache that pushes out, and the keys that it is asked for in turn: none of them is there any more.
const SMALL: u64 = 1_000;
const MANY: u64 = 100_000;

/// From key to key; prime to their numbers, so that all have their turn and no two neighbours follow each other.
const STRIDE: u64 = 7_919;

/// What the workload needs from a cache.
trait Cache: Send + Sync + 'static {
    /// For so many values at most, if it has a bound.
    fn of(capacity: u64) -> Self;
    /// The value, made if it is not there.
    fn get(&self, key: u64) -> Arc<u64>;
}

fn benches() -> Vec<Bench> {
    let mut all: Vec<_> = [1, 2].into_iter().map(|threads| found(KEYS, threads)).collect();
    all.extend([1, 2].map(pushed_out));
    all.push(catalogue());
    all
}

/// So many keys, all of them there.
pub(crate) fn found(keys: u64, threads: u64) -> Bench {
    let cases = vec![
        hit::<Registry>("tidemill Keyed", keys, threads),
        hit::<Moka>("moka", keys, threads),
        hit::<Quick>("quick_cache", keys, threads),
        hit::<Papaya>("papaya", keys, threads),
        Case::floor("floor: a vector of Arcs", move || {
            let values: Vec<_> = (0..keys).map(Arc::new).collect();
            let get = move |key: u64| Arc::clone(&values[key as usize]);
            move |ops| over(keys, threads, ops, &get)
        }),
    ];
    Bench::counted(format!("hit, {keys} keys, {threads} thread(s)"), 200_000, cases)
}

fn hit<C: Cache>(name: &'static str, keys: u64, threads: u64) -> Case {
    Case::new(name, move || {
        let cache = C::of(ROOM * keys);
        (0..keys).for_each(|key| drop(cache.get(key)));
        move |ops| over(keys, threads, ops, &|key| cache.get(key))
    })
}

fn pushed_out(threads: u64) -> Bench {
    let cases = vec![
        miss::<Registry>("tidemill Keyed", threads),
        miss::<Moka>("moka", threads),
        miss::<Quick>("quick_cache", threads),
        Case::floor("floor: malloc + free", move || move |ops| over(MANY, threads, ops, &Arc::new)),
    ];
    Bench::counted(format!("miss, insert, push out, {SMALL} values, {threads} thread(s)"), 100_000, cases)
}

fn miss<C: Cache>(name: &'static str, threads: u64) -> Case {
    Case::new(name, move || {
        let cache = C::of(SMALL);
        // Full, or else the first ones push nobody out.
        (MANY..MANY + ROOM * SMALL).for_each(|key| drop(cache.get(key)));
        move |ops| over(MANY, threads, ops, &|key| cache.get(key))
    })
}

/// One key after the other; whoever is given a value that is not its key's is not counted.
fn over(keys: u64, threads: u64, ops: u64, get: &(impl Fn(u64) -> Arc<u64> + Sync)) -> Lap {
    let right = |i: u64| {
        let key = black_box(i.wrapping_mul(STRIDE) % keys);
        u64::from(*get(key) == key)
    };
    Lap::on_threads(threads, ops, |part| (0..part).map(right).sum())
}

/// A number that may be forgotten at any time.
struct Number(Arc<u64>);

impl Keep for Number {
    fn must_stay(&self) -> bool {
        false
    }
}

struct Registry(Keyed<u64, Number>);

impl Cache for Registry {
    fn of(capacity: u64) -> Self {
        Self(Keyed::new(capacity as usize, |key| Number(Arc::new(*key))))
    }

    fn get(&self, key: u64) -> Arc<u64> {
        Arc::clone(&self.0.get(&key).0)
    }
}

struct Moka(moka::sync::Cache<u64, Arc<u64>>);

impl Cache for Moka {
    fn of(capacity: u64) -> Self {
        Self(moka::sync::Cache::new(capacity))
    }

    fn get(&self, key: u64) -> Arc<u64> {
        self.0.get_with(key, || Arc::new(key))
    }
}

struct Quick(quick_cache::sync::Cache<u64, Arc<u64>>);

impl Cache for Quick {
    fn of(capacity: u64) -> Self {
        Self(quick_cache::sync::Cache::new(capacity as usize))
    }

    fn get(&self, key: u64) -> Arc<u64> {
        let Ok(value) = self.0.get_or_insert_with(&key, || Ok::<_, std::convert::Infallible>(Arc::new(key)));
        value
    }
}

struct Papaya(papaya::HashMap<u64, Arc<u64>>);

impl Cache for Papaya {
    fn of(capacity: u64) -> Self {
        Self(papaya::HashMap::with_capacity(capacity as usize))
    }

    fn get(&self, key: u64) -> Arc<u64> {
        Arc::clone(self.0.pin().get_or_insert_with(key, || Arc::new(key)))
    }
}

/// The pipeline's own form first: it has all products, none ever leaves, and its prices change in place.
fn catalogue() -> Bench {
    let cases = vec![
        by_name("orders, tuned", |products| {
            let catalogue = Catalogue::new(Variant::Tuned, shop(products));
            move |name: &str| catalogue.get(name)
        }),
        by_name("orders, naive", |products| {
            let catalogue = Catalogue::new(Variant::Naive, shop(products));
            move |name: &str| catalogue.get(name)
        }),
        by_name("moka", |products| {
            let cache = moka::sync::Cache::new(ROOM * u64::from(products));
            named(products).for_each(|(name, product)| cache.insert(name, product));
            move |name: &str| cache.get(name)
        }),
        by_name("quick_cache", |products| {
            let cache = quick_cache::sync::Cache::<String, Product>::new(ROOM as usize * products as usize);
            named(products).for_each(|(name, product)| cache.insert(name, product));
            move |name: &str| cache.get(name)
        }),
        by_name("papaya", |products| {
            let map: papaya::HashMap<_, _> = named(products).collect();
            move |name: &str| map.pin().get(name).copied()
        }),
    ];
    Bench::counted(format!("a product by its name, {KEYS} products"), 100_000, cases)
}

fn named(products: u32) -> impl Iterator<Item = (String, Product)> {
    shop(products).into_iter().map(|row| (row.sku, Product { id: row.id, price: row.price }))
}

fn by_name<F: Fn(&str) -> Option<Product> + 'static>(name: &'static str, start: fn(u32) -> F) -> Case {
    Case::new(name, move || {
        let products = u32::try_from(KEYS).expect("it is a small constant");
        let (get, names) = (start(products), (0..products).map(sku).collect::<Vec<_>>());
        move |ops| {
            Lap::of(|| {
                let right = |i: u64| {
                    let id = i.wrapping_mul(STRIDE) % KEYS;
                    let product = get(black_box(&names[id as usize]));
                    u64::from(product.is_some_and(|product| u64::from(product.id) == id))
                };
                (0..ops).map(right).sum()
            })
        }
    })
}
