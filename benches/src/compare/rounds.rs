//! Turns and rounds, and the values they leave behind.

use std::{
    fmt, io,
    time::{Duration, Instant},
};

use super::{Better, Figure, median, stats::Interval};

/// What a name ends in if it is the reference a second time.
pub const AGAIN: &str = "(A/A)";

/// What a contender is in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Somebody to compare with; the first one is the reference.
    Contender,
    /// The reference a second time: shows what the method cannot tell apart.
    Again,
    /// The least that the work can cost; not a library.
    Floor,
}

/// Somebody who takes turns.
pub struct Contender<'a> {
    /// The name in tables.
    pub name: String,
    role: Role,
    turn: Box<dyn Fn() -> io::Result<Vec<f64>> + 'a>,
}

impl<'a> Contender<'a> {
    /// `turn` reports one value for each figure, in their order. A name that ends in [`AGAIN`] is the reference once more.
    pub fn new<const N: usize>(name: impl Into<String>, turn: impl Fn() -> io::Result<[f64; N]> + 'a) -> Self {
        let name = name.into();
        let role = if name.ends_with(AGAIN) { Role::Again } else { Role::Contender };
        Self { name, role, turn: Box::new(move || turn().map(Vec::from)) }
    }

    /// Makes it the floor of the comparison.
    #[must_use]
    pub fn as_floor(self) -> Self {
        Self { role: Role::Floor, ..self }
    }

    /// Whether `--against` may leave it out.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.role == Role::Contender
    }
}

impl fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// The values of one contender.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Series {
    /// Whose values they are.
    pub name: String,
    /// What it is in the comparison.
    pub role: Role,
    /// For each figure, the value of each round.
    #[serde(deserialize_with = "with_holes")]
    pub rounds: Vec<Vec<f64>>,
    /// How many of the rounds each pass had.
    pub passes: Vec<usize>,
}

impl Series {
    /// How many times better `reference` is by the figure of a column; `None` for what is not compared.
    ///
    /// # Panics
    /// If there are no rounds.
    #[must_use]
    pub fn ratio(&self, figure: Figure, column: usize, reference: &Self) -> Option<Interval> {
        figure.ratio(&self.rounds[column], &reference.rounds[column], &self.passes)
    }

    /// The same, round by round; nothing if it is not compared.
    #[must_use]
    pub fn ratios(&self, figure: Figure, reference: &Self) -> Vec<f64> {
        let pairs = || self.rounds[0].iter().zip(&reference.rounds[0]);
        match figure.better {
            Better::Less => pairs().map(|(own, theirs)| own / theirs).collect(),
            Better::More => pairs().map(|(own, theirs)| theirs / own).collect(),
            Better::Neither => Vec::new(),
        }
    }

    /// How many times `floor` this contender needs, by the first figure, formed within rounds.
    ///
    /// # Panics
    /// If there are no rounds.
    #[must_use]
    pub fn times(&self, floor: &Self) -> f64 {
        let ratios: Vec<_> = self.rounds[0].iter().zip(&floor.rounds[0]).map(|(own, least)| own / least).collect();
        median(&ratios)
    }

    /// Adds the rounds of a later pass.
    pub fn extend(&mut self, later: &Self) {
        self.rounds.iter_mut().zip(&later.rounds).for_each(|(rounds, more)| rounds.extend(more));
        self.passes.extend(&later.passes);
    }
}

/// JSON has no word for what is no number.
fn with_holes<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Vec<f64>>, D::Error> {
    let rounds: Vec<Vec<Option<f64>>> = serde::Deserialize::deserialize(from)?;
    let filled = |rounds: Vec<Option<f64>>| rounds.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
    Ok(rounds.into_iter().map(filled).collect())
}

/// What one can say of a ratio beside the noise of the same comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The reference is better.
    Ahead,
    /// The reference is worse.
    Behind,
    /// No difference that this comparison could see.
    Even,
}

impl Verdict {
    /// A difference counts if its interval leaves out 1 and it lies outside of what the reference differs from itself.
    #[must_use]
    pub fn of(ratio: Interval, noise: Option<Interval>) -> Self {
        let noise = noise.unwrap_or(Interval::exactly(1.0));
        if ratio.low > 1.0 && ratio.median > noise.high {
            Self::Ahead
        } else if ratio.high < 1.0 && ratio.median < noise.low {
            Self::Behind
        } else {
            Self::Even
        }
    }
}

/// How many rounds to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounds {
    /// At least so many, whatever the time.
    pub least: usize,
    /// Never more.
    pub most: usize,
    /// No further round begins that would end after this much time, going by the mean of those before.
    pub within: Duration,
}

impl Rounds {
    /// So many, whatever the time.
    #[must_use]
    pub const fn exactly(rounds: usize) -> Self {
        Self { least: rounds, most: rounds, within: Duration::MAX }
    }

    fn go_on(self, done: usize, elapsed: Duration) -> bool {
        let next = elapsed.checked_div(done as u32).unwrap_or_default();
        done < self.least || done < self.most && elapsed + next <= self.within
    }
}

/// Lets the contenders take turns; the answer is in their order. `before` is how many rounds earlier passes had: who was first in
/// their last one is last in the next.
///
/// # Errors
/// A turn fails; the contender is named.
///
/// # Panics
/// If a turn reports another number of values than there are figures.
pub fn measure(
    figures: &[Figure],
    contenders: &[Contender<'_>],
    rounds: Rounds,
    before: usize,
) -> io::Result<Vec<Series>> {
    let empty = |c: &Contender<'_>| Series {
        name: c.name.clone(),
        role: c.role,
        rounds: vec![Vec::new(); figures.len()],
        passes: Vec::new(),
    };
    let mut series: Vec<_> = contenders.iter().map(empty).collect();
    let (mut round, start) = (0, Instant::now());
    while rounds.go_on(round, start.elapsed()) {
        for i in order(before + round, contenders.len()) {
            let Contender { name, turn, .. } = &contenders[i];
            let values = turn().map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
            assert_eq!(values.len(), figures.len(), "{name} reports something else than the figures");
            series[i].rounds.iter_mut().zip(values).for_each(|(rounds, value)| rounds.push(value));
        }
        round += 1;
    }
    series.iter_mut().for_each(|series| series.passes.push(round));
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
        let series = measure(&figures, &[contender("a"), contender("b")], Rounds::exactly(3), 0).unwrap();
        assert_eq!(turns.borrow().as_str(), "abbaab");
        assert_eq!(series[0].rounds, [vec![1.0, 4.0, 5.0], vec![0.0; 3]]);
        assert_eq!((&series[1].rounds[0], &series[1].passes), (&vec![2.0, 3.0, 6.0], &vec![3]));
        measure(&figures, &[contender("a"), contender("b")], Rounds::exactly(1), 3).unwrap();
        assert_eq!(turns.borrow().as_str(), "abbaabba");
    }

    #[test]
    fn a_failed_turn_names_its_contender() {
        let fails = Contender::new("tokio", || -> io::Result<[f64; 1]> { Err(io::Error::other("no thread")) });
        let error = measure(&[Figure::less("ms")], &[fails], Rounds::exactly(1), 0).unwrap_err();
        assert_eq!(error.to_string(), "tokio: no thread");
    }

    #[test]
    fn time_ends_the_rounds_between_the_least_and_the_most() {
        let rounds = Rounds { least: 2, most: 5, within: Duration::from_secs(10) };
        for (done, seconds, expected) in
            [(0, 0, true), (1, 60, true), (2, 6, true), (2, 7, false), (4, 8, true), (5, 5, false)]
        {
            assert_eq!(rounds.go_on(done, Duration::from_secs(seconds)), expected, "{done} rounds in {seconds} s");
        }
    }

    #[test]
    fn a_difference_within_the_noise_is_none() {
        let interval = |low, high| Interval { median: f64::midpoint(low, high), low, high };
        let noise = Some(interval(0.9, 1.1));
        for (ratio, expected) in [
            (interval(1.2, 1.4), Verdict::Ahead),
            (interval(1.01, 1.15), Verdict::Even),
            (interval(0.95, 1.6), Verdict::Even),
            (interval(0.5, 0.7), Verdict::Behind),
            (interval(0.9, 0.99), Verdict::Even),
        ] {
            assert_eq!(Verdict::of(ratio, noise), expected, "{ratio:?}");
        }
    }

    #[test]
    fn the_role_is_read_off_the_name_and_times_are_formed_within_rounds() {
        let contender = |name: &str| Contender::new(name, || Ok([1.0]));
        assert!(contender("tokio").is_optional() && !contender("tidemill (A/A)").is_optional());
        let series = |rounds: &[f64]| Series {
            name: String::new(),
            role: Role::Floor,
            rounds: vec![rounds.to_vec()],
            passes: vec![rounds.len()],
        };
        assert_eq!(series(&[2.0, 6.0, 40.0]).times(&series(&[1.0, 2.0, 10.0])), 3.0);
    }
}
