//! What changed, for a comment on a pull request. Ids and paths are whatever somebody wrote in the
//! edit: none of it is left to be read as Markdown.

use std::fmt::Write as _;

use super::{
    Told,
    said::{self, Style},
};

const STYLE: Style = Style {
    uid: code,
    policy: code,
    place: plain,
};

/// What comes before the questions, which few want to read at once.
const QUESTIONS: &str =
    "\n<details><summary>The questions, for <code>palisade decide -</code></summary>\n";

/// Everything that changed, and nothing that did not.
pub(super) fn told(told: &Told) -> String {
    let mut text = String::new();
    let (edition, old, new) = (code(&told.edition), code(&told.old), code(&told.new));
    // Writing to a string does not fail.
    let _ = writeln!(text, "### What this edit changes in {edition}\n");
    let _ = writeln!(text, "{old} → {new}: {}.", said::summary(told));
    let _ = said::note(told).map(|note| writeln!(text, "\nNote: {note}."));
    shapes(&mut text, told);
    cells(&mut text, told);
    policies(&mut text, told);
    questions(&mut text, told);
    text.trim_end().to_owned()
}

fn shapes(text: &mut String, told: &Told) {
    let several = said::has_several(told);
    for (number, shape) in said::shapes(told).enumerate() {
        if number == 0 {
            text.push_str(
                "\n| | action | on | for instance | edited |\n| --- | --- | --- | --- | --- |\n",
            );
        }
        let by = if several {
            format!(" by {}", code(&shape.principal_type))
        } else {
            String::new()
        };
        let presence = said::presence(shape)
            .map(|it| format!(", {it}"))
            .unwrap_or_default();
        let differences = shape.differences.iter();
        let differences =
            differences.map(|it| said::sentence(it, &shape.action, &told.places, STYLE));
        let unknown = shape
            .unknown
            .iter()
            .map(|why| format!("not known: {}", plain(why)));
        let cell: Vec<String> = differences.chain(unknown).collect();
        let _ = writeln!(
            text,
            "| **{}**{presence} | {} | {}{by} | {} | {} |",
            shape.state(),
            code(&shape.action),
            code(&shape.resource_type),
            cell.join("<br>"),
            said::policies(shape, STYLE),
        );
    }
}

fn cells(text: &mut String, told: &Told) {
    if told.cells.is_empty() {
        return;
    }
    text.push_str("\n#### Cells of the table\n\n| cell | row | action | before | after |\n");
    text.push_str("| --- | --- | --- | --- | --- |\n");
    for cell in &told.cells {
        let [before, after] = said::words(cell);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            plain(&said::cell(cell)),
            plain(&cell.row_label),
            code(&cell.action),
            plain(&before),
            plain(&after),
        );
    }
}

fn policies(text: &mut String, told: &Told) {
    if told.policies.is_empty() {
        return;
    }
    text.push_str("\n#### Policies\n\n| | id | where |\n| --- | --- | --- |\n");
    for change in &told.policies {
        let (id, place) = (code(change.id()), code(&said::place(change)));
        let dead = said::dead(told, change);
        let _ = writeln!(text, "| {} | {id} | {place}{dead} |", change.as_str());
    }
}

fn questions(text: &mut String, told: &Told) {
    let differences = told.shapes.iter().flat_map(|it| &it.differences);
    for (number, difference) in differences.enumerate() {
        if number == 0 {
            text.push_str(QUESTIONS);
        }
        let summary = code(&difference.summary);
        let direction = difference.direction.as_str();
        let json = said::question(&difference.question);
        let _ = writeln!(text, "\n{direction}: {summary}\n\n```json\n{json}\n```");
    }
    if told.shapes.iter().any(|it| !it.differences.is_empty()) {
        text.push_str("\n</details>\n");
    }
}

/// Words that nothing of is taken for markup.
fn plain(words: &str) -> String {
    let mut plain = String::new();
    for c in words.chars() {
        match c {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '\n' | '\r' => plain.push(' '),
            // Names of people and teams are notified.
            '@' => plain.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                plain.push('\\');
                plain.push(c);
            }
            _ => plain.push(c),
        }
    }
    plain
}

/// A name as code, in a table or not.
fn code(name: &str) -> String {
    // A backtick would end it, and a bar would end the cell.
    if name.contains(['`', '|', '\n', '\r', '\\']) || name.is_empty() {
        plain(name)
    } else {
        format!("`{name}`")
    }
}
