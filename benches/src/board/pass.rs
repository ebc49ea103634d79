//! A pass over all rows, in a process of its own.
//!
//! A process lies in memory as it happens to, and some short loops are a tenth faster in one place than in another: all rounds
//! of one process agree on that, and another run's do not. So each pass of a full run is this program again, and a ratio's interval
//! knows what a new start changes. Freed memory and threads that a library leaves behind end with the pass, too.
//!
//! The child writes its tables to a file, whose text is kept for good: the names in the tables are slices of it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Context, Table, write};

/// What a pass found.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Told {
    tables: Vec<Table>,
    notes: Vec<(&'static str, String)>,
}

/// Starts this program with the same command line for one pass, and adds what it finds.
///
/// # Errors
/// The pass fails, or the system's.
pub(super) fn run(context: &Context, pass: usize) -> io::Result<()> {
    let path = file(pass);
    let elapsed = context.started.elapsed().as_secs().to_string();
    let mut child = Command::new(env::current_exe()?);
    child.args(env::args_os().skip(1)).arg("--pass").arg(pass.to_string()).arg("--elapsed").arg(elapsed);
    let status = child.arg("--tell").arg(&path).stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err(io::Error::other(format!("pass {} ended with {status}", pass + 1)));
    }
    let Told { tables, notes } = read(&path)?;
    tables.into_iter().for_each(|table| drop(context.keep(table)));
    notes.into_iter().for_each(|note| context.keep_note(note));
    fs::remove_file(path)
}

/// The child's last act.
///
/// # Errors
/// The system's.
pub(super) fn tell(context: &Context, path: &Path) -> io::Result<()> {
    let told = Told { tables: context.tables.take(), notes: context.notes.take() };
    write::put(path, &serde_json::to_string(&told).map_err(io::Error::other)?)
}

fn read(path: &Path) -> io::Result<Told> {
    let text: &'static str = fs::read_to_string(path)?.leak();
    serde_json::from_str(text).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

fn file(pass: usize) -> PathBuf {
    write::scratch().join(format!("pass-{pass}-of-{}.json", std::process::id()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::compare::{Figure, Role, Series};

    #[test]
    fn what_a_pass_tells_is_what_is_read() {
        let series = Series {
            name: "tidemill".into(),
            role: Role::Contender,
            rounds: vec![vec![1.5, f64::NAN], vec![2.0, 3.0]],
            passes: vec![2],
        };
        let table = Table {
            row: "row",
            title: "a \"title\"".into(),
            figures: vec![Figure::less("ns"), Figure::least("best ns")],
            series: vec![series],
            states: vec![1.25],
        };
        let path = env::temp_dir().join(format!("tidemill-pass-{}.json", std::process::id()));
        let told = Told { tables: vec![table.clone()], notes: vec![("row", "a\nnote".into())] };
        fs::write(&path, serde_json::to_string(&told).unwrap()).unwrap();
        let mut read = read(&path).unwrap();
        fs::remove_file(path).unwrap();
        assert_eq!((read.tables[0].row, &read.tables[0].title), (table.row, &table.title));
        assert_eq!(read.tables[0].figures, table.figures);
        let rounds = &mut read.tables[0].series[0].rounds;
        assert!(rounds[0].pop().unwrap().is_nan());
        assert_eq!(*rounds, [vec![1.5], vec![2.0, 3.0]]);
        assert_eq!(read.notes, told.notes);
    }
}
