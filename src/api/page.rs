//! `GET /` on the admin listener: the permission table for people. One page that needs nothing else,
//! can be read without scripts, and may load, send and run nothing that did not come with it.

use std::time::SystemTime;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{
    StatusCode,
    header::{
        CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS,
    },
};
use sha2::{Digest, Sha256};

use crate::{authz::Snapshot, telemetry::Reading};

use super::{
    computed::{Computed, Missing},
    reply::{self, Reply},
};

mod against;
mod head;
mod html;
mod lists;
mod panel;
mod rows;
mod table;

use html::Html;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// What is the same for every answer.
#[derive(Debug)]
pub(super) struct Page {
    /// Names style and script by their digests: nothing else may be one.
    policy: HeaderValue,
}

/// What is shown.
#[derive(Debug)]
pub(super) struct Seen<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) reading: &'s Reading,
    pub(super) computed: Result<&'s Computed<'s>, &'s Missing>,
    /// What candidates there are.
    pub(super) names: &'s [String],
    /// What the caller calls this listener.
    pub(super) host: &'s str,
    pub(super) now: SystemTime,
}

impl Page {
    pub(super) fn new() -> Self {
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            digest(STYLE),
            digest(SCRIPT)
        );
        // Digests and literals are text that a header can have.
        let policy = HeaderValue::from_str(&policy)
            .unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self { policy }
    }

    /// The page.
    pub(super) fn show(&self, seen: &Seen<'_>) -> Reply {
        let mut html = Html::default();
        for part in TEMPLATE.split("{{") {
            // What stands before the first mark has none.
            let (mark, markup) = part.split_once("}}").unwrap_or(("", part));
            match mark {
                "style" => _ = html.raw(STYLE),
                "script" => _ = html.raw(SCRIPT),
                "head" => head::write(&mut html, seen),
                "main" => main(&mut html, seen),
                _ => {}
            }
            html.raw(markup);
        }
        let mut reply = reply::with_type(StatusCode::OK, HTML, html.finish());
        let headers = reply.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        reply
    }
}

fn digest(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn main(html: &mut Html, seen: &Seen<'_>) {
    match seen.computed {
        Ok(computed) => {
            let rows = rows::rows(computed);
            against::write(html, computed, &rows);
            table::write(html, computed, &rows);
            lists::words(html, computed);
            lists::rulings(html, computed);
            lists::forbids(html, computed);
            panel::write(html, computed, &rows, seen.host);
        }
        Err(Missing::NoSpec) => {
            html.raw("<section class=\"notice\"><h2>There is no table</h2><p>No spec says what the rows of a table are, so that none can be computed. These are the policies in force.</p></section>");
            lists::policies(html, seen.snapshot);
        }
        Err(Missing::Broken(rejection)) => {
            html.raw("<section class=\"notice\"><h2>There is no table</h2><p>The spec that says what its rows are is broken. The policies are in force all the same.</p>");
            against::findings(html, rejection.findings());
            html.raw("</section>");
            lists::policies(html, seen.snapshot);
        }
    }
}
