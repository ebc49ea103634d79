//! What the writer keeps in its head: the next numbers and the stock of every product.
//!
//! All of it can be read back from the tables, which is done at the start and after a failed commit;
//! so it needs no durability of its own. Stock changes add up in memory and are written once per product
//! and [`LAG`](limits::LAG) events instead of once per line: the log has them all.

use rusqlite::Connection;

use crate::domain::Line;
#[cfg(doc)]
use crate::limits;

/// The writer's memory.
pub(super) struct Book {
    next_order: u64,
    next_seq: u64,
    /// The first event that the table of the stock does not tell of.
    unnoted_from: u64,
    /// By product number.
    shelves: Vec<Shelf>,
    /// Products whose shelf differs from its row.
    touched: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
struct Shelf {
    available: u64,
    is_touched: bool,
}

impl Book {
    /// What the tables say; the stock among them must be up to date.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let next = |sql| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
        let next_seq = next("SELECT ifnull(max(seq), 0) + 1 FROM outbox")?;
        let mut book = Self {
            next_order: next("SELECT ifnull(max(id), 0) + 1 FROM orders")?,
            next_seq,
            unnoted_from: next_seq,
            shelves: Vec::new(),
            touched: Vec::new(),
        };
        let mut select = connection.prepare("SELECT product, available FROM stock")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let product: u32 = row.get(0)?;
            let place = product as usize;
            book.shelves.resize(book.shelves.len().max(place + 1), Shelf::default());
            book.shelves[place].available = row.get(1)?;
        }
        Ok(book)
    }

    /// The number of the order that comes next.
    pub(super) fn next_order(&self) -> u64 {
        self.next_order
    }

    /// The number of the event that comes next.
    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub(super) fn take_order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order - 1
    }

    pub(super) fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq - 1
    }

    /// Takes the pieces of all lines off the shelves or, if one has too few, of none: the error is the
    /// number of that line.
    pub(super) fn take_stock(&mut self, lines: &[Line]) -> Result<(), usize> {
        for (number, line) in lines.iter().enumerate() {
            let shelf = self.touch(line.product);
            match shelf.available.checked_sub(line.quantity.into()) {
                Some(left) => shelf.available = left,
                None => {
                    lines[..number].iter().for_each(|taken| self.put_back(taken.product, taken.quantity));
                    return Err(number);
                }
            }
        }
        Ok(())
    }

    pub(super) fn put_back(&mut self, product: u32, quantity: u32) {
        self.touch(product).available += u64::from(quantity);
    }

    fn touch(&mut self, product: u32) -> &mut Shelf {
        let place = product as usize;
        if place >= self.shelves.len() {
            self.shelves.resize(place + 1, Shelf::default());
        }
        let shelf = &mut self.shelves[place];
        if !shelf.is_touched {
            shelf.is_touched = true;
            self.touched.push(product);
        }
        shelf
    }

    /// How many events the table of the stock does not tell of.
    pub(super) fn unnoted(&self) -> u64 {
        self.next_seq - self.unnoted_from
    }

    /// The last event that the table of the stock tells of, now that every touched shelf is written.
    pub(super) fn note(&mut self) -> u64 {
        self.unnoted_from = self.next_seq;
        self.next_seq - 1
    }

    /// The touched shelves in the order of their rows, which are then clean again.
    pub(super) fn drain_touched(&mut self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.touched.sort_unstable();
        let shelves = &mut self.shelves;
        self.touched.drain(..).map(move |product| {
            let shelf = &mut shelves[product as usize];
            shelf.is_touched = false;
            (product, shelf.available)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Money;

    fn line(product: u32, quantity: u32) -> Line {
        Line { product, quantity, unit_price: Money::ZERO }
    }

    fn book(stock: &[u64]) -> Book {
        let shelf = |&available| Shelf { available, is_touched: false };
        let shelves = stock.iter().map(shelf).collect();
        Book { next_order: 1, next_seq: 1, unnoted_from: 1, shelves, touched: Vec::new() }
    }

    #[test]
    fn an_order_takes_all_of_its_lines_or_none() {
        let mut book = book(&[5, 5]);
        assert_eq!(book.take_stock(&[line(0, 2), line(1, 5)]), Ok(()));
        assert_eq!(book.take_stock(&[line(0, 3), line(1, 1)]), Err(1));
        assert_eq!(book.take_stock(&[line(9, 1)]), Err(0));
        assert_eq!(book.take_stock(&[line(0, 2), line(0, 2)]), Err(1));
        assert_eq!(book.drain_touched().collect::<Vec<_>>(), [(0, 3), (1, 0), (9, 0)]);
        assert_eq!(book.drain_touched().count(), 0);
    }
}
