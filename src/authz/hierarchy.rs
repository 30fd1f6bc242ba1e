//! Parents and ancestors: which are computed from attributes, and their transitive closure.
//!
//! Everything here is iterative: a caller decides how long a chain is, not how deep our stack is.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    engine::{self, Entity, Uid},
    schema::EntityType,
};

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
///
/// # Errors
/// A cycle: an entity on it, and what to say.
pub(super) fn close(entities: &mut HashMap<Uid, Entity>) -> Result<(), (Uid, String)> {
    let mut closed: HashMap<Uid, Arc<HashSet<Uid>>> = HashMap::with_capacity(entities.len());
    let mut open: HashSet<Uid> = HashSet::new();
    for start in entities.keys() {
        let mut stack = vec![start.clone()];
        while let Some(uid) = stack.last().cloned() {
            let Some(entity) = entities.get(&uid).filter(|_| !closed.contains_key(&uid)) else {
                stack.pop();
                continue;
            };
            if open.insert(uid.clone()) {
                for parent in entity
                    .parents()
                    .filter(|parent| !closed.contains_key(*parent))
                {
                    if open.contains(parent) {
                        return Err((parent.clone(), format!("`{parent}` is its own ancestor")));
                    }
                    stack.push(parent.clone());
                }
                continue;
            }
            // Second visit: every parent is closed, or is no entity here.
            let mut above: HashSet<Uid> = entity.parents().cloned().collect();
            for parent in entity.parents() {
                if let Some(ancestors) = closed.get(parent) {
                    above.extend(ancestors.iter().cloned());
                }
            }
            open.remove(&uid);
            closed.insert(uid, Arc::new(above));
            stack.pop();
        }
    }
    for (uid, entity) in entities.iter_mut() {
        for ancestor in closed.get(uid).into_iter().flat_map(|above| above.iter()) {
            entity.add_indirect_ancestor(ancestor.clone());
        }
    }
    Ok(())
}
