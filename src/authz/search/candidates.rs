//! Who might be found, in order.

use std::collections::BTreeSet;

use crate::authz::{
    RawTarget, Snapshot,
    inline::Inline,
    symbols::{Symbols, Uid},
};

/// Candidates, sorted by id.
#[derive(Debug)]
pub(super) struct Candidates<'s> {
    symbols: &'s Symbols<'static>,
    stored: &'s [Uid],
    /// Others, each with its position among all.
    others: Vec<(usize, String)>,
}

impl<'s> Candidates<'s> {
    /// Every action that a question can name: those the schema declares; without a schema, those
    /// that the scopes of policies name or that are stored.
    pub(super) fn actions(snapshot: &'s Snapshot) -> Self {
        let symbols = &snapshot.symbols;
        let id = |uid| symbols.id(uid).to_owned();
        let names: BTreeSet<String> = match snapshot.schema() {
            Some(schema) => schema.action_ids().map(str::to_owned).collect(),
            None => {
                let named = snapshot.index.named_actions();
                let kind = symbols.find_type("Action");
                let stored = kind.map(|kind| snapshot.stored().of_type(kind));
                let stored = stored.into_iter().flatten().copied();
                named.chain(stored).map(id).collect()
            }
        };
        Self {
            others: names.into_iter().enumerate().collect(),
            ..Self::nobody(snapshot)
        }
    }

    /// None.
    pub(super) fn nobody(snapshot: &'s Snapshot) -> Self {
        Self {
            symbols: &snapshot.symbols,
            stored: &[],
            others: Vec::new(),
        }
    }

    /// Entities of a type: the stored ones, those that came along with the question, and all of
    /// an enumerated type. The probe did not come along if the properties of the target make it.
    pub(super) fn entities(
        snapshot: &'s Snapshot,
        target: &RawTarget<'_>,
        probe: &str,
        inline: &Inline,
        symbols: &Symbols<'_>,
    ) -> Self {
        let Some(kind) = symbols.find_type(target.type_name) else {
            return Self::nobody(snapshot);
        };
        let stored = snapshot.stored();
        let is_other = |id: &&str| {
            let is_probe = *id == probe && target.properties.is_some();
            let uid = symbols.find_uid(kind, id);
            !is_probe && uid.is_none_or(|uid| stored.get(uid).is_none())
        };
        let came_along = inline.iter().map(|(uid, _)| uid);
        let came_along = came_along.filter(|uid| symbols.kind(*uid) == kind);
        let choices = snapshot
            .schema()
            .and_then(|schema| schema.entity_type(kind));
        let choices = choices.map_or(&[][..], |entity_type| &entity_type.choices);
        let others: BTreeSet<&str> = came_along
            .map(|uid| symbols.id(uid))
            .chain(choices.iter().map(String::as_str))
            .filter(is_other)
            .collect();
        let of_type = stored.of_type(kind);
        let others = others.into_iter().enumerate().map(|(before, id)| {
            let position = of_type.partition_point(|uid| symbols.id(*uid) < id);
            (before + position, id.to_owned())
        });
        Self {
            symbols: &snapshot.symbols,
            others: others.collect(),
            stored: of_type,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.stored.len() + self.others.len()
    }

    /// The candidate's id, or the action's name.
    pub(super) fn id(&self, position: usize) -> Option<&str> {
        match self.at(position) {
            Ok(id) => Some(id),
            Err(stored) => Some(self.symbols.id(*self.stored.get(stored)?)),
        }
    }

    /// The candidate, if it is stored.
    pub(super) fn stored(&self, position: usize) -> Option<Uid> {
        let stored = self.at(position).err()?;
        self.stored.get(stored).copied()
    }

    /// The id at a position, or the position among the stored ones.
    fn at(&self, position: usize) -> Result<&str, usize> {
        let before = self.others.partition_point(|(at, _)| *at < position);
        match self.others.get(before) {
            Some((at, id)) if *at == position => Ok(id),
            _ => Err(position - before),
        }
    }
}
