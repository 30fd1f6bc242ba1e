//! Questions to the edition that ships, over its example organization, with their answers.

/// A body of `POST /access/v1/evaluation`, and whether it is permitted.
pub(crate) struct Ask {
    pub(crate) body: String,
    pub(crate) allowed: bool,
}

/// Member, action, resource, answer; as in `deploy/demo/README.md`.
const QUESTIONS: &str = "
    acme/mona   data.export           Project      acme/cats             true
    acme/marek  data.export           Project      acme/cats             false
    acme/anna   data.view             Task         acme/cats/1           true
    acme/ben    data.view             Task         acme/cats/1           false
    acme/rita   task.assign_annotator Task         acme/dogs/2           true
    acme/ben    task.assign_annotator Task         acme/dogs/2           false
    acme/cleo   review.access         Task         acme/calls/1          true
    acme/ben    review.access         Task         acme/dogs/1           false
    acme/ben    labeling.access       Task         acme/dogs/1           true
    acme/rita   labeling.access       Task         acme/dogs/1           false
    acme/marek  workspace.update      Workspace    acme/speech           true
    acme/mona   workspace.update      Workspace    acme/speech           false
    acme/cleo   annotation.verify     Annotation   acme/calls/1/by-anna  true
    acme/rita   annotation.verify     Annotation   acme/calls/1/by-anna  false
    acme/adam   org.invite            Organization acme                  true
    acme/olivia project.view          Project      acme/mona-tryout      false
";

/// What an application knows of a request and passes on; no policy that ships asks for it.
const CONTEXT: &str = r#"{"time":"2026-01-15T09:26:53.589Z","ip":"203.0.113.42","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","request_id":"0190a6f2-3c5b-7d10-9f0e-5a4c2b7e8d61","channel":"api"}"#;

/// As many allowed as denied, in turn; about 380 bytes each.
pub(crate) fn questions() -> Vec<Ask> {
    let lines = QUESTIONS.lines().filter(|line| !line.is_empty());
    let ask = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [member, action, resource, id, allowed] = words[..] else {
            panic!("`{line}` is no question");
        };
        Ask {
            body: format!(
                r#"{{"subject":{{"type":"Member","id":"{member}"}},"action":{{"name":"{action}"}},"resource":{{"type":"{resource}","id":"{id}"}},"context":{CONTEXT}}}"#
            ),
            allowed: allowed == "true",
        }
    };
    lines.map(ask).collect()
}
