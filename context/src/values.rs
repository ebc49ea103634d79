//! Values by type: a list in which each value points at the ones before it.
//!
//! A look-up walks over *values*, not over levels of contexts: a child, a deadline or a cancel adds nothing to the walk. The
//! last value of a type hides those before.

use std::{
    any::{Any, TypeId},
    fmt,
    sync::Arc,
};

/// No value, or the last one.
#[derive(Clone, Default)]
pub(crate) struct Values(Option<Arc<Link>>);

enum Link {
    One {
        kind: TypeId,
        value: Box<dyn Any + Send + Sync>,
        before: Values,
    },
    /// Of two parents; the first one's hide the second one's.
    Both(Values, Values),
}

impl Values {
    pub(crate) fn with<T: Send + Sync + 'static>(&self, value: T) -> Self {
        let link = Link::One { kind: TypeId::of::<T>(), value: Box::new(value), before: self.clone() };
        Self(Some(Arc::new(link)))
    }

    pub(crate) fn merge(first: &Self, second: &Self) -> Self {
        match (&first.0, &second.0) {
            (_, None) => first.clone(),
            (None, _) => second.clone(),
            (Some(one), Some(other)) if Arc::ptr_eq(one, other) => first.clone(),
            _ => Self(Some(Arc::new(Link::Both(first.clone(), second.clone())))),
        }
    }

    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.find(TypeId::of::<T>())?.downcast_ref()
    }

    fn find(&self, wanted: TypeId) -> Option<&(dyn Any + Send + Sync)> {
        let mut at = self;
        loop {
            match &**at.0.as_ref()? {
                Link::One { kind, value, .. } if *kind == wanted => return Some(&**value),
                Link::One { before, .. } => at = before,
                Link::Both(first, second) => match first.find(wanted) {
                    None => at = second,
                    found => return found,
                },
            }
        }
    }
}

/// In a loop: a list may be long.
impl Drop for Values {
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(link) = next.and_then(Arc::into_inner) {
            next = match link {
                Link::One { mut before, .. } => before.0.take(),
                Link::Both(_, mut second) => second.0.take(),
            };
        }
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "some" } else { "none" })
    }
}
