//! Memory: the smallest limit of all levels, and what has been used of it.

use crate::host::{Host, Shape, V2, check};
use tidemill_cgroup::System;

const V1: &str = "35 31 0:32 / /m rw - cgroup cgroup rw,memory\n";

#[test]
fn memory_limit_is_the_smallest_of_all_levels() {
    const NONE_4K: &str = "9223372036854771712\n";
    const NONE_64K: &str = "9223372036854710272\n";
    const NONE_OLD: &str = "18446744073709551615\n";
    let v1_file = "memory.limit_in_bytes";
    #[rustfmt::skip]
    let table = [
        // membership, mounts, file, at /a/b, at /a, line
        ("0::/a/b\n", V2, "memory.max", "max\n", "536870912\n", "memory 512.0 MiB at /a"),
        ("0::/a/b\n", V2, "memory.max", "1048576\n", "1048576\n", "memory 1.0 MiB at /a/b"),
        ("0::/a/b\n", V2, "memory.max", "max\n", "max\n", "no memory limit"),
        ("0::/a/b\n", V2, "memory.max", "1k\n", "1048576\n",
            "memory 1.0 MiB at /a (ignored: /sys/fs/cgroup/a/b/memory.max: malformed: \"1k\")"),
        ("4:memory:/a/b\n", V1, v1_file, NONE_4K, "1572864\n", "memory 1.5 MiB at /a"),
        ("4:memory:/a/b\n", V1, v1_file, "1048576\n", NONE_4K, "memory 1.0 MiB at /a/b"),
        ("4:memory:/a/b\n", V1, v1_file, NONE_64K, NONE_OLD, "no memory limit"),
        ("4:memory:/a/b\n", V1, v1_file, "max\n", "-1\n",
            "no memory limit (ignored: /m/a/b/memory.limit_in_bytes: malformed: \"max\"; \
             /m/a/memory.limit_in_bytes: malformed: \"-1\")"),
    ];
    for (member, mounts, file, leaf, parent, line) in table {
        let host = Host::with(member, mounts);
        let point = if mounts == V2 { "/sys/fs/cgroup" } else { "/m" };
        host.write(&format!("{point}/a/b/{file}"), leaf);
        host.write(&format!("{point}/a/{file}"), parent);
        assert_eq!(host.line(host.system(8).memory_limit()), line);
    }
}

const USAGE: &[Shape] = &[
    Shape {
        name: "v2: used at the level that sets the limit",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[
            ("/sys/fs/cgroup/pod/x/memory.max", "max\n"),
            ("/sys/fs/cgroup/pod/x/memory.current", "1048576\n"),
            ("/sys/fs/cgroup/pod/memory.max", "104857600\n"),
            ("/sys/fs/cgroup/pod/memory.current", "99614720\n"),
        ],
        line: "memory 100.0 MiB at /pod, 95.0 MiB used",
    },
    Shape {
        name: "v2: without a limit, used by the own cgroup",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[
            ("/sys/fs/cgroup/pod/x/memory.current", "1048576\n"),
            ("/sys/fs/cgroup/pod/memory.current", "99614720\n"),
        ],
        line: "no memory limit, 1.0 MiB used",
    },
    Shape {
        name: "v1",
        cgroup: "4:memory:/a\n0::/b\n",
        mounts: V1,
        files: &[("/m/a/memory.limit_in_bytes", "2097152\n"), ("/m/a/memory.usage_in_bytes", "524288\n")],
        line: "memory 2.0 MiB at /a, 0.5 MiB used",
    },
    Shape {
        name: "a limit stands though its usage is malformed",
        cgroup: "0::/a\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/a/memory.max", "1048576\n"), ("/sys/fs/cgroup/a/memory.current", "much\n")],
        line: "memory 1.0 MiB at /a (ignored: /sys/fs/cgroup/a/memory.current: malformed: \"much\")",
    },
    Shape {
        name: "namespace: what an ancestor uses is not ours",
        cgroup: "4:memory:/\n",
        mounts: "35 31 0:32 /.. /m rw - cgroup cgroup rw,memory\n",
        files: &[("/m/memory.usage_in_bytes", "524288\n")],
        line: "no memory limit (ignored: /m: levels below are hidden)",
    },
    Shape {
        name: "namespace: its limit is",
        cgroup: "4:memory:/\n",
        mounts: "35 31 0:32 /.. /m rw - cgroup cgroup rw,memory\n",
        files: &[("/m/memory.limit_in_bytes", "2097152\n"), ("/m/memory.usage_in_bytes", "524288\n")],
        line: "memory 2.0 MiB at /.., 0.5 MiB used (ignored: /m: levels below are hidden)",
    },
    Shape {
        name: "no hierarchy for memory",
        cgroup: "1:cpu:/a\n",
        mounts: V2,
        files: &[],
        line: "no memory limit (ignored: /proc/self/cgroup: names no memory hierarchy)",
    },
];

#[test]
fn usage_of_every_shape() {
    check(USAGE, System::memory_limit);
}

#[test]
fn events_are_data() {
    let v2 = Host::with("0::/a\n", V2);
    v2.write("/sys/fs/cgroup/a/memory.max", "1048576\n");
    v2.write("/sys/fs/cgroup/a/memory.current", "4096\n");
    v2.write("/sys/fs/cgroup/a/memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
    let v1 = Host::with("4:memory:/a\n", V1);
    v1.write("/m/a/memory.usage_in_bytes", "4096\n");
    v1.write("/m/a/memory.failcnt", "7\n");
    v1.write("/m/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 8\n");
    for (host, high, max, oom_kills) in [(&v2, Some(2), Some(3), Some(5)), (&v1, None, Some(7), Some(8))] {
        let usage = host.system(1).memory_limit().usage().unwrap();
        assert_eq!((usage.bytes, usage.high, usage.max, usage.oom_kills), (4096, high, max, oom_kills));
    }
}
