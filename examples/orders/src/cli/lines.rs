//! The lines of an input, none of which may fill the memory.

use std::io::{self, BufRead, Read};

use crate::{domain::Reject, limits};

/// Reads line by line and counts; blank lines are skipped.
pub(super) struct Lines<R> {
    input: R,
    number: u64,
}

/// A line's number and its bytes, or that it is too long.
type Line = (u64, Result<Vec<u8>, Reject>);

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

    pub(super) fn next(&mut self) -> Option<io::Result<Line>> {
        loop {
            match self.read() {
                Ok(None) => return None,
                Ok(Some((_, Ok(line)))) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => return Some(Ok(line)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let most = limits::BODY_BYTES as u64 + 1;
        if self.input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.len() > limits::BODY_BYTES {
            self.input.skip_until(b'\n')?;
            return Ok(Some((self.number, Err(Reject::too_large()))));
        }
        Ok(Some((self.number, Ok(line))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn long_lines_are_refused_and_the_next_one_is_read() {
        let fits = limits::BODY_BYTES;
        let input = [b"a\n\n".to_vec(), vec![b'x'; fits], b"\n".to_vec(), vec![b'y'; 3 * fits]];
        let input = [input.concat(), b"\nlast".to_vec()].concat();
        let mut lines = Lines::new(&*input);
        let mut next = || lines.next().transpose().unwrap();
        assert_eq!(next(), Some((1, Ok(b"a".to_vec()))));
        assert_eq!(next(), Some((3, Ok(vec![b'x'; fits]))));
        assert_eq!(next(), Some((4, Err(Reject::too_large()))));
        assert_eq!(next(), Some((5, Ok(b"last".to_vec()))));
        assert_eq!(next(), None);
    }
}
