//! A `ResourcePool` of tokio-postgres clients against a real PostgreSQL: the manager to copy, and what it withstands.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ecosystem::Postgres;
use tidemill::pools::{CloseReason, Manager, ResourcePool, Validate};
use tidemill::spawn;
use tokio_postgres::{Client, Config, Error, NoTls};

use crate::everywhere::{everywhere, foreign_tasks};

const MAX: usize = 4;

/// Connects to one server; each connection's I/O is a task of tidemill's.
struct Sessions {
    socket_folder: PathBuf,
}

impl Manager for Sessions {
    type Resource = Client;
    type Error = Error;

    async fn create(&self) -> Result<Client, Error> {
        let mut config = Config::new();
        config.host_path(&self.socket_folder).user("postgres").dbname("postgres").application_name("pooled");
        let (client, connection) = config.connect(NoTls).await?;
        spawn(connection);
        Ok(client)
    }

    async fn validate(&self, client: &mut Client) -> Result<(), Error> {
        client.simple_query("").await.map(drop) // a round trip and no work
    }

    fn is_broken(&self, client: &Client) -> bool {
        client.is_closed()
    }
}

async fn number(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}

const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled'";

#[test]
fn many_tasks_share_few_sessions_and_survive_their_end() {
    let server = Arc::new(Postgres::start().unwrap());
    everywhere(|| {
        let server = Arc::clone(&server);
        async move {
            let sessions = Sessions { socket_folder: server.socket_folder().to_owned() };
            let outside = sessions.create().await.unwrap();
            outside.batch_execute("SET application_name = 'outside'").await.unwrap();
            outside.batch_execute("DROP TABLE IF EXISTS till; CREATE TABLE till (amount bigint)").await.unwrap();

            let pool = ResourcePool::builder(sessions).max(MAX).validate(Validate::Always).build().unwrap();
            let pool = Arc::new(pool);
            pay(&pool, 60).await;
            assert!(number(&outside, SESSIONS).await <= MAX as i64);
            assert_eq!(number(&outside, "SELECT sum(amount)::bigint FROM till").await, 60);

            // An administrator ends all sessions. Whether a client knows by itself or by asking: nobody is given a dead one.
            let kill =
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pooled'";
            let killed = number(&outside, kill).await;
            assert!(killed > 0);
            pay(&pool, 60).await;
            let closed = pool.stats().closed;
            assert_eq!(closed.by(CloseReason::Broken) + closed.by(CloseReason::Invalid), killed as u64);
            assert_eq!(number(&outside, "SELECT sum(amount)::bigint FROM till").await, 120);

            assert!(pool.drain(Duration::from_secs(60)).await.is_empty());
            while number(&outside, SESSIONS).await > 0 {
                tidemill::yield_now().await;
            }
            assert_eq!(foreign_tasks(), 0);
        }
    });
}

/// So many tasks put one into the till, each in a transaction of its own; every other one gives its wait up once.
async fn pay(pool: &Arc<ResourcePool<Sessions>>, count: usize) {
    let tasks: Vec<_> = (0..count)
        .map(|task| {
            let pool = Arc::clone(pool);
            spawn(async move {
                if task % 2 == 0 {
                    drop(pool.get_within(Duration::ZERO).await);
                }
                let mut client = pool.get().await.unwrap();
                let transaction = client.transaction().await.unwrap();
                transaction.execute("INSERT INTO till VALUES (1)", &[]).await.unwrap();
                transaction.commit().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn a_server_that_refuses_is_named_in_the_time_out() {
    everywhere(|| async {
        let sessions = Sessions { socket_folder: PathBuf::from("/nobody/listens/here") };
        let pool = ResourcePool::builder(sessions).acquire_timeout(Duration::from_millis(200)).build().unwrap();
        let error = pool.get().await.unwrap_err();
        assert!(error.to_string().contains("error connecting to server"), "{error}");
    });
}
