//! The steps, as a table, and how a command line picks from it.

use crate::{
    gate, layers,
    process::{Call, cargo},
    sanitize, scoreboard, services, tidy,
    workspace::Workspace,
};

/// A check that passes or says why not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) part_of_test: bool,
    pub(crate) run: fn(&Workspace) -> Result<(), String>,
}

/// In the order of `test`: first what takes a second, then what needs a build, the cheaper build first.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "fmt", what: "rustfmt changes nothing", part_of_test: true, run: fmt },
    Step { name: "tidy", what: "the rules of style that a machine can check", part_of_test: true, run: tidy::run },
    Step { name: "layers", what: "no crate knows what it must never know", part_of_test: true, run: layers::run },
    Step { name: "clippy", what: "no warning in any target", part_of_test: true, run: clippy },
    Step { name: "unit", what: "unit and integration tests", part_of_test: true, run: unit },
    Step { name: "ecosystem", what: "well-known libraries on tidemill", part_of_test: true, run: ecosystem },
    Step { name: "features", what: "what only optional features build", part_of_test: true, run: features },
    Step { name: "doctest", what: "examples in the documentation", part_of_test: true, run: doctest },
    Step { name: "doc", what: "the documentation builds without a warning", part_of_test: true, run: doc },
    Step { name: "examples", what: "examples build", part_of_test: true, run: examples },
    Step { name: "benches", what: "benches build and run at their smallest size", part_of_test: true, run: benches },
    Step { name: "gate", what: "instructions and allocations of the hot paths", part_of_test: true, run: gate::run },
    Step { name: "loom", what: "the protocols, in every interleaving", part_of_test: true, run: loom },
    Step { name: "shuttle", what: "the whole scheduler under random interleavings", part_of_test: true, run: shuttle },
    Step {
        name: "services",
        what: "finds or installs what `ecosystem` needs",
        part_of_test: false,
        run: services::run,
    },
    Step {
        name: "asan",
        what: "the libraries under the address and leak sanitizers (nightly)",
        part_of_test: false,
        run: sanitize::address,
    },
    Step {
        name: "tsan",
        what: "the scheduler under the thread sanitizer (nightly, rust-src)",
        part_of_test: false,
        run: sanitize::thread,
    },
    Step { name: "bless", what: "takes the gate's counts as its new baseline", part_of_test: false, run: gate::bless },
    Step {
        name: "package",
        what: "what would be published, in the order of dependencies (needs a network)",
        part_of_test: false,
        run: package,
    },
    Step { name: "deny", what: "licences, advisories, sources (needs cargo-deny)", part_of_test: false, run: deny },
];

/// The name that stands for every step with `part_of_test`.
const TEST: &str = "test";

/// The steps that `names` ask for, in the order asked.
///
/// # Errors
/// A name is unknown.
pub(crate) fn select(names: &[String]) -> Result<Vec<Step>, String> {
    let mut chosen = Vec::new();
    for name in names {
        if name == TEST {
            chosen.extend(STEPS.iter().filter(|step| step.part_of_test));
        } else {
            let step = STEPS.iter().find(|step| step.name == name);
            chosen.push(*step.ok_or_else(|| format!("no step is called `{name}`; see `cargo xtask help`"))?);
        }
    }
    Ok(chosen)
}

/// Whether `cargo xtask name` does something.
pub(crate) fn is_command(name: &str) -> bool {
    name == TEST || name == "help" || name == scoreboard::NAME || STEPS.iter().any(|step| step.name == name)
}

/// What `cargo xtask help` prints.
pub(crate) fn help() -> String {
    let mut out = String::from("cargo xtask test      every step marked *, until one fails\n");
    out.push_str("cargo xtask STEP ..   only these\n");
    out.push_str(
        "cargo xtask scoreboard   tidemill beside its peers; --quick takes a minute, --help tells the rest\n\n",
    );
    for Step { name, what, part_of_test, .. } in STEPS {
        let mark = if *part_of_test { '*' } else { ' ' };
        out.push_str(&format!("  {mark} {name:<9} {what}\n"));
    }
    out
}

/// Everything but `ecosystem`, whose dependencies nothing else needs; it has a step of its own.
const OURS: &str = "--workspace --exclude ecosystem";

fn fmt(at: &Workspace) -> Result<(), String> {
    cargo(at, "fmt --all -- --check").run()
}

fn clippy(at: &Workspace) -> Result<(), String> {
    cargo(at, &format!("clippy {OURS} --all-targets -- -D warnings")).run()
}

fn unit(at: &Workspace) -> Result<(), String> {
    tests(at, OURS, "")
}

/// nextest runs test binaries side by side and reports each test's time; plain cargo is enough, though.
fn tests(at: &Workspace, packages: &str, filter: &str) -> Result<(), String> {
    if cargo(at, "nextest --version").succeeds_silently() {
        cargo(at, &format!("nextest run {packages} --no-tests pass{filter}")).run()
    } else {
        cargo(at, &format!("test {packages} --lib --bins --tests{filter}")).run()
    }
}

/// Tests whose server is not here are left out by name, and the output says so; continuous integration leaves none out.
fn ecosystem(at: &Workspace) -> Result<(), String> {
    let filter = services::filter(&services::provide(at)?);
    cargo(at, "clippy --package ecosystem --all-targets -- -D warnings").run()?;
    tests(at, "--package ecosystem", &filter)?;
    cargo(at, "test --package ecosystem --doc").run()
}

/// The others are on by default, or are other members' own.
fn features(at: &Workspace) -> Result<(), String> {
    let console = "--package tidemill-scheduler --features console";
    cargo(at, &format!("clippy {console} --all-targets -- -D warnings")).run()?;
    cargo(at, &format!("test {console} --lib --test console --test watch")).run()?;
    // Each by itself: code that leans on what another one brings in builds with all of them.
    for alone in ["http", "redis", "tower"] {
        let clippy = format!("clippy --package tidemill-resilience --features {alone} -- -D warnings");
        cargo(at, &clippy).run()?;
    }
    let resilience = "--package tidemill-resilience --all-features";
    cargo(at, &format!("clippy {resilience} --all-targets -- -D warnings")).run()?;
    cargo(at, &format!("test {resilience} --lib --test http --test tower")).run()?;
    cargo(at, &format!("test {resilience} --doc")).run()
}

fn doctest(at: &Workspace) -> Result<(), String> {
    cargo(at, &format!("test {OURS} --doc")).run()
}

fn doc(at: &Workspace) -> Result<(), String> {
    cargo(at, "doc --workspace --no-deps --features tidemill/testing").env("RUSTDOCFLAGS", "-D warnings").run()
}

fn examples(at: &Workspace) -> Result<(), String> {
    cargo(at, &format!("build {OURS} --examples")).run()
}

/// Every bench runs at its smallest size when it is started by `cargo test`, so nothing is built twice for this.
fn benches(at: &Workspace) -> Result<(), String> {
    cargo(at, &format!("test {OURS} --bench *")).run()
}

/// Switches of thread that loom may force in one run. loom's authors recommend two or three: most bugs need no more, and
/// each further one multiplies the number of runs.
const LOOM_PREEMPTIONS: &str = "2";

/// In a target directory of its own, because flags rebuild every dependency, and without what only a shipped build needs.
/// Under a cfg of our own, because `loom` also changes what some dependencies compile to.
fn model(at: &Workspace, package: &str, checker: &str) -> Call {
    cargo(at, &format!("test --package {package} --release --lib {checker}"))
        .env("RUSTFLAGS", format!("--cfg tidemill_{checker}"))
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_TARGET_DIR", at.target_for(checker))
}

fn loom(at: &Workspace) -> Result<(), String> {
    for package in ["tidemill-scheduler", "tidemill-context", "tidemill-groups", "tidemill-resilience"] {
        model(at, package, "loom").env("LOOM_MAX_PREEMPTIONS", LOOM_PREEMPTIONS).run()?;
    }
    Ok(())
}

/// The seed is fixed, so that a change that fails here fails everywhere; `TIDEMILL_SCHEDULES=100000` looks further.
fn shuttle(at: &Workspace) -> Result<(), String> {
    model(at, "tidemill-scheduler", "shuttle").run()
}

/// The libraries; the rest says `publish = false`. Nothing is built, for `test` has.
fn package(at: &Workspace) -> Result<(), String> {
    let libraries = at.members()?.into_iter().filter(|member| member.name.starts_with("tidemill"));
    let names: String = libraries.map(|member| format!(" --package {}", member.name)).collect();
    cargo(at, &format!("package{names} --no-verify --allow-dirty")).run()
}

/// Every member: by itself cargo-deny looks at the root package alone, and so at no bench and no service.
fn deny(at: &Workspace) -> Result<(), String> {
    cargo(at, "deny --workspace check").run()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Result<Vec<&'static str>, String> {
        let args: Vec<_> = args.iter().map(ToString::to_string).collect();
        Ok(select(&args)?.into_iter().map(|step| step.name).collect())
    }

    #[test]
    fn steps_are_chosen_by_name_in_the_order_asked() {
        assert_eq!(names(&["tidy", "fmt"]), Ok(vec!["tidy", "fmt"]));
        let test = names(&["test"]).expect("it is a command");
        assert!(test.starts_with(&["fmt", "tidy", "layers", "clippy"]) && !test.contains(&"deny"), "{test:?}");
    }

    #[test]
    fn an_unknown_step_is_named() {
        assert_eq!(names(&["fmt", "lint"]), Err("no step is called `lint`; see `cargo xtask help`".into()));
    }

    #[test]
    fn help_lists_every_step_once() {
        let help = help();
        for step in STEPS {
            assert_eq!(help.matches(step.what).count(), 1, "{}", step.name);
            assert!(is_command(step.name));
        }
    }
}
