//! The real kernel: a child process in real cgroups, whose limits change under it.
//!
//! Where cgroups cannot be made (no root, no writable mount), a test says "SKIPPED" and why, whatever the harness does
//! with output; with `TIDEMILL_REQUIRE_CGROUPS=1` it fails instead.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod child;
mod group;

use child::{Child, UNCHANGED};
use group::{Group, skip};

#[test]
fn a_watcher_follows() {
    let Some(outer) = Group::with_v1("cpu") else { return };
    let inner = outer.inner();
    let name = outer.name();
    let mut child = Child::start();
    let at_start = child.ask("change");
    assert!(!at_start.contains(name), "{at_start}");
    assert_eq!(child.ask("poll"), UNCHANGED);

    let cpus = std::thread::available_parallelism().unwrap().get();
    let pid = child.id();
    let mut expect = |quota: &str, group: &str, procs: usize| {
        let line = child.ask("poll");
        let reason = format!("quota {quota} CPUs at ");
        assert!(line.starts_with(&reason) && line.contains(&format!("/{group}, ")), "{line}");
        assert!(line.ends_with(&format!("-> {}", procs.min(cpus))), "{line}");
        assert_eq!(child.ask("poll"), UNCHANGED);
    };
    // Moved into a limited group, whose quota then changes.
    outer.set_quota_us(Some(50_000));
    outer.admit(pid);
    expect("0.50", name, 1);
    outer.set_quota_us(Some(150_000));
    expect("1.50", name, 2);
    // Moved one level down: the parent still binds, until the leaf is tighter.
    inner.admit(pid);
    inner.set_quota_us(Some(25_000));
    expect("0.25", &format!("{name}/{}", inner.name()), 1);
    inner.set_quota_us(None);
    expect("1.50", name, 2);

    let change = child.ask("change");
    assert!(change.starts_with(&format!("1 -> {}: quota 1.50 CPUs", 2.min(cpus))), "{change}");
    assert!(change.contains("; before: quota 0.25 CPUs at "), "{change}");
}

#[test]
fn a_quota_and_what_it_throttles() {
    let Some(group) = Group::with("cpu") else { return };
    let mut child = Child::start();
    group.admit(child.id());
    assert!(!child.ask("cpu").contains(group.name()));
    assert!(!child.ask("throttling").contains(group.name()));

    // A spinning thread uses up 5 ms of every 100 ms on any machine that runs it at all.
    group.set_quota_us(Some(5_000));
    let line = child.ask("cpu");
    assert!(line.starts_with("quota 0.05 CPUs at ") && line.contains(group.name()), "{line}");
    let before = group.throttled_periods();
    let told: u64 = child.ask("spin").parse().unwrap();
    let after = group.throttled_periods();
    assert!((3..=after - before).contains(&told), "{told} of {before}..{after}");

    let line = child.ask("throttling");
    assert!(line.contains(" periods, for ") && line.contains(group.name()), "{line}");
}

/// A quota of the parent is counted there, and nowhere else.
#[test]
fn a_parent_throttles() {
    let Some(outer) = Group::with_v1("cpu") else { return };
    let inner = outer.inner();
    outer.set_quota_us(Some(5_000));
    let mut child = Child::start();
    inner.admit(child.id());
    child.ask("spin");
    assert_eq!(inner.throttled_periods(), 0);
    let line = child.ask("throttling");
    assert!(line.ends_with(outer.name()) && !line.contains(inner.name()), "{line}");
}

#[test]
fn a_memory_limit_and_its_use() {
    let Some(group) = Group::with("memory") else { return };
    let mut child = Child::start();
    group.admit(child.id());
    assert!(!child.ask("memory").contains(group.name()));
    group.set_memory_limit(256 << 20);
    let line = child.ask("memory");
    assert!(line.starts_with("memory 256.0 MiB at ") && line.contains(group.name()), "{line}");
    assert!(line.ends_with(" MiB used"), "{line}");
}

#[test]
fn pressure_of_the_own_cgroup() {
    let Some(group) = Group::unified() else { return };
    let mut child = Child::start();
    group.admit(child.id());
    let line = child.ask("pressure");
    if line.contains("unreadable") || line == "cpu pressure unknown" {
        return skip(&format!("the kernel keeps no pressure: {line}"));
    }
    assert!(
        line.contains(&format!(" % at /{}", group.name())) || line.contains(&format!("/{};", group.name())),
        "{line}"
    );
}

/// In a cgroup namespace of its own the process is at `/`. The host's mounts then show an ancestor only; a bind mount
/// of the group, as container runtimes make it, shows the process's own.
#[test]
fn a_real_namespace() {
    let Some(group) = Group::with_v1("cpu") else { return };
    group.set_quota_us(Some(150_000));
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.path());
    let unshare = ["sh", "-c", &enter, "unshare", "--cgroup"];
    if !std::process::Command::new("unshare").args(["--cgroup", "--mount", "true"]).status().is_ok_and(|s| s.success())
    {
        return skip("unshare --cgroup --mount is not there or not allowed");
    }
    let line = Child::start_by(&unshare).ask("cpu");
    assert!(line.contains("levels below are hidden"), "{line}");

    // Seen in the new mount namespace alone.
    let bind = format!("mount --bind {} /mnt && exec \"$0\" \"$@\"", group.path());
    let line = Child::start_by(&[&unshare[..], &["--mount", "sh", "-c", &bind]].concat()).ask("cpu");
    assert!(line.starts_with("quota 1.50 CPUs at /, "), "{line}");
}
