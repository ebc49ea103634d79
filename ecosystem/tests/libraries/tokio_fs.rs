//! `tokio::fs`, which uses tokio's threads for blocking calls.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::everywhere::{everywhere, foreign_tasks};

static FOLDERS: AtomicU32 = AtomicU32::new(0);

#[test]
fn files_and_folders() {
    everywhere(|| async {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tidemill-fs-{}-{number}", std::process::id()));
        fs::create_dir(&folder).await.unwrap();
        fs::write(folder.join("a"), "tide").await.unwrap();
        fs::rename(folder.join("a"), folder.join("b")).await.unwrap();

        let mut file = fs::OpenOptions::new().read(true).append(true).open(folder.join("b")).await.unwrap();
        file.write_all(b"mill").await.unwrap();
        file.flush().await.unwrap();
        file.rewind().await.unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "tidemill");

        let mut entries = fs::read_dir(&folder).await.unwrap();
        assert_eq!(entries.next_entry().await.unwrap().unwrap().file_name(), "b");
        assert!(entries.next_entry().await.unwrap().is_none());
        fs::remove_dir_all(folder).await.unwrap();
        assert_eq!(foreign_tasks(), 0, "tokio's threads for blocking calls are not the reactor");
    });
}
