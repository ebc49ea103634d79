//! `tokio::process`: pipes to and from a child, its end, and its end by force.

use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::everywhere::everywhere;

#[test]
fn children_are_talked_to_waited_for_and_killed() {
    everywhere(|| async {
        let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        stdin.write_all(b"through a pipe").await.unwrap();
        drop(stdin);
        let mut text = String::new();
        stdout.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "through a pipe");
        assert!(cat.wait().await.unwrap().success());

        let output = Command::new("sh").args(["-c", "echo said; exit 3"]).output().await.unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(3), b"said\n".to_vec()));

        let mut endless = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        endless.kill().await.unwrap();
        assert!(!endless.wait().await.unwrap().success());
    });
}
