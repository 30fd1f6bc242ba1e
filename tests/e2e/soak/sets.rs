//! Sets of policies, schema, entities, links and canaries that answer differently from each other.
//!
//! Every file of policies permits the action `witness` by a policy named after the file and its
//! version, so that the reasons of one answer tell which versions it was made of. The attribute
//! that the schema calls `mark_N` ties schema, entities and the first file together: no mixture of
//! two sets is valid.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

use crate::{
    draw::Draw,
    oracle::{self, Question},
};

/// Contents by path below the folder that is served.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) const SCHEMA: &str = "schema.cedarschema";
pub(crate) const ENTITIES: &str = "entities.json";
pub(crate) const LINKS: &str = "policies/links.json";
pub(crate) const CANARIES: &str = "policies/tests/known.json";
/// The file that knows the mark.
pub(crate) const FIRST: &str = "policies/a.cedar";
const OTHERS: [&str; 4] = [
    "policies/b.cedar",
    "policies/d.cedar",
    "policies/sub/c.cedar",
    "policies/sub/deep/e.cedar",
];

pub(crate) const USERS: usize = 6;
pub(crate) const DOCS: usize = 6;
const GROUPS: usize = 5;
/// Entities that nobody asks about: a snapshot that is never freed must show in the memory.
const FILLERS: usize = 1_000;

/// A valid set.
#[derive(Clone)]
pub(crate) struct Set {
    mark: u64,
    pub(crate) files: Files,
}

impl Set {
    /// The policy files other than the first.
    pub(crate) fn others(&self) -> Vec<String> {
        let policies = |path: &&String| path.ends_with(".cedar") && *path != FIRST;
        self.files.keys().filter(policies).cloned().collect()
    }
}

/// Draws sets; no two have a version of a file in common by chance.
pub(crate) struct Sets {
    draw: Draw,
    version: u64,
}

impl Sets {
    pub(crate) fn new(draw: Draw) -> Self {
        Self { draw, version: 0 }
    }

    /// A set that shares nothing with another.
    pub(crate) fn fresh(&mut self) -> Set {
        self.version += 1;
        let mark = self.version;
        let mut set = Set {
            mark,
            files: Files::from([(SCHEMA.to_owned(), schema(mark).into_bytes())]),
        };
        self.rewrite(&mut set, FIRST);
        for path in OTHERS.iter().take(3 + self.draw.below(2)) {
            self.rewrite(&mut set, path);
        }
        self.rewrite(&mut set, LINKS);
        self.rewrite(&mut set, ENTITIES);
        self.known(set)
    }

    /// The set with another version of one or two files.
    pub(crate) fn edited(&mut self, set: &Set) -> Set {
        let mut edited = set.clone();
        let paths = set.others();
        for _ in 0..=self.draw.below(2) {
            let path = match self.draw.below(10) {
                0..6 => self.draw.pick(&paths).clone(),
                6 => FIRST.to_owned(),
                7 => LINKS.to_owned(),
                _ => ENTITIES.to_owned(),
            };
            self.rewrite(&mut edited, &path);
        }
        self.known(edited)
    }

    /// The set with another version of this file.
    pub(crate) fn with(&mut self, set: &Set, path: &str) -> Set {
        let mut edited = set.clone();
        self.rewrite(&mut edited, path);
        self.known(edited)
    }

    /// The set with this content of a file, or without the file.
    pub(crate) fn changed(&mut self, set: &Set, path: &str, bytes: Option<Vec<u8>>) -> Set {
        let mut changed = set.clone();
        match bytes {
            Some(bytes) => changed.files.insert(path.to_owned(), bytes),
            None => changed.files.remove(path),
        };
        self.known(changed)
    }

    /// A set of which so little is left that it is refused.
    pub(crate) fn shrunk(&mut self) -> Set {
        let mut set = self.fresh();
        for path in set.others() {
            set.files.remove(&path);
        }
        let one = b"@id(\"alone\")\npermit(principal, action, resource);\n".to_vec();
        set.files.insert(FIRST.to_owned(), one);
        set.files.insert(LINKS.to_owned(), b"[]".to_vec());
        self.known(set)
    }

    fn rewrite(&mut self, set: &mut Set, path: &str) {
        self.version += 1;
        let text = match path {
            ENTITIES => self.entities(set.mark).to_string(),
            LINKS => self.links().to_string(),
            FIRST => self.policies(path) + &first(self.version, set.mark),
            _ => self.policies(path),
        };
        set.files.insert(path.to_owned(), text.into_bytes());
    }

    /// The set with canaries that hold: one that always does, one that another set may not meet.
    fn known(&mut self, mut set: Set) -> Set {
        set.files.remove(CANARIES);
        let compiled = oracle::compile(&set.files).expect("sets are drawn valid");
        let case = |question: Question| {
            let answer = compiled.answer(question);
            json!({
                "request": question.in_cedar(),
                "decision": if answer.allow { "allow" } else { "deny" },
                "reason": answer.reason.first().into_iter().collect::<Vec<_>>(),
                "num_errors": 0,
            })
        };
        let cases = json!([
            json!({"request": Question::WITNESS.in_cedar(), "decision": "allow", "reason": [], "num_errors": 0}),
            case(Question::drawn(&mut self.draw)),
        ]);
        set.files
            .insert(CANARIES.to_owned(), cases.to_string().into_bytes());
        set
    }

    fn policies(&mut self, path: &str) -> String {
        let name = format!("{path}@{}", self.version);
        let mut text = format!(
            "@id(\"{name} witness\")\npermit(principal, action == Action::\"witness\", resource);\n"
        );
        for number in 0..3 + self.draw.below(3) {
            let policy = self.policy();
            write!(text, "\n@id(\"{name} {number}\")\n{policy}\n").unwrap();
        }
        text
    }

    fn policy(&mut self) -> String {
        let draw = &mut self.draw;
        let effect = *draw.pick(&["permit", "permit", "permit", "forbid"]);
        let principal = match draw.below(3) {
            0 => "principal".to_owned(),
            1 => format!("principal == User::\"u{}\"", draw.below(USERS)),
            _ => format!("principal in Group::\"g{}\"", draw.below(GROUPS)),
        };
        let actions = [
            "== Action::\"view\"",
            "== Action::\"edit\"",
            "in [Action::\"view\", Action::\"edit\"]",
            "== Action::\"share\"",
        ];
        let action = *draw.pick(&actions);
        let resource = match draw.below(2) {
            0 => "resource".to_owned(),
            _ => format!("resource == Doc::\"d{}\"", draw.below(DOCS)),
        };
        let condition = match draw.below(5) {
            0 => format!("principal.level > {}", draw.below(9)),
            1 => format!("resource.rank < {}", draw.below(9)),
            2 => "resource.owner == principal".to_owned(),
            3 if action.contains("share") => format!("context.level > {}", draw.below(4)),
            _ => "resource.secret".to_owned(),
        };
        format!("{effect}({principal}, action {action}, {resource}) when {{ {condition} }};")
    }

    fn links(&mut self) -> Value {
        let link = |number: usize, template: &str, user: usize, doc: usize| {
            let mut args = json!({"?principal": format!("User::\"u{user}\"")});
            if template == "template.doc" {
                args["?resource"] = json!(format!("Doc::\"d{doc}\""));
            }
            let id = format!("link@{} {number}", self.version);
            json!({"template_id": template, "link_id": id, "args": args})
        };
        let mut links = vec![link(0, "template.witness", 0, 0)];
        for number in 1..3 + self.draw.below(3) {
            let (user, doc) = (self.draw.below(USERS), self.draw.below(DOCS));
            let template = *self.draw.pick(&["template.doc", "template.witness"]);
            links.push(link(number, template, user, doc));
        }
        json!(links)
    }

    fn entities(&mut self, mark: u64) -> Value {
        let entity = |kind: &str, id: String, attrs: Value, parents: Vec<Value>| json!({"uid": {"type": kind, "id": id}, "attrs": attrs, "parents": parents});
        let epoch = json!({format!("mark_{mark}"): mark});
        let mut all = vec![entity("Epoch", "now".to_owned(), epoch, Vec::new())];
        for group in 0..GROUPS {
            all.push(entity("Group", format!("g{group}"), json!({}), Vec::new()));
        }
        for user in 0..USERS {
            let mut parents: Vec<_> = (0..GROUPS).filter(|_| self.draw.chance(40)).collect();
            parents.dedup();
            let parents = parents
                .iter()
                .map(|it| json!({"type": "Group", "id": format!("g{it}")}));
            let attrs = json!({"level": self.draw.below(9)});
            all.push(entity("User", format!("u{user}"), attrs, parents.collect()));
        }
        for doc in 0..DOCS {
            let owner = json!({"type": "User", "id": format!("u{}", self.draw.below(USERS))});
            let attrs = json!({
                "owner": {"__entity": owner}, "secret": self.draw.chance(50), "rank": self.draw.below(9),
            });
            all.push(entity("Doc", format!("d{doc}"), attrs, Vec::new()));
        }
        for filler in 0..FILLERS {
            let attrs = json!({"text": format!("{}-{filler}", self.version)});
            all.push(entity("Filler", format!("f{filler}"), attrs, Vec::new()));
        }
        json!(all)
    }
}

fn schema(mark: u64) -> String {
    format!(
        r#"entity Epoch {{ mark_{mark}: Long }};
entity Filler {{ text: String }};
entity Group;
entity User in [Group] {{ level: Long }};
entity Doc {{ owner: User, secret: Bool, rank: Long }};
action view, edit, witness appliesTo {{ principal: User, resource: Doc, context: {{}} }};
action share appliesTo {{ principal: User, resource: Doc, context: {{ level: Long }} }};
"#
    )
}

/// What only the first file has: who is in which group, the mark, and the templates.
fn first(version: u64, mark: u64) -> String {
    let mut text = String::new();
    for group in 0..GROUPS {
        write!(
            text,
            "\n@id(\"in g{group}@{version}\")\n\
             permit(principal in Group::\"g{group}\", action == Action::\"witness\", resource);\n"
        )
        .unwrap();
    }
    write!(
        text,
        r#"
@id("mark@{version}")
permit(principal, action == Action::"witness", resource) when {{ Epoch::"now".mark_{mark} == {mark} }};

@id("template.witness")
permit(principal == ?principal, action == Action::"witness", resource);

@id("template.doc")
permit(principal == ?principal, action in [Action::"view", Action::"edit"], resource == ?resource);
"#
    )
    .unwrap();
    text
}
