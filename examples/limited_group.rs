//! A limited group: a thousand jobs, eight at a time, each of which may spawn more; nobody gets stuck.
//!
//! `cargo run --release --example limited_group`

use std::{
    path::{Path, PathBuf},
    pin::Pin,
};

use tidemill::{TaskGroup, groups::Scope};

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args().nth(1).map_or_else(|| PathBuf::from("scheduler"), PathBuf::from);
    let group = TaskGroup::builder().limit(8).build()?;
    group.spawn(walk(root.clone(), group.scope())).await?;
    let bytes: u64 = group.wait().await?.iter().sum();
    println!("{bytes} bytes below {}", root.display());
    Ok(())
}

type Walk = Pin<Box<dyn Future<Output = std::io::Result<u64>> + Send>>;

/// The bytes of the files in a folder; a child of its own for each folder in it.
fn walk(folder: PathBuf, scope: Scope<u64, std::io::Error>) -> Walk {
    Box::pin(async move {
        let (files, folders) = tidemill::blocking(|| list(&folder))?; // blocks this task and nobody else
        for folder in folders {
            // Waits while eight others run; meanwhile its own slot is the child's.
            scope.spawn(walk(folder, scope.clone())).await.map_err(std::io::Error::other)?;
        }
        Ok(files)
    })
}

fn list(folder: &Path) -> std::io::Result<(u64, Vec<PathBuf>)> {
    let (mut bytes, mut folders) = (0, Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        } else {
            bytes += entry.metadata()?.len();
        }
    }
    Ok((bytes, folders))
}
