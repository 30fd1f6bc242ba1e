//! From policy files and links to one policy set with stable ids.

use std::{collections::HashMap, str::FromStr};

use cedar_policy::{
    Effect, Policy, PolicyId, PolicySet, SlotId, Template, ValidationMode, Validator,
};
use serde_json::value::RawValue;

use super::{
    Finding, Json, Kind, PolicyInfo, SourceFile, Sources, engine,
    nesting::{self, Syntax},
    schema::SchemaModel,
    text,
};

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

/// One statement of a file: a policy or a template.
enum Statement {
    Policy(Policy),
    Template(Template),
}

impl Policies {
    /// Parses every file and links the templates; all findings at once.
    pub(super) fn parse(sources: &Sources, findings: &mut Vec<Finding>) -> Self {
        let mut policies = Self::default();
        let mut position = 0;
        for (index, file) in sources.policies.iter().enumerate() {
            match statements(file) {
                Ok(statements) => {
                    for statement in statements {
                        policies.add(sources, index, position, statement, findings);
                        position += 1;
                    }
                }
                Err(found) => findings.extend(found),
            }
        }
        for file in &sources.links {
            if let Err(found) = policies.link(file) {
                findings.extend(found);
            }
        }
        policies
    }

    /// Validates strictly against the schema.
    pub(super) fn validate(
        &self,
        sources: &Sources,
        schema: &SchemaModel,
        findings: &mut Vec<Finding>,
    ) {
        let validator = Validator::new(schema.cedar.clone());
        let result = validator.validate(&self.set, ValidationMode::Strict);
        for error in result.validation_errors() {
            findings.push(self.finding(sources, error.policy_id(), error));
        }
        for warning in result.validation_warnings() {
            findings.push(
                self.finding(sources, warning.policy_id(), warning)
                    .warning(),
            );
        }
    }

    fn finding(&self, sources: &Sources, id: &PolicyId, error: &dyn miette::Diagnostic) -> Finding {
        let template = || self.set.policy(id)?.template_id().cloned();
        let origin = self
            .origins
            .get(id)
            .or_else(|| self.origins.get(&template()?));
        let file = origin.and_then(|origin| sources.policies.get(origin.file));
        let (Some(origin), Some(file)) = (origin, file) else {
            return Finding::error(Kind::Validate, String::new(), error.to_string());
        };
        let text = text::utf8(file).unwrap_or_default();
        let finding = text::diagnostic(Kind::Validate, file, text, error);
        match (&finding.place, origin.span) {
            (None, Some((start, end))) => finding.at(text, start, end - start),
            _ => finding,
        }
    }

    fn add(
        &mut self,
        sources: &Sources,
        file: usize,
        position: usize,
        statement: Statement,
        findings: &mut Vec<Finding>,
    ) {
        let Some(source) = sources.policies.get(file) else {
            return;
        };
        let text = text::utf8(source).unwrap_or_default();
        let span = statement.span();
        let place = |finding: Finding| match span {
            Some((start, end)) => finding.at(text, start, end - start),
            None => finding,
        };
        let id = match statement.annotation("id") {
            Some("") => {
                let finding = Finding::error(Kind::Parse, &source.name, "an empty `@id`");
                findings.push(place(finding).help("give the policy a name of its own"));
                return;
            }
            Some(id) => PolicyId::new(id),
            None => PolicyId::new(format!("policy{position}")),
        };
        if let Some(first) = self.origins.get(&id) {
            let other = sources.policies.get(first.file);
            let other = other.map_or("", |file| file.name.as_str());
            let finding = Finding::error(
                Kind::Validate,
                &source.name,
                format!("the policy id `{id}` is taken already, in `{other}`"),
            );
            findings.push(place(finding).help("ids are unique in the whole set"));
            return;
        }
        self.origins.insert(id.clone(), Origin { file, span });
        let added = match statement {
            Statement::Policy(policy) => {
                let policy = policy.new_id(id);
                let line = span.map_or(1, |(start, _)| line_of(text, start));
                self.infos.push(info(&policy, &source.name, line));
                self.set.add(policy)
            }
            Statement::Template(template) => self.set.add_template(template.new_id(id)),
        };
        if let Err(error) = added {
            let message = engine::chain(&error);
            findings.push(place(Finding::error(Kind::Validate, &source.name, message)));
        }
    }

    fn link(&mut self, file: &SourceFile) -> Result<(), Vec<Finding>> {
        let text = text::utf8(file)?;
        let links: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
            let finding = Finding::error(Kind::Parse, &file.name, error.to_string());
            let finding = finding.at_line(text, error.line(), error.column());
            vec![finding.help(LINK_HELP)]
        })?;
        let mut findings = Vec::new();
        for link in links {
            let parsed = Json::parse(link.get().as_bytes(), MAX_LINKS_DEPTH)
                .map_err(|error| (Kind::Parse, error.message))
                .and_then(|json| {
                    self.link_one(&json, &file.name)
                        .map_err(|message| (Kind::Validate, message))
                });
            if let Err((kind, message)) = parsed {
                let offset = text::offset_in(text, link.get());
                let finding = Finding::error(kind, &file.name, message);
                findings.push(finding.at(text, offset, link.get().len()).help(LINK_HELP));
            }
        }
        if findings.is_empty() {
            Ok(())
        } else {
            Err(findings)
        }
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
            .map_err(|error| engine::chain(&error))?;
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
    fn annotation(&self, key: &str) -> Option<&str> {
        match self {
            Self::Policy(policy) => policy.annotation(key),
            Self::Template(template) => template.annotation(key),
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
fn statements(file: &SourceFile) -> Result<Vec<Statement>, Vec<Finding>> {
    let text = text::utf8(file)?;
    nesting::check(file, text, Syntax::Policy)?;
    let set = PolicySet::from_str(text).map_err(|errors| {
        errors
            .iter()
            .map(|error| text::diagnostic(Kind::Parse, file, text, error))
            .collect::<Vec<_>>()
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

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    before.matches('\n').count() + 1
}
