//! Turns and rounds, and the values they leave behind.

use std::{fmt, io};

use super::Figure;

/// Somebody who takes turns.
pub struct Contender<'a> {
    /// The name in tables.
    pub name: &'static str,
    turn: Box<dyn Fn() -> io::Result<Vec<f64>> + 'a>,
}

impl<'a> Contender<'a> {
    /// `turn` reports one value for each figure, in their order.
    pub fn new<const N: usize>(name: &'static str, turn: impl Fn() -> io::Result<[f64; N]> + 'a) -> Self {
        Self { name, turn: Box::new(move || turn().map(Vec::from)) }
    }
}

impl fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The values of one contender.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Whose values they are.
    pub name: &'static str,
    /// For each figure, the value of each round.
    pub rounds: Vec<Vec<f64>>,
}

/// Lets the contenders take turns for `rounds` rounds; the answer is in their order.
///
/// # Errors
/// A turn fails; the contender is named.
///
/// # Panics
/// If a turn reports another number of values than there are figures.
pub fn measure(figures: &[Figure], contenders: &[Contender<'_>], rounds: usize) -> io::Result<Vec<Series>> {
    let empty = |c: &Contender<'_>| Series { name: c.name, rounds: vec![Vec::with_capacity(rounds); figures.len()] };
    let mut series: Vec<_> = contenders.iter().map(empty).collect();
    for round in 0..rounds {
        for i in order(round, contenders.len()) {
            let Contender { name, turn } = &contenders[i];
            let values = turn().map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
            assert_eq!(values.len(), figures.len(), "{name} reports something else than the figures");
            series[i].rounds.iter_mut().zip(values).for_each(|(rounds, value)| rounds.push(value));
        }
    }
    Ok(series)
}

/// Forwards in even rounds, backwards in odd ones.
fn order(round: usize, contenders: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..contenders).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::RefCell;

    use super::*;

    #[test]
    fn contenders_take_turns_forwards_and_backwards() {
        let turns = RefCell::new(String::new());
        let contender = |name: &'static str| {
            let turns = &turns;
            Contender::new(name, move || {
                turns.borrow_mut().push_str(name);
                Ok([turns.borrow().len() as f64, 0.0])
            })
        };
        let figures = [Figure::less("ms"), Figure::fact("threads")];
        let series = measure(&figures, &[contender("a"), contender("b")], 3).unwrap();
        assert_eq!(turns.borrow().as_str(), "abbaab");
        assert_eq!(series[0], Series { name: "a", rounds: vec![vec![1.0, 4.0, 5.0], vec![0.0; 3]] });
        assert_eq!(series[1].rounds[0], [2.0, 3.0, 6.0]);
    }

    #[test]
    fn a_failed_turn_names_its_contender() {
        let fails = Contender::new("tokio", || -> io::Result<[f64; 1]> { Err(io::Error::other("no thread")) });
        let error = measure(&[Figure::less("ms")], &[fails], 1).unwrap_err();
        assert_eq!(error.to_string(), "tokio: no thread");
    }
}
