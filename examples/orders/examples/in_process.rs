//! Orders accepted, which is to say committed, in one process without HTTP, beside the floor: one thread that decodes
//! bodies and inserts them into one table, 256 to a transaction, and does nothing else.
//!
//! `cargo run --release -p orders --example in_process`: rounds of both, one after the other; what counts is the median of
//! their ratios. Payment and delivery do not run here (`orders` without a command has all of it).

use std::{
    env, error, fs, io, process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use mimalloc::MiMalloc;
use orders::{Config, Pipeline, Quota, Variant, decode::decode, domain::IdempotencyKey, generate::Generator, limits};
use rusqlite::Connection;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

type Fallible<T> = Result<T, Box<dyn error::Error + Send + Sync>>;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
/// Tasks that place one order after the other; as many rows share a commit of the floor.
const CLIENTS: u64 = 256;

fn main() -> Fallible<()> {
    let folder = env::temp_dir().join(format!("orders-in-process-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let generator = Generator::new(1, limits::PRODUCTS);
    let bodies: Arc<[Bytes]> = (0..4096).map(|number| generator.order(number).1).collect();
    let pipeline = Pipeline::open(&Config { quota: Quota::WIDE, ..Config::new(folder.join("pipeline")) })?;
    let floor = floor_table(&folder.join("floor"))?;
    let mut shares = Vec::new();
    println!("{:>14} {:>14} {:>8}", "pipeline /s", "floor /s", "share");
    for round in 0..ROUNDS {
        let placed = tidemill::Runtime::builder()
            .procs(tidemill::Procs::Fixed(2))
            .build()?
            .block_on(place_all(&pipeline, &bodies, round))?;
        let inserted = insert_all(&floor, &bodies, round)?;
        shares.push(placed / inserted);
        println!("{placed:>14.0} {inserted:>14.0} {:>7.0}%", 100.0 * placed / inserted);
    }
    shares.sort_by(f64::total_cmp);
    println!("median share of the floor: {:.0}%", 100.0 * shares[ROUNDS / 2]);
    drop(pipeline);
    Ok(fs::remove_dir_all(folder)?)
}

fn key(round: usize, number: u64) -> IdempotencyKey {
    // Spread, as clients' keys are; distinct, because the factor is odd.
    let name = format!("{:016x}-{round}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    name.parse().expect("digits, letters and a dash")
}

async fn place_all(pipeline: &Pipeline, bodies: &Arc<[Bytes]>, round: usize) -> Fallible<f64> {
    let (began, numbers) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let client = |_| {
        let (pipeline, bodies, numbers) = (pipeline.clone(), Arc::clone(bodies), Arc::clone(&numbers));
        tidemill::spawn(async move {
            while began.elapsed() < ROUND {
                // Only the number itself is used, hence relaxed.
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let body = bodies[number as usize % bodies.len()].clone();
                pipeline.place(key(round, number), body).await.map_err(|reject| reject.to_string())?;
            }
            Ok::<_, String>(())
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    for client in clients {
        client.await??;
    }
    Ok(numbers.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

fn floor_table(path: &std::path::Path) -> Fallible<Connection> {
    let connection = Connection::open(path)?;
    let pragmas = "pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 16384";
    connection.execute_batch(&format!("{pragmas}; create table orders (key blob, customer text, document blob)"))?;
    Ok(connection)
}

fn insert_all(connection: &Connection, bodies: &[Bytes], round: usize) -> Fallible<f64> {
    let (began, mut number) = (Instant::now(), 0);
    while began.elapsed() < ROUND {
        let transaction = connection.unchecked_transaction()?;
        for _ in 0..CLIENTS {
            let body = &bodies[number as usize % bodies.len()];
            let draft = decode(Variant::Tuned, body).map_err(|reject| io::Error::other(reject.to_string()))?;
            let mut insert = transaction.prepare_cached("insert into orders values (?, ?, ?)")?;
            insert.execute((key(round, number).as_bytes(), &*draft.customer, &**body))?;
            number += 1;
        }
        transaction.commit()?;
    }
    Ok(number as f64 / began.elapsed().as_secs_f64())
}
