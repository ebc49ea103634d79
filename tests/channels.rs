//! The channels on tidemill: between tasks, between a task and code that blocks, and what closes them.
#![cfg(all(feature = "channels", feature = "macros"))]
#![allow(clippy::unwrap_used)]

use std::{thread, time::Duration};

use tidemill::{
    Context,
    channel::{self, RecvError, SendError, TrySendError},
};

#[tidemill::test(procs = 2)]
async fn tasks_send_to_tasks() {
    for places in [Some(0), Some(1), Some(64), None] {
        let (sender, receiver) = places.map_or_else(channel::unbounded, channel::bounded);
        for lane in 0..4_u64 {
            let sender = sender.clone();
            tidemill::spawn(async move {
                for number in 0..500 {
                    sender.send_async(lane * 500 + number).await.unwrap();
                }
            });
        }
        drop(sender);
        let mut sum = 0;
        while let Ok(number) = receiver.recv_async().await {
            sum += number;
        }
        assert_eq!(sum, (0..2_000).sum(), "{places:?}");
    }
}

/// On one permit: a task that blocks in `recv` must not keep the one that sends from running.
#[tidemill::test(procs = 1)]
async fn tasks_that_block_in_a_channel_stall_nobody() {
    let (sender, receiver) = channel::bounded::<u32>(0);
    let (reply, replies) = channel::bounded(0);
    let blocks = tidemill::spawn(async move {
        for number in receiver {
            reply.send(number * 2).unwrap();
        }
    });
    for number in 0..20 {
        sender.send(number).unwrap();
        assert_eq!(replies.recv().unwrap(), number * 2);
    }
    drop(sender);
    blocks.await.unwrap();
}

#[tidemill::test]
async fn a_thread_and_a_task_meet_in_a_rendezvous() {
    let (sender, receiver) = channel::bounded(0);
    assert!(matches!(sender.try_send(0), Err(TrySendError::Full(0))), "nobody is there to take it");
    let thread = thread::spawn(move || (1..=100).try_for_each(|number| sender.send(number)));
    let mut seen = Vec::new();
    while let Ok(number) = receiver.recv_async().await {
        seen.push(number);
    }
    thread.join().unwrap().unwrap();
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
}

#[tidemill::test]
async fn a_closed_channel_gives_what_is_left_and_takes_no_more() {
    let (sender, receiver) = channel::bounded(4);
    sender.send_async(1).await.unwrap();
    sender.send_async(2).await.unwrap();
    drop(sender);
    assert_eq!(receiver.recv_async().await, Ok(1));
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [2]);
    assert_eq!(receiver.recv_async().await, Err(RecvError::Disconnected));
    let (sender, receiver) = channel::bounded(4);
    drop(receiver);
    assert_eq!(sender.send_async(3).await, Err(SendError(3)));
}

#[tidemill::test]
async fn a_receive_that_is_given_up_loses_nothing() {
    let (sender, receiver) = channel::bounded(1);
    let context = Context::background().with_timeout(Duration::from_millis(2));
    assert!(context.run(receiver.recv_async()).await.is_err());
    sender.send_async(7).await.unwrap();
    assert_eq!(receiver.recv_async().await, Ok(7));
}

#[tidemill::test]
async fn a_select_takes_what_is_ready_and_leaves_the_rest() {
    let (one, ones) = channel::bounded(1);
    let (two, twos) = channel::bounded(1);
    one.send("one").unwrap();
    two.send("two").unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        tokio::select! {
            Ok(text) = ones.recv_async() => seen.push(text),
            Ok(text) = twos.recv_async() => seen.push(text),
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["one", "two"]);
    // And in blocking code.
    two.send("again").unwrap();
    let text = channel::Selector::new().recv(&ones, |text| text).recv(&twos, |text| text).wait();
    assert_eq!(text, Ok("again"));
}
