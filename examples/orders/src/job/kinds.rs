//! What kind of work a CPU sample was, for the report's "where the CPU time goes".
//!
//! Each sample counts once, for the innermost function on its stack whose kind is known: copying memory on
//! behalf of SQLite is SQLite, allocating on behalf of a JSON decoder is the allocator. Functions of the
//! standard library say nothing of their own, so they count for whoever called them.

use tidemill::profiling::FoldedStacks;

/// A kind of work, and how its functions are recognised.
struct Kind {
    name: &'static str,
    /// Beginnings of paths, for code with names of its own.
    paths: &'static [&'static str],
    /// Parts of names, for code that is generated into other crates.
    parts: &'static [&'static str],
    /// Whole names in the C library, without its decoration.
    libc: &'static [&'static str],
}

/// The kind of the functions that hand memory out and take it back.
pub(crate) const ALLOCATOR: &str = "allocator";
/// What is of no kind below.
const REST: &str = "the rest";

/// In the order shown, and of two that fit a function the first.
const KINDS: [Kind; 7] = [
    Kind {
        name: ALLOCATOR,
        paths: &["mi_", "_mi_", "__rust_alloc", "__rust_dealloc", "__rust_realloc", "tidemill_profiling::"],
        parts: &[],
        libc: &["malloc", "free", "realloc", "calloc", "int_malloc", "int_free", "int_realloc", "malloc_consolidate"],
    },
    Kind { name: "SQLite", paths: &["sqlite3", "rusqlite::"], parts: &[], libc: &[] },
    Kind { name: "JSON", paths: &[], parts: &["serde"], libc: &[] },
    Kind { name: "HTTP", paths: &["hyper::", "hyper_util::", "axum", "httparse::", "http::"], parts: &[], libc: &[] },
    Kind {
        name: "system calls",
        paths: &[],
        parts: &[],
        libc: &[
            "syscall",
            "epoll_wait",
            "fdatasync",
            "fsync",
            "read",
            "write",
            "writev",
            "pread64",
            "pwrite64",
            "send",
            "recv",
            "sendto",
            "recvfrom",
            "accept4",
            "connect",
            "close",
            "open64",
            "fcntl64",
            "ftruncate64",
            "clock_nanosleep",
        ],
    },
    Kind { name: "the service's own code", paths: &["orders::", "orders_payment::"], parts: &[], libc: &[] },
    Kind { name: "runtime", paths: &["tidemill", "tokio::", "flume::"], parts: &[], libc: &[] },
];

/// The share of `stacks` that each kind has, in the order shown; the shares add up to one.
pub(crate) fn shares(stacks: &FoldedStacks) -> Vec<(&'static str, f64)> {
    let names = KINDS.iter().map(|kind| kind.name).chain([REST]);
    names.map(|name| (name, share(stacks, name))).collect()
}

/// The share that the kind of this name has.
#[allow(clippy::cast_precision_loss)] // A minute has some thousand samples.
pub(crate) fn share(stacks: &FoldedStacks, name: &str) -> f64 {
    let hits = stacks.iter().filter(|(stack, _)| kind_of(stack) == name);
    let samples: u64 = hits.map(|(_, samples)| samples).sum();
    samples as f64 / stacks.samples().max(1) as f64
}

/// The kind of the innermost function that has one.
fn kind_of(stack: &str) -> &'static str {
    let kinds = |frame| KINDS.iter().find(|kind| kind.holds(frame));
    stack.rsplit(';').find_map(kinds).map_or(REST, |kind| kind.name)
}

impl Kind {
    fn holds(&self, frame: &str) -> bool {
        let path = own_path(frame);
        self.paths.iter().any(|known| path.starts_with(known))
            || self.parts.iter().any(|known| frame.contains(known))
            || self.libc.contains(&undecorated(frame))
    }
}

/// `<&mut a::B<T> as c::D>::e` begins with the path `a::B`.
fn own_path(frame: &str) -> &str {
    let path = frame.trim_start_matches(['<', '&', '(']);
    path.strip_prefix("mut ").unwrap_or(path)
}

/// `__GI___libc_malloc` is `malloc`.
fn undecorated(name: &str) -> &str {
    let name = name.trim_start_matches('_');
    let name = name.strip_prefix("GI_").unwrap_or(name).trim_start_matches('_');
    name.strip_prefix("libc_").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn frames_are_told_apart() {
        for (frame, kind) in [
            ("mi_malloc_aligned", ALLOCATOR),
            ("_mi_page_free_collect", ALLOCATOR),
            ("__GI___libc_malloc", ALLOCATOR),
            ("_int_free", ALLOCATOR),
            ("sqlite3VdbeExec", "SQLite"),
            ("<&mut serde_json::de::Deserializer<R> as serde::Deserializer>::deserialize_struct", "JSON"),
            ("<orders::decode::DraftVisitor as serde_core::de::Visitor>::visit_map", "JSON"),
            ("hyper::proto::h1::io::parse", "HTTP"),
            ("tidemill_scheduler::worker::run", "runtime"),
            ("__GI___writev", "system calls"),
            ("__libc_pwrite64", "system calls"),
            ("orders::intake::accept", "the service's own code"),
            ("<alloc::boxed::Box<dyn hyper::Io> as core::ops::FnOnce>::call_once", REST),
        ] {
            assert_eq!(kind_of(&format!("main;{frame}")), kind, "{frame}");
        }
    }

    #[test]
    fn the_innermost_known_function_decides() {
        for (stack, kind) in [
            ("orders::serve;serde_json::from_slice;mi_malloc", ALLOCATOR),
            ("orders::serve;sqlite3_step;__memmove_avx512_unaligned_erms", "SQLite"),
            ("main;core::ptr::drop_in_place<hyper::Request>", REST),
        ] {
            assert_eq!(kind_of(stack), kind, "{stack}");
        }
    }

    #[test]
    fn shares_add_up_to_one() {
        let stacks = FoldedStacks::parse("a;mi_free 1\na;b 2\na;sqlite3_step 1").unwrap();
        let shares = shares(&stacks);
        assert_eq!(shares.iter().map(|(_, share)| share).sum::<f64>(), 1.0);
        assert_eq!(share(&stacks, ALLOCATOR), 0.25);
    }
}
