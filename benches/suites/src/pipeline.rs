//! The order pipeline in one process: orders accepted, which is to say committed.

use std::{io, sync::Arc};

use benches::{
    Bench, Case, Executor, Lap, Spawner, Tidemill,
    board::{Row, Run},
};
use orders::{Config, Pipeline, Stages, Variant, generate::Generator};

use crate::store::Folder;

pub(crate) const ROW: Row = Row {
    section: 6,
    name: "pipeline",
    measures: "orders placed by 256 tasks in one process: checked, decoded, priced, and committed to SQLite; P = 2",
    leaves_out: "HTTP, payment and delivery (`cargo run --release -p orders` has all of it)",
    seconds: 6.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const CLIENTS: u64 = 256;

const PROCS: usize = 2;

fn benches() -> Vec<Bench> {
    let cases = vec![case("tuned", Variant::Tuned), case("naive", Variant::Naive)];
    vec![Bench::counted("orders accepted", 4_000, cases)]
}

fn case(name: &'static str, form: Variant) -> Case {
    Case::fallible(name, move || {
        let (folder, executor) = (Folder::new()?, Tidemill::start(PROCS)?);
        let config = Config { stages: Stages::all(form), ..Config::new(folder.file()) };
        let pipeline = executor.run(move |_| async move { Pipeline::open(&config) }).map_err(io::Error::other)?;
        let (pipeline, mut next) = (Arc::new(pipeline), 0);
        Ok(move |ops| {
            let _kept = &folder;
            let (pipeline, first) = (Arc::clone(&pipeline), next);
            next += ops;
            Lap::of(|| executor.run(|spawner| place_all(spawner, pipeline, first, ops)))
        })
    })
}

async fn place_all<S: Spawner>(spawner: S, pipeline: Arc<Pipeline>, first: u64, ops: u64) -> u64 {
    let part = |client| (first + ops * client / CLIENTS)..(first + ops * (client + 1) / CLIENTS);
    let clients: Vec<_> =
        (0..CLIENTS).map(|client| spawner.spawn(place(Arc::clone(&pipeline), part(client)))).collect();
    let mut accepted = 0;
    for client in clients {
        accepted += client.await;
    }
    accepted
}

async fn place(pipeline: Arc<Pipeline>, numbers: std::ops::Range<u64>) -> u64 {
    let generator = Generator::new(1, orders::limits::PRODUCTS);
    let mut accepted = 0;
    for number in numbers {
        let (key, body) = generator.order(number);
        accepted += u64::from(pipeline.place(key, body).await.is_ok_and(|receipt| !receipt.is_replay));
    }
    accepted
}
