//! This program again, in another role and a process of its own.
//!
//! The two talk in lines over the child's standard input and output. A child that serves ends with its input, so that
//! none is left behind whatever happens to its parent.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    process::{self, ChildStdin, ChildStdout, Command, Stdio},
    str::FromStr,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{blocking, idle, network, quota};

/// The option that makes this program play a role.
const ROLE: &str = "--role";

/// How often a parent looks whether its child has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Plays the role that the command line names.
///
/// # Errors
/// The role is unknown, or its own.
pub(crate) fn play(role: &[String]) -> io::Result<()> {
    let words: Vec<_> = role.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["idle", words @ ..] => idle::play(words),
        ["nested", words @ ..] => blocking::play_nested(words),
        ["hello", words @ ..] => network::play_hello(words),
        ["quota", words @ ..] => quota::play(words),
        _ => Err(io::Error::other(format!("there is no role {words:?}"))),
    }
}

/// A word of a role, read.
///
/// # Errors
/// It is missing or malformed.
pub(crate) fn word<T: FromStr>(words: &[&str], index: usize) -> io::Result<T> {
    let word = words.get(index).and_then(|word| word.parse().ok());
    word.ok_or_else(|| io::Error::other(format!("word {index} of {words:?} is missing or wrong")))
}

/// A running child; killed when dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: process::Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Reads its standard error to the end, lest a child with much to complain about waits for room.
    complaints: Option<JoinHandle<io::Result<String>>>,
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Well; what it said last.
    Said(String),
    /// Not well; what it complained about.
    Failed(String),
    /// It had to be killed.
    Late,
}

impl Child {
    /// # Errors
    /// The system's.
    pub(crate) fn start(role: &[&str]) -> io::Result<Self> {
        Self::of(Command::new(env::current_exe()?).arg(ROLE).args(role))
    }

    /// Another program that talks in the same way.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn of(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut errors = process.stderr.take().expect("it is piped");
        let read = move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).map(|_| text)
        };
        Ok(Self { process, input, output, complaints: Some(thread::spawn(read)) })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Says a line to it and waits for its answer.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn ask(&mut self, line: &str) -> io::Result<String> {
        let input = self.input.as_mut().expect("it is open until the child is dropped");
        writeln!(input, "{line}")?;
        self.hear()
    }

    /// Waits for a line from it.
    ///
    /// # Errors
    /// It has ended; with what it complained about.
    pub(crate) fn hear(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(io::Error::other(format!("the child ended: {}", self.complaint()?)));
        }
        Ok(line.trim().to_owned())
    }

    /// Waits until it ends, or kills it after `limit`.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn end_within(mut self, limit: Duration) -> io::Result<End> {
        let start = Instant::now();
        loop {
            match self.process.try_wait()? {
                Some(status) if status.success() => return self.hear().map(End::Said),
                Some(_) => return self.complaint().map(End::Failed),
                None if start.elapsed() >= limit => return Ok(End::Late),
                None => thread::sleep(LOOK),
            }
        }
    }

    /// The first line that it wrote to its standard error, the place of a panic left out.
    fn complaint(&mut self) -> io::Result<String> {
        let read = self.complaints.take().and_then(|reader| reader.join().ok());
        let text = read.transpose()?.unwrap_or_default();
        let line = text.lines().find(|line| !line.trim().is_empty() && !line.contains("panicked at"));
        Ok(line.unwrap_or("without a word").to_owned())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.input.take());
        // Both fail only if it has ended by itself.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// The child's side: answers each line of the standard input until it ends.
///
/// # Errors
/// The parent is gone, or `answer`'s.
pub(crate) fn answer_lines(mut answer: impl FnMut(&str) -> io::Result<String>) -> io::Result<()> {
    for line in io::stdin().lines() {
        println!("{}", answer(&line?)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_or_named() {
        let words = ["tokio", "12"];
        assert_eq!(word::<u32>(&words, 1).ok(), Some(12));
        for index in [0, 2] {
            let error = word::<u32>(&words, index).map_err(|error| error.to_string());
            assert!(error.is_err_and(|text| text.starts_with(&format!("word {index}"))));
        }
    }

    #[test]
    fn an_unknown_role_is_named() {
        let error = play(&["king".to_owned()]).map_err(|error| error.to_string());
        assert_eq!(error, Err("there is no role [\"king\"]".to_owned()));
    }
}
