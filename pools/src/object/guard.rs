//! The guard of an object in use, and its way home.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use super::{
    local,
    magazine::{Magazine, Member as _},
    registry::{self, PoolId},
};

/// An object of an [`ObjectPool`](crate::ObjectPool) in use. Dropping it returns the object to the pool.
///
/// It borrows nothing: keep it in a struct, across an `await`, send it to another thread; it may outlive the pool.
/// It returns to the thread that drops it. Forgetting it leaks that one object and nothing else.
///
/// **On return** `keep_if` is asked first, with the object as its user left it, then `reset` readies it. A hook that
/// panics loses the object, and the panic goes on in the dropping thread. A guard dropped *by* a panic does not run
/// the hooks; where there are any, its object is dropped, as it may be half written.
///
/// ```
/// use tidemill_pools::ObjectPool;
///
/// let names = ObjectPool::builder(String::new).build()?;
/// let mut name = names.get();
/// name.push_str("tide");
/// let kept: String = name.detach(); // taken out of the pool for good
/// assert_eq!(kept, "tide");
/// # Ok::<(), tidemill_pools::ObjectBuildError>(())
/// ```
///
/// The guard is invariant in `T`; were it not, a pool of functions for every lifetime could be given one for `'static`:
///
/// ```compile_fail,E0308
/// # use tidemill_pools::Pooled;
/// fn widen(guard: Pooled<for<'a> fn(&'a str)>) -> Pooled<fn(&'static str)> {
///     guard
/// }
/// ```
pub struct Pooled<T: Send + 'static> {
    /// Present until the guard is dropped or detached.
    object: Option<Box<T>>,
    pool: PoolId<T>,
}

impl<T: Send + 'static> Pooled<T> {
    #[inline]
    pub(super) fn new(object: Box<T>, pool: PoolId<T>) -> Self {
        Self { object: Some(object), pool }
    }

    /// Takes the object out of the pool's care.
    pub fn detach(mut self) -> T {
        *self.object.take().expect(PRESENT)
    }
}

const PRESENT: &str = "the object is in the guard until the guard ends";

impl<T: Send + 'static> Deref for Pooled<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.object.as_ref().expect(PRESENT)
    }
}

impl<T: Send + 'static> DerefMut for Pooled<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.object.as_mut().expect(PRESENT)
    }
}

impl<T: fmt::Debug + Send + 'static> fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pooled").field(&**self).finish()
    }
}

impl<T: Send + 'static> Drop for Pooled<T> {
    #[inline]
    fn drop(&mut self) {
        local::with_plain(self.pool, |magazine| magazine.push_top(&mut self.object));
        if self.object.is_some() {
            std::hint::cold_path();
            settle(self.pool, self.object.take());
        }
    }
}

/// What the fast path leaves over: an object it could not keep, or the one that was on top before.
#[inline(never)]
fn settle<T: Send + 'static>(pool: PoolId<T>, mut hand: Option<Box<T>>) {
    let gone = local::with(pool, |magazine| {
        hand.take().into_iter().for_each(|object| magazine.push_rest(object));
        magazine.may_retire()
    });
    if gone == Some(true) {
        local::sweep();
    }
    hand.into_iter().for_each(|object| arrive(pool, object));
}

/// An object comes home on a thread that has no magazine for it. If the pool is gone, that was its last way.
#[cold]
fn arrive<T: Send + 'static>(pool: PoolId<T>, object: Box<T>) {
    let Some(depot) = registry::find(pool) else { return };
    if local::open(&depot) {
        local::with(pool, Magazine::claim);
        return drop(Pooled::new(object, pool)); // once more, by the usual way
    }
    depot.recycled(object).into_iter().for_each(|object| depot.push(object));
}
