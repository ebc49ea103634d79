//! The state machine by steps.

use super::*;

#[test]
fn a_task_lives_from_spawn_to_completion() {
    let state = State::new();
    assert_eq!(state.start(), Start::Poll);
    assert_eq!(state.finish_poll(), Pending::Idle);
    assert_eq!(state.wake_by_ref(), Wake::Submit);
    assert_eq!(state.wake_by_ref(), Wake::Nothing, "already queued");
    assert_eq!(state.start(), Start::Poll);
    assert_eq!(state.wake_by_ref(), Wake::Nothing, "the poller resubmits");
    assert_eq!(state.finish_poll(), Pending::Resubmit);
    assert_eq!(state.start(), Start::Poll);
    assert_eq!(state.complete(2, false), Completion::Done(false), "the join handle has one left");
    assert_eq!(state.wake_by_ref(), Wake::Nothing, "complete");
    assert!(state.release(1));
}

#[test]
fn an_abort_wins_wherever_it_falls() {
    let queued = State::new();
    assert_eq!(queued.abort(), Wake::Nothing);
    assert_eq!(queued.start(), Start::Cancel);

    let running = State::new();
    assert_eq!(running.start(), Start::Poll);
    assert_eq!(running.abort(), Wake::Nothing);
    assert_eq!(running.finish_poll(), Pending::Cancel);

    let idle = State::new();
    assert_eq!(idle.start(), Start::Poll);
    assert_eq!(idle.finish_poll(), Pending::Idle);
    assert_eq!(idle.abort(), Wake::Submit);
    assert_eq!(idle.start(), Start::Cancel);
}

#[test]
fn the_last_reference_frees() {
    let state = State::new();
    assert!(!state.release(1));
    assert!(state.release(2));
}

#[test]
fn the_output_of_a_task_without_a_handle_is_dropped_before_it_is_complete() {
    let state = State::new();
    assert_eq!(state.start(), Start::Poll);
    assert!(!state.drop_join_interest(), "the completer drops the output");
    assert_eq!(state.complete(2, false), Completion::Unclaimed);
    assert!(!state.is_complete());
    assert_eq!(state.complete(2, true), Completion::Done(true));
}

#[test]
fn a_shut_down_task_is_gone_for_the_queue_and_kept_if_it_is_in_one() {
    let queued = State::new();
    assert_eq!(queued.shutdown(), Shutdown::Cancel { kept: true });
    assert_eq!(queued.complete(0, false), Completion::Done(false));
    assert_eq!(queued.shutdown(), Shutdown::Theirs);
    assert_eq!(queued.start(), Start::Gone);
    assert_eq!(queued.dispose(), Disposal { kept: true, last: false });

    let idle = State::new();
    assert_eq!(idle.start(), Start::Poll);
    assert_eq!(idle.finish_poll(), Pending::Idle);
    assert_eq!(idle.shutdown(), Shutdown::Cancel { kept: false });
    assert_eq!(idle.wake_by_ref(), Wake::Nothing, "it is about to be complete");

    let emptied = State::new();
    assert_eq!(emptied.dispose(), Disposal { kept: false, last: false });
    assert_eq!(emptied.shutdown(), Shutdown::Cancel { kept: false }, "it is in no queue any more");
}
