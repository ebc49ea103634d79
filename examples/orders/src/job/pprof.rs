//! `GET /debug/pprof/flamegraph?seconds=N`: a CPU profile of the serving process, as an SVG flame graph; with
//! `&format=folded` as folded stacks, one line per stack. For loopback only: a profile slows the process a
//! little and shows its inside.

use std::time::Duration;

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tidemill::profiling::{CpuProfile, CpuProfiler, ProfileError};

/// Kernels look at the profiling timer 250 times a second, as a rule; asking for more yields no more.
const PROFILE_HZ: u32 = 250;
/// A profile without `seconds`.
const DEFAULT_SECONDS: u64 = 5;
/// A forgotten profile ends by itself.
const MAX_SECONDS: u64 = 60;

/// The handler of the route. 400 names a wrong query, 409 says that a profile is being taken already, 422
/// that the process used no CPU.
pub(crate) async fn flamegraph(uri: Uri) -> Response {
    let request = match ProfileRequest::parse(uri.query().unwrap_or_default()) {
        Ok(request) => request,
        Err(fault) => return (StatusCode::BAD_REQUEST, fault).into_response(),
    };
    match profile(request.duration).await {
        Ok(profile) => request.format.answer(&profile),
        Err(ProfileError::AlreadyRunning) => {
            (StatusCode::CONFLICT, ProfileError::AlreadyRunning.to_string()).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Samples the process for `duration`. Naming the functions at the end is long and blocking work.
async fn profile(duration: Duration) -> Result<CpuProfile, ProfileError> {
    let profiler = tidemill::blocking(|| CpuProfiler::start(PROFILE_HZ))?;
    tokio::time::sleep(duration).await;
    tidemill::blocking(|| profiler.stop())
}

#[derive(Debug, PartialEq, Eq)]
struct ProfileRequest {
    duration: Duration,
    format: Format,
}

impl ProfileRequest {
    fn parse(query: &str) -> Result<Self, String> {
        let mut request = Self { duration: Duration::from_secs(DEFAULT_SECONDS), format: Format::Svg };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("seconds", seconds)) => request.duration = parse_seconds(seconds)?,
                Some(("format", "svg")) => request.format = Format::Svg,
                Some(("format", "folded")) => request.format = Format::Folded,
                _ => {
                    return Err(format!("{pair:?} is neither seconds=N nor format=svg|folded"));
                }
            }
        }
        Ok(request)
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=MAX_SECONDS) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("seconds={text} is not a number from 1 to {MAX_SECONDS}")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Folded,
}

impl Format {
    fn answer(self, profile: &CpuProfile) -> Response {
        let mut body = Vec::new();
        let (mime, written) = match self {
            Self::Svg => ("image/svg+xml", profile.write_svg("CPU time of the order service", &mut body)),
            Self::Folded => ("text/plain; charset=utf-8", profile.write_folded(&mut body)),
        };
        match written {
            Ok(()) => ([(header::CONTENT_TYPE, mime)], body).into_response(),
            // The process was idle: there is nothing to draw.
            Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_profile_is_asked_for_by_query() {
        for (query, seconds, format) in [
            ("", DEFAULT_SECONDS, Format::Svg),
            ("seconds=3", 3, Format::Svg),
            ("seconds=60&format=folded", 60, Format::Folded),
            ("format=svg", DEFAULT_SECONDS, Format::Svg),
        ] {
            let request = ProfileRequest { duration: Duration::from_secs(seconds), format };
            assert_eq!(ProfileRequest::parse(query), Ok(request), "{query}");
        }
    }

    #[test]
    fn a_bad_query_is_named() {
        for (query, fault) in [("seconds=0", "seconds=0"), ("seconds=61", "61"), ("sec=1", "sec=1"), ("format=x", "=x")]
        {
            let error = ProfileRequest::parse(query).unwrap_err();
            assert!(error.contains(fault), "{query}: {error}");
        }
    }
}
