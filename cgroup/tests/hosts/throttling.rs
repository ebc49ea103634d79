//! The counters of used-up quotas, from every level, and the difference of two readings.

use crate::host::{Host, Shape, V1_CPU, V2, check};
use std::path::Path;
use std::time::Duration;
use tidemill_cgroup::System;

const V2_STAT: &str = "usage_usec 900\nuser_usec 800\nsystem_usec 100\nnr_periods 23\nnr_throttled 22\n\
                       throttled_usec 1234000\nnr_bursts 0\nburst_usec 0\n";
const V2_STAT_OFF: &str = "usage_usec 900\nuser_usec 800\nsystem_usec 100\n";

const THROTTLING: &[Shape] = &[
    Shape {
        name: "v2: leaf and parent count, the root has no quota to count",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[
            ("/sys/fs/cgroup/pod/x/cpu.stat", V2_STAT),
            ("/sys/fs/cgroup/pod/cpu.stat", "nr_periods 9\nnr_throttled 1\nthrottled_usec 50\nusage_usec 1\n"),
            ("/sys/fs/cgroup/cpu.stat", V2_STAT_OFF),
        ],
        line: "throttled in 22 of 23 periods, for 1.234s at /pod/x; \
               throttled in 1 of 9 periods, for 50µs at /pod",
    },
    Shape {
        name: "v2: controller off",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/pod/x/cpu.stat", V2_STAT_OFF)],
        line: "no throttling counters",
    },
    Shape {
        name: "v1: nanoseconds; a level without a period is no news",
        cgroup: "1:cpu:/docker/a\n0::/u\n",
        mounts: V1_CPU,
        files: &[
            ("/sys/fs/cgroup/cpu/docker/a/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n"),
            ("/sys/fs/cgroup/cpu/docker/cpu.stat", "nr_periods 4\nnr_throttled 3\nthrottled_time 2500000\n"),
        ],
        line: "throttled in 3 of 4 periods, for 2.5ms at /docker",
    },
    Shape {
        name: "v1 without a quota anywhere",
        cgroup: "1:cpu:/a\n",
        mounts: V1_CPU,
        files: &[("/sys/fs/cgroup/cpu/a/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n")],
        line: "not throttled",
    },
    Shape {
        name: "the units of the other version are malformed",
        cgroup: "0::/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/x/cpu.stat", "nr_periods 4\nnr_throttled 3\nthrottled_time 2500000\n")],
        line: "no throttling counters (ignored: /sys/fs/cgroup/x/cpu.stat: malformed: \
               \"nr_periods 4\\nnr_throttled 3\\nthrottled_ti\")",
    },
    Shape {
        name: "nonsense at one level, the others still count",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[
            ("/sys/fs/cgroup/pod/x/cpu.stat", "nr_periods many\nusage_usec 1\n"),
            ("/sys/fs/cgroup/pod/cpu.stat", V2_STAT),
            ("/sys/fs/cgroup/cpu.stat", ""),
        ],
        line: "throttled in 22 of 23 periods, for 1.234s at /pod \
               (ignored: /sys/fs/cgroup/pod/x/cpu.stat: malformed: \"nr_periods many\\nusage_usec 1\"; \
               /sys/fs/cgroup/cpu.stat: malformed: \"\")",
    },
    Shape {
        name: "nothing mounted",
        cgroup: "0::/x\n",
        mounts: "",
        files: &[],
        line: "no throttling counters (ignored: /x: not visible in any mount)",
    },
];

#[test]
fn throttling_of_every_shape() {
    check(THROTTLING, System::throttling);
}

fn stat(periods: u64, throttled: u64, usec: u64) -> String {
    format!("usage_usec 1\nnr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec {usec}\n")
}

#[test]
fn a_difference_is_level_by_level() {
    let host = Host::with("0::/pod/x\n", V2);
    host.write("/sys/fs/cgroup/pod/x/cpu.stat", stat(10, 5, 1_000));
    host.write("/sys/fs/cgroup/pod/cpu.stat", stat(10, 0, 0));
    let before = host.system(8).throttling();
    assert_eq!(before.since(&before).total(), Default::default());

    host.write("/sys/fs/cgroup/pod/x/cpu.stat", stat(30, 20, 5_000));
    // Made anew: it counts from zero.
    host.write("/sys/fs/cgroup/pod/cpu.stat", stat(8, 2, 70));
    let during = host.system(8).throttling().since(&before);
    let leaf = during.at(Path::new("/pod/x")).unwrap();
    assert_eq!((leaf.periods, leaf.throttled_periods, leaf.time), (20, 15, Duration::from_millis(4)));
    assert!((leaf.ratio() - 0.75).abs() < 1e-9);
    let sum = during.total();
    assert_eq!((sum.periods, sum.throttled_periods, sum.time), (28, 17, Duration::from_micros(4_070)));
    assert_eq!(during.levels().map(|(path, _)| path.to_str().unwrap()).collect::<Vec<_>>(), ["/pod/x", "/pod"]);
}

#[test]
fn a_cgroup_entered_in_between_is_left_out() {
    let host = Host::with("0::/pod/x\n", V2);
    host.write("/sys/fs/cgroup/pod/cpu.stat", stat(10, 0, 0));
    host.write("/sys/fs/cgroup/pod/x/cpu.stat", stat(10, 0, 0));
    host.write("/sys/fs/cgroup/pod/y/cpu.stat", stat(900, 900, 900));
    let before = host.system(8).throttling();
    host.write("/proc/self/cgroup", "0::/pod/y\n");
    host.write("/sys/fs/cgroup/pod/cpu.stat", stat(11, 1, 3));
    assert_eq!(host.line(host.system(8).throttling().since(&before)), "throttled in 1 of 1 periods, for 3µs at /pod");
}

#[test]
fn the_tightest_quota_has_its_counters() {
    let host = Host::with("0::/pod/x\n", V2);
    host.write("/sys/fs/cgroup/pod/cpu.max", "100000 100000\n");
    host.write("/sys/fs/cgroup/pod/x/cpu.stat", stat(10, 1, 1));
    host.write("/sys/fs/cgroup/pod/cpu.stat", stat(10, 9, 90));
    let limit = host.system(8).cpu_limit();
    let counters = host.system(8).throttling().at(limit.cgroup().unwrap()).unwrap();
    assert_eq!(counters.throttled_periods, 9);
    assert_eq!(host.system(8).throttling().at(Path::new("/")), None);
}

#[test]
fn sums_of_huge_counters_stay_numbers() {
    let host = Host::with("0::/pod/x\n", V2);
    host.write("/sys/fs/cgroup/pod/x/cpu.stat", stat(u64::MAX, u64::MAX, u64::MAX));
    host.write("/sys/fs/cgroup/pod/cpu.stat", stat(u64::MAX, 1, u64::MAX));
    let sum = host.system(8).throttling().total();
    assert_eq!((sum.periods, sum.throttled_periods), (u64::MAX, u64::MAX));
    assert_eq!(sum.time, Duration::from_micros(u64::MAX) * 2);
}
