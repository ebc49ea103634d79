//! The same as `shapes`, by the names of those who make such hosts: what their containers look like from inside.

use crate::host::{Shape, V2, check};
use tidemill_cgroup::System;

const HOSTS: &[Shape] = &[
    Shape {
        name: "docker, v1, --cgroupns=host: each controller's mount shows the own cgroup only",
        cgroup: "12:cpuset:/docker/f0\n5:cpu,cpuacct:/docker/f0\n1:name=systemd:/docker/f0\n0::/system.slice/x\n",
        mounts: "700 690 0:30 /docker/f0 /sys/fs/cgroup/cpuset ro master:9 - cgroup cgroup rw,cpuset\n\
                 701 690 0:31 /docker/f0 /sys/fs/cgroup/cpu,cpuacct ro master:16 - cgroup cgroup rw,cpu,cpuacct\n",
        files: &[
            ("/sys/fs/cgroup/cpuset/", ""),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ],
        line: "quota 2.50 CPUs at /docker/f0, 8 CPUs by affinity -> 3",
    },
    Shape {
        name: "docker, v1, --cgroupns=private",
        cgroup: "5:cpu,cpuacct:/\n0::/\n",
        mounts: "701 690 0:31 / /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n",
        files: &[
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ],
        line: "quota 2.50 CPUs at /, 8 CPUs by affinity -> 3",
    },
    Shape {
        name: "docker, v2, --cgroupns=host: the whole host can be seen",
        cgroup: "0::/system.slice/docker-f0.scope\n",
        mounts: V2,
        files: &[
            ("/sys/fs/cgroup/system.slice/docker-f0.scope/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n"),
        ],
        line: "quota 1.50 CPUs at /system.slice/docker-f0.scope, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "docker, v2, --cgroupns=private",
        cgroup: "0::/\n",
        mounts: "801 800 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec - cgroup2 cgroup rw,nsdelegate\n",
        files: &[("/sys/fs/cgroup/cpu.max", "150000 100000\n")],
        line: "quota 1.50 CPUs at /, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "kubernetes, v2, burstable: the pod's slice is limited, the container is not",
        cgroup: "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-f0.scope\n",
        mounts: V2,
        files: &[
            (
                "/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice\
                 /cri-containerd-f0.scope/cpu.max",
                "max 100000\n",
            ),
            (
                "/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cpu.max",
                "350000 100000\n",
            ),
            ("/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/kubepods.slice/cpu.max", "max 100000\n"),
        ],
        line: "quota 3.50 CPUs at /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice, \
               8 CPUs by affinity -> 4",
    },
    Shape {
        name: "kubernetes, v1, the container's own limit",
        cgroup: "4:cpu,cpuacct:/kubepods/burstable/pod1/f0\n",
        mounts: "901 900 0:31 /kubepods/burstable/pod1/f0 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n",
        files: &[
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "25000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ],
        line: "quota 0.25 CPUs at /kubepods/burstable/pod1/f0, 8 CPUs by affinity -> 1",
    },
    Shape {
        name: "an agent with the host's hierarchy bound beside its own",
        cgroup: "4:cpu:/kubepods/pod1/f0\n",
        mounts: "901 900 0:31 /kubepods/pod1/f0 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n\
                 902 900 0:31 / /host/sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
        files: &[
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("/host/sys/fs/cgroup/cpu/kubepods/pod1/f0/cpu.cfs_quota_us", "-1\n"),
            ("/host/sys/fs/cgroup/cpu/kubepods/pod1/cpu.cfs_quota_us", "200000\n"),
            ("/host/sys/fs/cgroup/cpu/kubepods/pod1/cpu.cfs_period_us", "100000\n"),
        ],
        line: "quota 2.00 CPUs at /kubepods/pod1, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "ECS, nomad: the task's limit lies above all that the container can see",
        cgroup: "4:cpu:/ecs/task1/f0\n",
        mounts: "901 900 0:31 /ecs/task1/f0 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
        files: &[("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"), ("/sys/fs/cgroup/cpu.cfs_quota_us", "100000\n")],
        line: "no quota, 8 CPUs by affinity -> 8",
    },
    Shape {
        name: "podman without root: the payload is one level below the limited scope",
        cgroup: "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-f0.scope/container\n",
        mounts: V2,
        files: &[
            (
                "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-f0.scope/container\
                 /cpu.max",
                "max 100000\n",
            ),
            (
                "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-f0.scope/cpu.max",
                "120000 100000\n",
            ),
        ],
        line: "quota 1.20 CPUs at /user.slice/user-1000.slice/user@1000.service/user.slice/libpod-f0.scope, \
               8 CPUs by affinity -> 2",
    },
    Shape {
        name: "systemd, v2: CPUQuota of a user's slice; the session has no cpu controller",
        cgroup: "0::/user.slice/user-1000.slice/session-1.scope\n",
        mounts: V2,
        files: &[
            ("/sys/fs/cgroup/user.slice/user-1000.slice/session-1.scope/cpu.stat", "usage_usec 1\n"),
            ("/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max", "200000 100000\n"),
            ("/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n"),
        ],
        line: "quota 2.00 CPUs at /user.slice/user-1000.slice, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "systemd, hybrid: CPUQuota of a slice, cpu and cpuacct mounted together",
        cgroup: "8:cpu,cpuacct:/app.slice/web.service\n1:name=systemd:/app.slice/web.service\n\
                 0::/app.slice/web.service\n",
        mounts: "30 25 0:26 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n\
                 31 25 0:27 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd\n\
                 32 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct\n",
        files: &[
            ("/sys/fs/cgroup/unified/app.slice/web.service/cpu.pressure", "?"),
            ("/sys/fs/cgroup/cpu,cpuacct/app.slice/web.service/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/app.slice/cpu.cfs_quota_us", "60000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/app.slice/cpu.cfs_period_us", "50000\n"),
        ],
        line: "quota 1.20 CPUs at /app.slice, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "systemd: a unit's name with a backslash, which mountinfo escapes and cgroup does not",
        cgroup: "0::/system-a\\x2db.slice/x.service\n",
        mounts: "30 25 0:26 /system-a\\134x2db.slice /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        files: &[("/sys/fs/cgroup/x.service/cpu.max", "150000 100000\n")],
        line: "quota 1.50 CPUs at /system-a\\x2db.slice/x.service, 8 CPUs by affinity -> 2",
    },
    Shape {
        name: "lxc: init has moved itself below the container's root, which is limited",
        cgroup: "0::/init.scope\n",
        mounts: "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 none rw\n",
        files: &[("/sys/fs/cgroup/init.scope/cpu.max", "max 100000\n"), ("/sys/fs/cgroup/cpu.max", "400000 100000\n")],
        line: "quota 4.00 CPUs at /, 8 CPUs by affinity -> 4",
    },
    Shape {
        name: "a container made elsewhere: the mount shows another one's cgroup",
        cgroup: "4:cpu:/\n",
        mounts: "901 900 0:31 /docker/f0 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
        files: &[
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ],
        line: "no quota, 8 CPUs by affinity -> 8 (ignored: /: not visible in any mount)",
    },
];

#[test]
fn cpu_limit_inside_every_orchestrator() {
    check(HOSTS, System::cpu_limit);
}
