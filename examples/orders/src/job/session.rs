//! One variant in service: its payment provider, its server, the clients, and all that they were told.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use orders_load::{Arrivals, LoadReport, Plan, Request, Schedule, Step, run, saturate};
use orders_report::Variant;
use tidemill::Runtime;
use tidemill::profiling::FoldedStacks;

use super::child::Server;
use super::error::{Doing, JobError};
use super::order::Bodies;
use super::plan;
use super::vars::Vars;
use super::verdict::Remains;

/// A running variant under load.
pub(crate) struct Session<'a> {
    runtime: &'a Runtime,
    bodies: &'a Bodies,
    variant: Variant,
    provider: Server,
    server: Server,
    /// The numbers of all orders that a client was told are accepted.
    accepted: Vec<u64>,
    /// Phases so far: each has its own range of idempotency keys.
    phases: u32,
}

impl<'a> Session<'a> {
    /// Starts provider and server in `folder`, which must not hold an older run.
    pub(crate) fn start(
        runtime: &'a Runtime,
        bodies: &'a Bodies,
        variant: Variant,
        folder: &Path,
    ) -> Result<Self, JobError> {
        fs::create_dir_all(folder).doing(|| format!("creating {}", folder.display()))?;
        let provider = start_provider(folder)?;
        let server = start_server(variant, folder, &provider.url())?;
        Ok(Self { runtime, bodies, variant, provider, server, accepted: Vec::new(), phases: 0 })
    }

    /// Closed loop: every connection sends as soon as it has its answer.
    pub(crate) fn saturate(&mut self, duration: Duration) -> Result<LoadReport, JobError> {
        let plan = self.clients()?;
        let report = self.runtime.block_on(saturate(plan, duration)).doing(|| self.loading())?;
        self.note(report)
    }

    /// Open loop: independent customers, step by step, whatever the server does.
    pub(crate) fn offer(&mut self, steps: &[Step]) -> Result<LoadReport, JobError> {
        let plan = self.clients()?;
        let schedule = Schedule::ladder(Arrivals::Poisson, steps, plan::SEED).doing(|| self.loading())?;
        let report = self.runtime.block_on(run(plan, schedule)).doing(|| self.loading())?;
        self.note(report)
    }

    /// Profiles the server while it is saturated.
    pub(crate) fn profile(&mut self, seconds: u64) -> Result<FoldedStacks, JobError> {
        let page = format!("/debug/pprof/flamegraph?seconds={seconds}&format=folded");
        let duration = Duration::from_secs(seconds);
        let plan = self.clients()?;
        let (folded, report) = std::thread::scope(|scope| {
            let profile = scope.spawn(|| self.server.get_within(&page, duration + NAMING));
            let report = self.runtime.block_on(saturate(plan, duration + NAMING / 20));
            (profile.join().expect("the client does not panic"), report)
        });
        let report = report.doing(|| self.loading())?;
        self.note(report)?;
        let folded = String::from_utf8_lossy(&folded?).into_owned();
        FoldedStacks::parse(&folded).doing(|| "reading the CPU profile".to_owned())
    }

    /// The server's counts.
    pub(crate) fn vars(&self) -> Result<Vars, JobError> {
        let json = self.server.get("/debug/vars")?;
        Vars::parse(&json).doing(|| "reading /debug/vars".to_owned())
    }

    /// Waits until every accepted order has come to its end; yields the counts of that moment.
    pub(crate) fn drain(&self) -> Result<Vars, JobError> {
        let deadline = Instant::now() + plan::DRAIN;
        loop {
            let vars = self.vars()?;
            if vars.is_drained() {
                return Ok(vars);
            }
            if Instant::now() >= deadline {
                let what = format!("{} things were left to do after {:?}", vars.pending(), plan::DRAIN);
                return Err(JobError::new(format!("draining the {} server", self.variant.name()), what));
            }
            std::thread::sleep(plan::DRAIN_POLL);
        }
    }

    /// Stops server and provider, and leaves what the judge needs.
    pub(crate) fn finish(self) -> Result<Remains, JobError> {
        // A server that does not end is killed: its store must be whole all the same.
        let stop_failure = self.server.stop(plan::STOP).err().map(|error| error.to_string());
        // Only now: a payment may have been under way until the server was gone.
        let ledger = self.provider.get("/ledger")?;
        self.provider.stop(plan::STOP)?;
        Ok(Remains { ledger, accepted: self.accepted, stop_failure })
    }

    fn clients(&mut self) -> Result<Plan, JobError> {
        self.phases += 1;
        let (bodies, prefix) = (self.bodies.clone(), format!("{}-{}", self.variant.name(), self.phases));
        Plan::builder(format!("{}/orders", self.server.url()))
            .connections(plan::CONNECTIONS)
            .timeout(plan::PATIENCE)
            .source(move |n| Request { idempotency_key: format!("{prefix}-{n}"), body: bodies.of(n) })
            .build()
            .doing(|| self.loading())
    }

    fn note(&mut self, report: LoadReport) -> Result<LoadReport, JobError> {
        if report.unidentified > 0 {
            let what = format!("{} answers did not say the order's number", report.unidentified);
            return Err(JobError::new(self.loading(), what));
        }
        self.accepted.extend_from_slice(&report.accepted);
        Ok(report)
    }

    fn loading(&self) -> String {
        format!("loading the {} server", self.variant.name())
    }
}

fn start_provider(folder: &Path) -> Result<Server, JobError> {
    let seed = plan::SEED.to_string();
    let args = ["payment-sim", "--listen", ANY_PORT, "--seed", &seed, "--faults", plan::FAULTS];
    Server::start("the payment provider", &args, &folder.join("payment.log"))
}

fn start_server(variant: Variant, folder: &Path, payment_url: &str) -> Result<Server, JobError> {
    let (variant, database) = (variant.name(), folder.join(super::DATABASE));
    let database = database.to_string_lossy();
    let args = ["serve", "--variant", variant, "--db", &database, "--listen", ANY_PORT, "--payment-url", payment_url];
    Server::start(&format!("the {variant} server"), &args, &folder.join("server.log"))
}

const ANY_PORT: &str = "127.0.0.1:0";
/// The server names the functions of a profile after its last sample, which may take seconds.
const NAMING: Duration = Duration::from_secs(20);
