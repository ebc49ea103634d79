//! A connection that is opened again when it is lost, and the classes its exchanges end in.

use std::{io, net::SocketAddr, time::Instant};

use tokio::time::timeout_at;

use crate::{
    Answer, Class, Plan,
    connection::{After, Connection},
};

/// One place in the row of connections; it sends one request at a time.
#[derive(Debug)]
pub(crate) struct Line {
    addr: SocketAddr,
    connection: Option<Connection>,
}

/// How one request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) class: Class,
    /// The order's number, if the request was accepted and the answer says it.
    pub(crate) order: Option<u64>,
}

impl Ended {
    /// The end of a request nobody waits for any more.
    pub(crate) fn given_up() -> Self {
        Self { class: Class::TimedOut, order: None }
    }
}

impl Line {
    /// A line with its connection open, so that the first request does not pay for it.
    pub(crate) async fn open(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self { addr, connection: Some(Connection::open(addr).await?) })
    }

    /// Sends the plan's request `number` and reads its answer, until `until` at most.
    pub(crate) async fn exchange(&mut self, plan: &Plan, number: u64, until: Instant) -> Ended {
        match timeout_at(until.into(), self.try_exchange(plan, number)).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) => Ended { class: Class::Io, order: None },
            Err(_) => Ended::given_up(),
        }
    }

    async fn try_exchange(&mut self, plan: &Plan, number: u64) -> io::Result<Ended> {
        // Taken out, so that an error or a time-out drops the connection and the answer it still owes.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.addr).await?,
        };
        let request = (plan.source)(number);
        let read = |answer: &Answer<'_>| judge(plan, answer);
        let (ended, after) = connection.exchange(&plan.head, &request, read).await?;
        self.connection = (after == After::Open).then_some(connection);
        Ok(ended)
    }
}

fn judge(plan: &Plan, answer: &Answer<'_>) -> Ended {
    let class = Class::of(answer.status());
    let order = if class == Class::Accepted { (plan.id_parser)(answer) } else { None };
    Ended { class, order }
}
