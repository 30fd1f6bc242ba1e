//! Entities that come with a question, and everything above them.

use hashbrown::{HashMap, HashSet};

use super::{
    hierarchy,
    schema::{self, SchemaModel},
    stored::StoredEntities,
    symbols::{Symbols, Uid},
    value::{Entity, Uids},
};

/// How many levels of parents a question may bring along.
const MAX_PARENT_DEPTH: usize = 64;

/// How many entities a question may bring along.
pub(super) const MAX_ENTITIES: usize = 1_000;

/// How many ancestors the entities of a question may have together: as many entities as there may
/// be, each as deep as it may be, with room. Told to Cedar, one takes up to 250 bytes; a body of the
/// largest size could name twenty million otherwise.
pub(super) const MAX_ANCESTORS: usize = 100_000;

/// Entities that came with a question, each with its direct parents.
#[derive(Debug, Default)]
pub(super) struct Inline {
    /// In the order they came, so that the same question is always refused for the same reason.
    entities: Vec<(Uid, Entity)>,
    position: HashMap<Uid, usize>,
    /// They stand in the store's place instead of beside it.
    replaces: bool,
}

impl Inline {
    pub(super) fn new(replaces: bool) -> Self {
        Self {
            replaces,
            ..Self::default()
        }
    }

    /// Whether the store alone answers.
    pub(super) fn is_nothing(&self) -> bool {
        self.entities.is_empty() && !self.replaces
    }

    /// Whether they stand in the store's place.
    pub(super) fn replaces(&self) -> bool {
        self.replaces
    }

    pub(super) fn get(&self, uid: Uid) -> Option<&Entity> {
        let (_, entity) = self.entities.get(*self.position.get(&uid)?)?;
        Some(entity)
    }

    pub(super) fn get_mut(&mut self, uid: Uid) -> Option<&mut Entity> {
        let (_, entity) = self.entities.get_mut(*self.position.get(&uid)?)?;
        Some(entity)
    }

    /// Takes an entity, in place of one with the same uid.
    pub(super) fn insert(&mut self, uid: Uid, entity: Entity) {
        if let Some(same) = self.get_mut(uid) {
            *same = entity;
            return;
        }
        self.position.insert(uid, self.entities.len());
        self.entities.push((uid, entity));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Uid, &Entity)> {
        self.entities.iter().map(|(uid, entity)| (*uid, entity))
    }

    /// The entity as the question sees it.
    pub(super) fn lookup<'a>(&'a self, stored: &'a StoredEntities, uid: Uid) -> Option<&'a Entity> {
        self.get(uid).or_else(|| self.kept(stored, uid))
    }

    /// The stored entity that the question sees under this uid, if it brought no other.
    pub(super) fn kept<'a>(&self, stored: &'a StoredEntities, uid: Uid) -> Option<&'a Entity> {
        if self.replaces {
            stored.action(uid)
        } else {
            stored.kept(uid)
        }
    }
}

/// From an entity to its parents, as a question sees them.
#[derive(Clone, Copy)]
pub(super) struct Hierarchy<'a> {
    pub(super) inline: &'a Inline,
    pub(super) stored: &'a StoredEntities,
    pub(super) schema: Option<&'a SchemaModel>,
    pub(super) symbols: &'a Symbols<'a>,
}

impl Hierarchy<'_> {
    /// Direct parents of an entity whose ancestors may be others than the stored ones; `None` for
    /// an entity that is as it is stored, or is not known.
    fn parents(&self, uid: Uid) -> Option<Uids> {
        if let Some(entity) = self.inline.get(uid) {
            return Some(entity.parents.clone());
        }
        let entity = self.inline.kept(self.stored, uid)?;
        if !self.is_affected(uid, entity) {
            return None;
        }
        let kind = self.symbols.kind(uid);
        let entity_type = self.schema.and_then(|schema| schema.entity_type(kind));
        let Some(entity_type) = entity_type.filter(|it| !it.parents.is_empty()) else {
            return Some(entity.parents.clone());
        };
        let lookup = |uid| self.inline.lookup(self.stored, uid);
        let computed = hierarchy::computed_parents(entity, entity_type, &lookup);
        let mut entity = entity.clone();
        hierarchy::replace_parents(&mut entity, &computed, entity_type, self.symbols);
        Some(entity.parents)
    }

    /// Whether something that came along may stand above a stored entity. For types that only the
    /// store speaks for, nothing does: a caller cannot lift a member into a group.
    pub(super) fn is_affected(&self, uid: Uid, entity: &Entity) -> bool {
        if schema::is_held(self.schema, self.symbols.kind(uid)) {
            return false;
        }
        let has_paths = |uid: Uid| {
            let schema = self.schema.filter(|schema| schema.has_parents_of_others());
            let entity_type = schema.and_then(|it| it.entity_type(self.symbols.kind(uid)));
            entity_type.is_some_and(|it| it.parents.iter().any(|path| path.len() > 1))
        };
        let brought = |above| self.inline.get(above).is_some() || has_paths(above);
        has_paths(uid) || entity.ancestors.iter().any(brought)
    }
}

/// What is above each entity that came with a question.
///
/// A set of ancestors is a row of bits, so that joining those of many parents costs little: a
/// caller may send a thousand entities with a hundred parents each.
#[derive(Debug, Default)]
pub(super) struct Above {
    number: HashMap<Uid, usize>,
    uids: Vec<Uid>,
    /// By number, for an entity that came along and for a stored one above it that is not as it is
    /// stored: everything above it that has a number.
    rows: HashMap<usize, Vec<u64>>,
    /// Ancestors of all rows together.
    ancestors: usize,
}

impl Above {
    /// Closes the parents of the entities that came along.
    ///
    /// # Errors
    /// An entity is its own ancestor, the parents are more than [`MAX_PARENT_DEPTH`] levels deep, or
    /// there are more than [`MAX_ANCESTORS`].
    pub(super) fn of(hierarchy: &Hierarchy<'_>) -> Result<Self, String> {
        let mut above = Self::default();
        let mut depths: HashMap<usize, usize> = HashMap::new();
        for (start, _) in hierarchy.inline.iter() {
            above.visit(start, hierarchy, &mut depths)?;
        }
        Ok(above)
    }

    /// Everything above an entity, as the question sees it; `None` if that is what is stored.
    pub(super) fn ancestors(&self, uid: Uid, hierarchy: &Hierarchy<'_>) -> Option<Uids> {
        let mut all = HashSet::new();
        // Whoever is above may be known before what is above it.
        let mut expanded = HashSet::new();
        let mut queue: Vec<Uid> = hierarchy.parents(uid)?.iter().collect();
        let kept = |uid| {
            let kept = hierarchy.inline.kept(hierarchy.stored, uid);
            kept.into_iter().flat_map(|it| it.ancestors.iter())
        };
        while let Some(above) = queue.pop() {
            if !expanded.insert(above) {
                continue;
            }
            if let Some(row) = self.row(above) {
                for numbered in self.numbered_in(row) {
                    if self.row(numbered).is_none() {
                        all.extend(kept(numbered));
                    }
                    all.insert(numbered);
                }
            } else if let Some(parents) = hierarchy.parents(above) {
                queue.extend(parents.iter());
            } else {
                all.extend(kept(above));
            }
            all.insert(above);
        }
        Some(all.into_iter().collect())
    }

    fn numbered(&mut self, uid: Uid) -> usize {
        *self.number.entry(uid).or_insert_with(|| {
            self.uids.push(uid);
            self.uids.len() - 1
        })
    }

    fn row(&self, uid: Uid) -> Option<&[u64]> {
        let number = self.number.get(&uid)?;
        self.rows.get(number).map(Vec::as_slice)
    }

    fn numbered_in<'s>(&'s self, row: &'s [u64]) -> impl Iterator<Item = Uid> + 's {
        let numbers = row.iter().enumerate().flat_map(|(word, bits)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                // Takes the lowest bit away; of none there is none to take.
                left &= left.checked_sub(1)?;
                Some(word * 64 + bit)
            })
        });
        numbers.filter_map(|number| self.uids.get(number).copied())
    }

    /// Closes one entity after everything above it, without recursion.
    fn visit(
        &mut self,
        start: Uid,
        hierarchy: &Hierarchy<'_>,
        depths: &mut HashMap<usize, usize>,
    ) -> Result<(), String> {
        let symbols = hierarchy.symbols;
        let mut open: HashMap<usize, Uids> = HashMap::new();
        let mut stack = vec![start];
        while let Some(uid) = stack.last().copied() {
            let number = self.numbered(uid);
            if depths.contains_key(&number) {
                stack.pop();
                continue;
            }
            if let Some(parents) = open.remove(&number) {
                stack.pop();
                let depth = self.join(number, &parents, depths);
                if depth > MAX_PARENT_DEPTH && hierarchy.inline.get(uid).is_some() {
                    return Err(format!(
                        "the parents of `{}` are more than {MAX_PARENT_DEPTH} levels deep",
                        symbols.show(uid)
                    ));
                }
                self.count(number, hierarchy);
                if self.ancestors > MAX_ANCESTORS {
                    return Err(format!(
                        "the entities have more than {MAX_ANCESTORS} ancestors together"
                    ));
                }
                continue;
            }
            let Some(parents) = hierarchy.parents(uid) else {
                // As it is stored: nothing to join, one level for all that is above.
                depths.insert(number, 1);
                stack.pop();
                continue;
            };
            for parent in parents.iter() {
                let parent_number = self.numbered(parent);
                if parent_number == number || open.contains_key(&parent_number) {
                    return Err(format!("`{}` is its own ancestor", symbols.show(parent)));
                }
                if !depths.contains_key(&parent_number) {
                    stack.push(parent);
                }
            }
            open.insert(number, parents);
        }
        Ok(())
    }

    /// Counts what is above an entity, and above those of them that are as they are stored.
    fn count(&mut self, number: usize, hierarchy: &Hierarchy<'_>) {
        let Some(row) = self.rows.get(&number) else {
            return;
        };
        let mut count: usize = row.iter().map(|bits| bits.count_ones() as usize).sum();
        if self.ancestors + count <= MAX_ANCESTORS {
            for uid in self.numbered_in(row).filter(|uid| self.row(*uid).is_none()) {
                let kept = hierarchy.inline.kept(hierarchy.stored, uid);
                count += kept.map_or(0, |it| it.ancestors.len());
            }
        }
        self.ancestors += count;
    }

    /// Sets the row of an entity whose parents all have theirs; how many levels are above it.
    fn join(&mut self, number: usize, parents: &Uids, depths: &mut HashMap<usize, usize>) -> usize {
        let mut row = vec![0_u64; self.uids.len().div_ceil(64)];
        let mut depth = 0;
        for parent in parents.iter() {
            let parent = self.numbered(parent);
            if let Some(word) = row.get_mut(parent / 64) {
                *word |= 1 << (parent % 64);
            }
            let above = self.rows.get(&parent).into_iter().flatten();
            for (word, bits) in row.iter_mut().zip(above) {
                *word |= bits;
            }
            depth = depth.max(1 + depths.get(&parent).copied().unwrap_or(0));
        }
        self.rows.insert(number, row);
        depths.insert(number, depth);
        depth
    }
}
