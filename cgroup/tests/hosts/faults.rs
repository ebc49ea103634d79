//! Files that say nonsense or are not there: never a panic, never silence.

use crate::host::{Host, Shape, V1_CPU, V2, check};
use tidemill_cgroup::{Quota, System, Trouble};

const FAULTS: &[Shape] = &[
    Shape {
        name: "malformed file: ignored, remembered, the other levels still count",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/pod/x/cpu.max", "lots\nof it\n"), ("/sys/fs/cgroup/pod/cpu.max", "400000 100000\n")],
        line: "quota 4.00 CPUs at /pod, 8 CPUs by affinity -> 4 \
               (ignored: /sys/fs/cgroup/pod/x/cpu.max: malformed: \"lots\\nof it\")",
    },
    Shape {
        name: "malformed v1 period, empty v1 quota: two notes",
        cgroup: "1:cpu:/a/b\n",
        mounts: V1_CPU,
        files: &[
            ("/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "100000\n"),
            ("/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "-5\n"),
            ("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", ""),
        ],
        line: "no quota, 8 CPUs by affinity -> 8 \
               (ignored: /sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us: malformed: \"-5\"; \
               /sys/fs/cgroup/cpu/a/cpu.cfs_quota_us: malformed: \"\")",
    },
    Shape {
        name: "v1 quota without its period",
        cgroup: "1:cpu:/a\n",
        mounts: V1_CPU,
        files: &[("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "100000\n")],
        line: "no quota, 8 CPUs by affinity -> 8 \
               (ignored: /sys/fs/cgroup/cpu/a/cpu.cfs_period_us: unreadable: entity not found)",
    },
    Shape {
        name: "unreadable file",
        cgroup: "0::/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/x/cpu.max/", "")],
        line: "no quota, 8 CPUs by affinity -> 8 \
               (ignored: /sys/fs/cgroup/x/cpu.max: unreadable: is a directory)",
    },
    Shape {
        name: "period 0, v2",
        cgroup: "0::/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/x/cpu.max", "100000 0\n")],
        line: "no quota, 8 CPUs by affinity -> 8 \
               (ignored: /sys/fs/cgroup/x/cpu.max: period is 0)",
    },
    Shape {
        name: "period 0, v1",
        cgroup: "1:cpu:/a\n",
        mounts: V1_CPU,
        files: &[
            ("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "100000\n"),
            ("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "0\n"),
        ],
        line: "no quota, 8 CPUs by affinity -> 8 \
               (ignored: /sys/fs/cgroup/cpu/a/cpu.cfs_period_us: period is 0)",
    },
    Shape {
        name: "quota above affinity",
        cgroup: "0::/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/x/cpu.max", "3200000 100000\n")],
        line: "quota 32.00 CPUs at /x, 8 CPUs by affinity -> 8",
    },
    Shape {
        name: "quota of 0",
        cgroup: "0::/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/x/cpu.max", "0 100000\n")],
        line: "quota 0.00 CPUs at /x, 8 CPUs by affinity -> 1",
    },
    Shape {
        name: "no hierarchy for cpu",
        cgroup: "3:memory:/\n",
        mounts: V2,
        files: &[],
        line: "no quota, 8 CPUs by affinity -> 8 \
               (ignored: /proc/self/cgroup: names no cpu hierarchy)",
    },
    Shape {
        name: "nothing mounted",
        cgroup: "0::/x\n",
        mounts: "23 1 0:2 / /proc rw - proc proc rw\n",
        files: &[],
        line: "no quota, 8 CPUs by affinity -> 8 (ignored: /x: not visible in any mount)",
    },
];

#[test]
fn every_fault_is_told_and_sets_no_limit() {
    check(FAULTS, System::cpu_limit);
}

/// What one `cpu.max` is read as: the quota, or none and a note.
#[test]
fn every_text_of_cpu_max() {
    let host = Host::with("0::/x\n", V2);
    for (text, quota) in [
        ("max 100000\n", Ok(None)),
        ("100000 100000\n", Ok(Some((100_000, 100_000)))),
        ("0 100000", Ok(Some((0, 100_000)))),
        ("1000 1\n", Ok(Some((1_000, 1)))),
        ("18446744073709551615 1\n", Ok(Some((u64::MAX, 1)))),
        ("18446744073709551616 1\n", Err(())),
        ("1 18446744073709551616\n", Err(())),
        ("-1 100000\n", Err(())),
        ("100000 -1\n", Err(())),
        ("1.5 100000\n", Err(())),
        ("0x10 100000\n", Err(())),
        ("100000 100000 5\n", Err(())),
        ("100000\t100000\n", Err(())),
        ("100000 max\n", Err(())),
        ("MAX 100000\n", Err(())),
        ("max\n", Err(())),
        ("100000\n", Err(())),
        ("\n", Err(())),
        ("", Err(())),
        ("\0 \0", Err(())),
    ] {
        host.write("/sys/fs/cgroup/x/cpu.max", text);
        let limit = host.system(8).cpu_limit();
        let read = limit.quota().map(|quota| (quota.quota_us(), quota.period_us().get()));
        let got = if limit.notes().is_empty() { Ok(read) } else { Err(()) };
        assert_eq!(got, quota, "{text:?}");
        assert!((1..=8).contains(&limit.procs(Default::default(), std::num::NonZeroUsize::MIN).get()), "{text:?}");
    }
}

/// The same for v1, whose quota is signed: -1 is what the kernel writes for "none".
#[test]
fn every_text_of_cfs_quota() {
    let host = Host::with("1:cpu:/x\n", V1_CPU);
    host.write("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
    for (text, quota) in [
        ("-1\n", Ok(None)),
        ("-9223372036854775808\n", Ok(None)),
        ("0\n", Ok(Some(0))),
        ("9223372036854775807\n", Ok(Some(i64::MAX as u64))),
        ("9223372036854775808\n", Err(())),
        ("max\n", Err(())),
        ("1 2\n", Err(())),
        ("- 1\n", Err(())),
    ] {
        host.write("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", text);
        let limit = host.system(8).cpu_limit();
        let got = if limit.notes().is_empty() { Ok(limit.quota().map(Quota::quota_us)) } else { Err(()) };
        assert_eq!(got, quota, "{text:?}");
    }
}

/// A file that is no text at all, and one far longer than any kernel file.
#[test]
fn binary_and_endless_files() {
    let host = Host::with("0::/x\n", V2);
    for bytes in [vec![0xff; 64], vec![b'9'; 1 << 20]] {
        host.write("/sys/fs/cgroup/x/cpu.max", &bytes);
        let line = host.line(host.system(8).cpu_limit());
        assert!(line.contains("/sys/fs/cgroup/x/cpu.max: malformed") && line.len() < 400, "{line}");
    }
}

#[test]
fn no_proc_at_all() {
    let host = Host::new();
    let limit = host.system(8).cpu_limit();
    assert_eq!(limit.quota(), None);
    assert_eq!(limit.cgroup(), None);
    assert_eq!(limit.notes()[0].path(), host.path("/proc/self/cgroup"));
    assert_eq!(limit.notes()[0].trouble(), &Trouble::Unreadable(std::io::ErrorKind::NotFound));
    assert_eq!(host.system(8).memory_limit().bytes(), None);
    assert_eq!(host.system(8).throttling().notes(), limit.notes());
}

#[test]
fn no_mountinfo() {
    let host = Host::new();
    host.write("/proc/self/cgroup", "0::/x\n");
    assert_eq!(
        host.line(host.system(1).cpu_limit()),
        "no quota, 1 CPU by affinity -> 1 \
         (ignored: /proc/self/mountinfo: unreadable: entity not found)"
    );
}
