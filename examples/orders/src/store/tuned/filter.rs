//! A Bloom filter over all keys ever used: most orders have a new one, and need not look into the index.
//!
//! A look-up in an index of half a million keys took 2 us of the 12 that the writer spent on an order; this takes
//! one miss of the cache. Each key has three bits of one word. With a million keys one new key in a thousand
//! is looked up for nothing, with ten million one in five; beyond [`KEYS`] it is not filled at all, for opening the
//! store would take too long, and every key is looked up.
//!
//! The hash is the standard library's with fixed keys: who makes keys collide only has them looked up.

use std::hash::{DefaultHasher, Hasher};

use rusqlite::Connection;

use crate::domain::IdempotencyKey;

/// Words of 64 bits, a power of two: 4 MiB.
const WORDS: usize = 1 << 19;
/// Keys that are read at the start; a million takes some tenths of a second.
const KEYS: u64 = 10_000_000;

/// All keys, more or less. Keys are never taken out, as those of a failed group should be; that does no harm.
#[derive(Debug)]
pub(super) struct KeyFilter(Option<Box<[u64]>>);

impl KeyFilter {
    /// Of the keys in the index, which must be up to date.
    pub(super) fn load(connection: &Connection, orders: u64) -> rusqlite::Result<Self> {
        if orders > KEYS {
            return Ok(Self(None));
        }
        let mut filter = Self(Some(vec![0; WORDS].into()));
        let mut select = connection.prepare("SELECT key FROM idempotency")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            filter.add_hash(hash(row.get_ref(0)?.as_blob()?));
        }
        Ok(filter)
    }

    pub(super) fn add(&mut self, key: &IdempotencyKey) {
        self.add_hash(hash(key.as_bytes()));
    }

    /// `false` if the key is certainly new.
    pub(super) fn may_know(&self, key: &IdempotencyKey) -> bool {
        let Some(words) = &self.0 else { return true };
        let (word, bits) = place(hash(key.as_bytes()));
        words[word] & bits == bits
    }

    fn add_hash(&mut self, hash: u64) {
        if let Some(words) = &mut self.0 {
            let (word, bits) = place(hash);
            words[word] |= bits;
        }
    }
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.finish()
}

/// The word and three bits in it, each from bits of its own.
const fn place(hash: u64) -> (usize, u64) {
    let word = (hash >> 18) as usize % WORDS;
    (word, 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(n: u64) -> IdempotencyKey {
        n.to_string().parse().unwrap()
    }

    #[test]
    fn it_knows_what_it_was_told_and_little_else() {
        let mut filter = KeyFilter(Some(vec![0; WORDS].into()));
        (0..100_000).for_each(|n| filter.add(&key(n)));
        assert!((0..100_000).all(|n| filter.may_know(&key(n))));
        let wrong = (100_000..200_000).filter(|&n| filter.may_know(&key(n))).count();
        assert!(wrong < 100, "{wrong} of 100000");
        assert!(KeyFilter(None).may_know(&key(1)));
    }
}
