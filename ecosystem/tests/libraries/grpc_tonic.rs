//! tonic: unary, server streaming and streaming in both directions, on one port with axum's HTTP/1.
//!
//! The service is written by hand, as its build script would, so that the tests need no compiler of protocols.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::routing::post;
use futures_lite::{Stream, StreamExt, stream};
use http::uri::PathAndQuery;
use tidemill::serve::Executor;
use tonic::server::{NamedService, ServerStreamingService, StreamingService, UnaryService};
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming, body::Body};
use tonic_prost::ProstCodec;
use tower_service::Service;

use crate::everywhere::{everywhere, foreign_tasks};
use crate::http_server::{Server, client, echo};

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Number {
    #[prost(int64, tag = "1")]
    value: i64,
}

type Codec = ProstCodec<Number, Number>;
type Numbers = Pin<Box<dyn Stream<Item = Result<Number, Status>> + Send>>;

const DOUBLE: &str = "/numbers.Numbers/Double";
const COUNT: &str = "/numbers.Numbers/Count";
const SUMS: &str = "/numbers.Numbers/Sums";

#[derive(Clone)]
struct NumbersServer;

/// Twice the number; a negative one is refused.
struct Double;

impl UnaryService<Number> for Double {
    type Response = Number;
    type Future = Ready<Result<Response<Number>, Status>>;

    fn call(&mut self, request: Request<Number>) -> Self::Future {
        let value = request.into_inner().value;
        let answer =
            if value < 0 { Err(Status::invalid_argument("negative")) } else { Ok(Number { value: 2 * value }) };
        ready(answer.map(Response::new))
    }
}

/// The numbers below it.
struct Count;

impl ServerStreamingService<Number> for Count {
    type Response = Number;
    type ResponseStream = Numbers;
    type Future = Ready<Result<Response<Numbers>, Status>>;

    fn call(&mut self, request: Request<Number>) -> Self::Future {
        let numbers = (0..request.into_inner().value).map(|value| Ok(Number { value }));
        ready(Ok(Response::new(stream::iter(numbers).boxed())))
    }
}

/// After each number the sum so far.
struct Sums;

impl StreamingService<Number> for Sums {
    type Response = Number;
    type ResponseStream = Numbers;
    type Future = Ready<Result<Response<Numbers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Number>>) -> Self::Future {
        let mut sum = 0;
        let sums = request.into_inner().map(move |number| {
            sum += number?.value;
            Ok(Number { value: sum })
        });
        ready(Ok(Response::new(sums.boxed())))
    }
}

impl NamedService for NumbersServer {
    const NAME: &'static str = "numbers.Numbers";
}

impl Service<http::Request<Body>> for NumbersServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Codec::default());
            Ok(match request.uri().path() {
                DOUBLE => grpc.unary(Double, request).await,
                COUNT => grpc.server_streaming(Count, request).await,
                SUMS => grpc.streaming(Sums, request).await,
                path => Status::unimplemented(path.to_owned()).into_http(),
            })
        })
    }
}

async fn connect(url: &str) -> tonic::client::Grpc<Channel> {
    let endpoint = Endpoint::from_shared(url.to_owned()).unwrap().executor(Executor);
    let mut grpc = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
    grpc.ready().await.unwrap();
    grpc
}

async fn double(grpc: &mut tonic::client::Grpc<Channel>, value: i64) -> Result<i64, Status> {
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static(DOUBLE);
    let answer = grpc.unary(Request::new(Number { value }), path, Codec::default()).await;
    answer.map(|answer| answer.into_inner().value)
}

async fn all(numbers: Response<Streaming<Number>>) -> Vec<i64> {
    let numbers = numbers.into_inner().map(|number| number.unwrap().value);
    numbers.collect().await
}

#[test]
fn grpc_and_http1_share_a_port() {
    everywhere(|| async {
        let router = Routes::new(NumbersServer).into_axum_router().route("/echo", post(async |body: String| body));
        let server = Server::start(router).await;
        let mut grpc = connect(&server.url).await;

        assert_eq!(double(&mut grpc, 21).await.unwrap(), 42);
        assert_eq!(double(&mut grpc, -1).await.unwrap_err().message(), "negative");

        let path = PathAndQuery::from_static(COUNT);
        grpc.ready().await.unwrap();
        let count = grpc.server_streaming(Request::new(Number { value: 5 }), path, Codec::default()).await;
        assert_eq!(all(count.unwrap()).await, [0, 1, 2, 3, 4]);

        let path = PathAndQuery::from_static(SUMS);
        let numbers = stream::iter([1, 10, 100]).map(|value| Number { value });
        grpc.ready().await.unwrap();
        let sums = grpc.streaming(Request::new(numbers), path, Codec::default()).await;
        assert_eq!(all(sums.unwrap()).await, [1, 11, 111]);

        let http1 = client(false);
        assert_eq!(echo(&http1, &server.url, "HTTP/1").await, "HTTP/1");
        assert_eq!(foreign_tasks(), 0, "server and clients run on tidemill alone");
        drop((grpc, http1));
        server.stop().await;
    });
}
