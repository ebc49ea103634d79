//! Random hosts: against a model that knows the answer, and against no expectation but sanity. A
//! failure names its seed.

use crate::host::{Host, V2};
use std::num::NonZeroUsize;
use tidemill_cgroup::{Rounding, Watcher};

/// Steele and Vigna's SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Quotas in thousandths of a CPU from `/` down to the leaf; `None` is no limit.
type Chain = Vec<Option<usize>>;

fn path_of(depth: usize) -> String {
    if depth == 0 { "/".into() } else { (1..=depth).map(|level| format!("/l{level}")).collect() }
}

/// A process at the end of `chain`, whose only mount shows what lies at and below depth `top`.
fn host_of(random: &mut Random, chain: &Chain, top: usize) -> Host {
    let v1 = random.below(2) == 0;
    let (own, shown) = (path_of(chain.len() - 1), path_of(top));
    let host = if v1 {
        Host::with(format!("7:cpu:{own}\n0::/\n"), format!("1 0 0:1 {shown} /c rw - cgroup x rw,cpu\n"))
    } else {
        Host::with(format!("0::{own}\n"), format!("1 0 0:1 {shown} /c rw - cgroup2 x rw\n"))
    };
    for (depth, quota) in chain.iter().enumerate().skip(top) {
        let inner: String = (top + 1..=depth).map(|level| format!("/l{level}")).collect();
        let period = random.pick(&[1_000, 25_000, 100_000, 1_000_000]);
        let spent = quota.map(|thousandths| thousandths * period / 1_000);
        if v1 {
            let text = spent.map_or("-1".into(), |us| us.to_string());
            host.write(&format!("/c{inner}/cpu.cfs_quota_us"), text);
            host.write(&format!("/c{inner}/cpu.cfs_period_us"), period.to_string());
        } else {
            let text = spent.map_or("max".into(), |us| us.to_string());
            host.write(&format!("/c{inner}/cpu.max"), format!("{text} {period}\n"));
        }
    }
    host
}

#[test]
fn any_chain_yields_its_visible_minimum() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let depths = 1 + random.below(6);
        let chain: Chain = (0..depths).map(|_| (random.below(2) == 0).then(|| 100 * (1 + random.below(30)))).collect();
        let top = random.below(depths);
        let host = host_of(&mut random, &chain, top);
        // The nearest of equal ones: the deepest.
        let model =
            (top..depths).rev().filter_map(|depth| Some((chain[depth]?, depth))).min_by_key(|&(quota, _)| quota);

        let limit = host.system(64).cpu_limit();
        assert_eq!(limit.notes(), [], "seed {seed}");
        assert_eq!(
            limit.cgroup().map(|path| path.to_str().unwrap().to_owned()),
            model.map(|(_, depth)| path_of(depth)),
            "seed {seed}"
        );
        let ceil = model.map_or(64, |(thousandths, _)| thousandths.div_ceil(1_000));
        assert_eq!(limit.procs(Rounding::Ceil, NonZeroUsize::MIN).get(), ceil, "seed {seed}");
    }
}

#[test]
fn no_text_whatsoever_breaks_it() {
    const PIECES: &[&[u8]] = &[
        b"0",
        b":",
        b"/",
        b"..",
        b"cpu",
        b",",
        b" ",
        b"\n",
        b"\\040",
        b"\\",
        b"-",
        b"max",
        b"cgroup2",
        b"cgroup",
        b"a",
        b"\xff",
        b"18446744073709551616",
    ];
    let text =
        |random: &mut Random| -> Vec<u8> { (0..random.below(40)).flat_map(|_| random.pick(PIECES).to_vec()).collect() };
    let host = Host::with("0::/a\n", V2);
    let mut watcher = Watcher::on(host.system(4));
    for seed in 0..2_000 {
        let mut random = Random(seed);
        let file = random.pick(&["/proc/self/cgroup", "/proc/self/mountinfo", "/sys/fs/cgroup/a/cpu.max"]);
        let [cgroup, mounts, max] = [&b"0::/a\n"[..], V2.as_bytes(), b"100000 100000\n"];
        host.write("/proc/self/cgroup", cgroup);
        host.write("/proc/self/mountinfo", mounts);
        host.write("/sys/fs/cgroup/a/cpu.max", max);
        host.write(file, text(&mut random));
        let fresh = host.system(4).cpu_limit();
        assert!((1..=4).contains(&fresh.procs(Rounding::Round, NonZeroUsize::MIN).get()), "seed {seed}");
        // A change of mounts alone is not followed; everything else must agree with a fresh look.
        watcher.poll();
        if file != "/proc/self/mountinfo" {
            assert_eq!(watcher.current(), &fresh, "seed {seed}");
        }
    }
}
