//! Reading a body within its bounds of size and time.
//!
//! A body that came in one piece, as orders do, is taken as it lies in the read buffer. One in pieces is put
//! together in a pooled buffer, which goes back when the last view of the body does. One that is too long
//! is read to its end (within reason) but not kept, because a client that is still sending would otherwise
//! see a broken connection instead of our answer.

use std::{future::poll_fn, pin::pin, sync::LazyLock, task::Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use tidemill::pools::{ObjectPool, Pooled};
use tokio::time::timeout;

use crate::{
    domain::{Kind, Reject},
    limits,
};

/// Bytes of an oversized body that are read for politeness.
const DISCARDED_BYTES: usize = 16 << 20;

/// For bodies that come in pieces.
static BUFFERS: LazyLock<ObjectPool<Vec<u8>>> = LazyLock::new(|| {
    let pool = ObjectPool::builder(|| Vec::with_capacity(limits::BODY_BYTES)).reset(Vec::clear);
    pool.build().expect("the defaults are in range")
});

/// A pooled buffer as the owner of a body.
struct Joined(Pooled<Vec<u8>>);

impl AsRef<[u8]> for Joined {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The whole body.
pub(super) async fn read(body: impl Body<Data = Bytes> + Unpin) -> Result<Bytes, Reject> {
    let mut reading = pin!(read_frames(body));
    // Mostly it is here already, and needs no timer.
    if let Poll::Ready(read) = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
        return read;
    }
    let slow = |_| Err(Reject::new(Kind::TooSlow, "body", "did not come in time"));
    timeout(limits::READ_TIMEOUT, reading).await.unwrap_or_else(slow)
}

async fn read_frames(mut body: impl Body<Data = Bytes> + Unpin) -> Result<Bytes, Reject> {
    let Some(first) = next(&mut body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() && first.len() <= limits::BODY_BYTES {
        return Ok(first);
    }
    let mut whole = BUFFERS.get();
    let mut piece = Some(first);
    while let Some(data) = piece {
        if whole.len() + data.len() > limits::BODY_BYTES {
            discard(body).await?;
            return Err(Reject::too_large());
        }
        whole.extend_from_slice(&data);
        piece = next(&mut body).await?;
    }
    Ok(Bytes::from_owner(Joined(whole)))
}

async fn discard(mut body: impl Body<Data = Bytes> + Unpin) -> Result<(), Reject> {
    let mut discarded = 0;
    while let Some(data) = next(&mut body).await? {
        discarded += data.len();
        if discarded > DISCARDED_BYTES {
            break;
        }
    }
    Ok(())
}

/// The next piece of data; trailers are skipped.
async fn next(body: &mut (impl Body<Data = Bytes> + Unpin)) -> Result<Option<Bytes>, Reject> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Reject::new(Kind::Malformed, "body", "broke off"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
