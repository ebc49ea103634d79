//! The number of CPUs in the calling thread's affinity mask.
//!
//! The calling thread's, because new threads inherit it: it is what a runtime built here can use.
//! Cpusets and CPU hot-plug show up in it as well, since the kernel returns the mask already cut
//! down to what is allowed and online.
//!
//! Rejected: a fixed `cpu_set_t` (1,024 bits; the call fails on larger machines) and the count of
//! online CPUs (ignores cpusets).

use std::io;
use std::num::NonZeroUsize;

use libc::c_ulong;

/// 1,024 CPUs: one call is enough on nearly every machine.
const FIRST_WORDS: usize = 1024 / c_ulong::BITS as usize;
/// 1 Mi CPUs, 128 times the kernel's own maximum (`NR_CPUS` 8,192 on x86-64): the growth must end
/// somewhere.
const MAX_WORDS: usize = (1 << 20) / c_ulong::BITS as usize;

/// CPUs this thread may run on; 1 if nobody can tell.
pub(crate) fn count() -> NonZeroUsize {
    count_in_mask(getaffinity).or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Doubles the mask until `fill` accepts its size. `None` if `fill` fails for another reason or
/// leaves the mask empty.
fn count_in_mask(mut fill: impl FnMut(&mut [c_ulong]) -> io::Result<()>) -> Option<NonZeroUsize> {
    let mut words = FIRST_WORDS;
    while words <= MAX_WORDS {
        let mut mask = vec![0; words];
        match fill(&mut mask) {
            Ok(()) => {
                return NonZeroUsize::new(mask.iter().map(|word| word.count_ones() as usize).sum());
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => words *= 2,
            Err(_) => return None,
        }
    }
    None
}

/// Fails with `InvalidInput` (`EINVAL`) if the kernel knows more CPUs than `mask` has bits.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn getaffinity(mask: &mut [c_ulong]) -> io::Result<()> {
    const THIS_THREAD: libc::pid_t = 0;
    // SAFETY: the kernel writes at most `size_of_val(mask)` bytes to `mask`, which is exclusively
    // borrowed, aligned as a mask of `c_ulong` words has to be, and valid for every bit pattern.
    // `cpu_set_t` only names the pointer's type.
    let status = unsafe { libc::sched_getaffinity(THIS_THREAD, size_of_val(mask), mask.as_mut_ptr().cast()) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn getaffinity(_mask: &mut [c_ulong]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A kernel with `cpus` CPUs, all of them allowed.
    fn kernel(cpus: usize) -> impl FnMut(&mut [c_ulong]) -> io::Result<()> {
        move |mask| {
            let bits = c_ulong::BITS as usize;
            if mask.len() * bits < cpus {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            (0..cpus).for_each(|cpu| mask[cpu / bits] |= 1 << (cpu % bits));
            Ok(())
        }
    }

    #[test]
    fn grows_until_every_cpu_fits() {
        for cpus in [1, 2, 1024, 1025, 8192, 100_000] {
            assert_eq!(count_in_mask(kernel(cpus)), NonZeroUsize::new(cpus));
        }
    }

    #[test]
    fn gives_up_on_an_empty_mask_a_refusal_and_an_endless_machine() {
        assert_eq!(count_in_mask(kernel(0)), None);
        assert_eq!(count_in_mask(|_| Err(io::ErrorKind::PermissionDenied.into())), None);
        assert_eq!(count_in_mask(kernel(usize::MAX)), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn agrees_with_proc_status() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed:")).unwrap();
        let bits: u32 = mask.chars().filter_map(|digit| digit.to_digit(16)).map(u32::count_ones).sum();
        assert_eq!(count().get(), bits as usize);
    }
}
