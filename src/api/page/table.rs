//! The table: a row for each printed row, a column for each role.

use crate::{api::computed::Computed, telemetry::Standing};

use super::{
    Html,
    rows::{Group, Printed, Row},
};

/// The cell in which nothing is permitted.
const NEVER: &str = "never";

pub(super) fn write(html: &mut Html, computed: &Computed<'_>, rows: &[Row<'_>]) {
    html.raw("<section class=\"matrix\" aria-labelledby=\"table-title\"><h2 id=\"table-title\" class=\"unseen\">The table</h2>");
    legend(html, rows);
    html.raw("<div class=\"filter\" hidden><label for=\"filter\">Show rows with</label> <input id=\"filter\" type=\"search\" autocomplete=\"off\" placeholder=\"export, sandbox, C04, …\"> <output for=\"filter\"></output></div>");
    html.raw("<table id=\"table\" role=\"table\" tabindex=\"-1\"><caption>What each role may do. ");
    html.raw("A dash means never.</caption>");
    html.raw("<thead role=\"rowgroup\"><tr role=\"row\"><th role=\"columnheader\" scope=\"col\" class=\"action\">Action</th>");
    for role in &computed.matrix.roles {
        html.raw("<th role=\"columnheader\" scope=\"col\">")
            .text(role)
            .raw("</th>");
    }
    html.raw("</tr></thead>");
    for section in rows.chunk_by(|a, b| a.section == b.section) {
        html.raw("<tbody role=\"rowgroup\">");
        if let Some(first) = section.first() {
            html.raw("<tr role=\"row\" class=\"section\"><th role=\"rowheader\" scope=\"rowgroup\" colspan=\"");
            html.number(computed.matrix.roles.len() + 1).raw("\">");
            html.text(first.section).raw("</th></tr>");
        }
        for row in section {
            write_row(html, computed, row);
        }
        html.raw("</tbody>");
    }
    html.raw("</table></section>");
}

/// The signs that cells have.
fn legend(html: &mut Html, rows: &[Row<'_>]) {
    html.raw("<ul class=\"legend\" aria-label=\"Signs in the table\">");
    for (standing, says) in [
        (Standing::Proved, "proved: holds whatever is stored"),
        (
            Standing::Tested,
            "tested: equals the documents’ table in every situation of the spec",
        ),
        (
            Standing::Refuted,
            "refuted: differs from the documents’ table, or a counterexample was found",
        ),
        (
            Standing::Unknown,
            "unknown: nothing says what it must be, or the proof came to no end",
        ),
    ] {
        html.raw("<li>");
        mark(html, standing);
        html.raw(" ").raw(says).raw("</li>");
    }
    let mut cells = rows.iter().flat_map(|row| &row.cells);
    if cells.any(|cell| cell.cells().any(|it| !it.line.crud.is_empty())) {
        html.raw("<li><span class=\"crud\">CRUD</span> create, read, update, delete</li>");
    }
    html.raw("<li><span class=\"ruling\">C01</span> a ruling: point at it to read it</li></ul>");
}

fn write_row(html: &mut Html, computed: &Computed<'_>, row: &Row<'_>) {
    html.raw("<tr role=\"row\"><th role=\"rowheader\" scope=\"row\" class=\"action\"><span class=\"row-id\">");
    html.text(row.id)
        .raw("</span> <span class=\"label\">")
        .text(row.label)
        .raw("</span></th>");
    for cell in &row.cells {
        write_cell(html, computed, cell);
    }
    html.raw("</tr>");
}

fn write_cell(html: &mut Html, computed: &Computed<'_>, cell: &Printed<'_>) {
    html.raw("<td role=\"cell\" id=\"cell-")
        .anchor(&[cell.row_id, cell.role]);
    html.raw("\" class=\"").raw(class(cell.standing()));
    if cell.groups.iter().all(|it| it.scope() == NEVER) {
        html.raw(" never");
    }
    if cell.is_changed() {
        html.raw(" changed");
    }
    html.raw("\"><span class=\"role\" aria-hidden=\"true\">")
        .text(cell.role)
        .raw("</span>");
    html.raw("<a class=\"cell\" href=\"#")
        .anchor(&[cell.row_id, cell.role])
        .raw("\">");
    for group in &cell.groups {
        line(html, group);
    }
    html.raw("</a>");
    let rulings = cell.rulings();
    if !rulings.is_empty() {
        html.raw("<span class=\"rulings\">");
        for id in rulings {
            ruling(html, cell, id, computed.ruling(id));
        }
        html.raw("</span>");
    }
    html.raw("</td>");
}

/// Letters, what they may be done to, and how sure that is.
pub(super) fn line(html: &mut Html, group: &Group<'_>) {
    html.raw("<span class=\"line\">");
    words(html, group);
    html.raw(" ");
    mark(html, group.standing());
    html.raw("<span class=\"unseen\"> ");
    html.text(group.standing().as_str());
    html.raw(" </span></span>");
}

/// Letters, what they may be done to, and what a candidate would make of that.
pub(super) fn words(html: &mut Html, group: &Group<'_>) {
    let letters = group.letters();
    if !letters.is_empty() {
        html.raw("<span class=\"crud\">")
            .text(&letters)
            .raw("</span> ");
    }
    match group.next() {
        None => word(html, group.scope()),
        Some(next) => {
            html.raw("<span class=\"words\"><del>");
            word(html, group.scope());
            html.raw("</del><span class=\"unseen\"> would become </span> <ins>");
            word(html, next);
            html.raw("</ins></span>");
        }
    }
}

/// A scope word as people write it.
pub(super) fn word(html: &mut Html, word: &str) {
    match word {
        NEVER => _ = html.raw("<span class=\"word\" data-word=\"never\"><span aria-hidden=\"true\">—</span><span class=\"unseen\">never</span></span>"),
        "?" => _ = html.raw("<span class=\"word\" data-word=\"?\">no word fits</span>"),
        word => {
            html.raw("<span class=\"word\" data-word=\"").text(word).raw("\">");
            html.text(&word.replace('_', " ")).raw("</span>");
        }
    }
}

fn ruling(html: &mut Html, cell: &Printed<'_>, id: &str, says: Option<&str>) {
    html.raw("<span class=\"with-tip\"><a class=\"ruling\" href=\"#ruling-")
        .anchor(&[id]);
    html.raw("\" aria-describedby=\"tip-")
        .anchor(&[cell.row_id, cell.role, id])
        .raw("\">");
    html.text(id)
        .raw("</a><span class=\"tip\" role=\"tooltip\" id=\"tip-");
    html.anchor(&[cell.row_id, cell.role, id]).raw("\">");
    html.text(says.unwrap_or("The spec does not explain this ruling."))
        .raw("</span></span>");
}

/// The sign for how sure one may be; who cannot see it is told in words beside it.
pub(super) fn mark(html: &mut Html, standing: Standing) {
    html.raw("<span aria-hidden=\"true\" class=\"mark ")
        .raw(class(standing))
        .raw("\">");
    html.raw(match standing {
        Standing::Proved => "P",
        Standing::Refuted => "R",
        Standing::Tested => "T",
        Standing::Unknown => "?",
    });
    html.raw("</span>");
}

fn class(standing: Standing) -> &'static str {
    standing.as_str()
}
