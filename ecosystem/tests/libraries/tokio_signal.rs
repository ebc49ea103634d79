//! `tokio::signal`: a signal to this very process.

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::everywhere::everywhere;

#[test]
fn a_signal_wakes_its_listener() {
    everywhere(|| async {
        let mut user_defined = signal(SignalKind::user_defined1()).unwrap();
        let sent = Command::new("sh").args(["-c", "kill -USR1 $PPID"]).status().await.unwrap();
        assert!(sent.success());
        assert_eq!(user_defined.recv().await, Some(()));
    });
}
