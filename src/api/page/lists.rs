//! What the table refers to: words, rulings, and the policies that hold for many cells.

use std::collections::BTreeSet;

use crate::{
    api::computed::Computed,
    authz::{PolicyInfo, Snapshot},
};

use super::{Html, table};

pub(super) fn words(html: &mut Html, computed: &Computed<'_>) {
    html.raw("<section class=\"list\" aria-labelledby=\"words\"><h2 id=\"words\">What the words mean</h2><p>Every word holds only where no guard forbids: other organizations, members who are not active, and whatever else the policies that forbid say.</p><dl>");
    html.raw("<dt>");
    table::word(html, "never");
    html.raw("</dt><dd>Never: nothing is permitted.</dd>");
    for (word, says) in computed.words() {
        html.raw("<dt>");
        table::word(html, word);
        html.raw("</dt><dd>");
        html.text(says.unwrap_or("The spec does not explain this word."));
        html.raw("</dd>");
    }
    html.raw("</dl></section>");
}

pub(super) fn rulings(html: &mut Html, computed: &Computed<'_>) {
    let rulings = computed.rulings();
    if rulings.is_empty() {
        return;
    }
    html.raw("<section class=\"list\" aria-labelledby=\"rulings\"><h2 id=\"rulings\">Rulings</h2><p>Where the documents contradict each other or are silent, and what holds here.</p><dl>");
    for (id, says) in rulings {
        html.raw("<dt id=\"ruling-")
            .anchor(&[id])
            .raw("\">")
            .text(id)
            .raw("</dt><dd>");
        html.text(says.unwrap_or("The spec does not explain this ruling."));
        html.raw("</dd>");
    }
    html.raw("</dl></section>");
}

/// The policies that can forbid in some cell, each once.
pub(super) fn forbids(html: &mut Html, computed: &Computed<'_>) {
    let named: BTreeSet<&str> = computed
        .cells()
        .flat_map(|cell| &cell.detail.forbids)
        .map(String::as_str)
        .collect();
    if named.is_empty() {
        return;
    }
    html.raw("<section class=\"list\" aria-labelledby=\"forbids\"><h2 id=\"forbids\">Policies that forbid</h2><p>They hold for many cells, whatever permits.</p>");
    let infos = computed.snapshot.policies().iter();
    for info in infos.filter(|info| named.contains(info.id.as_str())) {
        html.raw("<div id=\"policy-").anchor(&[&info.id]).raw("\">");
        policy(html, computed.snapshot, info);
        html.raw("</div>");
    }
    html.raw("</section>");
}

/// All policies, where there is no table.
pub(super) fn policies(html: &mut Html, snapshot: &Snapshot) {
    html.raw("<section class=\"list\" aria-labelledby=\"policies\"><h2 id=\"policies\">Policies in force</h2>");
    if snapshot.policies().is_empty() {
        html.raw("<p>There are none: nothing is permitted.</p>");
    }
    for info in snapshot.policies() {
        policy(html, snapshot, info);
    }
    html.raw("</section>");
}

/// A policy with its place and its text.
pub(super) fn policy(html: &mut Html, snapshot: &Snapshot, info: &PolicyInfo) {
    html.raw("<article class=\"policy\"><p class=\"source\"><span class=\"effect ")
        .text(info.effect);
    html.raw("\">")
        .text(info.effect)
        .raw("</span> <code class=\"id\">")
        .text(&info.id);
    html.raw("</code> <span class=\"place\">")
        .text(&info.file)
        .raw(":")
        .number(info.line);
    html.raw("</span></p>");
    let text = snapshot.policy_text(&info.id).unwrap_or_default();
    html.raw("<pre tabindex=\"0\"><code>")
        .text(text.trim())
        .raw("</code></pre></article>");
}
