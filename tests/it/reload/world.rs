//! Sets of policies, schema and entities, of which no mixture answers as a whole one does.
//!
//! Every file of a set has a colour, and permits (or forbids) exactly one question of its own: that
//! of its colour. Whoever asks all questions sees the colour of every file that is in force.

use std::collections::{BTreeMap, BTreeSet};

use palisade::authz::{SourceFile, Sources};
use serde_json::{Value, json};

use super::load::Expected;

/// How many colours there are.
const COLOURS: usize = 3;

/// A file that answers questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Alpha,
    Beta,
    Docs,
    Extra,
    Gamma,
    Guards,
    Schema,
    Users,
}

const PARTS: [Part; 8] = [
    Part::Alpha,
    Part::Beta,
    Part::Docs,
    Part::Extra,
    Part::Gamma,
    Part::Guards,
    Part::Schema,
    Part::Users,
];

/// Permits of the data in other files: the same in every set.
const BASE: &str = "policies/base.cedar";

impl Part {
    /// Where it stands, in a [`Layout::tree`].
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Alpha => "policies/alpha.cedar",
            Self::Beta => "policies/teams/beta.cedar",
            Self::Docs => "entities/more/docs.json",
            Self::Extra => "policies/extra.cedar",
            Self::Gamma => "policies/teams/deep/gamma.cedar",
            Self::Guards => "policies/guards.cedar",
            Self::Schema => "schema/app.cedarschema",
            Self::Users => "entities/users.json",
        }
    }

    /// Its content in a colour.
    pub(super) fn text(self, colour: usize) -> String {
        match self {
            Self::Alpha | Self::Beta | Self::Extra | Self::Gamma => {
                self.policy("permit", &self.resource(colour))
            }
            Self::Docs => json!([{
                "uid": {"type": "Doc", "id": self.resource(colour)},
                "attrs": {},
                "parents": [{"type": "Folder", "id": "open"}],
            }])
            .to_string(),
            Self::Guards => self.policy("forbid", &self.resource(colour)),
            Self::Schema => format!(
                "entity Group, Folder;\n\
                 entity User in [Group] {{ tag_{colour}?: Bool }};\n\
                 entity Doc in [Folder];\n\
                 action read appliesTo {{ principal: User, resource: Doc }};\n"
            ),
            Self::Users => json!([{
                "uid": {"type": "User", "id": "ann"},
                "attrs": {},
                "parents": [{"type": "Group", "id": colour.to_string()}],
            }])
            .to_string(),
        }
    }

    fn policy(self, effect: &str, resource: &str) -> String {
        let id = self.name();
        format!(
            "@id(\"{id}\")\n\
             {effect} (principal, action == Action::\"read\", resource == Doc::\"{resource}\");\n"
        )
    }

    /// What its question of a colour is about.
    fn resource(self, colour: usize) -> String {
        format!("{}-{colour}", self.name())
    }

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Files, and what is answered while they are in force.
#[derive(Clone)]
pub(super) struct Set {
    files: BTreeMap<String, Vec<u8>>,
    /// Which questions are answered by a hit.
    colours: BTreeSet<(Part, usize)>,
}

impl Set {
    /// A whole set of one colour, with everything but [`Part::Extra`].
    pub(super) fn of(colour: usize) -> Self {
        let empty = Self {
            files: BTreeMap::from([(BASE.to_owned(), base().into_bytes())]),
            colours: BTreeSet::new(),
        };
        let parts = PARTS.into_iter().filter(|part| *part != Part::Extra);
        parts.fold(empty, |set, part| set.with(part, colour))
    }

    /// With one part in another colour.
    pub(super) fn with(self, part: Part, colour: usize) -> Self {
        self.with_at(part, colour, part.file())
    }

    /// With a part that stands elsewhere.
    pub(super) fn with_at(self, part: Part, colour: usize, file: &str) -> Self {
        let set = self.silent(part).answering(part, colour);
        set.with_file(file, part.text(colour))
    }

    /// With an answer that another file gives.
    pub(super) fn answering(mut self, part: Part, colour: usize) -> Self {
        self.colours.insert((part, colour));
        self
    }

    fn silent(mut self, part: Part) -> Self {
        self.colours.retain(|(of, _)| *of != part);
        self
    }

    /// With a file that answers nothing, or with other words for the same answers.
    pub(super) fn with_file(mut self, file: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(file.to_owned(), content.into());
        self
    }

    /// Without the file of a part.
    pub(super) fn without(self, part: Part) -> Self {
        self.silent(part).without_file(part.file())
    }

    /// Without a file that answers nothing.
    pub(super) fn without_file(mut self, file: &str) -> Self {
        self.files.remove(file);
        self
    }

    /// With a file that is there and says nothing.
    pub(super) fn emptied(self, part: Part) -> Self {
        self.silent(part).with_file(part.file(), "")
    }

    pub(super) fn content(&self, file: &str) -> &[u8] {
        &self.files[file]
    }

    /// The files, named as in a [`Layout::tree`].
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter();
        files.map(|(file, content)| (file.as_str(), content.as_slice()))
    }

    /// What the server reads if the files lie like this.
    pub(super) fn sources(&self, layout: &Layout) -> Sources {
        let mut sources = Sources::default();
        let named = self.files().map(|(file, content)| SourceFile {
            name: layout.name(file),
            bytes: content.to_owned(),
        });
        for file in named.collect::<Vec<_>>() {
            match file.name.rsplit('.').next() {
                Some("cedar") => sources.policies.push(file),
                Some("json") => sources.entities.push(file),
                _ => sources.schema = Some(file),
            }
        }
        sources.policies.sort_by(|a, b| a.name.cmp(&b.name));
        sources.entities.sort_by(|a, b| a.name.cmp(&b.name));
        sources
    }

    /// How many policies there are. Every one has an id.
    pub(super) fn policies(&self) -> usize {
        let texts = self.files.values().map(|it| String::from_utf8_lossy(it));
        texts.map(|text| text.matches("@id(").count()).sum()
    }

    /// What replies say and answer while this is in force.
    pub(super) fn expected(&self, layout: &Layout) -> Expected {
        let answer = |(part, colour): (Part, usize)| {
            let hit = self.colours.contains(&(part, colour));
            // Guards forbid what else is permitted.
            hit != (part == Part::Guards)
        };
        Expected {
            revision: self.sources(layout).revision().to_string(),
            answers: questions().map(answer).collect(),
        }
    }
}

/// Policies that decide nothing that is asked.
pub(super) fn crowd(name: &str, count: usize) -> String {
    let one = |number| {
        format!(
            "@id(\"{name}-{number}\")\n\
             forbid (principal, action == Action::\"read\", resource == Doc::\"crowd\");\n"
        )
    };
    (0..count).map(one).collect()
}

/// Where the files of a set lie below the root.
#[derive(Clone)]
pub(super) struct Layout {
    folder: &'static str,
    flat: bool,
}

impl Layout {
    /// Several folders, below the root or below a link in it.
    pub(super) fn tree(folder: &'static str) -> Self {
        Self {
            folder,
            flat: false,
        }
    }

    /// All in one folder.
    pub(super) fn flat(folder: &'static str) -> Self {
        Self { folder, flat: true }
    }

    /// The path of a file below the root, which is also its name in what the server tells.
    pub(super) fn name(&self, file: &str) -> String {
        let base = file.rsplit('/').next().filter(|_| self.flat);
        self.below(base.unwrap_or(file))
    }

    /// The flags to serve it.
    pub(super) fn flags(&self) -> Vec<String> {
        let [policies, entities] = match self.flat {
            true => [self.folder.to_owned(), self.folder.to_owned()],
            false => [self.below("policies"), self.below("entities")],
        };
        vec![
            format!("--policies={policies}"),
            format!("--schema={}", self.name(Part::Schema.file())),
            format!("--entities={entities}"),
        ]
    }

    fn below(&self, path: &str) -> String {
        match self.folder {
            "" => path.to_owned(),
            folder => format!("{folder}/{path}"),
        }
    }
}

/// The subject of every question: with a property for each colour, of which a schema knows one.
pub(super) fn subject() -> Value {
    let tags = (0..COLOURS).map(|colour| (format!("tag_{colour}"), true.into()));
    let tags: serde_json::Map<String, Value> = tags.collect();
    json!({"type": "User", "id": "ann", "properties": tags})
}

/// What every question is about, in the order of [`Expected::answers`].
pub(super) fn resources() -> Vec<String> {
    questions()
        .map(|(part, colour)| part.resource(colour))
        .collect()
}

/// Whether a question needs a property of the subject.
pub(super) fn needs_properties(resource: &str) -> bool {
    resource.starts_with(&Part::Schema.name())
}

fn questions() -> impl Iterator<Item = (Part, usize)> {
    let of = |part| (0..COLOURS).map(move |colour| (part, colour));
    PARTS.into_iter().flat_map(of)
}

fn base() -> String {
    let mut text = "@id(\"docs\") permit (principal, action == Action::\"read\", \
                    resource in Folder::\"open\");\n"
        .to_owned();
    for colour in 0..COLOURS {
        text.push_str(&format!(
            "@id(\"users-{colour}\") permit (principal in Group::\"{colour}\", \
             action == Action::\"read\", resource == Doc::\"users-{colour}\");\n\
             @id(\"schema-{colour}\") permit (principal, action == Action::\"read\", \
             resource == Doc::\"schema-{colour}\") when {{ principal has tag_{colour} }};\n\
             @id(\"guarded-{colour}\") permit (principal, action == Action::\"read\", \
             resource == Doc::\"guards-{colour}\");\n"
        ));
    }
    text
}
