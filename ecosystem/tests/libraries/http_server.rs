//! What the tests with HTTP share: a served router, and hyper-util's client.

use axum::{
    Router,
    routing::{get, post},
};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tidemill::serve::{Executor, Served};
use tidemill::{JoinHandle, serve, spawn};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) struct Server {
    pub(crate) url: String,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<Served>>,
}

impl Server {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let server = serve(listener, router).with_graceful_shutdown(async { drop(stopped.await) });
        Self { url, stop, ended: spawn(server.into_future()) }
    }

    /// After the clients are gone.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        assert_eq!(self.ended.await.unwrap().unwrap(), Served::Complete);
    }
}

/// `GET /` says hello, `POST /echo` gives back what it gets.
pub(crate) fn router() -> Router {
    Router::new().route("/", get(async || "hello")).route("/echo", post(async |body: String| body))
}

pub(crate) type HttpClient = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn client(http2: bool) -> HttpClient {
    Client::builder(Executor).http2_only(http2).build_http()
}

pub(crate) async fn echo(client: &HttpClient, url: &str, text: &str) -> String {
    let request = Request::post(format!("{url}/echo")).body(Full::from(text.to_owned())).unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Whether a request gets no whole answer.
pub(crate) async fn fails(client: &HttpClient, url: &str) -> bool {
    match client.get(url.parse().unwrap()).await {
        Err(_) => true,
        Ok(response) => response.into_body().collect().await.is_err(),
    }
}
