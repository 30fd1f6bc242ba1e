//! What a candidate would change, before everything else.

use std::collections::BTreeMap;

use crate::{
    api::computed::Computed,
    authz::{Finding, Line, Rejection},
};

use super::{
    Html,
    rows::{Printed, Row},
    table,
};

pub(super) fn write(html: &mut Html, computed: &Computed<'_>, rows: &[Row<'_>]) {
    let Some(against) = &computed.against else {
        return;
    };
    html.raw("<section class=\"against\" aria-labelledby=\"against\"><h2 id=\"against\">Candidate <code>");
    html.text(&against.name).raw("</code></h2>");
    match &against.outcome {
        Ok((revision, changes)) => outcome(html, computed, (revision, changes), rows),
        Err(rejection) => refused(html, rejection),
    }
    html.raw("</section>");
}

fn outcome(
    html: &mut Html,
    computed: &Computed<'_>,
    (revision, changes): (&str, &BTreeMap<usize, Line>),
    rows: &[Row<'_>],
) {
    if changes.is_empty() {
        let same = revision == computed.snapshot.revision().as_str();
        html.raw("<p>No cell would change. That is so in the situations of the spec; <code>palisade diff</code> compares for all data there could be. ");
        html.raw(match same {
            true => "It is what is in force.</p>",
            false => "Its files differ from those in force all the same.</p>",
        });
        return;
    }
    html.raw("<p><strong>").number(changes.len());
    html.raw(match changes.len() {
        1 => " cell would change:",
        _ => " cells would change:",
    });
    html.raw("</strong></p><ul class=\"changes\">");
    for row in rows {
        for cell in row.cells.iter().filter(|cell| cell.is_changed()) {
            change(html, row, cell);
        }
    }
    html.raw("</ul>");
}

fn change(html: &mut Html, row: &Row<'_>, cell: &Printed<'_>) {
    html.raw("<li><a href=\"#")
        .anchor(&[cell.row_id, cell.role])
        .raw("\">");
    html.text(row.id)
        .raw(" ")
        .text(row.label)
        .raw(", ")
        .text(cell.role)
        .raw("</a>");
    for group in cell.groups.iter().filter(|group| group.next().is_some()) {
        html.raw(" ");
        table::words(html, group);
    }
    html.raw("</li>");
}

fn refused(html: &mut Html, rejection: &Rejection) {
    html.raw("<p class=\"alert\"><strong>It cannot be in force.</strong></p>");
    findings(html, rejection.findings());
}

/// What is wrong, and where.
pub(super) fn findings(html: &mut Html, findings: &[Finding]) {
    html.raw("<ol class=\"findings\">");
    for finding in findings {
        html.raw("<li><p><strong>");
        html.raw(finding.severity.as_str());
        html.raw("</strong> <span class=\"place\">")
            .text(&finding.file);
        let place = finding.place.as_ref();
        if let Some(place) = place {
            html.raw(":")
                .number(place.line)
                .raw(":")
                .number(place.column);
        }
        html.raw("</span> ").text(&finding.message).raw("</p>");
        if let Some(place) = place {
            html.raw("<pre tabindex=\"0\"><code>")
                .text(&place.source_line)
                .raw("</code></pre>");
        }
        if let Some(help) = &finding.help {
            html.raw("<p>Help: ").text(help).raw("</p>");
        }
        html.raw("</li>");
    }
    html.raw("</ol>");
}
