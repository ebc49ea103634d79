//! Reading a body within its bounds of size and time.
//!
//! A body that came in one piece, as orders do, is taken as it lies in the read buffer. A longer one is
//! put together; one that is too long is read to its end (within reason) but not kept, because a client
//! that is still sending would otherwise see a broken connection instead of our answer.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

use crate::{
    domain::{Kind, Reject},
    limits,
};

/// Bytes of an oversized body that are read for politeness.
const DISCARDED_BYTES: usize = 16 << 20;

/// The whole body.
pub(super) async fn read(body: impl Body<Data = Bytes> + Unpin) -> Result<Bytes, Reject> {
    let slow = |_| Err(Reject::new(Kind::TooSlow, "body", "did not come in time"));
    timeout(limits::READ_TIMEOUT, read_frames(body)).await.unwrap_or_else(slow)
}

async fn read_frames(mut body: impl Body<Data = Bytes> + Unpin) -> Result<Bytes, Reject> {
    let Some(first) = next(&mut body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() && first.len() <= limits::BODY_BYTES {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(data) = next(&mut body).await? {
        if whole.len() + data.len() > limits::BODY_BYTES {
            discard(body).await?;
            return Err(Reject::too_large());
        }
        whole.extend_from_slice(&data);
    }
    match whole.len() {
        0..=limits::BODY_BYTES => Ok(whole.freeze()),
        _ => Err(Reject::too_large()),
    }
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
