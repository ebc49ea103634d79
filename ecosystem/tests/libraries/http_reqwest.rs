//! reqwest. It gives the tasks that move its bytes to `tokio::spawn`, whatever one does; that works, and is counted.

use std::time::Duration;

use axum::routing::get;
use reqwest::Client;

use crate::everywhere::{everywhere, foreign_tasks};
use crate::http_server::{Server, router};

#[test]
fn requests_and_a_time_out() {
    everywhere(|| async {
        let never = get(async || std::future::pending::<()>().await);
        let server = Server::start(router().route("/never", never)).await;
        let client = Client::builder().no_proxy().build().unwrap();
        let posted = client.post(format!("{}/echo", server.url)).body("hello").send().await.unwrap();
        assert_eq!(posted.text().await.unwrap(), "hello");
        assert_ne!(foreign_tasks(), 0, "its connection is kept, and tokio's");

        let request = client.get(format!("{}/never", server.url)).timeout(Duration::from_millis(30));
        assert!(request.send().await.unwrap_err().is_timeout());
        drop(client);
        server.stop().await;
    });
}
