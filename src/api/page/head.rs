//! What is in force, since when, and what became of the last edit.

use std::time::{Duration, SystemTime};

use crate::{
    api::computed::Computed,
    telemetry::{Attempt, Check, Standing},
};

use super::{Html, Seen, table};

/// In the order in which one wants to know.
const STANDINGS: [Standing; 4] = [
    Standing::Refuted,
    Standing::Unknown,
    Standing::Tested,
    Standing::Proved,
];

pub(super) fn write(html: &mut Html, seen: &Seen<'_>) {
    html.raw("<div class=\"title\"><h1>Permission matrix</h1><p>");
    html.raw(match seen.computed {
        Ok(_) => "Who may do what, computed from the policies in force. Select a cell to see why.",
        Err(_) => "Who may do what.",
    });
    html.raw("</p></div>");
    alert(html, seen);
    html.raw("<dl class=\"facts\">");
    html.raw("<div><dt>Revision</dt><dd>");
    let revision = seen.snapshot.revision().as_str();
    html.raw("<code class=\"digest\" tabindex=\"0\" title=\"")
        .text(revision);
    html.raw("\">").text(revision).raw("</code>");
    let rollback = seen.reading.rollback.as_ref();
    if rollback.is_some_and(|it| it.pinned.is_some()) {
        html.raw(" <span class=\"pinned\">pinned by an operator</span>");
    }
    html.raw("</dd></div>");
    // The snapshot may be newer than the reading, by a moment.
    let in_force = seen.reading.in_force.as_ref();
    if let Some(in_force) = in_force.filter(|it| it.is(seen.snapshot.revision())) {
        html.raw("<div><dt>In force since</dt><dd>");
        moment(html, in_force.loaded_at, seen.now);
        html.raw("</dd></div>");
    }
    html.raw("<div><dt>Last reload</dt><dd>");
    match seen.reading.attempts.back() {
        Some(attempt) => last(html, attempt, seen.now),
        None => _ = html.raw("none yet"),
    }
    html.raw(" <a href=\"/v1/status\">all reloads</a></dd></div>");
    if let Ok(computed) = seen.computed {
        counts(html, computed);
    }
    html.raw("</dl>");
    candidates(html, seen);
}

/// What one must know before anything else.
fn alert(html: &mut Html, seen: &Seen<'_>) {
    let said = match &seen.reading.health.sources {
        Check::Degraded(message) | Check::Failed(message) => message,
        Check::Off(_) | Check::Ok => return,
    };
    html.raw(
        "<p class=\"alert\" role=\"status\"><strong>What is on disk is not in force.</strong> ",
    );
    html.text(said).raw("</p>");
}

fn last(html: &mut Html, attempt: &Attempt, now: SystemTime) {
    let [result, reason] = attempt.result.labels();
    html.raw("<span class=\"result-")
        .anchor(&[result])
        .raw("\">");
    html.text(result);
    if reason != "none" {
        html.raw(" (").text(reason).raw(")");
    }
    html.raw("</span> ");
    html.raw("<span class=\"age\">")
        .text(&ago(attempt.at, now))
        .raw("</span>");
    if let Some(finding) = attempt.findings.first() {
        html.raw("<span class=\"first\">").text(&finding.file);
        if let Some(place) = &finding.place {
            html.raw(":").number(place.line);
        }
        html.raw(" ").text(&finding.message).raw("</span>");
    }
}

fn counts(html: &mut Html, computed: &Computed<'_>) {
    html.raw("<div><dt>Cells</dt><dd>");
    for standing in STANDINGS {
        let count = computed
            .cells()
            .filter(|it| it.standing == standing)
            .count();
        if count > 0 {
            html.raw("<span class=\"count\">");
            table::mark(html, standing);
            html.raw(" ").number(count).raw(" ").text(standing.as_str());
            html.raw("</span> ");
        }
    }
    html.raw("</dd></div>");
}

/// Links to what can be compared with what is in force.
fn candidates(html: &mut Html, seen: &Seen<'_>) {
    if seen.names.is_empty() || seen.computed.is_err() {
        return;
    }
    let against = seen.computed.ok().and_then(|it| it.against.as_ref());
    let shown = against.map(|it| it.name.as_str());
    html.raw("<nav class=\"compare\" aria-label=\"Compare with a candidate\"><span>Compare with</span><a href=\"/\"");
    let current = |html: &mut Html, is: bool| {
        if is {
            html.raw(" aria-current=\"page\"");
        }
    };
    current(html, shown.is_none());
    html.raw(">nothing</a>");
    for name in seen.names {
        html.raw("<a href=\"/?against=").text(name).raw("\"");
        current(html, shown == Some(name));
        html.raw(">").text(name).raw("</a>");
    }
    html.raw("</nav>");
}

fn moment(html: &mut Html, at: SystemTime, now: SystemTime) {
    let text = humantime::format_rfc3339_seconds(at).to_string();
    html.raw("<time datetime=\"").text(&text).raw("\">");
    html.text(&text.replace('T', " ").replace('Z', " UTC"));
    html.raw("</time> <span class=\"age\">")
        .text(&ago(at, now))
        .raw("</span>");
}

/// How long ago, in its largest unit: whoever wants to know more has the time.
fn ago(at: SystemTime, now: SystemTime) -> String {
    let age = now.duration_since(at).unwrap_or(Duration::ZERO).as_secs();
    let (count, unit) = match age {
        0..60 => (age, "second"),
        60..3_600 => (age / 60, "minute"),
        3_600..86_400 => (age / 3_600, "hour"),
        _ => (age / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let at = SystemTime::UNIX_EPOCH;
        for (secs, expected) in [
            (0, "0 seconds ago"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7_199, "1 hour ago"),
            (86_400 * 3, "3 days ago"),
        ] {
            assert_eq!(ago(at, at + Duration::from_secs(secs)), expected);
        }
        assert_eq!(ago(at + Duration::from_secs(5), at), "0 seconds ago");
    }
}
