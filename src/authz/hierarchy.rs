//! Parents and ancestors: which are computed from attributes, and their transitive closure.
//!
//! Everything here is iterative: a caller decides how long a chain is, not how deep our stack is.

use hashbrown::HashMap;

use super::{
    numbered::Numbered,
    schema::EntityType,
    symbols::{Symbols, Uid},
    value::Entity,
};

/// How many levels of parents stored entities may have. Organizations nest a few dozen deep, folders
/// a hundred; what is above a chain grows with the square of its length.
const MAX_LEVELS: usize = 1_000;

/// How many ancestors all stored entities may have together, each counted once for every parent
/// it is reached through. A million entities may have ten each. One takes four bytes, and some sixty
/// while entities are closed.
pub(super) const MAX_ANCESTORS: usize = 10_000_000;

/// Finds an entity by uid, wherever it is kept.
pub(super) type Lookup<'a> = dyn Fn(Uid) -> Option<&'a Entity> + 'a;

/// The parents that `@parent` paths give an entity. A path that meets an absent attribute or an
/// entity nobody knows gives none.
pub(super) fn computed_parents<'a>(
    entity: &'a Entity,
    entity_type: &EntityType,
    lookup: &Lookup<'a>,
) -> Vec<Uid> {
    let ends = entity_type.parents.iter().filter_map(|path| {
        let (last, steps) = path.split_last()?;
        let mut current = entity;
        for step in steps {
            current = lookup(current.named(*step)?)?;
        }
        current.named(*last)
    });
    ends.collect()
}

/// Gives a stored entity its computed parents.
///
/// # Errors
/// It states another parent of a type that a computed parent has or may be in. Of unrelated types
/// (the teams a member is in) it may state what it likes.
pub(super) fn adopt_stored(
    entity: (Uid, &mut Entity),
    computed: &[Uid],
    entity_type: &EntityType,
    symbols: &Symbols<'_>,
) -> Result<(), String> {
    let computes = |uid| entity_type.parent_kinds.contains(&symbols.kind(uid));
    adopt(entity, computed, computes, symbols)
}

/// Gives an entity that came with a question its computed parents.
///
/// # Errors
/// Its type has computed parents, and it states another: a caller has no say in them.
pub(super) fn adopt_inline(
    entity: (Uid, &mut Entity),
    computed: &[Uid],
    entity_type: &EntityType,
    symbols: &Symbols<'_>,
) -> Result<(), String> {
    adopt(
        entity,
        computed,
        |_| !entity_type.parents.is_empty(),
        symbols,
    )
}

fn adopt(
    (uid, entity): (Uid, &mut Entity),
    computed: &[Uid],
    is_computed_kind: impl Fn(Uid) -> bool,
    symbols: &Symbols<'_>,
) -> Result<(), String> {
    let is_other = |parent: &Uid| is_computed_kind(*parent) && !computed.contains(parent);
    let others = entity.parents.iter().filter(is_other);
    if let Some(other) = others.min_by(|a, b| symbols.order(*a, *b)) {
        return Err(format!(
            "`{}` states the parent `{}`, but its attributes give another",
            symbols.show(uid),
            symbols.show(other)
        ));
    }
    entity.parents = entity
        .parents
        .iter()
        .chain(computed.iter().copied())
        .collect();
    Ok(())
}

/// Gives an entity its computed parents in place of those it had by other attributes.
pub(super) fn replace_parents(
    entity: &mut Entity,
    computed: &[Uid],
    entity_type: &EntityType,
    symbols: &Symbols<'_>,
) {
    let computes = |uid: &Uid| entity_type.parent_kinds.contains(&symbols.kind(*uid));
    let stated = entity.parents.iter().filter(|parent| !computes(parent));
    entity.parents = stated.chain(computed.iter().copied()).collect();
}

/// Adds to each entity everything above it. Parents that are not in the map are ancestors, too.
/// All have at most `max_ancestors` together.
///
/// # Errors
/// A cycle, or more above an entity than is taken: the entity, and what to say.
pub(super) fn close(
    entities: &mut Numbered,
    max_ancestors: usize,
    symbols: &Symbols<'_>,
) -> Result<(), (Uid, String)> {
    let graph = Graph::of(entities, entities.iter().map(|(uid, _)| uid).collect());
    let above = match graph.closed(max_ancestors, symbols) {
        Ok(above) => above,
        // Once more in order, so that the same data is always refused for the same entity.
        Err(found) => {
            let mut sorted: Vec<Uid> = entities.iter().map(|(uid, _)| uid).collect();
            sorted.sort_unstable_by(|a, b| symbols.order(*a, *b));
            let again = Graph::of(entities, sorted).closed(max_ancestors, symbols);
            return Err(again.err().unwrap_or(found));
        }
    };
    for (uid, above) in graph.uids.iter().zip(above) {
        if let Some(entity) = entities.get_mut(*uid) {
            let above = above.into_iter().filter_map(|it| graph.uids.get(it));
            entity.ancestors = above.copied().collect();
        }
    }
    Ok(())
}

/// Entities and their parents, in a row.
struct Graph {
    uids: Vec<Uid>,
    /// By place; none for a parent that is no entity here.
    parents: Vec<Vec<usize>>,
}

/// How far the closing of an entity has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Closed,
}

impl Graph {
    fn of(entities: &Numbered, mut uids: Vec<Uid>) -> Self {
        let mut places: HashMap<Uid, usize> =
            uids.iter().enumerate().map(|(n, uid)| (*uid, n)).collect();
        let mut parents = Vec::with_capacity(uids.len());
        for place in 0..uids.len() {
            let entity = uids.get(place).and_then(|uid| entities.get(*uid));
            let above = entity.into_iter().flat_map(|entity| entity.parents.iter());
            let above = above.map(|parent| {
                *places.entry(parent).or_insert_with(|| {
                    uids.push(parent);
                    uids.len() - 1
                })
            });
            parents.push(above.collect());
        }
        parents.resize(uids.len(), Vec::new());
        Self { uids, parents }
    }

    /// What is above each, by place.
    fn closed(
        &self,
        max_ancestors: usize,
        symbols: &Symbols<'_>,
    ) -> Result<Vec<Vec<usize>>, (Uid, String)> {
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
                        (
                            *uid,
                            format!("`{}` is its own ancestor", symbols.show(*uid)),
                        )
                    }
                    Excess::Levels => (
                        *uid,
                        format!(
                            "the parents of `{}` are more than {MAX_LEVELS} levels deep",
                            symbols.show(*uid)
                        ),
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
