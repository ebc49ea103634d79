//! The answer to a request that is refused: status, `Retry-After`, and a body that programs can read (RFC 9457).

use std::{fmt::Write, time::Duration};

use http::{HeaderValue, Response, StatusCode, header};

use super::RetryAfter;

/// The problem types that the rate-limit draft registers.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED_CAPACITY: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// A refusal as `application/problem+json`.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::http::Problem;
///
/// let response = Problem::quota_exceeded(["burst"]).retry_after(Duration::from_secs(2)).response();
/// assert_eq!(response.status(), 429);
/// assert_eq!(response.headers()["retry-after"], "2");
/// assert_eq!(response.headers()["content-type"], "application/problem+json");
/// assert!(response.body().contains(r#""violated-policies":["burst"]"#));
/// ```
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Option<String>,
    violated: Vec<String>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// 429: this client has asked too often, by the policies of these names.
    #[must_use]
    pub fn quota_exceeded<N: Into<String>>(policies: impl IntoIterator<Item = N>) -> Self {
        let violated = policies.into_iter().map(Into::into).collect();
        let title = "Request cannot be satisfied as assigned quota has been exceeded";
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind: QUOTA_EXCEEDED,
            title,
            detail: None,
            violated,
            retry_after: None,
        }
    }

    /// 503: the server has too much to do, whoever asks.
    #[must_use]
    pub fn reduced_capacity() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: REDUCED_CAPACITY,
            title: "Request cannot be satisfied due to temporary server capacity constraints",
            detail: None,
            violated: Vec::new(),
            retry_after: None,
        }
    }

    /// What went wrong this time, for people.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// When to come back.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The body.
    #[must_use]
    pub fn json(&self) -> String {
        let Self { status, kind, title, detail, violated, .. } = self;
        let mut out = format!(r#"{{"type":"{kind}","title":"{title}","status":{}"#, status.as_u16());
        if let Some(detail) = detail {
            out.push_str(r#","detail":"#);
            push_string(&mut out, detail);
        }
        if !violated.is_empty() {
            out.push_str(r#","violated-policies":["#);
            for (index, name) in violated.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                push_string(&mut out, name);
            }
            out.push(']');
        }
        out.push('}');
        out
    }

    /// The whole answer.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        let mut response = Response::new(self.json());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            let text = RetryAfter::Delay(wait).to_string();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(&text).expect("it is a number"));
        }
        response
    }
}

/// Writes a JSON string.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c)).expect("a string takes whatever is written"),
            c => out.push(c),
        }
    }
    out.push('"');
}
