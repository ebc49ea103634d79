//! axum through `tidemill::serve`, and hyper-util's pooled client with our executor.

use tidemill::spawn;

use crate::everywhere::{everywhere, foreign_tasks};
use crate::http_server::{Server, client, echo, router};

#[test]
fn axum_and_a_pooled_client_over_both_versions() {
    for http2 in [false, true] {
        everywhere(move || async move {
            let server = Server::start(router()).await;
            let client = client(http2);
            let requests: Vec<_> = (0..16)
                .map(|number| {
                    let (client, url) = (client.clone(), server.url.clone());
                    spawn(async move { echo(&client, &url, &format!("number {number}")).await })
                })
                .collect();
            for (number, request) in requests.into_iter().enumerate() {
                assert_eq!(request.await.unwrap(), format!("number {number}"));
            }
            assert_eq!(foreign_tasks(), 0, "server and client run on tidemill alone");
            drop(client);
            server.stop().await;
        });
    }
}
