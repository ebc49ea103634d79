//! The libraries' tests under a sanitizer, on nightly: what Rust's types do not check, in the code that says `unsafe`.
//!
//! Address (with its leak checker) works with std as it is delivered: it watches the allocator and all accesses of our own
//! code. Thread needs a std that is instrumented too. Without one it takes every `Arc` that is dropped for a race, for it
//! does not see the fence within; hundreds of false reports of which no list of suppressions is narrow enough. So
//! that job builds std, from the component `rust-src`, and says so where it is missing.
//!
//! Neither is part of `test`: CI has a stable toolchain, and a run takes minutes.

use std::path::Path;

use crate::{process::rustup, workspace::Workspace};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Tests that leak, and are about it.
const LEAKS: &[&str] = &[
    // std frees no `Arc` whose content panics at its end.
    "a_waker_that_panics_at_its_end_takes_no_machine_along",
    // They forget guards of the object pool.
    "forgetting_a_guard_loses_that_object_only",
    "hooks_and_destructors_may_use_the_pool_they_belong_to",
];

/// What has `unsafe` in it, or hands its parts from task to task: a cycle of `Arc`s is safe, and leaks all the same. The
/// façade's own tests are those of the channels and of the clock.
const CHECKED: &[&str] =
    &["tidemill-context", "tidemill-pools", "tidemill-scheduler", "tidemill-groups", "tidemill-resilience", "tidemill"];

/// Address sanitizer and leak sanitizer. One package after the other, so that what one finds is not lost in what all build.
pub(crate) fn address(at: &Workspace) -> Result<(), String> {
    sysroot(at)?;
    CHECKED.iter().try_for_each(|package| tests(at, package, "address", ""))
}

/// Thread sanitizer.
pub(crate) fn thread(at: &Workspace) -> Result<(), String> {
    let sysroot = sysroot(at)?;
    if !Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.lock").exists() {
        return Err(missing(
            "std's source, to build it with the sanitizer",
            "component add rust-src --toolchain nightly",
        ));
    }
    tests(at, "tidemill-scheduler", "thread", " -Zbuild-std")
}

/// In a target directory of its own, because flags rebuild every dependency; with a target named, so that build scripts
/// and macros are left out.
fn tests(at: &Workspace, package: &str, sanitizer: &str, std: &str) -> Result<(), String> {
    let skips: String = LEAKS.iter().map(|test| format!(" --skip {test}")).collect();
    let line = format!(
        "run nightly cargo test --package {package} --lib --tests --no-fail-fast --target {TARGET}{std} \
         --{skips}"
    );
    rustup(at, &line)
        .env("RUSTFLAGS", format!("-Zsanitizer={sanitizer}"))
        .env("CARGO_TARGET_DIR", at.target_for(&format!("sanitize-{sanitizer}")))
        .run()
}

/// Where the nightly toolchain is.
fn sysroot(at: &Workspace) -> Result<String, String> {
    let line = "run nightly rustc --print sysroot";
    if !rustup(at, line).succeeds_silently() {
        return Err(missing(
            "the nightly toolchain, for sanitizers are not in stable ones",
            "toolchain install nightly",
        ));
    }
    Ok(rustup(at, line).read()?.trim().to_owned())
}

fn missing(what: &str, install: &str) -> String {
    format!("this step needs {what}: `rustup {install}`")
}
