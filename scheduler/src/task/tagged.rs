//! The pointer to a task's slab, and in its two lowest bits what is on the task's stage.
//!
//! The pointer never changes, and anybody who may use it masks the bits off. The bits belong to whom the stage belongs to
//! (see `cell.rs`), who alone writes the word, with a load and a store. Relaxed: the state word orders the stage, and the
//! bits with it.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::slab::Slab;

/// What a task holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Future = 0,
    Output = 1,
    Gone = 2,
}

const MASK: usize = 0b11;

pub(super) struct Tagged<S>(AtomicPtr<Slab<S>>);

impl<S> Tagged<S> {
    /// Of a new task, which holds its future.
    pub(super) fn new(slab: &Slab<S>) -> Self {
        const { assert!(align_of::<Slab<S>>() > MASK, "two bits are needed for the content") };
        Self(AtomicPtr::new(NonNull::from(slab).as_ptr()))
    }

    /// The slab, which is there while the task is not complete.
    pub(super) fn slab(&self) -> NonNull<Slab<S>> {
        let pointer = self.0.load(Ordering::Relaxed).map_addr(|addr| addr & !MASK);
        NonNull::new(pointer).expect("it was made of a reference")
    }

    pub(super) fn content(&self) -> Content {
        match self.0.load(Ordering::Relaxed).addr() & MASK {
            0 => Content::Future,
            1 => Content::Output,
            _ => Content::Gone,
        }
    }

    /// By whom the stage belongs to.
    pub(super) fn set(&self, content: Content) {
        let word = self.0.load(Ordering::Relaxed).map_addr(|addr| addr & !MASK | content as usize);
        self.0.store(word, Ordering::Relaxed);
    }

    /// Sets it and returns what it was.
    pub(super) fn replace(&self, content: Content) -> Content {
        let before = self.content();
        self.set(content);
        before
    }
}
