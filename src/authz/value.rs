//! Cedar values and entities in few bytes: what is compared is a number, what is sought is sorted.

use std::sync::Arc;

use smol_str::SmolStr;

use super::{
    engine::ExtensionValue,
    steps::step,
    symbols::{Name, Uid},
};

/// A value of an attribute, a tag or a context. Equal as Cedar says it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Bool(bool),
    Entity(Uid),
    Extension(ExtensionValue),
    Long(i64),
    Record(Fields),
    Set(Elements),
    String(SmolStr),
}

/// What a record, or the attributes or tags of an entity, hold; sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fields(Box<[(Name, Value)]>);

/// The elements of a set, sorted, each once. Shared: what policies make of a set does not copy it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Elements(Arc<[Value]>);

/// From how many times as many elements on they are sought one by one: two lists that are both
/// sorted are walked side by side.
const MANY_TIMES: usize = 16;

/// Uids, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uids(Box<[Uid]>);

/// An entity; whoever has it knows its uid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) attributes: Fields,
    pub(super) tags: Fields,
    /// Stated and computed ones.
    pub(super) parents: Uids,
    /// Everything above it, once it is closed.
    pub(super) ancestors: Uids,
}

impl Value {
    /// The entity it names, if it names one.
    pub(super) fn as_entity(&self) -> Option<Uid> {
        if let Self::Entity(uid) = self {
            Some(*uid)
        } else {
            None
        }
    }

    /// The truth value, if it is one.
    pub(super) fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The whole number, if it is one.
    pub(super) fn as_long(&self) -> Option<i64> {
        if let Self::Long(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The fields, if it is a record.
    pub(super) fn as_record(&self) -> Option<&Fields> {
        if let Self::Record(fields) = self {
            Some(fields)
        } else {
            None
        }
    }

    /// The elements, if it is a set.
    pub(super) fn as_set(&self) -> Option<&Elements> {
        if let Self::Set(elements) = self {
            Some(elements)
        } else {
            None
        }
    }

    /// The string, if it is one.
    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::String(string) = self {
            Some(string)
        } else {
            None
        }
    }

    /// Tells of each entity it names.
    pub(super) fn mentions(&self, tell: &mut impl FnMut(Uid)) {
        match self {
            Self::Entity(uid) => tell(*uid),
            Self::Record(fields) => fields.mentions(tell),
            Self::Set(elements) => elements.iter().for_each(|it| it.mentions(tell)),
            Self::Bool(_) | Self::Extension(_) | Self::Long(_) | Self::String(_) => {}
        }
    }
}

impl Fields {
    /// Of two with the same name the first counts.
    pub(super) fn of(mut fields: Vec<(Name, Value)>) -> Self {
        fields.sort_by(|(one, _), (other, _)| {
            step();
            one.cmp(other)
        });
        fields.dedup_by_key(|(name, _)| *name);
        Self(fields.into())
    }

    pub(super) fn get(&self, name: Name) -> Option<&Value> {
        let found = self.0.binary_search_by_key(&name, |(name, _)| *name);
        found.ok().and_then(|at| self.0.get(at)).map(|(_, it)| it)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Name, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// Tells of each entity that a value names.
    pub(super) fn mentions(&self, tell: &mut impl FnMut(Uid)) {
        self.iter().for_each(|(_, value)| value.mentions(tell));
    }
}

impl Elements {
    pub(super) fn of(mut elements: Vec<Value>) -> Self {
        elements.sort_unstable_by(|one, other| {
            step();
            one.cmp(other)
        });
        elements.dedup_by(|one, other| {
            step();
            one == other
        });
        Self(elements.into())
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        self.0.binary_search(value).is_ok()
    }

    /// Whether all of another set are in it.
    pub(super) fn contains_all(&self, other: &Self) -> bool {
        other.0.len() <= self.0.len() && self.shared_with(other).count() == other.0.len()
    }

    /// Whether one of another set is in it.
    pub(super) fn contains_any(&self, other: &Self) -> bool {
        self.shared_with(other).next().is_some()
    }

    /// The elements that both have.
    fn shared_with<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Value> {
        let (few, many) = match self.0.len() < other.0.len() {
            true => (self, other),
            false => (other, self),
        };
        let seek = few.0.len() * MANY_TIMES < many.0.len();
        let mut rest = &*many.0;
        few.iter().filter(move |sought| {
            let before = match seek {
                true => rest.partition_point(|it| it < *sought),
                false => rest.iter().take_while(|it| it < sought).count(),
            };
            rest = rest.get(before..).unwrap_or_default();
            rest.first() == Some(*sought)
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Uids {
    pub(super) fn contains(&self, uid: Uid) -> bool {
        self.0.binary_search(&uid).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Uid> {
        self.0.iter().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<Uid> for Uids {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut uids: Vec<Uid> = uids.into_iter().collect();
        uids.sort_unstable();
        uids.dedup();
        Self(uids.into())
    }
}

impl Entity {
    /// The entity that an attribute names, if it names one.
    pub(super) fn named(&self, attribute: Name) -> Option<Uid> {
        self.attributes.get(attribute)?.as_entity()
    }

    /// Tells of each entity that a policy can go on to from this one.
    pub(super) fn mentions(&self, tell: &mut impl FnMut(Uid)) {
        self.attributes.mentions(tell);
        self.tags.mentions(tell);
    }

    /// Whether it is told in the same words: ancestors follow from these and from others.
    pub(super) fn is_told_as(&self, other: &Self) -> bool {
        self.attributes == other.attributes
            && self.tags == other.tags
            && self.parents == other.parents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_task_with_three_attributes_takes_a_few_hundred_bytes() {
        assert!(size_of::<Value>() <= 24);
        assert!(size_of::<Option<Entity>>() <= 64);
    }

    #[test]
    fn a_set_has_each_element_once_in_whatever_order_it_was_told() {
        let set = |longs: &[i64]| Elements::of(longs.iter().copied().map(Value::Long).collect());
        assert_eq!(set(&[3, 1, 3, 2]), set(&[1, 2, 3]));
        assert!(set(&[3, 1]).contains(&Value::Long(3)));
        assert!(!set(&[3, 1]).contains(&Value::Bool(true)));
    }

    #[test]
    fn two_sets_are_compared_however_large_each_is() {
        let longs = |of: std::ops::Range<i64>| Elements::of(of.map(Value::Long).collect());
        for (large, small) in [(100, 3), (5, 4), (3, 3)] {
            let (large, part, beside) = (longs(0..large), longs(0..small), longs(-1..small));
            assert!(large.contains_all(&part) && large.contains_any(&part));
            assert!(!large.contains_all(&beside) && large.contains_any(&beside));
            assert!(!large.contains_any(&longs(-9..0)) && !longs(-9..0).contains_any(&large));
            assert_eq!(part.contains_all(&large), part == large);
            assert!(large.contains_all(&longs(0..0)) && !large.contains_any(&longs(0..0)));
        }
    }
}
