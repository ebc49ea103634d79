//! A `ResourcePool` of rusqlite connections to one file. SQLite blocks, so it is called under `tidemill::blocking`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Error};
use tidemill::pools::{Manager, ResourcePool};
use tidemill::{blocking, spawn};

use crate::everywhere::everywhere;

struct File(PathBuf);

impl Manager for File {
    type Resource = Connection;
    type Error = Error;

    async fn create(&self) -> Result<Connection, Error> {
        blocking(|| {
            let connection = Connection::open(&self.0)?;
            connection.busy_timeout(Duration::from_secs(60))?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            Ok(connection)
        })
    }

    /// A transaction that its user left open would be the next user's.
    fn is_broken(&self, connection: &Connection) -> bool {
        !connection.is_autocommit()
    }
}

#[test]
fn many_tasks_write_through_few_connections() {
    everywhere(|| async {
        let folder = std::env::temp_dir().join(format!("tidemill-pool-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("till.db");
        let pool = Arc::new(ResourcePool::builder(File(file)).max(3).build().unwrap());
        pool.get().await.unwrap().execute_batch("DROP TABLE IF EXISTS till; CREATE TABLE till (amount)").unwrap();

        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(async move {
                    let connection = pool.get().await.unwrap();
                    blocking(|| connection.execute("INSERT INTO till VALUES (1)", [])).unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let careless = pool.get().await.unwrap();
        careless.execute_batch("BEGIN IMMEDIATE; INSERT INTO till VALUES (1000)").unwrap();
        drop(careless); // closed, and so rolled back
        let total = "SELECT sum(amount) FROM till";
        let sum: i64 = pool.get().await.unwrap().query_row(total, [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 40);
        assert!(pool.drain(Duration::from_secs(60)).await.is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    });
}
