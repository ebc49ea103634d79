//! A recursive directory walk in which every directory is a job that submits one for each directory below and waits for
//! them, on a pool with one worker and one place. On a pool that holds its slot while a job waits this never ends.
//!
//! `cargo run -p tidemill-pools --example walk [directory]`

use std::{path::PathBuf, pin::Pin, sync::Arc};

use tidemill_pools::{Job, WorkerPool};

type Pool = WorkerPool<Job<u64>, u64>;

/// The bytes in the files of a directory and of all below. A directory that cannot be read counts as empty.
fn bytes(pool: Arc<Pool>, directory: PathBuf) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        let (mut sum, directories) = tidemill_scheduler::blocking(|| list(&directory));
        let mut below = Vec::new();
        for directory in directories {
            let job = Job::future(bytes(Arc::clone(&pool), directory));
            if let Ok(ticket) = pool.submit(job).await {
                below.push(ticket);
            }
        }
        for ticket in below {
            sum += ticket.await.unwrap_or(0);
        }
        sum
    })
}

/// The bytes of the files in it, and the directories in it.
fn list(directory: &PathBuf) -> (u64, Vec<PathBuf>) {
    let (mut sum, mut directories) = (0, Vec::new());
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => directories.push(entry.path()),
            Ok(meta) => sum += meta.len(),
            Err(_) => {}
        }
    }
    (sum, directories)
}

async fn walk(directory: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let pool: Arc<Pool> = Arc::new(WorkerPool::builder().workers(1).queue(1).build_jobs()?);
    let job = Job::future(bytes(Arc::clone(&pool), directory.clone()));
    let sum = pool.submit(job).await?.await?;
    println!("{sum} bytes below {}, in {} directories", directory.display(), pool.stats().done);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    tidemill_scheduler::Runtime::builder().build()?.block_on(walk(directory))
}
