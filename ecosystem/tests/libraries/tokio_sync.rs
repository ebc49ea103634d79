//! `tokio::sync` between tasks of ours.

use std::sync::Arc;

use tidemill::spawn;
use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};

use crate::everywhere::everywhere;

#[test]
fn channels() {
    everywhere(|| async {
        let (to_all, mut subscriber) = broadcast::channel(4);
        let (to_latest, mut latest) = watch::channel(0);
        let (queue, mut queued) = mpsc::channel(2);
        let (once, answer) = oneshot::channel();
        spawn(async move {
            for number in 1..=100 {
                queue.send(number).await.unwrap();
            }
            to_all.send("all").unwrap();
            to_latest.send(7).unwrap();
            once.send("once").unwrap();
        });
        let mut sum = 0;
        while let Some(number) = queued.recv().await {
            sum += number;
        }
        assert_eq!(sum, 5050);
        assert_eq!(answer.await.unwrap(), "once");
        assert_eq!(subscriber.recv().await.unwrap(), "all");
        assert_eq!(*latest.wait_for(|number| *number == 7).await.unwrap(), 7);
    });
}

#[test]
fn locks() {
    const TASKS: usize = 16;
    everywhere(|| async {
        let count = Arc::new((Mutex::new(0), RwLock::new(0), Semaphore::new(2), Barrier::new(TASKS), Notify::new()));
        for _ in 0..TASKS {
            let count = Arc::clone(&count);
            spawn(async move {
                let (mutex, lock, semaphore, barrier, notify) = &*count;
                barrier.wait().await;
                for _ in 0..50 {
                    let _permit = semaphore.acquire().await.unwrap();
                    *mutex.lock().await += 1;
                    *lock.write().await += 1;
                }
                notify.notify_one();
            });
        }
        while *count.1.read().await != TASKS * 50 {
            count.4.notified().await;
        }
        assert_eq!(*count.0.lock().await, TASKS * 50);
    });
}
