//! The statements of a snapshot by what they are for: its policies, and what its spec and its
//! invariants say.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cedar_policy::{Policy, RequestEnv, Template};

use crate::authz::{
    Finding, Kind, PolicyInfo, Severity, Snapshot, SourceFile, Sources, engine, policies::Policies,
    schema::SchemaModel, spec,
};

use super::statement::{Groups, Statement};

/// Every statement, read once.
#[derive(Debug, Default)]
pub(super) struct Statements {
    policies: Vec<Arc<Statement>>,
    spec: Vec<Arc<Statement>>,
    invariants: Vec<Arc<Statement>>,
    everything: Option<Arc<Statement>>,
    /// The groups of each action.
    pub(super) groups: Groups,
}

impl Statements {
    /// Reads what a snapshot has; what is wrong with its spec or invariants are findings.
    pub(super) fn read(
        snapshot: &Snapshot,
        schema: &SchemaModel,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let groups = engine::action_groups(&schema.cedar);
        let mut found = Vec::new();
        let spec = spec::definitions(&snapshot.spec, schema, &mut found);
        let invariants = invariants(&snapshot.invariants, schema, &mut found);
        for policies in [&spec, &invariants] {
            found.extend(policies.set.templates().map(slots));
        }
        // What is only odd in a policy says nothing here.
        for finding in &mut found {
            finding.severity = Severity::Error;
        }
        findings.append(&mut found);
        Self {
            policies: statements("", &snapshot.policies, &groups, findings),
            spec: statements("spec ", &spec, &groups, findings),
            invariants: statements("invariant ", &invariants, &groups, findings),
            everything: Statement::everything().ok().map(Arc::new),
            groups,
        }
    }

    /// The policies that can match.
    pub(super) fn policies(&self, env: &RequestEnv) -> Vec<Arc<Statement>> {
        chosen(&self.policies, env, |_| true)
    }

    /// A permit of every question.
    pub(super) fn everything(&self) -> Vec<Arc<Statement>> {
        self.everything.iter().cloned().collect()
    }

    /// Every policy, then what the spec and the invariants say.
    pub(super) fn everything_written(&self) -> Vec<Arc<Statement>> {
        let all = self.policies.iter().chain(&self.spec);
        all.chain(&self.invariants).cloned().collect()
    }

    /// Every policy.
    pub(super) fn every_policy(&self) -> &[Arc<Statement>] {
        &self.policies
    }

    /// Every statement of an invariant.
    pub(super) fn every_invariant(&self) -> &[Arc<Statement>] {
        &self.invariants
    }

    /// Everything that is evaluated, or believed not to fail.
    pub(super) fn all(&self, env: &RequestEnv) -> Vec<Arc<Statement>> {
        let spec = chosen(&self.spec, env, |_| true);
        let invariants = chosen(&self.invariants, env, |_| true);
        [self.policies(env), spec, invariants].concat()
    }

    /// The permits of a scope word and, as every word presupposes them, the guards of the spec.
    pub(super) fn word(&self, env: &RequestEnv, word: &str) -> Vec<Arc<Statement>> {
        chosen(&self.spec, env, |info| {
            info.annotation("scope") == Some(word) || info.annotation("guard").is_some()
        })
    }

    /// Whether some permit says what the word means for requests of this shape.
    pub(super) fn defines(&self, env: &RequestEnv, word: &str) -> bool {
        let of_word = |info: &PolicyInfo| info.annotation("scope") == Some(word);
        !chosen(&self.spec, env, of_word).is_empty()
    }

    /// Whether some statement says who stands in the column.
    pub(super) fn has_role(&self, env: &RequestEnv, role: &str) -> bool {
        let of_role = |info: &PolicyInfo| info.annotation("role") == Some(role);
        !chosen(&self.spec, env, of_role).is_empty()
    }

    /// What a cell of this column presupposes: who stands in it, what is assumed, what data meet.
    pub(super) fn presupposed(&self, env: &RequestEnv, role: &str) -> Vec<Arc<Statement>> {
        chosen(&self.spec, env, |info| {
            info.annotation("role") == Some(role)
                || info.annotation("assume").is_some()
                || info.annotation("data").is_some()
        })
    }

    /// What data meet.
    pub(super) fn data(&self, env: &RequestEnv) -> Vec<Arc<Statement>> {
        chosen(&self.spec, env, |info| info.annotation("data").is_some())
    }

    /// The columns that the spec knows.
    pub(super) fn roles(&self) -> Vec<String> {
        names(&self.spec, "role")
    }

    /// The names of what cells assume, in reading order.
    pub(super) fn assumptions(&self) -> Vec<String> {
        names(&self.spec, "assume")
    }

    /// What an assumption leaves out.
    pub(super) fn assumption(&self, env: &RequestEnv, name: &str) -> Vec<Arc<Statement>> {
        let of_name = |info: &PolicyInfo| info.annotation("assume") == Some(name);
        chosen(&self.spec, env, of_name)
    }

    /// What is assumed, as people say it, by name.
    pub(super) fn said_assumptions(&self) -> Vec<(String, String)> {
        let mut said = sentences(&self.spec, "assume");
        said.extend(sentences(&self.spec, "data"));
        said
    }

    /// The names of the invariants, with the sentence for people.
    pub(super) fn said_invariants(&self) -> Vec<(String, String)> {
        sentences(&self.invariants, "invariant")
    }

    /// The names of the invariants about requests of this shape: what is always, or never, allowed.
    pub(super) fn invariants(&self, env: &RequestEnv, always: bool) -> Vec<String> {
        let matching = self.invariants.iter();
        let matching = matching.filter(|it| it.may_match(env) && it.forbids() != always);
        let matching: Vec<_> = matching.cloned().collect();
        names(&matching, "invariant")
    }

    /// What an invariant matches.
    pub(super) fn invariant(
        &self,
        env: &RequestEnv,
        name: &str,
        always: bool,
    ) -> Vec<Arc<Statement>> {
        let of_name = |info: &PolicyInfo| info.annotation("invariant") == Some(name);
        let mut chosen = chosen(&self.invariants, env, of_name);
        chosen.retain(|it| it.forbids() != always);
        chosen
    }
}

fn chosen(
    statements: &[Arc<Statement>],
    env: &RequestEnv,
    is: impl Fn(&PolicyInfo) -> bool,
) -> Vec<Arc<Statement>> {
    let matching = statements.iter();
    let matching = matching.filter(|it| is(&it.info) && it.may_match(env));
    matching.cloned().collect()
}

fn names(statements: &[Arc<Statement>], key: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in statements.iter().filter_map(|it| it.info.annotation(key)) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Each name with what its first statement that says anything says.
fn sentences(statements: &[Arc<Statement>], key: &str) -> Vec<(String, String)> {
    let mut said: BTreeMap<&str, &str> = BTreeMap::new();
    for info in statements.iter().map(|it| &it.info) {
        if let (Some(name), Some(says)) = (info.annotation(key), info.annotation("says")) {
            said.entry(name).or_insert(says);
        }
    }
    let names = names(statements, key).into_iter();
    names
        .map(|name| {
            let says = said.get(name.as_str()).copied().unwrap_or(&name).to_owned();
            (name, says)
        })
        .collect()
}

fn statements(
    kind: &str,
    policies: &Policies,
    groups: &Groups,
    findings: &mut Vec<Finding>,
) -> Vec<Arc<Statement>> {
    let mut statements = Vec::new();
    for info in &policies.infos {
        let Some(policy) = policies.named(&info.id) else {
            continue;
        };
        match Statement::new(kind, policy, info, groups) {
            Ok(statement) => statements.push(Arc::new(statement)),
            Err(why) => {
                let message = format!("`{}` cannot be proved anything of: {why}", info.id);
                findings.push(Finding::error(Kind::Proof, &info.file, message));
            }
        }
    }
    statements
}

/// Parses invariants: each has a name.
fn invariants(files: &[SourceFile], schema: &SchemaModel, findings: &mut Vec<Finding>) -> Policies {
    let sources = Sources {
        policies: files.to_vec(),
        ..Sources::default()
    };
    let policies = Policies::parse(&sources, findings);
    policies.validate(&sources, schema, None, findings);
    for info in &policies.infos {
        if info.annotation("invariant").is_none_or(str::is_empty) {
            let message = format!("`{}` has no `@invariant(\"name\")`", info.id);
            let finding = Finding::error(Kind::Validate, &info.file, message);
            findings.push(finding.help(INVARIANT_HELP));
        }
    }
    let mut effects: BTreeMap<&str, &str> = BTreeMap::new();
    for info in &policies.infos {
        let name = info.annotation("invariant").unwrap_or_default();
        if *effects.entry(name).or_insert(info.effect) != info.effect {
            let message = format!("the invariant `{name}` is both a `permit` and a `forbid`");
            let finding = Finding::error(Kind::Validate, &info.file, message);
            findings.push(finding.help("give one of them another name"));
        }
    }
    policies
}

/// A statement with slots says nothing of anybody.
fn slots(template: &Template) -> Finding {
    let id = template
        .annotation("invariant")
        .or(template.annotation("id"));
    let id = id.unwrap_or_else(|| template.id().as_ref());
    let message = format!("`{id}` has slots: statements of a spec and invariants have none");
    Finding::error(Kind::Validate, "", message)
}

/// The statements that leave something out of proofs, as their texts have them, but for layout.
pub fn assumptions(files: &[SourceFile]) -> BTreeSet<String> {
    let marks = ["assume", "data", "role"];
    texts(files, |info| {
        marks.iter().any(|it| info.annotation(it).is_some())
    })
}

/// The texts of policies of which this holds, but for layout; none of what cannot be parsed.
pub(super) fn texts(files: &[SourceFile], holds: impl Fn(&PolicyInfo) -> bool) -> BTreeSet<String> {
    let cedar = files.iter().filter(|file| file.name.ends_with(".cedar"));
    let sources = Sources {
        policies: cedar.cloned().collect(),
        ..Sources::default()
    };
    let policies = Policies::parse(&sources, &mut Vec::new());
    let chosen = policies.that(holds).filter_map(Policy::to_cedar);
    chosen.map(|text| plain(&text)).collect()
}

/// A text with one blank for each gap.
pub(super) fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The names of invariants, as their texts have them; none of what cannot be parsed.
pub fn invariant_names(files: &[SourceFile]) -> BTreeSet<String> {
    let sources = Sources {
        policies: files.to_vec(),
        ..Sources::default()
    };
    let policies = Policies::parse(&sources, &mut Vec::new());
    let infos = policies.infos.iter();
    let names = infos.filter_map(|info| info.annotation("invariant"));
    names.map(str::to_owned).collect()
}

const INVARIANT_HELP: &str = "an invariant is a policy with a name, as `@invariant(\"name\")`, and a \
     sentence, as `@says(\"…\")`: what a `forbid` matches is never allowed, what a `permit` matches always is";
