//! A question that comes with all its data, or is asked of what is stored: for those who try
//! policies out, not for callers. Held types are among its data; data conditions are not applied.

use super::{
    Answer, BadQuery, CedarQuery, Finding, Object, OnPolicyError, Snapshot, SourceFile,
    index::{Index, Verdict},
    inline::MAX_ANCESTORS,
    query::{self, Asked},
    schema::SchemaModel,
    snapshot,
    stored::StoredEntities,
    symbols::{Symbols, Uid},
    world::World,
};

/// All data of a question, in the place of what is stored. Parents are computed as for the store's.
pub(super) struct OwnData<'s> {
    symbols: Symbols<'s>,
    stored: StoredEntities,
}

/// A question, ready to be put to policies.
pub(super) struct Known<'k> {
    schema: Option<&'k SchemaModel>,
    symbols: Symbols<'k>,
    stored: &'k StoredEntities,
    asked: Asked,
    /// What only the store speaks for, and is not among the data.
    missing: Option<Uid>,
}

impl Snapshot {
    /// Decides a question written as Cedar's, `{"principal", "action", "resource", "context"?,
    /// "entities"?}`. The entities, if there are any, are all data it is asked of.
    ///
    /// # Errors
    /// [`BadQuery`], for whatever is missing or is not what the schema takes.
    pub fn decide_written(
        &self,
        question: &Object<'_>,
        on_error: OnPolicyError,
    ) -> Result<Answer, BadQuery> {
        let missing = |key| BadQuery::Request(format!("the question has no `{key}`"));
        let raw = CedarQuery::of(question).map_err(missing)?;
        let entities = question.non_null("entities").map(|json| {
            let wrong = json.as_array().is_none().then(|| json.kind()).map(|kind| {
                BadQuery::Entities(format!("`entities` must be an array, found {kind}"))
            });
            let long = || {
                json.no_long()
                    .map(|why| BadQuery::Entities(format!("`entities`: {why}")))
            };
            match wrong.or_else(long) {
                Some(error) => Err(error),
                None => {
                    let own = OwnData::parse("", json.to_value().to_string(), self, &self.symbols);
                    own.map_err(|found| {
                        BadQuery::Entities(format!("`entities`: {}", found.message))
                    })
                }
            }
        });
        let own = entities.transpose()?;
        Ok(Known::parse(self, &raw, own.as_ref())?.answer(&self.index, on_error))
    }
}

impl<'a> CedarQuery<'a> {
    /// The parts of a question that is written as an object.
    ///
    /// # Errors
    /// The key that is missing.
    pub(super) fn of(question: &'a Object<'a>) -> Result<Self, &'static str> {
        let part = |key: &'static str| question.get(key).ok_or(key);
        Ok(Self {
            principal: part("principal")?,
            action: part("action")?,
            resource: part("resource")?,
            context: question.get("context"),
        })
    }
}

impl<'s> OwnData<'s> {
    /// Reads Cedar's JSON, numbered on top of these symbols. `file` is where it stands.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(super) fn parse(
        file: &str,
        text: impl Into<Vec<u8>>,
        snapshot: &Snapshot,
        symbols: &'s Symbols<'_>,
    ) -> Result<Self, Finding> {
        let mut symbols = Symbols::above(symbols);
        let files = [SourceFile {
            name: file.to_owned(),
            bytes: text.into(),
        }];
        let (schema, mut findings) = (snapshot.schema(), Vec::new());
        let (stored, _) = StoredEntities::parse_within(
            MAX_ANCESTORS,
            &files,
            schema,
            &mut symbols,
            &mut findings,
        );
        match findings.into_iter().next() {
            None => Ok(Self { symbols, stored }),
            Some(first) => Err(first),
        }
    }
}

impl<'k> Known<'k> {
    /// Reads a question of its own data, or of what is stored.
    ///
    /// # Errors
    /// [`BadQuery::Request`], as a Cedar-shaped question.
    pub(super) fn parse(
        snapshot: &'k Snapshot,
        raw: &CedarQuery<'_>,
        own: Option<&'k OwnData<'k>>,
    ) -> Result<Self, BadQuery> {
        let (stored, symbols) = match own {
            Some(own) => (&own.stored, &own.symbols),
            None => (&snapshot.stored, &snapshot.symbols),
        };
        let mut symbols = Symbols::above(symbols);
        // What an alias means depends on what is stored.
        let resolve = |uid| match own {
            Some(_) => uid,
            None => snapshot.resolve_alias(uid),
        };
        let asked = raw.asked(snapshot, &mut symbols, resolve)?;
        Ok(Self {
            schema: snapshot.schema(),
            missing: snapshot.missing_of(stored, &asked.roots(), &symbols),
            symbols,
            stored,
            asked,
        })
    }

    /// What denies it before policies are asked.
    pub(super) fn denied(&self) -> Option<String> {
        self.missing
            .map(|missing| query::not_stored(missing, &self.symbols))
    }

    /// What policies say of it.
    pub(super) fn ask<'i>(&self, index: &'i Index) -> Verdict<'i> {
        let world = World::stored(&self.symbols, self.stored, self.schema);
        index.ask(&self.asked.scene(&world))
    }

    /// The answer that policies give.
    pub(super) fn answer(&self, index: &Index, on_error: OnPolicyError) -> Answer {
        match self.denied() {
            Some(why) => Answer::denied(vec![why]),
            None => snapshot::answer(self.ask(index), on_error, Vec::new()),
        }
    }
}
