//! What is behind a cell: shown when its cell is selected, without a script as well.

use std::collections::BTreeSet;

use crate::api::computed::{CellOf, Computed, Question};

use super::{
    Html, lists,
    rows::{Group, Printed, Row},
    table,
};

pub(super) fn write(html: &mut Html, computed: &Computed<'_>, rows: &[Row<'_>], host: &str) {
    for row in rows {
        for cell in &row.cells {
            let panel = Panel {
                computed,
                row,
                cell,
                host,
            };
            panel.write(html);
        }
    }
}

struct Panel<'p> {
    computed: &'p Computed<'p>,
    row: &'p Row<'p>,
    cell: &'p Printed<'p>,
    host: &'p str,
}

impl Panel<'_> {
    fn write(&self, html: &mut Html) {
        let anchor = [self.cell.row_id, self.cell.role];
        html.raw("<section class=\"panel\" tabindex=\"-1\" id=\"")
            .anchor(&anchor);
        html.raw("\" aria-labelledby=\"title-").anchor(&anchor);
        html.raw("\"><div class=\"bar\"><h2 id=\"title-")
            .anchor(&anchor)
            .raw("\"><span class=\"row-id\">");
        html.text(self.row.id)
            .raw("</span> ")
            .text(self.row.label)
            .raw(" <span class=\"of\">");
        html.text(self.cell.role)
            .raw("</span></h2><a class=\"close\" href=\"#cell-")
            .anchor(&anchor);
        html.raw("\">Close</a></div>");
        self.printed(html);
        for group in &self.cell.groups {
            self.group(html, group);
        }
        self.rulings(html);
        html.raw("</section>");
    }

    /// The documents' own words: mostly the same for each letter.
    fn printed(&self, html: &mut Html) {
        let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
        let details = self.cell.cells().map(|cell| cell.detail);
        for printed in details.filter_map(|it| it.printed.as_ref()) {
            let known = said.iter().position(|(words, _)| *words == printed.cell);
            let at = known.unwrap_or(said.len());
            if known.is_none() {
                said.push((&printed.cell, Vec::new()));
            }
            let Some((_, places)) = said.get_mut(at) else {
                continue;
            };
            for place in printed.seed_ref.split_terminator(';') {
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
        html.raw("<p class=\"printed\">");
        if said.is_empty() {
            html.raw("No table of the documents has this cell.");
        }
        for (words, places) in said {
            match words {
                "" => _ = html.raw("The documents leave this cell empty"),
                words => _ = html.raw("The documents print <q>").text(words).raw("</q>"),
            }
            for place in places {
                html.raw(" <span class=\"place\">")
                    .text(place)
                    .raw("</span>");
            }
            html.raw(". ");
        }
        html.raw("</p>");
    }

    fn group(&self, html: &mut Html, group: &Group<'_>) {
        html.raw("<div class=\"group\"><h3>");
        table::line(html, group);
        html.raw("</h3>");
        self.meaning(html, group);
        let notes: BTreeSet<&str> = group.cells.iter().filter_map(|cell| cell.note).collect();
        let unnamed = group
            .cells
            .iter()
            .filter_map(|cell| cell.line.note.as_deref());
        for note in notes.into_iter().chain(unnamed) {
            html.raw("<p class=\"note\">").text(note).raw("</p>");
        }
        self.permits(html, group);
        Self::specification(html, group);
        self.forbids(html, group);
        self.examples(html, group);
        html.raw("</div>");
    }

    /// The word in a sentence, and what is asked.
    fn meaning(&self, html: &mut Html, group: &Group<'_>) {
        html.raw("<p>");
        match group.scope() {
            "never" => _ = html.raw("Never: nothing is permitted."),
            "?" => _ = html.raw("No scope word describes what is permitted."),
            word => {
                _ = html.text(
                    self.computed
                        .says(word)
                        .unwrap_or("The spec does not explain this word."),
                )
            }
        }
        if let Some(next) = group.next() {
            html.raw(" <strong>The candidate would make it:</strong> ");
            let says = match next {
                "never" => Some("nothing is permitted."),
                next => self.computed.says(next),
            };
            html.text(says.unwrap_or(next));
        }
        html.raw("</p><p class=\"asked\">Asked as ");
        for (place, cell) in group.cells.iter().enumerate() {
            if place > 0 {
                html.raw(", ");
            }
            html.raw("<code>")
                .text(&cell.line.cedar_action)
                .raw("</code> on ");
            html.text(&cell.line.resource_type);
        }
        html.raw("</p>");
    }

    fn permits(&self, html: &mut Html, group: &Group<'_>) {
        html.raw("<h4>Policies that permit</h4>");
        let named = named(group, |cell| &cell.detail.permits);
        if named.is_empty() {
            html.raw("<p>None.</p>");
        }
        let infos = self.computed.snapshot.policies().iter();
        for info in infos.filter(|info| named.contains(info.id.as_str())) {
            lists::policy(html, self.computed.snapshot, info);
        }
    }

    fn specification(html: &mut Html, group: &Group<'_>) {
        let definitions = group.cells.iter().flat_map(|cell| &cell.detail.definitions);
        let mut known = BTreeSet::new();
        let mut first = true;
        for definition in definitions {
            if !known.insert((definition.file.as_str(), definition.line)) {
                continue;
            }
            if std::mem::take(&mut first) {
                html.raw("<h4>Specification</h4><p>What the word means, said apart from the policies:</p>");
            }
            html.raw("<article class=\"policy\"><p class=\"source\"><span class=\"place\">");
            html.text(&definition.file)
                .raw(":")
                .number(definition.line)
                .raw("</span></p>");
            html.raw("<pre tabindex=\"0\"><code>")
                .text(definition.text.trim());
            html.raw("</code></pre></article>");
        }
        let guards = named(group, |cell| &cell.detail.guards);
        if !first && !guards.is_empty() {
            html.raw("<p>except where one of these guards forbids: ");
            list(html, &guards);
            html.raw("</p>");
        }
    }

    fn forbids(&self, html: &mut Html, group: &Group<'_>) {
        let named = named(group, |cell| &cell.detail.forbids);
        if named.is_empty() {
            return;
        }
        html.raw("<h4>Policies that can forbid</h4><ul class=\"links\">");
        let infos = self.computed.snapshot.policies().iter();
        for info in infos.filter(|info| named.contains(info.id.as_str())) {
            html.raw("<li><a href=\"#policy-")
                .anchor(&[&info.id])
                .raw("\"><code>");
            html.text(&info.id)
                .raw("</code></a> <span class=\"place\">")
                .text(&info.file);
            html.raw(":").number(info.line).raw("</span></li>");
        }
        html.raw("</ul>");
    }

    fn examples(&self, html: &mut Html, group: &Group<'_>) {
        let details = || group.cells.iter().map(|cell| cell.detail);
        let permitted = details().find_map(|it| it.permitted.as_ref());
        let denied = details().find_map(|it| it.denied.as_ref());
        if permitted.is_none() && denied.is_none() {
            return;
        }
        html.raw("<h4>Example questions</h4><p>From the world of the spec; with ids of your own they ask about what is stored.</p>");
        for (says, example) in [("Permitted", permitted), ("Denied", denied)] {
            let Some(example) = example else {
                continue;
            };
            html.raw("<p class=\"example\">")
                .raw(says)
                .raw("</p><pre tabindex=\"0\"><code>");
            html.raw("curl -s -H 'content-type: application/json' http://")
                .text(self.host);
            html.raw("/v1/explain -d '\n");
            let question = Question::of(example).to_json();
            html.text(&question.replace('\'', r"'\''"))
                .raw("'</code></pre>");
        }
    }

    fn rulings(&self, html: &mut Html) {
        let rulings = self.cell.rulings();
        if rulings.is_empty() {
            return;
        }
        html.raw("<div class=\"group\"><h3>Rulings</h3><dl>");
        for id in rulings {
            html.raw("<dt>").text(id).raw("</dt><dd>");
            let says = self.computed.ruling(id);
            html.text(says.unwrap_or("The spec does not explain this ruling."))
                .raw("</dd>");
        }
        html.raw("</dl></div>");
    }
}

/// What the lines of a group name, each once.
fn named<'g>(group: &Group<'g>, of: impl Fn(CellOf<'g>) -> &'g Vec<String>) -> BTreeSet<&'g str> {
    let named = group.cells.iter().flat_map(|cell| of(*cell));
    named.map(String::as_str).collect()
}

fn list(html: &mut Html, named: &BTreeSet<&str>) {
    for (place, name) in named.iter().enumerate() {
        if place > 0 {
            html.raw(", ");
        }
        html.text(name);
    }
}
