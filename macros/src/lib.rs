#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod expand;
mod options;

use expand::{Entry, expand};
use proc_macro::TokenStream;

/// Runs an `async fn main` on a tidemill runtime of its own.
///
/// Options: `procs = N` or `procs = "auto"` (the default), `max_threads = N`, `crate = "path"`.
///
/// # Panics
/// The generated function panics if the runtime cannot be built, for instance because the system refuses a thread.
///
/// # Examples
/// ```
/// #[tidemill::main]
/// async fn main() {
///     let sum = tidemill::spawn(async { 1 + 2 }).await;
///     assert_eq!(sum.ok(), Some(3));
/// }
/// ```
/// Any type that a plain `main` may return:
/// ```
/// #[tidemill::main(procs = 2, max_threads = 16)]
/// async fn main() -> Result<(), std::num::ParseIntError> {
///     let port: u16 = "8080".parse()?;
///     assert_eq!(port, 8080);
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(Entry::Main, options.into(), function.into()).into()
}

/// Runs an `async fn` as a test, on a tidemill runtime of its own with one P.
///
/// Options: `procs = N` (default 1) or `procs = "auto"`, `max_threads = N`, `crate = "path"`.
///
/// # Panics
/// The generated test panics, and so fails, if the runtime cannot be built.
///
/// # Examples
/// ```no_run
/// #[tidemill::test(procs = 2)]
/// async fn two_tasks_meet() -> Result<(), tidemill::JoinError> {
///     let (a, b) = (tidemill::spawn(async { 1 }), tidemill::spawn(async { 2 }));
///     assert_eq!(a.await? + b.await?, 3);
///     Ok(())
/// }
///
/// #[tidemill::test]
/// #[should_panic(expected = "as foreseen")]
/// async fn panics() {
///     panic!("as foreseen");
/// }
/// ```
#[proc_macro_attribute]
pub fn test(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(Entry::Test, options.into(), function.into()).into()
}
