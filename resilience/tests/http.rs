//! The HTTP fields: what is written is what the documents show, what is read is what servers send.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use proptest::prelude::*;
use tidemill_resilience::http::{OldFields, Problem, QuotaPolicy, RetryAfter, ServiceLimit, pause};

const SECOND: Duration = Duration::from_secs(1);

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// The examples of draft 11, section by section.
#[test]
fn lists_of_the_draft() {
    let policies = QuotaPolicy::parse_list(r#""burst";q=100;w=60,"daily";q=1000;w=86400;pk=:cHsdsRa894==:"#).unwrap();
    assert_eq!(policies[0], QuotaPolicy::new("burst", 100).window(60 * SECOND));
    assert_eq!((policies[1].quota, policies[1].partition.as_deref()), (1000, Some("cHsdsRa894==")));
    let text: Vec<_> = policies.iter().map(ToString::to_string).collect();
    assert_eq!(text, [r#""burst";q=100;w=60"#, r#""daily";q=1000;w=86400;pk=:cHsdsRa894==:"#]);
    let limits = ServiceLimit::parse_list(r#""default";r=50;t=30"#).unwrap();
    assert_eq!(limits, [ServiceLimit::new("default", 50).reset(30 * SECOND)]);
    assert_eq!(ServiceLimit::parse_list("\"no number left out\";t=3, ok;r=1").unwrap().len(), 1);
    assert!(QuotaPolicy::parse_list("100;w=60").is_err());
}

#[test]
fn pauses_by_what_the_server_sent() {
    let now = SystemTime::UNIX_EPOCH + 1_000_000 * SECOND;
    type Row = (&'static [(&'static str, &'static str)], Option<u64>);
    let rows: [Row; 14] = [
        (&[], None),
        (&[("retry-after", "120")], Some(120)),
        (&[("retry-after", "Mon, 12 Jan 1970 13:47:40 GMT")], Some(60)),
        (&[("retry-after", "Mon, 12 Jan 1970 13:00:00 GMT")], Some(0)),
        (&[("retry-after", "soon"), ("ratelimit", "a;r=0;t=9")], Some(9)),
        (&[("retry-after", "99999999999999999999999")], Some(u64::MAX)),
        (&[("ratelimit", "a;r=0;t=9"), ("ratelimit", "b;r=0;t=11")], Some(11)),
        (&[("ratelimit", "a;r=1;t=9")], None),
        (&[("ratelimit", "a;r=0")], None),
        (
            &[
                ("ratelimit", "(what)"),
                ("ratelimit-limit", "9"),
                ("ratelimit-remaining", "0"),
                ("ratelimit-reset", "4"),
            ],
            Some(4),
        ),
        (&[("x-ratelimit-limit", "9, 9;w=60"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "5")], Some(5)),
        (&[("ratelimit-limit", "9"), ("ratelimit-remaining", "2"), ("ratelimit-reset", "4")], None),
        (&[("ratelimit-limit", "9"), ("ratelimit-remaining", "0")], None),
        (&[("ratelimit-limit", "9"), ("ratelimit-remaining", "-1"), ("ratelimit-reset", "4")], None),
    ];
    for (fields, seconds) in rows {
        assert_eq!(pause(&headers(fields), now), seconds.map(Duration::from_secs), "{fields:?}");
    }
}

#[test]
fn a_date_can_be_written_in_all_three_forms_and_is_read() {
    let at = RetryAfter::At(SystemTime::UNIX_EPOCH + 784_111_777 * SECOND);
    for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        assert_eq!(text.parse(), Ok(at), "{text}");
    }
    assert_eq!(at.to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
    for text in ["", "-1", "1.5", "tomorrow"] {
        assert!(text.parse::<RetryAfter>().is_err(), "{text}");
    }
}

#[test]
fn problems_are_json_whatever_they_say() {
    let problem = Problem::quota_exceeded(["a \"name\"", "b"]).detail("line\nend \\ ü").retry_after(SECOND / 2);
    assert!(
        problem
            .json()
            .ends_with(r#""status":429,"detail":"line\u000aend \\ ü","violated-policies":["a \"name\"","b"]}"#)
    );
    let response = problem.response();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    let busy = Problem::reduced_capacity().response();
    assert_eq!((busy.status().as_u16(), busy.headers().get("retry-after")), (503, None));
    assert!(busy.body().ends_with(r#""status":503}"#));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        name in "[ -~]{0,20}",
        count in 0u64..1_000_000_000_000_000,
        seconds in proptest::option::of(0u64..1_000_000_000),
    ) {
        let time = seconds.map(Duration::from_secs);
        let mut policy = QuotaPolicy::new(name.clone(), count);
        policy.window = time;
        prop_assert_eq!(QuotaPolicy::parse_list(&policy.to_string()), Ok(vec![policy]));
        let mut limit = ServiceLimit::new(name, count);
        limit.reset = time;
        limit.partition = Some("Zm9v".to_owned());
        prop_assert_eq!(ServiceLimit::parse_list(&limit.to_string()), Ok(vec![limit]));
        let old = OldFields { limit: count, remaining: count / 2, reset: time.unwrap_or_default() };
        let headers: HeaderMap = old.fields().iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        prop_assert_eq!(OldFields::from_headers(&headers), Some(old));
    }

    /// Whoever waits as long as he is told does not come too early.
    #[test]
    fn waits_are_rounded_up(millis in 0u64..10_000_000) {
        let wait = Duration::from_millis(millis);
        let told: RetryAfter = RetryAfter::Delay(wait).to_string().parse().unwrap();
        let told = told.wait(SystemTime::UNIX_EPOCH);
        prop_assert!(told >= wait && told < wait + SECOND);
        let at = SystemTime::UNIX_EPOCH + wait;
        let told: RetryAfter = RetryAfter::At(at).to_string().parse().unwrap();
        let told = told.wait(SystemTime::UNIX_EPOCH);
        prop_assert!(told >= wait && told < wait + SECOND);
    }
}
