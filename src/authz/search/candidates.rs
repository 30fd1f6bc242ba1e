//! Who might be found, in order.

use std::{collections::BTreeSet, sync::Arc};

use cedar_policy::EntityUid;

use crate::authz::{
    RawTarget, Snapshot,
    engine::{self, Entity, Uid},
    inline::Inline,
    uids,
};

/// Candidates, sorted by id.
#[derive(Debug, Default)]
pub(super) struct Candidates<'s> {
    stored: &'s [Arc<Entity>],
    /// Others, each with its position among all.
    others: Vec<(usize, String)>,
}

impl<'s> Candidates<'s> {
    /// Every action that a question can name: those the schema declares; without a schema, those
    /// that the scopes of policies name or that are stored.
    pub(super) fn actions(snapshot: &Snapshot) -> Self {
        let names: BTreeSet<String> = match snapshot.schema() {
            Some(schema) => schema.action_ids().map(str::to_owned).collect(),
            None => {
                let named = snapshot.index.named_actions();
                let named = named.map(|action| action.id().unescaped().to_owned());
                let stored = snapshot.stored().of_type("Action").iter();
                let stored = stored.map(|action| engine::id(action.uid()).to_owned());
                named.chain(stored).collect()
            }
        };
        Self {
            stored: &[],
            others: names.into_iter().enumerate().collect(),
        }
    }

    /// Entities of a type: the stored ones, those that came along with the question, and all of
    /// an enumerated type. The probe did not come along if the properties of the target make it.
    pub(super) fn entities(
        snapshot: &'s Snapshot,
        target: &RawTarget<'_>,
        probe: &str,
        inline: &Inline,
    ) -> Self {
        let Ok(probe) = uids::from_parts(target.type_name, probe) else {
            return Self::default();
        };
        let stored = snapshot.stored();
        let of_type = stored.of_type(&probe.type_name().to_string());
        let probe = engine::uid(&probe);
        let is_other = |uid: &&Uid| {
            let is_probe = *uid == probe && target.properties.is_some();
            uid.entity_type() == probe.entity_type() && !is_probe && stored.get(uid).is_none()
        };
        let chosen = |choice: &String| uids::from_parts(target.type_name, choice).ok();
        let choices = snapshot
            .schema()
            .and_then(|schema| schema.entity_type(target.type_name))
            .map_or(&[][..], |entity_type| &entity_type.choices);
        let choices: Vec<EntityUid> = choices.iter().filter_map(chosen).collect();
        let others: BTreeSet<&Uid> = inline
            .iter()
            .map(Entity::uid)
            .chain(choices.iter().map(engine::uid))
            .filter(is_other)
            .collect();
        let others = others.into_iter().enumerate().map(|(before, uid)| {
            let position = before + of_type.partition_point(|entity| entity.uid() < uid);
            (position, engine::id(uid).to_owned())
        });
        Self {
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
            Err(stored) => Some(engine::id(self.stored.get(stored)?.uid())),
        }
    }

    /// The candidate, if it is stored.
    pub(super) fn stored(&self, position: usize) -> Option<&'s Entity> {
        let stored = self.at(position).err()?;
        self.stored.get(stored).map(AsRef::as_ref)
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
