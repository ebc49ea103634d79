//! What a watcher sees between two polls, on hosts made of files.

use crate::host::{Host, V2};
use std::fs;
use std::num::NonZeroUsize;
use tidemill_cgroup::{Rounding, Watcher};

fn poll(host: &Host, watcher: &mut Watcher) -> Option<String> {
    let seen = watcher.poll().map(|limit| host.line(limit));
    assert_eq!(watcher.poll(), None, "told twice");
    seen
}

#[test]
fn silent_until_something_changes() {
    let host = Host::with("0::/pod/x\n", V2);
    host.write("/sys/fs/cgroup/pod/x/cpu.max", "150000 100000\n");
    let mut watcher = Watcher::on(host.system(8));
    assert_eq!(watcher.current(), &host.system(8).cpu_limit());
    assert_eq!(watcher.poll(), None);

    host.write("/sys/fs/cgroup/pod/x/cpu.max", "50000 100000\n");
    assert_eq!(poll(&host, &mut watcher).as_deref(), Some("quota 0.50 CPUs at /pod/x, 8 CPUs by affinity -> 1"));
    assert_eq!(watcher.current(), &host.system(8).cpu_limit());
}

#[test]
fn a_level_gets_and_loses_its_file() {
    let host = Host::with("0::/pod/x\n", V2);
    host.write("/sys/fs/cgroup/pod/x/", "");
    let mut watcher = Watcher::on(host.system(8));

    host.write("/sys/fs/cgroup/pod/cpu.max", "200000 100000\n");
    assert_eq!(poll(&host, &mut watcher).as_deref(), Some("quota 2.00 CPUs at /pod, 8 CPUs by affinity -> 2"));
    // Malformed now, as a note; and well again.
    host.write("/sys/fs/cgroup/pod/cpu.max", "?");
    assert_eq!(
        poll(&host, &mut watcher).as_deref(),
        Some(
            "no quota, 8 CPUs by affinity -> 8 \
             (ignored: /sys/fs/cgroup/pod/cpu.max: malformed: \"?\")"
        )
    );
    host.write("/sys/fs/cgroup/pod/cpu.max", "max 100000\n");
    assert_eq!(poll(&host, &mut watcher).as_deref(), Some("no quota, 8 CPUs by affinity -> 8"));
}

#[test]
fn the_process_is_moved() {
    let host = Host::with("0::/a\n", V2);
    host.write("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
    host.write("/sys/fs/cgroup/b/c/cpu.max", "400000 100000\n");
    host.write("/sys/fs/cgroup/b/cpu.max", "300000 100000\n");
    let mut watcher = Watcher::on(host.system(8));
    for (member, line) in [
        ("0::/b\n", "quota 3.00 CPUs at /b, 8 CPUs by affinity -> 3"),
        ("0::/b/c\n", "quota 3.00 CPUs at /b, 8 CPUs by affinity -> 3"),
        ("0::/a\n", "quota 4.00 CPUs at /a, 8 CPUs by affinity -> 4"),
        ("0::/\n", "no quota, 8 CPUs by affinity -> 8"),
    ] {
        host.write("/proc/self/cgroup", member);
        poll(&host, &mut watcher);
        assert_eq!(host.line(watcher.current()), line, "{member}");
    }
}

#[test]
fn the_same_quota_from_another_cgroup_is_news() {
    let host = Host::with("0::/a\n", V2);
    host.write("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
    host.write("/sys/fs/cgroup/b/cpu.max", "400000 100000\n");
    let mut watcher = Watcher::on(host.system(8));
    host.write("/proc/self/cgroup", "0::/b\n");
    let limit = watcher.poll().unwrap();
    assert_eq!(limit.cgroup().unwrap().to_str(), Some("/b"));
}

#[test]
fn a_host_that_comes_up_late() {
    let host = Host::new();
    let mut watcher = Watcher::on(host.system(8));
    assert_eq!(watcher.poll(), None);
    host.write("/proc/self/cgroup", "0::/a\n");
    host.write("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
    assert!(poll(&host, &mut watcher).unwrap().contains("/proc/self/mountinfo: unreadable"));
    host.write("/proc/self/mountinfo", "");
    assert!(poll(&host, &mut watcher).unwrap().contains("not visible in any mount"));
    host.write("/proc/self/mountinfo", V2);
    assert_eq!(poll(&host, &mut watcher).as_deref(), Some("quota 4.00 CPUs at /a, 8 CPUs by affinity -> 4"));
}

#[test]
fn files_stay_open() {
    let host = Host::with("0::/a\n", V2);
    host.write("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
    let mut watcher = Watcher::on(host.system(8));
    // Unreachable by path, as after a change of root or a loss of rights.
    fs::rename(host.path("/sys"), host.path("/gone")).unwrap();
    host.write("/gone/fs/cgroup/a/cpu.max", "100000 100000\n");
    assert_eq!(poll(&host, &mut watcher).as_deref(), Some("quota 1.00 CPUs at /a, 8 CPUs by affinity -> 1"));
}

#[test]
fn its_line_tells_what_was_before() {
    let host = Host::with("0::/pod/x\n", V2);
    host.write("/sys/fs/cgroup/pod/x/", "");
    let mut watcher = Watcher::on(host.system(8));
    let no_quota = "no quota, 8 CPUs by affinity";
    for (max, line) in [
        ("max 100000\n", format!("{no_quota} -> 8")),
        ("150000 100000\n", format!("8 -> 2: quota 1.50 CPUs at /pod, 8 CPUs by affinity; before: {no_quota}")),
        // Nothing new: still the last change.
        ("150000 100000\n", format!("8 -> 2: quota 1.50 CPUs at /pod, 8 CPUs by affinity; before: {no_quota}")),
        (
            "?",
            format!(
                "2 -> 8: {no_quota} (ignored: /sys/fs/cgroup/pod/cpu.max: malformed: \"?\"); \
                 before: quota 1.50 CPUs at /pod, 8 CPUs by affinity"
            ),
        ),
    ] {
        host.write("/sys/fs/cgroup/pod/cpu.max", max);
        watcher.poll();
        assert_eq!(host.line(&watcher), line);
    }
    host.write("/sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
    watcher.poll();
    let floor = watcher.explain(Rounding::Floor, NonZeroUsize::MIN);
    assert!(floor.to_string().starts_with("8 -> 1: "), "{floor}");
}
