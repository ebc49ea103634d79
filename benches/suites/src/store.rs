//! Rows made durable in SQLite: one transaction for each, or one for many.

use std::{
    env,
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use rusqlite::Connection;

pub(crate) const ROW: Row = Row {
    section: 6,
    name: "store",
    measures: "inserting rows of 400 bytes into SQLite (WAL, synchronous = FULL), 64 to a transaction or one by one",
    leaves_out: "how the rows come together (see `pipeline`); other databases; the file system is that of the temporary folder",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const ROW_BYTES: usize = 400;

/// Rows of a group.
const GROUP: u64 = 64;

fn benches() -> Vec<Bench> {
    let cases = vec![
        case("64 to a transaction", GROUP),
        case("one by one", 1),
        Case::fallible("floor: append, fdatasync per 64", || {
            let folder = Folder::new()?;
            let mut file = File::create(folder.file())?;
            Ok(move |ops| {
                let _kept = &folder;
                Lap::of(|| grouped(ops, GROUP, |rows| append(&mut file, rows)).unwrap_or(0))
            })
        })
        .as_floor(),
    ];
    vec![Bench { grain: GROUP, ..Bench::counted("rows of 400 bytes", 20 * GROUP, cases) }]
}

fn case(name: &'static str, group: u64) -> Case {
    Case::fallible(name, move || {
        let folder = Folder::new()?;
        let connection = Connection::open(folder.file()).map_err(io::Error::other)?;
        let pragmas = "pragma journal_mode = wal; pragma synchronous = full; create table rows (body blob)";
        connection.execute_batch(pragmas).map_err(io::Error::other)?;
        Ok(move |ops| {
            let _kept = &folder;
            // A checksum of nothing is a wrong one.
            Lap::of(|| grouped(ops, group, |rows| insert(&connection, rows).map_err(io::Error::other)).unwrap_or(0))
        })
    })
}

fn grouped(ops: u64, group: u64, mut write: impl FnMut(u64) -> io::Result<u64>) -> io::Result<u64> {
    let mut written = 0;
    while written < ops {
        written += write(group.min(ops - written))?;
    }
    Ok(written)
}

fn insert(connection: &Connection, rows: u64) -> rusqlite::Result<u64> {
    let transaction = connection.unchecked_transaction()?;
    let mut written = 0;
    {
        let mut statement = transaction.prepare_cached("insert into rows values (?1)")?;
        for _ in 0..rows {
            written += statement.execute([&[7_u8; ROW_BYTES][..]])? as u64;
        }
    }
    transaction.commit()?;
    Ok(written)
}

fn append(file: &mut File, rows: u64) -> io::Result<u64> {
    file.write_all(&[7; ROW_BYTES].repeat(rows as usize))?;
    file.sync_data()?;
    Ok(rows)
}

/// A folder of its own, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Relaxed: only that no two are alike.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("tidemill-bench-{}-{number}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind is a temporary file.
        _ = fs::remove_dir_all(&self.0);
    }
}
