//! A model of the pool: its real code under a scheduler that decides every step, so that small programs are run in every
//! order of events, and long ones in orders that proptest draws and shrinks.
//!
//! All of the pool's state changes under one mutex, and no step of a task is visible to others but through that mutex and
//! through wakes. So the orders in which tasks are polled, and in which events come between them, are all the
//! interleavings there are. What is checked, after each step and at the end:
//!
//! - places and slots: none is minted or lost, and nobody waits for one that is free (`Queue::check`);
//! - every job that was accepted starts once, or is cancelled, displaced or handed back, and never both;
//! - when nobody can go on, everybody is done: no task waits for a wake that does not come.

mod explore;
mod random;
mod world;
