//! A question of a bench, with its answer.

/// A body of `POST /access/v1/evaluation`, and whether it is permitted.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) body: String,
    pub(crate) allowed: bool,
}

/// What an application knows of a request and passes on; no policy of ours asks for it.
const CONTEXT: &str = r#"{"time":"2026-01-15T09:26:53.589Z","ip":"203.0.113.42","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","request_id":"0190a6f2-3c5b-7d10-9f0e-5a4c2b7e8d61","channel":"api"}"#;

impl Ask {
    /// Entities are type and id. About 380 bytes.
    pub(crate) fn new(
        (subject_type, subject): (&str, &str),
        action: &str,
        (resource_type, resource): (&str, &str),
        allowed: bool,
    ) -> Self {
        Self {
            body: format!(
                r#"{{"subject":{{"type":"{subject_type}","id":"{subject}"}},"action":{{"name":"{action}"}},"resource":{{"type":"{resource_type}","id":"{resource}"}},"context":{CONTEXT}}}"#
            ),
            allowed,
        }
    }
}
