//! Pressure, of the machine and of the own cgroup, where the kernel keeps it.

use crate::host::{Host, Shape, V1_CPU, V2, check};
use std::time::Duration;
use tidemill_cgroup::Resource;

const HIGH: &str = "some avg10=3.10 avg60=2.00 avg300=1.00 total=4565668430\n\
                    full avg10=0.50 avg60=0.25 avg300=0.00 total=7\n";
const LOW: &str = "some avg10=0.04 avg60=0.64 avg300=1.79 total=3\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
const OLD: &str = "some avg10=100.00 avg60=0.64 avg300=1.79 total=3\n";

const CPU: &[Shape] = &[
    Shape {
        name: "v2: the own cgroup, not its parent, and the machine",
        cgroup: "0::/pod/x\n",
        mounts: V2,
        files: &[
            ("/proc/pressure/cpu", LOW),
            ("/proc/pressure/memory", "?"),
            ("/sys/fs/cgroup/pod/x/cpu.pressure", HIGH),
            ("/sys/fs/cgroup/pod/cpu.pressure", "?"),
        ],
        line: "cpu pressure over 10 s: some 3.10 %, full 0.50 % at /pod/x; some 0.04 %, full 0.00 % on the machine",
    },
    Shape {
        name: "hybrid: v2 keeps it although v1 owns the controller",
        cgroup: "1:cpu:/a\n0::/u\n",
        mounts: "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                 38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        files: &[("/proc/pressure/cpu", LOW), ("/sys/fs/cgroup/unified/u/cpu.pressure", HIGH)],
        line: "cpu pressure over 10 s: some 3.10 %, full 0.50 % at /u; some 0.04 %, full 0.00 % on the machine",
    },
    Shape {
        name: "v1: only of the machine; before 5.13 without full",
        cgroup: "1:cpu:/a\n",
        mounts: V1_CPU,
        files: &[("/proc/pressure/cpu", OLD), ("/sys/fs/cgroup/cpu/a/", "")],
        line: "cpu pressure over 10 s: some 100.00 % on the machine \
               (ignored: /proc/self/cgroup: names no unified hierarchy)",
    },
    Shape {
        name: "a kernel without pressure",
        cgroup: "0::/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/x/", "")],
        line: "cpu pressure unknown",
    },
    Shape {
        name: "only of the cgroup: /proc is hidden",
        cgroup: "0::/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/x/cpu.pressure", OLD)],
        line: "cpu pressure over 10 s: some 100.00 % at /x",
    },
    Shape {
        name: "namespace: an ancestor's is not ours",
        cgroup: "0::/\n",
        mounts: "30 23 0:26 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        files: &[("/sys/fs/cgroup/cpu.pressure", HIGH), ("/proc/pressure/cpu", LOW)],
        line: "cpu pressure over 10 s: some 0.04 %, full 0.00 % on the machine \
               (ignored: /sys/fs/cgroup: levels below are hidden)",
    },
    Shape {
        name: "malformed, both",
        cgroup: "0::/x\n",
        mounts: V2,
        files: &[("/sys/fs/cgroup/x/cpu.pressure", "full"), ("/proc/pressure/cpu", "")],
        line: "cpu pressure unknown (ignored: /sys/fs/cgroup/x/cpu.pressure: malformed: \"full\"; \
               /proc/pressure/cpu: malformed: \"\")",
    },
];

#[test]
fn pressure_of_every_shape() {
    check(CPU, |system| system.pressure(Resource::Cpu));
}

#[test]
fn each_resource_has_its_file_and_every_number_arrives() {
    for (resource, name) in [(Resource::Cpu, "cpu"), (Resource::Memory, "memory"), (Resource::Io, "io")] {
        let host = Host::with("0::/x\n", V2);
        host.write(&format!("/proc/pressure/{name}"), HIGH);
        host.write(&format!("/sys/fs/cgroup/x/{name}.pressure"), LOW);
        let pressure = host.system(1).pressure(resource);
        let (some, full) = (pressure.machine().unwrap().some, pressure.machine().unwrap().full.unwrap());
        assert_eq!([some.avg10, some.avg60, some.avg300], [3.1, 2.0, 1.0], "{name}");
        assert_eq!([full.avg10, full.avg60, full.avg300], [0.5, 0.25, 0.0], "{name}");
        assert_eq!([some.total, full.total], [4_565_668_430, 7].map(Duration::from_micros), "{name}");
        assert_eq!(pressure.own().unwrap().some.avg60, 0.64, "{name}");
        assert_eq!((pressure.resource(), pressure.cgroup().unwrap().to_str()), (resource, Some("/x")));
    }
}

#[test]
fn numbers_the_kernel_never_writes_are_malformed() {
    for avg in ["inf", "NaN", "-1", "100.01", "", "1,5"] {
        let host = Host::with("0::/x\n", V2);
        host.write("/proc/pressure/io", format!("some avg10={avg} avg60=0.00 avg300=0.00 total=0\n"));
        let pressure = host.system(1).pressure(Resource::Io);
        assert!(pressure.machine().is_none() && host.line(&pressure).contains("malformed"), "{avg}: {pressure}");
    }
}
