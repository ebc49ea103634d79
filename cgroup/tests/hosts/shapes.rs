//! Every shape a host's cgroups come in, as a small tree of files and the one line that must come
//! out.

use crate::host::{Host, Shape, V1_CPU, V2, check};
use std::num::NonZeroUsize;
use tidemill_cgroup::{Rounding, System};

const V1_BOTH: &str = "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

const CPU: &[Shape] = &[
    Shape {
        name: "v2, limit at the leaf",
        cgroup: "0::/kubepods/x\n",
        mounts: V2,
        files: &[
            ("/sys/fs/cgroup/kubepods/x/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/kubepods/cpu.max", "max 100000\n"),
        ],
        line: "quota 1.50 CPUs at /kubepods/x, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "v2, an ancestor is tighter than the leaf",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/pod/x/cpu.max", "400000 100000\n"), ("/sys/fs/cgroup/pod/cpu.max", "20000 10000\n")],
        line: "quota 2.00 CPUs at /pod, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "v2, equal amounts: the nearest level counts",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/pod/x/cpu.max", "300000 100000\n"), ("/sys/fs/cgroup/pod/cpu.max", "30000 10000\n")],
        line: "quota 3.00 CPUs at /pod/x, 8 CPUs by affinity -> 3",
    },
    Shape {
        name: "v2, no limit at any level",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/pod/x/cpu.max", "max 100000\n")],
        line: "no quota, 8 CPUs by affinity -> 8",
    },
    Shape {
        name: "v2, controller off: no files, no complaint",
        cgroup: "0::/user.slice\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/user.slice/", "")],
        line: "no quota, 8 CPUs by affinity -> 8",
    },
    Shape {
        name: "v1 cpu",
        cgroup: "2:cpuset:/\n1:cpu:/docker/a\n",
        mounts: V1_CPU,
        files: &[
            ("/sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu/docker/cpu.cfs_period_us", "100000\n"),
        ],
        line: "quota 0.50 CPUs at /docker/a, 8 CPUs by affinity -> 1",
    },
    Shape {
        name: "v1 cpu,cpuacct, limit at the parent",
        cgroup: "4:cpuacct,cpu:/docker/a\n",
        mounts: V1_BOTH,
        files: &[
            ("/sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "250000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n"),
        ],
        line: "quota 2.50 CPUs at /docker, 8 CPUs by affinity -> 3",
    },
    Shape {
        name: "hybrid: v1 owns cpu, v2 is not asked",
        cgroup: "1:cpu:/a\n0::/b\n",
        mounts: "38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                 33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
        files: &[
            ("/sys/fs/cgroup/unified/b/cpu.max", "100000 100000\n"),
            ("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "300000\n"),
            ("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"),
        ],
        line: "quota 3.00 CPUs at /a, 8 CPUs by affinity -> 3",
    },
    Shape {
        name: "hybrid: v1 owns other controllers only",
        cgroup: "1:cpuset:/a\n0::/b\n",
        mounts: "38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                 33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n",
        files: &[("/sys/fs/cgroup/unified/b/cpu.max", "100000 100000\n")],
        line: "quota 1.00 CPUs at /b, 8 CPUs by affinity -> 1",
    },
    Shape {
        name: "container: the mount's root is our own cgroup",
        cgroup: "1:cpu:/docker/a\n",
        mounts: "33 31 0:30 /docker/a /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
        files: &[
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "120000\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ],
        line: "quota 1.20 CPUs at /docker/a, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "container in a container: the limit lies between mount root and leaf",
        cgroup: "0::/docker/a/docker/b\n",
        mounts: "33 31 0:30 /docker/a /cg ro - cgroup2 cgroup2 rw\n",
        files: &[
            ("/cg/docker/b/cpu.max", "max 100000\n"),
            ("/cg/docker/cpu.max", "350000 100000\n"),
            ("/cg/cpu.max", "600000 100000\n"),
        ],
        line: "quota 3.50 CPUs at /docker/a/docker, 8 CPUs by affinity -> 4",
    },
    Shape {
        name: "a sibling whose name begins like ours is not our root",
        cgroup: "0::/ab\n",
        mounts: "33 31 0:30 /a /cg ro - cgroup2 cgroup2 rw\n",
        files: &[("/cg/cpu.max", "100000 100000\n"), ("/cg/b/cpu.max", "100000 100000\n")],
        line: "no quota, 8 CPUs by affinity -> 8 (ignored: /ab: not visible in any mount)",
    },
    Shape {
        name: "two mounts: the one that shows more ancestors",
        cgroup: "0::/pod/x\n",
        mounts: "33 31 0:30 /pod/x /own ro - cgroup2 cgroup2 rw\n\
                 34 31 0:30 / /all ro - cgroup2 cgroup2 rw\n\
                 35 31 0:30 /pod /pod ro - cgroup2 cgroup2 rw\n",
        files: &[
            ("/own/cpu.max", "max 100000\n"),
            ("/pod/x/", ""),
            ("/all/pod/x/cpu.max", "max 100000\n"),
            ("/all/pod/cpu.max", "200000 100000\n"),
        ],
        line: "quota 2.00 CPUs at /pod, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "a mount that is covered by another one",
        cgroup: "0::/pod/x\n",
        mounts: "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n\
                 31 30 0:26 /pod/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        files: &[("/sys/fs/cgroup/cpu.max", "200000 100000\n")],
        line: "quota 2.00 CPUs at /pod/x, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "namespace: our cgroup is the root",
        cgroup: "0::/\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/cpu.max", "150000 100000\n")],
        line: "quota 1.50 CPUs at /, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "namespace escape: our cgroup lies outside, the mount shows the inside",
        cgroup: "0::/../x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/cpu.max", "100000 100000\n"), ("/sys/fs/x/cpu.max", "1 1\n")],
        line: "no quota, 8 CPUs by affinity -> 8 (ignored: /../x: not visible in any mount)",
    },
    Shape {
        name: "namespace escape: the mount was made outside too",
        cgroup: "0::/../x/y\n",
        mounts: "30 23 0:26 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        files: &[("/sys/fs/cgroup/x/y/cpu.max", "max 100000\n"), ("/sys/fs/cgroup/x/cpu.max", "250000 100000\n")],
        line: "quota 2.50 CPUs at /../x, 8 CPUs by affinity -> 3",
    },
    Shape {
        name: "namespace: the mount shows an ancestor and hides what is between",
        cgroup: "0::/a\n",
        mounts: "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        files: &[("/sys/fs/cgroup/cpu.max", "250000 100000\n")],
        line: "quota 2.50 CPUs at /../.., 8 CPUs by affinity -> 3 \
               (ignored: /sys/fs/cgroup: levels below are hidden)",
    },
    Shape {
        name: "namespace: a full view is better than a hidden one",
        cgroup: "0::/\n",
        mounts: "30 23 0:26 /../.. /host rw - cgroup2 cgroup2 rw\n\
                 31 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        files: &[("/host/cpu.max", "max 100000\n"), ("/sys/fs/cgroup/cpu.max", "150000 100000\n")],
        line: "quota 1.50 CPUs at /, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "mount point with spaces",
        cgroup: "0::/a b\n",
        mounts: "30 23 0:26 / /my\\040odd\\040mount rw - cgroup2 cgroup2 rw\n",
        files: &[("/my odd mount/a b/cpu.max", "150000 100000\n")],
        line: "quota 1.50 CPUs at /a b, 8 CPUs by affinity -> 2",
    },
];

#[test]
fn cpu_limit_of_every_shape() {
    check(CPU, System::cpu_limit);
}

#[test]
fn procs_rounds_raises_to_the_minimum_and_stays_within_affinity() {
    use Rounding::{Ceil, Floor, Round};
    let host = Host::with("0::/x\n", V2);
    for (max, cpus, rounding, min, procs) in [
        ("25000 100000", 16, Ceil, 1, 1),
        ("25000 100000", 16, Floor, 1, 1),
        ("25000 100000", 16, Ceil, 2, 2),
        ("25000 100000", 1, Ceil, 2, 1),
        ("150000 100000", 16, Ceil, 1, 2),
        ("150000 100000", 16, Floor, 1, 1),
        ("850000 100000", 16, Round, 1, 9),
        ("849999 100000", 16, Round, 1, 8),
        ("3200000 100000", 16, Floor, 1, 16),
        ("max 100000", 16, Floor, 1, 16),
        ("max 100000", 16, Ceil, 99, 16),
    ] {
        host.write("/sys/fs/cgroup/x/cpu.max", max);
        let limit = host.system(cpus).cpu_limit();
        let min = NonZeroUsize::new(min).unwrap();
        let line = limit.explain(rounding, min).to_string();
        assert_eq!(limit.procs(rounding, min).get(), procs, "{line}, {rounding:?}, min {min}");
        assert!(line.ends_with(&format!("-> {procs}")), "{line}");
    }
}

#[test]
fn the_parts_are_data() {
    let host = Host::with("0::/pod/x\n", V2);
    host.write("/sys/fs/cgroup/pod/x/cpu.max", "150001 99999\n");
    let limit = host.system(8).cpu_limit();
    let quota = limit.quota().unwrap();
    assert_eq!((quota.quota_us(), quota.period_us().get()), (150_001, 99_999));
    assert_eq!(limit.cgroup().unwrap().to_str(), Some("/pod/x"));
    assert_eq!(limit.affinity().get(), 8);
}

#[test]
fn files_longer_than_one_read() {
    let others: String = (20..200).map(|id| format!("{id}:name=hierarchy{id}:/some/where\n")).collect();
    let mounts: String = (20..200).map(|id| format!("{id} 1 0:{id} / /m{id} rw - tmpfs none rw\n")).collect();
    let host = Host::with(format!("{others}1:cpu:/a\n"), mounts + V1_CPU);
    host.write("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "150000\n");
    host.write("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    assert_eq!(host.line(host.system(8).cpu_limit()), "quota 1.50 CPUs at /a, 8 CPUs by affinity -> 2");
}
