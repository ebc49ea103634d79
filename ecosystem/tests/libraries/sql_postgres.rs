//! tokio-postgres against a real PostgreSQL. `connect` gives the connection to the caller, who spawns it here.

use std::path::Path;
use std::sync::Arc;

use ecosystem::Postgres;
use tidemill::spawn;
use tokio_postgres::{Client, Config, NoTls};

use crate::everywhere::{everywhere, foreign_tasks};

async fn connect(socket_folder: &Path) -> Client {
    let mut config = Config::new();
    let (client, connection) =
        config.host_path(socket_folder).user("postgres").dbname("postgres").connect(NoTls).await.unwrap();
    spawn(connection);
    client
}

async fn total(client: &Client) -> i64 {
    client.query_one("SELECT coalesce(sum(amount), 0)::bigint FROM account", &[]).await.unwrap().get(0)
}

#[test]
fn queries_transactions_and_a_pipeline() {
    let server = Arc::new(Postgres::start().unwrap());
    everywhere(|| {
        let server = Arc::clone(&server);
        async move {
            let mut client = connect(server.socket_folder()).await;
            client.batch_execute("CREATE TEMP TABLE account (name text, amount bigint)").await.unwrap();

            let committed = client.transaction().await.unwrap();
            committed.execute("INSERT INTO account VALUES ($1, $2)", &[&"a", &40_i64]).await.unwrap();
            committed.commit().await.unwrap();
            let dropped = client.transaction().await.unwrap();
            dropped.execute("INSERT INTO account VALUES ($1, $2)", &[&"b", &1_000_i64]).await.unwrap();
            drop(dropped);
            assert_eq!(total(&client).await, 40);

            // Sent by many tasks over one connection, without one waiting for the other's answer.
            let insert = client.prepare("INSERT INTO account VALUES ('c', $1)").await.unwrap();
            let client = Arc::new(client);
            let inserts: Vec<_> = (0..32_i64)
                .map(|amount| {
                    let (client, insert) = (Arc::clone(&client), insert.clone());
                    spawn(async move { client.execute(&insert, &[&amount]).await })
                })
                .collect();
            for insert in inserts {
                assert_eq!(insert.await.unwrap().unwrap(), 1);
            }
            assert_eq!(total(&client).await, 40 + (0..32).sum::<i64>());
            let error = client.execute("SELECT 1 / 0", &[]).await.unwrap_err();
            assert_eq!(error.code().unwrap().code(), "22012", "division by zero");
            assert_eq!(foreign_tasks(), 0);
        }
    });
}
