//! From policy files and links to one policy set with stable ids.

use std::{collections::HashMap, str::FromStr};

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, SlotId, Template};
use serde_json::value::RawValue;

use super::{
    Finding, Json, Kind, PolicyInfo, SourceFile, Sources, engine, finding,
    nesting::{self, MAX_POLICIES, Syntax},
    text::{self, Lines},
};

mod validation;

pub use validation::Valid;

/// How deep a `links.json` may nest: a list of objects that hold objects, with room.
const MAX_LINKS_DEPTH: usize = 8;

/// The whole set, with what we know of each policy in it.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// Static policies, templates and links.
    pub(super) set: PolicySet,
    /// Policies in force (static ones and links), in reading order.
    pub(super) infos: Vec<PolicyInfo>,
    /// Index into the sources, and where in it the policy or template starts, by id.
    origins: HashMap<PolicyId, Origin>,
}

/// Where a policy or template was written.
#[derive(Clone, Copy, Debug)]
struct Origin {
    file: usize,
    span: Option<(usize, usize)>,
}

/// A policy file that is being read.
struct Source<'f> {
    index: usize,
    file: &'f SourceFile,
    text: &'f str,
    lines: Lines,
}

/// Why a statement is not taken.
struct Refused {
    kind: Kind,
    message: String,
    help: Option<&'static str>,
    span: Option<(usize, usize)>,
}

impl Source<'_> {
    fn finding(&self, refused: Refused) -> Finding {
        let mut finding = Finding::error(refused.kind, &self.file.name, refused.message);
        if let Some((start, end)) = refused.span {
            finding = finding.at(self.text, start, end - start);
        }
        match refused.help {
            Some(help) => finding.help(help),
            None => finding,
        }
    }
}

/// One statement of a file: a policy or a template.
enum Statement {
    Policy(Policy),
    Template(Template),
}

impl Policies {
    /// The policy in force of that id.
    pub(super) fn named(&self, id: &str) -> Option<&Policy> {
        self.set.policy(&PolicyId::new(id))
    }

    /// The policies in force of which this holds, in reading order.
    pub(super) fn that<'p>(
        &'p self,
        holds: impl Fn(&PolicyInfo) -> bool + 'p,
    ) -> impl Iterator<Item = &'p Policy> {
        let chosen = self.infos.iter().filter(move |info| holds(info));
        chosen.filter_map(|info| self.named(&info.id))
    }

    /// Parses every file and links the templates; all findings at once, until there are as many as
    /// a rejection has.
    pub(super) fn parse(sources: &Sources, findings: &mut Vec<Finding>) -> Self {
        let mut policies = Self::default();
        let mut position = 0;
        for (index, file) in sources.policies.iter().enumerate() {
            if finding::is_enough(findings) {
                return policies;
            }
            let read = text::utf8(file).and_then(|text| Ok((text, statements(file, text)?)));
            match read {
                Ok((text, statements)) => {
                    let source = Source {
                        index,
                        file,
                        text,
                        lines: Lines::of(text),
                    };
                    let mut refused = Vec::new();
                    for statement in statements {
                        let added = policies.add(sources, &source, position, statement);
                        refused.extend(added.err());
                        position += 1;
                    }
                    findings.extend(finding::told(refused, |refused| source.finding(refused)));
                }
                Err(found) => findings.extend(found),
            }
            if position > MAX_POLICIES {
                let message = format!("with this file there are more than {MAX_POLICIES} policies");
                findings.push(Finding::error(Kind::Parse, &file.name, message));
                return policies;
            }
        }
        for file in &sources.links {
            if finding::is_enough(findings) {
                return policies;
            }
            if let Err(found) = policies.link(file) {
                findings.extend(found);
            }
        }
        policies
    }

    fn add(
        &mut self,
        sources: &Sources,
        source: &Source<'_>,
        position: usize,
        statement: Statement,
    ) -> Result<(), Refused> {
        let span = statement.span();
        let refused = |kind, message: String, help| Refused {
            kind,
            message,
            help,
            span,
        };
        let id = match statement.id() {
            Some("") => {
                let message = "an empty `@id`".to_owned();
                let help = "give the policy a name of its own";
                return Err(refused(Kind::Parse, message, Some(help)));
            }
            Some(id) => PolicyId::new(id),
            None => PolicyId::new(format!("policy{position}")),
        };
        if let Some(first) = self.origins.get(&id) {
            let other = sources.policies.get(first.file);
            let other = other.map_or("", |file| file.name.as_str());
            let message = format!("the policy id `{id}` is taken already, in `{other}`");
            let help = "ids are unique in the whole set";
            return Err(refused(Kind::Validate, message, Some(help)));
        }
        let file = source.index;
        self.origins.insert(id.clone(), Origin { file, span });
        let added = match statement {
            Statement::Policy(policy) => {
                let policy = policy.new_id(id);
                let line = span.map_or(1, |(start, _)| source.lines.line(start));
                self.infos.push(info(&policy, &source.file.name, line));
                self.set.add(policy)
            }
            Statement::Template(template) => self.set.add_template(template.new_id(id)),
        };
        added.map_err(|error| refused(Kind::Validate, text::chain(&error), None))
    }

    fn link(&mut self, file: &SourceFile) -> Result<(), Vec<Finding>> {
        let text = text::utf8(file)?;
        let links: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
            let finding = Finding::error(Kind::Parse, &file.name, error.to_string());
            let finding = finding.at_line(text, error.line(), error.column());
            vec![finding.help(LINK_HELP)]
        })?;
        if self.infos.len() + links.len() > MAX_POLICIES {
            let message = format!("with these links there are more than {MAX_POLICIES} policies");
            return Err(vec![Finding::error(Kind::Parse, &file.name, message)]);
        }
        let mut refused = Vec::new();
        for link in links {
            let parsed = Json::parse(link.get().as_bytes(), MAX_LINKS_DEPTH)
                .map_err(|error| (Kind::Parse, error.message))
                .and_then(|json| {
                    self.link_one(&json, &file.name)
                        .map_err(|message| (Kind::Validate, message))
                });
            refused.extend(
                parsed
                    .err()
                    .map(|(kind, message)| (kind, message, link.get())),
            );
        }
        if refused.is_empty() {
            return Ok(());
        }
        Err(finding::told(refused, |(kind, message, link)| {
            let finding = Finding::error(kind, &file.name, message);
            let finding = finding.at(text, text::offset_in(text, link), link.len());
            finding.help(LINK_HELP)
        }))
    }

    fn link_one(&mut self, link: &Json<'_>, file: &str) -> Result<(), String> {
        let object = link.as_object().ok_or("not an object")?;
        let known = ["template_id", "link_id", "args"];
        if let Some((key, _)) = object.iter().find(|(key, _)| !known.contains(key)) {
            return Err(format!("unknown key `{key}`"));
        }
        let string = |key: &str| {
            let value = object.get(key).and_then(Json::as_str);
            value.ok_or_else(|| format!("`{key}` must be a string"))
        };
        let template = PolicyId::new(string("template_id")?);
        let id = PolicyId::new(string("link_id")?);
        let args = object.get("args").and_then(Json::as_object);
        let mut slots = HashMap::new();
        for (slot, value) in args.ok_or("`args` must be an object")?.iter() {
            let slot_id = match slot {
                "?principal" => SlotId::principal(),
                "?resource" => SlotId::resource(),
                _ => return Err(format!("unknown slot `{slot}`")),
            };
            slots.insert(slot_id, super::uids::parse(value)?);
        }
        self.set
            .link(template.clone(), id.clone(), slots)
            .map_err(|error| text::chain(&error))?;
        if let (Some(policy), Some(origin)) = (self.set.policy(&id), self.origins.get(&template)) {
            self.infos.push(info(policy, file, 1));
            self.origins.insert(id, *origin);
        }
        Ok(())
    }
}

const LINK_HELP: &str =
    r#"a link is {"template_id": "…", "link_id": "…", "args": {"?principal": "User::\"a\""}}"#;

impl Statement {
    /// Its `@id`.
    fn id(&self) -> Option<&str> {
        let is_id = |(key, value): (&str, _)| (key == "id").then_some(value);
        match self {
            Self::Policy(policy) => policy.annotations().find_map(is_id),
            Self::Template(template) => template.annotations().find_map(is_id),
        }
    }

    /// `policyN` as the parser named it: N is the position in the file.
    fn position(&self) -> usize {
        let id: &str = match self {
            Self::Policy(policy) => policy.id().as_ref(),
            Self::Template(template) => template.id().as_ref(),
        };
        id.trim_start_matches("policy")
            .parse()
            .unwrap_or(usize::MAX)
    }

    fn span(&self) -> Option<(usize, usize)> {
        match self {
            Self::Policy(policy) => engine::policy_span(policy),
            Self::Template(template) => engine::template_span(template),
        }
    }
}

/// The policies and templates of a file, in the order of the text.
fn statements(file: &SourceFile, text: &str) -> Result<Vec<Statement>, Vec<Finding>> {
    nesting::check(file, text, Syntax::Policy)?;
    let set = PolicySet::from_str(text).map_err(|errors| {
        finding::told(errors.iter(), |error| {
            text::diagnostic(Kind::Parse, file, text, error)
        })
    })?;
    let policies = set.policies().cloned().map(Statement::Policy);
    let templates = set.templates().cloned().map(Statement::Template);
    let mut statements: Vec<Statement> = policies.chain(templates).collect();
    statements.sort_by_key(Statement::position);
    Ok(statements)
}

fn info(policy: &Policy, file: &str, line: usize) -> PolicyInfo {
    let mut annotations: Vec<(String, String)> = policy
        .annotations()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    annotations.sort();
    PolicyInfo {
        id: name(policy.id()),
        effect: match policy.effect() {
            Effect::Permit => "permit",
            Effect::Forbid => "forbid",
        },
        file: file.to_owned(),
        line,
        annotations,
    }
}

/// The id as it was given; `PolicyId` writes itself escaped.
pub(super) fn name(id: &PolicyId) -> String {
    let id: &str = id.as_ref();
    id.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_until_there_are_as_many_findings_as_a_rejection_has() {
        let broken = |name: usize| SourceFile {
            name: name.to_string(),
            bytes: "@id(\"\") permit (principal, action, resource);\n"
                .repeat(200)
                .into_bytes(),
        };
        let files: Vec<SourceFile> = (0..100).map(broken).collect();
        let mut findings = Vec::new();
        let sources = Sources {
            policies: files.clone(),
            links: files,
            ..Sources::default()
        };
        Policies::parse(&sources, &mut findings);
        assert_eq!(findings.len(), 1_010);
    }
}
