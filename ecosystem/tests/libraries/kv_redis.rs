//! redis against a real Redis: its own connection, whose driver it gives to tokio, and one whose driver is ours.

use std::sync::{Arc, LazyLock};

use ecosystem::Redis;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, RedisConnectionInfo};
use tidemill::spawn;
use tokio::net::UnixStream;

use crate::everywhere::{everywhere, foreign_tasks};

/// The driver borrows it for as long as it runs.
static INFO: LazyLock<RedisConnectionInfo> = LazyLock::new(RedisConnectionInfo::default);

/// Commands one by one, as a transaction, and from many tasks at once.
async fn use_it(mut connection: MultiplexedConnection) {
    let () = connection.del("hits").await.unwrap();
    let () = connection.set("name", "tidemill").await.unwrap();
    assert_eq!(connection.get::<_, String>("name").await.unwrap(), "tidemill");
    let adds: Vec<_> = (0..32)
        .map(|_| {
            let mut connection = connection.clone();
            spawn(async move { connection.incr::<_, _, i64>("hits", 1).await })
        })
        .collect();
    for add in adds {
        add.await.unwrap().unwrap();
    }
    let mut transaction = redis::pipe();
    transaction.atomic().incr("hits", 10).ignore().get("hits");
    assert_eq!(transaction.query_async::<(i64,)>(&mut connection).await.unwrap(), (42,));
}

#[test]
fn redis_with_its_driver_on_tokio() {
    let server = Arc::new(Redis::start().unwrap());
    everywhere(|| {
        let server = Arc::clone(&server);
        async move {
            let client = Client::open(format!("redis+unix://{}", server.socket().display())).unwrap();
            let connection = client.get_multiplexed_async_connection().await.unwrap();
            assert_ne!(foreign_tasks(), 0, "its driver");
            use_it(connection).await;
        }
    });
}

#[test]
fn redis_with_its_driver_on_tidemill() {
    let server = Arc::new(Redis::start().unwrap());
    everywhere(|| {
        let server = Arc::clone(&server);
        async move {
            let stream = UnixStream::connect(server.socket()).await.unwrap();
            let (connection, driver) = MultiplexedConnection::new(&INFO, stream).await.unwrap();
            spawn(driver);
            use_it(connection).await;
            assert_eq!(foreign_tasks(), 0);
        }
    });
}
