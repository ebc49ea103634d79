//! Random hosts: against a model that knows the answer, and against no expectation but sanity.

use crate::host::{Host, V2};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::num::NonZeroUsize;
use tidemill_cgroup::{Resource, Rounding, System, Watcher};

/// Quota in thousandths of a CPU (`None` is no limit) and period of each level from `/` to the leaf.
type Chain = Vec<(Option<u64>, u64)>;

fn path_of(depth: usize) -> String {
    if depth == 0 { "/".into() } else { (1..=depth).map(|level| format!("/l{level}")).collect() }
}

/// A process at the end of `chain`, whose only mount shows what lies at and below depth `top`.
fn host_of(chain: &Chain, top: usize, v1: bool) -> Host {
    let (own, shown) = (path_of(chain.len() - 1), path_of(top));
    let host = if v1 {
        Host::with(format!("7:cpu:{own}\n0::/\n"), format!("1 0 0:1 {shown} /c rw - cgroup x rw,cpu\n"))
    } else {
        Host::with(format!("0::{own}\n"), format!("1 0 0:1 {shown} /c rw - cgroup2 x rw\n"))
    };
    for (depth, (thousandths, period)) in chain.iter().enumerate().skip(top) {
        let dir: String = (top + 1..=depth).map(|level| format!("/l{level}")).collect();
        let quota = thousandths.map(|thousandths| (thousandths * period / 1_000).to_string());
        if v1 {
            host.write(&format!("/c{dir}/cpu.cfs_quota_us"), quota.unwrap_or("-1".into()));
            host.write(&format!("/c{dir}/cpu.cfs_period_us"), period.to_string());
        } else {
            host.write(&format!("/c{dir}/cpu.max"), format!("{} {period}\n", quota.unwrap_or("max".into())));
        }
    }
    host
}

fn chain() -> impl Strategy<Value = Chain> {
    let quota = proptest::option::of((1..=30_u64).prop_map(|tenths| tenths * 100));
    vec((quota, select(vec![1_000, 25_000, 100_000, 1_000_000])), 1..7)
}

proptest! {
    #[test]
    fn any_chain_yields_its_visible_minimum(chain in chain(), top: proptest::sample::Index, v1: bool) {
        let top = top.index(chain.len());
        let host = host_of(&chain, top, v1);
        // The nearest of equal ones: the deepest.
        let visible = (top..chain.len()).rev().filter_map(|depth| Some((chain[depth].0?, depth)));
        let model = visible.min_by_key(|&(quota, _)| quota);

        let limit = host.system(64).cpu_limit();
        prop_assert_eq!(limit.notes(), []);
        let cgroup = limit.cgroup().map(|path| path.to_str().unwrap().to_owned());
        prop_assert_eq!(cgroup, model.map(|(_, depth)| path_of(depth)));
        let ceil = model.map_or(64, |(thousandths, _)| thousandths.div_ceil(1_000));
        prop_assert_eq!(limit.procs(Rounding::Ceil, NonZeroUsize::MIN).get() as u64, ceil);
    }
}

/// What the parsers look for, in any order, between bytes of any kind.
const PIECES: &[&str] = &[
    "0",
    ":",
    "/",
    "..",
    "cpu",
    "memory",
    ",",
    " ",
    "\n",
    "\\040",
    "\\",
    "-",
    "max",
    "cgroup2",
    "cgroup",
    "a",
    "=",
    "some ",
    "full ",
    "avg10=",
    "avg60=1.00",
    "avg300=",
    "total=",
    "nr_periods ",
    "nr_throttled 1\n",
    "throttled_usec ",
    "usage_usec 1\n",
    "oom_kill ",
    "NaN",
    "1e999",
    "18446744073709551615",
    "18446744073709551616",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

const STAT: &str = "usage_usec 1\nnr_periods 9\nnr_throttled 1\nthrottled_usec 50\n";
const STALLS: &str = "some avg10=3.10 avg60=2.00 avg300=1.00 total=5\n";

/// Every file that is read, and what a sane kernel has in it.
const FILES: &[(&str, &str)] = &[
    ("/proc/self/cgroup", "0::/a\n"),
    ("/proc/self/mountinfo", V2),
    ("/proc/pressure/cpu", STALLS),
    ("/sys/fs/cgroup/a/cpu.max", "100000 100000\n"),
    ("/sys/fs/cgroup/a/cpu.stat", STAT),
    ("/sys/fs/cgroup/a/cpu.pressure", STALLS),
    ("/sys/fs/cgroup/a/memory.max", "4096\n"),
    ("/sys/fs/cgroup/a/memory.current", "4096\n"),
    ("/sys/fs/cgroup/a/memory.events", "high 1\nmax 1\noom_kill 0\n"),
];

/// The same for v1.
const V1_FILES: &[(&str, &str)] = &[
    ("/proc/self/cgroup", "2:cpu,memory:/a\n"),
    ("/proc/self/mountinfo", "1 0 0:1 / /c rw - cgroup x rw,cpu,memory\n"),
    ("/c/a/cpu.cfs_quota_us", "100000\n"),
    ("/c/a/cpu.cfs_period_us", "100000\n"),
    ("/c/a/cpu.stat", "nr_periods 9\nnr_throttled 1\nthrottled_time 50\n"),
    ("/c/a/memory.limit_in_bytes", "4096\n"),
    ("/c/a/memory.usage_in_bytes", "4096\n"),
    ("/c/a/memory.failcnt", "1\n"),
    ("/c/a/memory.oom_control", "oom_kill 0\n"),
];

/// Asks everything. Each answer is one line, whatever stood in the files.
fn ask(system: &System) -> Result<(), TestCaseError> {
    let now = system.throttling();
    let lines = [
        system.cpu_limit().to_string(),
        now.to_string(),
        now.since(&now).to_string(),
        now.total().to_string(),
        system.memory_limit().to_string(),
        system.pressure(Resource::Cpu).to_string(),
    ];
    for line in lines {
        prop_assert!(!line.contains('\n'), "{line:?}");
    }
    Ok(())
}

fn one_file_is(files: &[(&str, &str)], broken: usize, text: &[u8]) -> Result<(), TestCaseError> {
    let host = Host::new();
    files.iter().for_each(|(path, sane)| host.write(path, sane));
    let mut watcher = Watcher::on(host.system(4));
    let (path, _) = files[broken % files.len()];
    host.write(path, text);

    ask(&host.system(4))?;
    let fresh = host.system(4).cpu_limit();
    prop_assert!((1..=4).contains(&fresh.procs(Rounding::Round, NonZeroUsize::MIN).get()));
    watcher.poll();
    prop_assert!(!watcher.to_string().contains('\n'));
    // A change of mounts alone is not followed; everything else must agree with a fresh look.
    if path != "/proc/self/mountinfo" {
        prop_assert_eq!(watcher.current(), &fresh);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_whatsoever_breaks_it(v1: bool, broken: usize, text in text()) {
        one_file_is(if v1 { V1_FILES } else { FILES }, broken, &text)?;
    }
}
