//! `tokio::task`, as libraries use it: their tasks are tokio's, run, and are counted.

use tokio::task::{JoinSet, yield_now};

use crate::everywhere::{everywhere, foreign_tasks};

#[test]
fn a_join_set_works_and_is_counted() {
    everywhere(|| async {
        let mut tasks = JoinSet::new();
        let (let_go, gate) = tokio::sync::watch::channel(false);
        for number in 0..10 {
            let mut gate = gate.clone();
            tasks.spawn(async move {
                gate.wait_for(|open| *open).await.unwrap();
                yield_now().await;
                number
            });
        }
        assert_eq!(foreign_tasks(), 10);
        let_go.send(true).unwrap();
        let mut sum = 0;
        while let Some(number) = tasks.join_next().await {
            sum += number.unwrap();
        }
        assert_eq!(sum, 45);
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a library's use of tokio's own is what is tested")]
fn spawn_blocking_of_tokios_works() {
    everywhere(|| async {
        let result = tokio::task::spawn_blocking(|| std::fs::read_to_string("/proc/self/stat")).await;
        assert!(result.unwrap().unwrap().contains('('));
    });
}
