//! What a caller says of the trace that its request belongs to, by W3C Trace Context.

use std::fmt;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest `tracestate` that is passed along: what the standard says everybody should. A span takes
/// a copy, so a longer one would make it so much larger.
const STATE_BYTES: usize = 512;

/// Most members that the standard knows.
const STATE_MEMBERS: usize = 32;

/// The sampled flag, and the one that says that the trace id is random.
const KNOWN_FLAGS: u8 = 0b11;

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace; 32 digits when displayed.
    pub trace_id: TraceId,
    /// The span in it; 16 digits when displayed.
    pub span_id: SpanId,
}

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace, and the span of the caller.
    pub trace: Trace,
    /// Whether the caller records it.
    pub flags: TraceFlags,
}

impl Parent {
    /// Reads a `traceparent`; one that is malformed counts as absent.
    pub fn of(value: &HeaderValue) -> Option<Self> {
        let mut parts = value.to_str().ok()?.splitn(5, '-');
        let version = hex(parts.next()?, 2)?;
        let (trace_id, span_id) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?);
        let flags = u8::from_str_radix(hex(parts.next()?, 2)?, 16).ok()?;
        // Later versions may say more.
        let is_known = match version {
            "00" => parts.next().is_none(),
            version => version != "ff",
        };
        let trace = Trace {
            trace_id: TraceId::from_hex(trace_id).ok()?,
            span_id: SpanId::from_hex(span_id).ok()?,
        };
        let is_valid = trace.trace_id != TraceId::INVALID && trace.span_id != SpanId::INVALID;
        (is_known && is_valid).then_some(Self {
            trace,
            flags: TraceFlags::new(flags & KNOWN_FLAGS),
        })
    }
}

/// What the vendors on the way here said, in the order they said it. All or nothing: a part of it
/// would say something else.
pub(super) fn state(headers: &HeaderMap) -> TraceState {
    let mut all = String::new();
    for value in headers.get_all(TRACESTATE) {
        let Ok(value) = value.to_str() else {
            return TraceState::default();
        };
        if all.len() + value.len() >= STATE_BYTES {
            return TraceState::default();
        }
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(value);
    }
    let members = || all.split(',').map(str::trim);
    // The parser takes what has no key, and cuts what has too many.
    if members().count() > STATE_MEMBERS || members().any(|it| it.starts_with('=')) {
        return TraceState::default();
    }
    all.parse().unwrap_or_default()
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.trace_id, self.span_id)
    }
}

/// So many digits in lower case; the standard knows no others.
fn hex(part: &str, length: usize) -> Option<&str> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (part.len() == length && part.bytes().all(is_digit)).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN_ID: &str = "00f067aa0ba902b7";

    #[track_caller]
    fn check(input: &str, sampled: Option<bool>) {
        let parent = Parent::of(&HeaderValue::from_str(input).unwrap());
        assert_eq!(parent.map(|it| it.flags.is_sampled()), sampled, "{input}");
        if let Some(parent) = parent {
            assert_eq!(parent.trace.to_string(), format!("{TRACE_ID}-{SPAN_ID}"));
        }
    }

    #[test]
    fn a_traceparent_says_whether_its_trace_is_recorded() {
        check(&format!("00-{TRACE_ID}-{SPAN_ID}-01"), Some(true));
        check(&format!("00-{TRACE_ID}-{SPAN_ID}-00"), Some(false));
        check(&format!("00-{TRACE_ID}-{SPAN_ID}-03"), Some(true));
        check(&format!("00-{TRACE_ID}-{SPAN_ID}-fe"), Some(false));
    }

    #[test]
    fn a_later_version_may_say_more() {
        check(&format!("cc-{TRACE_ID}-{SPAN_ID}-01"), Some(true));
        check(&format!("cc-{TRACE_ID}-{SPAN_ID}-01-what-the-"), Some(true));
        check(&format!("cc-{TRACE_ID}-{SPAN_ID}-01.more"), None);
        check(&format!("00-{TRACE_ID}-{SPAN_ID}-01-more"), None);
        check(&format!("00-{TRACE_ID}-{SPAN_ID}-01-"), None);
    }

    #[test]
    fn a_malformed_traceparent_counts_as_absent() {
        let zeros = "0".repeat(32);
        for input in [
            "",
            "-",
            "----",
            "00-4bf92f35",
            &format!("ff-{TRACE_ID}-{SPAN_ID}-01"),
            &format!("0-{TRACE_ID}-{SPAN_ID}-01"),
            &format!("000-{TRACE_ID}-{SPAN_ID}-01"),
            &format!("00-{}-{SPAN_ID}-01", TRACE_ID.to_uppercase()),
            &format!("00-{TRACE_ID}-{}-01", SPAN_ID.to_uppercase()),
            &format!("00-{TRACE_ID}-{SPAN_ID}-0A"),
            &format!("00-{TRACE_ID}-{SPAN_ID}-1"),
            &format!("00-{TRACE_ID}-{SPAN_ID}"),
            &format!("00-{zeros}-{SPAN_ID}-01"),
            &format!("00-{TRACE_ID}-{}-01", &zeros[..16]),
            &format!("00-+{}-{SPAN_ID}-01", &TRACE_ID[1..]),
            &format!("00_{TRACE_ID}_{SPAN_ID}_01"),
            &format!(" 00-{TRACE_ID}-{SPAN_ID}-01 "),
        ] {
            check(input, None);
        }
        let bytes = HeaderValue::from_bytes(b"00-\xff\xfe").unwrap();
        assert_eq!(Parent::of(&bytes), None);
    }

    #[track_caller]
    fn check_state(values: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACESTATE, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(state(&headers).header(), expected, "{values:?}");
    }

    #[test]
    fn the_state_is_passed_along_whole_or_not_at_all() {
        check_state(&[], "");
        check_state(&["congo=t61rcWkgMzE"], "congo=t61rcWkgMzE");
        check_state(&["a=1,b=2", "c=3"], "a=1,b=2,c=3");
        check_state(&["a=1", "what is this"], "");
        check_state(&["UPPER=1"], "");
        check_state(&["a=1, =2"], "");
        check_state(
            &[&format!("a={}", "x".repeat(256))],
            &format!("a={}", "x".repeat(256)),
        );
        check_state(&[&"a=1,".repeat(33)], "");
        check_state(&[&"x".repeat(60_000)], "");
    }
}
