//! Counted call stacks in the *folded* form: one line per stack, root first, frames parted by `;`, the
//! sample count last. It is the lingua franca of flame graph tools, so a profile is kept in it, written in
//! it and read back from it; drawing is left to `inferno`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use pprof::flamegraph;

/// Counted call stacks.
///
/// ```
/// use tidemill_profiling::FoldedStacks;
///
/// let stacks = FoldedStacks::parse("main;serve;parse 3\nmain;serve 1\n")?;
/// assert_eq!(stacks.samples(), 4);
/// assert_eq!(stacks.top_self(1), [("parse", 3)]);
/// assert_eq!(stacks.share(|frame| frame == "parse"), 0.75);
/// # Ok::<(), tidemill_profiling::ParseFoldedError>(())
/// ```
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FoldedStacks {
    /// Sorted, so that the same profile is always written the same way.
    counts: BTreeMap<String, u64>,
}

impl FoldedStacks {
    /// Reads folded lines; empty lines are skipped.
    ///
    /// # Errors
    /// Names the first line that does not end in a count.
    pub fn parse(text: &str) -> Result<Self, ParseFoldedError> {
        let mut stacks = Self::default();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let (stack, count) = line
                .rsplit_once(' ')
                .and_then(|(stack, count)| Some((stack, count.parse().ok()?)))
                .ok_or(ParseFoldedError { line: index + 1 })?;
            stacks.add(stack.to_owned(), count);
        }
        Ok(stacks)
    }

    /// Adds `samples` samples of `stack`, whose frames are parted by `;`, root first.
    pub fn add(&mut self, stack: String, samples: u64) {
        *self.counts.entry(stack).or_default() += samples;
    }

    /// The number of samples in all.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Each stack with its sample count, in the order of the stacks' text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(stack, count)| (stack.as_str(), *count))
    }

    /// The share, 0 to 1, of samples in which some frame satisfies `wanted`: the time spent in such a
    /// function and in all it calls. 0 for an empty profile.
    pub fn share(&self, wanted: impl Fn(&str) -> bool) -> f64 {
        let hits: u64 = self.iter().filter(|(stack, _)| stack.split(';').any(&wanted)).map(|(_, count)| count).sum();
        ratio(hits, self.samples())
    }

    /// The functions in which most samples ended, with their own samples, the largest first.
    #[must_use]
    pub fn top_self(&self, limit: usize) -> Vec<(&str, u64)> {
        let mut leaves = BTreeMap::<&str, u64>::new();
        for (stack, count) in self.iter() {
            let leaf = stack.rsplit(';').next().unwrap_or(stack);
            *leaves.entry(leaf).or_default() += count;
        }
        let mut top: Vec<_> = leaves.into_iter().collect();
        top.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        top.truncate(limit);
        top
    }

    /// Writes the folded lines.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_folded(&self, mut out: impl Write) -> io::Result<()> {
        self.iter().try_for_each(|(stack, count)| writeln!(out, "{stack} {count}"))
    }

    /// Draws an interactive flame graph, a self-contained SVG whose colours depend only on the function
    /// names, so that two graphs can be compared by eye.
    ///
    /// # Errors
    /// Those of `out`, and `InvalidData` for an empty profile, of which there is no picture.
    pub fn write_svg(&self, title: &str, out: impl Write) -> io::Result<()> {
        if self.counts.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a profile without samples has no flame graph"));
        }
        let mut folded = Vec::new();
        self.write_folded(&mut folded)?;
        flamegraph::from_reader(&mut options(title), folded.as_slice(), out).map_err(io::Error::other)
    }
}

fn options(title: &str) -> flamegraph::Options<'static> {
    let mut options = flamegraph::Options::default();
    title.clone_into(&mut options.title);
    options.hash = true;
    options.deterministic = true;
    options.min_width = MIN_FRAME_PERCENT;
    // Rust paths begin with what they are and end in their type parameters.
    options.text_truncate_direction = flamegraph::TextTruncateDirection::Right;
    options
}

/// Frames narrower than this share of the picture, in percent, cannot be read and are left out.
const MIN_FRAME_PERCENT: f64 = 0.1;

#[allow(clippy::cast_precision_loss)] // Sample counts are far below 2^52.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A line of a folded profile has no sample count at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseFoldedError {
    line: usize,
}

impl std::fmt::Display for ParseFoldedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} of the folded profile has no sample count at its end", self.line)
    }
}

impl std::error::Error for ParseFoldedError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut stacks = FoldedStacks::default();
        stacks.add("main;<[u8: 4] as Encode>::encode".into(), 2);
        stacks.add("main".into(), 1);
        stacks.add("main".into(), 4);
        let mut text = Vec::new();
        stacks.write_folded(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, "main 5\nmain;<[u8: 4] as Encode>::encode 2\n");
        assert_eq!(FoldedStacks::parse(&text).unwrap(), stacks);
    }

    #[test]
    fn a_line_without_count_is_named() {
        for (text, line) in [("main", 1), ("main 1\n\nmain;x y", 3), ("main -1", 1)] {
            assert_eq!(FoldedStacks::parse(text), Err(ParseFoldedError { line }), "{text:?}");
        }
    }

    #[test]
    fn share_counts_a_sample_once() {
        let stacks = FoldedStacks::parse("a;f;g;f 1\na;f 1\na;h 2").unwrap();
        assert_eq!(stacks.share(|frame| frame == "f"), 0.5);
        assert_eq!(stacks.share(|frame| frame == "z"), 0.0);
        assert_eq!(stacks.top_self(9), [("f", 2), ("h", 2)]);
        assert_eq!(FoldedStacks::default().share(|_| true), 0.0);
    }

    #[test]
    fn the_picture_names_its_functions() {
        let mut svg = Vec::new();
        FoldedStacks::parse("main;serve 3").unwrap().write_svg("a <title>", &mut svg).unwrap();
        let svg = String::from_utf8(svg).unwrap();
        assert!(svg.contains("serve (3 samples, 100.00%)"));
        assert!(svg.contains("a &lt;title&gt;"));
        let empty = FoldedStacks::default().write_svg("", io::sink()).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::InvalidData);
    }
}
