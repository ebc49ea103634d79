//! A sampling CPU profiler: where the process's threads burn their CPU time.
//!
//! The sampler is `pprof`: an `ITIMER_PROF` timer sends SIGPROF to a thread that is using CPU, and the
//! handler unwinds that thread's stack by its unwind tables (`framehop`), so neither frame pointers nor
//! libgcc's unwinder are needed. What this module adds are the three things the bare crate leaves to luck:
//!
//! * **The first sample is taken by us.** The unwinder builds its tables lazily, *inside the first signal
//!   handler*, with allocations: if that signal hits a thread inside `malloc`, the process can deadlock.
//!   [`prepare`] starts the sampler once at a rate too low to fire and raises SIGPROF on its own thread,
//!   at a point where no allocation is under way.
//! * **No sample is dropped by place.** The crate's `blocklist` throws away each sample that was
//!   interrupted in libc: the allocator, `memcpy` and every system call, which are what one looks for.
//!   It is never set here.
//! * **One sampler per process, as a typed error** instead of two timers fighting for one signal.
//!
//! Rejected: pprof's default unwinder (`_Unwind_Backtrace` in a signal handler is not async-signal-safe
//! and is known to crash); its frame-pointer walker (starts at the return address, so the interrupted
//! function itself is missing and all self time moves to its caller).
#![allow(unsafe_code)] // One raised signal.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pprof::{Frames, ProfilerGuard, ProfilerGuardBuilder, Report};

use crate::FoldedStacks;

/// The highest rate one can ask for, in samples per second of CPU time. The kernel serves the timer at its
/// own tick, mostly 250 or 1000 per second, so a higher rate would only be a wrong number.
pub const MAX_HZ: u32 = 1000;

/// A timer this slow does not fire during [`prepare`], which takes milliseconds.
const PREPARE_HZ: i32 = 1;

/// Set while a [`CpuProfiler`] is alive.
static RUNNING: AtomicBool = AtomicBool::new(false);
/// Set once the unwinder has its tables. Written only while [`RUNNING`] is held.
static PREPARED: AtomicBool = AtomicBool::new(false);

/// A running profile of the whole process; [`stop`](Self::stop) yields it, dropping throws it away.
///
/// ```
/// use tidemill_profiling::CpuProfiler;
///
/// let profiler = CpuProfiler::start(250)?;
/// let mut sum = 0_u64;
/// for n in 0..3_000_000_u64 {
///     sum = std::hint::black_box(sum ^ n);
/// }
/// let profile = profiler.stop()?;
/// profile.write_folded(std::io::sink())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CpuProfiler {
    // Declared first: the sampler ends before the claim on it does.
    guard: ProfilerGuard<'static>,
    _claim: Claim,
    hz: u32,
    started: Instant,
}

impl CpuProfiler {
    /// Starts sampling at `hz` samples per second of CPU time, 1 to [`MAX_HZ`].
    ///
    /// The first call of a process reads the unwind tables of the executable and its libraries, about
    /// 0.1 s; later calls take 0.1 ms.
    ///
    /// # Errors
    /// [`ProfileError::Frequency`] for a rate out of range, [`ProfileError::AlreadyRunning`] while another
    /// profile runs, [`ProfileError::Sampler`] if the kernel refuses the signal handler or the buffer.
    pub fn start(hz: u32) -> Result<Self, ProfileError> {
        if !(1..=MAX_HZ).contains(&hz) {
            return Err(ProfileError::Frequency(hz));
        }
        let claim = Claim::take()?;
        prepare()?;
        let guard = sample_at(hz.cast_signed())?;
        Ok(Self { guard, _claim: claim, hz, started: Instant::now() })
    }

    /// Stops sampling and names the functions of every stack.
    ///
    /// Blocking, and the first call of a process is slow: it reads the debug information of the executable,
    /// up to a second for a large one.
    ///
    /// # Errors
    /// [`ProfileError::Sampler`] if the samples that overflowed to a temporary file cannot be read back.
    pub fn stop(self) -> Result<CpuProfile, ProfileError> {
        let duration = self.started.elapsed();
        let report = self.guard.report().build().map_err(ProfileError::from)?;
        Ok(CpuProfile { stacks: fold(&report), duration, hz: self.hz })
    }
}

impl fmt::Debug for CpuProfiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuProfiler").field("hz", &self.hz).field("running", &self.started.elapsed()).finish()
    }
}

/// The right to be the only sampler of the process.
struct Claim;

impl Claim {
    fn take() -> Result<Self, ProfileError> {
        // Acquire: pairs with the Release in `drop`, so that the last owner's sampler is wholly gone.
        // Relaxed on failure: nothing is read after it.
        match RUNNING.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Self),
            Err(_) => Err(ProfileError::AlreadyRunning),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::Release);
    }
}

/// Makes the unwinder build its tables now and here. See the head of the module for why.
fn prepare() -> Result<(), ProfileError> {
    // Relaxed, here and below: both run under the claim, whose hand-over orders them.
    if PREPARED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let sampler = sample_at(PREPARE_HZ)?;
    // SAFETY: `raise` only sends a signal to this thread, and `sampler` has installed the handler for it.
    let code = unsafe { libc::raise(libc::SIGPROF) };
    drop(sampler);
    if code != 0 {
        return Err(ProfileError::Sampler(io::Error::last_os_error().to_string()));
    }
    PREPARED.store(true, Ordering::Relaxed);
    Ok(())
}

fn sample_at(hz: i32) -> Result<ProfilerGuard<'static>, ProfileError> {
    Ok(ProfilerGuardBuilder::default().frequency(hz).build()?)
}

/// A finished profile.
#[derive(Debug, Clone)]
pub struct CpuProfile {
    stacks: FoldedStacks,
    duration: Duration,
    hz: u32,
}

impl CpuProfile {
    /// The counted stacks. The root frame of each is the name of its thread without a trailing number, so
    /// that the workers of one pool form one tower.
    #[must_use]
    pub fn stacks(&self) -> &FoldedStacks {
        &self.stacks
    }

    /// How long the sampler ran.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The rate that was asked for; the samples taken may be fewer, see the crate's documentation.
    #[must_use]
    pub fn hz(&self) -> u32 {
        self.hz
    }

    /// Writes the folded stacks, see [`FoldedStacks::write_folded`].
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_folded(&self, out: impl Write) -> io::Result<()> {
        self.stacks.write_folded(out)
    }

    /// Draws the flame graph, see [`FoldedStacks::write_svg`].
    ///
    /// # Errors
    /// Those of `out`, and `InvalidData` for a profile without samples.
    pub fn write_svg(&self, title: &str, out: impl Write) -> io::Result<()> {
        self.stacks.write_svg(title, out)
    }
}

fn fold(report: &Report) -> FoldedStacks {
    let mut stacks = FoldedStacks::default();
    for (frames, &count) in &report.data {
        stacks.add(folded_line(frames), u64::try_from(count).unwrap_or(0));
    }
    stacks
}

/// Root first. `pprof` lists frames leaf first, and within a frame the innermost inlined function first.
fn folded_line(frames: &Frames) -> String {
    let mut line = frame_text(thread_family(&frames.thread_name_or_id()));
    for symbol in frames.frames.iter().rev().flat_map(|inlined| inlined.iter().rev()) {
        line.push(';');
        line.push_str(&frame_text(&symbol.name()));
    }
    line
}

/// `worker-12` is one of the `worker`s.
fn thread_family(name: &str) -> &str {
    let family = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', ' ', '#']);
    if family.is_empty() { "threads" } else { family }
}

/// Rust type names hold `;` (`[u8; 4]`), which would part frames.
fn frame_text(name: &str) -> String {
    name.replace(';', ":")
}

/// Why a CPU profile could not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError {
    /// The rate, given here, is not within 1 to [`MAX_HZ`] samples per second.
    Frequency(u32),
    /// The process is being profiled already, and it has only one profiling timer.
    AlreadyRunning,
    /// The sampler failed, with its reason.
    Sampler(String),
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frequency(hz) => write!(f, "cannot sample at {hz} Hz, only at 1 to {MAX_HZ} Hz"),
            Self::AlreadyRunning => f.write_str("a CPU profile of this process is already running"),
            Self::Sampler(reason) => write!(f, "the CPU sampler failed: {reason}"),
        }
    }
}

impl std::error::Error for ProfileError {}

impl From<pprof::Error> for ProfileError {
    fn from(error: pprof::Error) -> Self {
        match error {
            pprof::Error::Running => Self::AlreadyRunning,
            other => Self::Sampler(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_pool_are_one_family() {
        for (name, family) in [
            ("tidemill-12", "tidemill"),
            ("worker 3", "worker"),
            ("sqlite_writer", "sqlite_writer"),
            ("http2", "http"),
            ("140021", "threads"),
            ("", "threads"),
        ] {
            assert_eq!(thread_family(name), family, "{name:?}");
        }
    }

    #[test]
    fn a_type_name_never_parts_frames() {
        assert_eq!(frame_text("<[u8; 4] as Encode>::encode"), "<[u8: 4] as Encode>::encode");
    }

    #[test]
    fn rates_out_of_range_are_named() {
        for hz in [0, MAX_HZ + 1] {
            assert_eq!(CpuProfiler::start(hz).err(), Some(ProfileError::Frequency(hz)));
        }
    }
}
