//! Parents and ancestors: which are computed from attributes, and their transitive closure.
//!
//! Everything here is iterative: a caller decides how long a chain is, not how deep our stack is.

use std::collections::{HashMap, HashSet};

use super::{
    engine::{self, Entity, Uid},
    schema::EntityType,
};

/// How many levels of parents stored entities may have. Organizations nest a few dozen deep, folders
/// a hundred; what is above a chain grows with the square of its length.
const MAX_LEVELS: usize = 1_000;

/// How many ancestors all stored entities may have together, each counted once for every parent
/// it is reached through. A million entities may have ten each. One takes up to 250 bytes, so
/// this is 2.5 GB at worst, where the entities that have them take more.
pub(super) const MAX_ANCESTORS: usize = 10_000_000;

/// Finds an entity by uid, wherever it is kept.
pub(super) type Lookup<'a> = dyn Fn(&Uid) -> Option<&'a Entity> + 'a;

/// The parents that `@parent` paths give an entity. A path that meets an absent attribute or an
/// entity nobody knows gives none.
pub(super) fn computed_parents<'a>(
    entity: &'a Entity,
    entity_type: &EntityType,
    lookup: &Lookup<'a>,
) -> HashSet<Uid> {
    let ends = entity_type.parents.iter().filter_map(|path| {
        let (last, steps) = path.split_last()?;
        let mut current = entity;
        for step in steps {
            current = lookup(engine::named(current, step)?)?;
        }
        engine::named(current, last).cloned()
    });
    ends.collect()
}

/// Gives a stored entity its computed parents.
///
/// # Errors
/// It states another parent of a type that a computed parent has or may be in. Of unrelated types
/// (the teams a member is in) it may state what it likes.
pub(super) fn adopt_stored(
    entity: &mut Entity,
    computed: &HashSet<Uid>,
    entity_type: &EntityType,
) -> Result<(), String> {
    adopt(entity, computed, |uid| entity_type.computes(uid))
}

/// Gives an entity that came with a question its computed parents.
///
/// # Errors
/// Its type has computed parents, and it states another: a caller has no say in them.
pub(super) fn adopt_inline(
    entity: &mut Entity,
    computed: &HashSet<Uid>,
    entity_type: &EntityType,
) -> Result<(), String> {
    adopt(entity, computed, |_| !entity_type.parents.is_empty())
}

fn adopt(
    entity: &mut Entity,
    computed: &HashSet<Uid>,
    is_computed_kind: impl Fn(&Uid) -> bool,
) -> Result<(), String> {
    let is_other = |parent: &&Uid| is_computed_kind(parent) && !computed.contains(*parent);
    if let Some(other) = entity.parents().filter(is_other).min() {
        return Err(format!(
            "`{}` states the parent `{other}`, but its attributes give another",
            entity.uid()
        ));
    }
    for parent in computed {
        entity.add_parent(parent.clone());
    }
    Ok(())
}

/// Gives an entity its computed parents in place of those it had by other attributes.
pub(super) fn replace_parents(
    entity: &mut Entity,
    computed: &HashSet<Uid>,
    entity_type: &EntityType,
) {
    let gone: Vec<Uid> = entity
        .parents()
        .filter(|parent| entity_type.computes(parent) && !computed.contains(*parent))
        .cloned()
        .collect();
    for parent in &gone {
        entity.remove_parent(parent);
    }
    for parent in computed {
        entity.add_parent(parent.clone());
    }
}

/// Adds to each entity everything above it. Parents that are not in the map are ancestors, too.
/// All have at most `max_ancestors` together.
///
/// # Errors
/// A cycle, or more above an entity than is taken: the entity, and what to say.
pub(super) fn close(
    entities: &mut HashMap<Uid, Entity>,
    max_ancestors: usize,
) -> Result<(), (Uid, String)> {
    let own = |(uid, why): (&Uid, String)| (uid.clone(), why);
    let graph = Graph::of(entities, entities.keys().collect());
    let above = match graph.closed(max_ancestors) {
        Ok(above) => above,
        // Once more in order, so that the same data is always refused for the same entity.
        Err(found) => {
            let mut sorted: Vec<&Uid> = entities.keys().collect();
            sorted.sort_unstable();
            let again = Graph::of(entities, sorted).closed(max_ancestors).err();
            return Err(own(again.unwrap_or(found)));
        }
    };
    let uids: Vec<Uid> = graph.uids.into_iter().cloned().collect();
    for (uid, above) in uids.iter().zip(above) {
        if let Some(entity) = entities.get_mut(uid) {
            for ancestor in above.into_iter().filter_map(|it| uids.get(it)) {
                entity.add_indirect_ancestor(ancestor.clone());
            }
        }
    }
    Ok(())
}

/// Entities and their parents by number, which costs a fraction of what uids do.
struct Graph<'e> {
    uids: Vec<&'e Uid>,
    /// By number; none for a parent that is no entity here.
    parents: Vec<Vec<usize>>,
}

/// How far the closing of an entity has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Closed,
}

impl<'e> Graph<'e> {
    fn of(entities: &'e HashMap<Uid, Entity>, mut uids: Vec<&'e Uid>) -> Self {
        let mut numbers: HashMap<&Uid, usize> =
            uids.iter().enumerate().map(|(n, uid)| (*uid, n)).collect();
        let mut parents = Vec::with_capacity(uids.len());
        for entity in uids.clone().into_iter().filter_map(|uid| entities.get(uid)) {
            let mut above: Vec<&Uid> = entity.parents().collect();
            above.sort_unstable();
            let above = above.into_iter().map(|parent| {
                *numbers.entry(parent).or_insert_with(|| {
                    uids.push(parent);
                    uids.len() - 1
                })
            });
            parents.push(above.collect());
        }
        parents.resize(uids.len(), Vec::new());
        Self { uids, parents }
    }

    /// What is above each, by number.
    fn closed(&self, max_ancestors: usize) -> Result<Vec<Vec<usize>>, (&'e Uid, String)> {
        let size = self.uids.len();
        let mut closing = Closing {
            visits: vec![Visit::New; size],
            above: vec![Vec::new(); size],
            levels: vec![0; size],
            joined_for: vec![usize::MAX; size],
            steps: 0,
            max_steps: max_ancestors,
        };
        for (number, uid) in self.uids.iter().enumerate() {
            closing
                .close(number, &self.parents)
                .map_err(|excess| match excess {
                    Excess::Ancestors => (
                        *uid,
                        format!(
                            "the stored entities have more than {max_ancestors} ancestors together"
                        ),
                    ),
                    Excess::Cycle(number) => {
                        let uid = self.uids.get(number).unwrap_or(uid);
                        (*uid, format!("`{uid}` is its own ancestor"))
                    }
                    Excess::Levels => (
                        *uid,
                        format!("the parents of `{uid}` are more than {MAX_LEVELS} levels deep"),
                    ),
                })?;
        }
        Ok(closing.above)
    }
}

/// Why parents are not closed.
enum Excess {
    Ancestors,
    /// At this number.
    Cycle(usize),
    Levels,
}

/// The sets of ancestors as they grow; all lists are by number.
struct Closing {
    visits: Vec<Visit>,
    above: Vec<Vec<usize>>,
    /// How many levels are above.
    levels: Vec<usize>,
    /// For whom a number was joined last: tells what is there already without a set.
    joined_for: Vec<usize>,
    steps: usize,
    max_steps: usize,
}

impl Closing {
    /// Closes one entity after everything above it, without recursion.
    fn close(&mut self, start: usize, parents: &[Vec<usize>]) -> Result<(), Excess> {
        let mut stack = vec![start];
        while let Some(&number) = stack.last() {
            let parents = parents.get(number).map_or(&[][..], Vec::as_slice);
            match self.visit(number) {
                Visit::New => {
                    self.mark(number, Visit::Open);
                    for parent in parents {
                        match self.visit(*parent) {
                            Visit::Closed => {}
                            Visit::New => stack.push(*parent),
                            Visit::Open => return Err(Excess::Cycle(*parent)),
                        }
                    }
                }
                Visit::Open => {
                    self.join(number, parents)?;
                    self.mark(number, Visit::Closed);
                    stack.pop();
                }
                Visit::Closed => {
                    stack.pop();
                }
            }
        }
        Ok(())
    }

    fn visit(&self, number: usize) -> Visit {
        self.visits.get(number).copied().unwrap_or(Visit::Closed)
    }

    fn mark(&mut self, number: usize, to: Visit) {
        if let Some(visit) = self.visits.get_mut(number) {
            *visit = to;
        }
    }

    /// Joins the parents and what is above them, all of them closed.
    fn join(&mut self, number: usize, parents: &[usize]) -> Result<(), Excess> {
        let mut all: Vec<usize> = Vec::new();
        let mut levels = 0;
        for parent in parents {
            let above = self.above.get(*parent).map_or(&[][..], Vec::as_slice);
            self.steps += 1 + above.len();
            if self.steps > self.max_steps {
                return Err(Excess::Ancestors);
            }
            levels = levels.max(1 + self.levels.get(*parent).copied().unwrap_or(0));
            for ancestor in std::iter::once(parent).chain(above) {
                if let Some(joined) = self.joined_for.get_mut(*ancestor)
                    && *joined != number
                {
                    *joined = number;
                    all.push(*ancestor);
                }
            }
        }
        if levels > MAX_LEVELS {
            return Err(Excess::Levels);
        }
        if let (Some(to), Some(above)) = (self.levels.get_mut(number), self.above.get_mut(number)) {
            *to = levels;
            *above = all;
        }
        Ok(())
    }
}
