//! What changed, for a terminal.

use std::fmt::Write as _;

use super::{
    Told,
    said::{self, Style},
};

const STYLE: Style = Style {
    uid: str::to_owned,
    policy: |id| format!("`{id}`"),
    place: str::to_owned,
};

/// Everything that changed, and nothing that did not.
pub(super) fn told(told: &Told) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{}: {} -> {}: {}",
        told.edition,
        told.old,
        told.new,
        said::summary(told)
    );
    let _ = said::note(told).map(|note| writeln!(text, "{note}"));
    let several = said::has_several(told);
    for shape in said::shapes(told) {
        let by = if several {
            format!(" by {}", shape.principal_type)
        } else {
            String::new()
        };
        let presence = said::presence(shape)
            .map(|it| format!(" ({it})"))
            .unwrap_or_default();
        let (action, on) = (&shape.action, &shape.resource_type);
        let _ = writeln!(
            text,
            "\n{:<10}{action} on {on}{by}{presence}",
            shape.state()
        );
        for difference in &shape.differences {
            let sentence = said::sentence(difference, action, &told.places, STYLE);
            let _ = writeln!(
                text,
                "  {sentence}\n  palisade decide: {}",
                difference.question
            );
        }
        if !shape.policies.is_empty() {
            let _ = writeln!(text, "  edited: {}", said::policies(shape, STYLE));
        }
        for why in &shape.unknown {
            let _ = writeln!(text, "  not known: {why}");
        }
    }
    if !told.cells.is_empty() {
        text.push_str("\ncells\n");
    }
    for cell in &told.cells {
        let [before, after] = said::words(cell);
        let (place, action) = (said::cell(cell), &cell.action);
        let _ = writeln!(text, "  {place:<24}{action}: {before} -> {after}");
    }
    if !told.policies.is_empty() {
        text.push_str("\npolicies\n");
    }
    for change in &told.policies {
        let (id, place) = (change.id(), said::place(change));
        let dead = said::dead(told, change);
        let _ = writeln!(text, "  {:<9} `{id}` ({place}){dead}", change.as_str());
    }
    text.trim_end().to_owned()
}
