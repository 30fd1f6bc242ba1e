//! Questions to the edition that ships, over its example organization, with their answers.

use crate::ask::Ask;

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

/// As many allowed as denied, in turn; about 380 bytes each.
pub(crate) fn questions() -> Vec<Ask> {
    let lines = QUESTIONS.lines().filter(|line| !line.is_empty());
    let ask = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [member, action, resource, id, allowed] = words[..] else {
            panic!("`{line}` is no question");
        };
        let allowed = allowed == "true";
        Ask::new(("Member", member), action, (resource, id), allowed)
    };
    lines.map(ask).collect()
}
