//! Numbers for what is compared all the time: uids, entity types, names of attributes and tags.
//!
//! What a snapshot knows gets its numbers while it is compiled. A question brings uids and names of
//! its own, which get theirs in a layer on top, and are forgotten with the question.

use std::{
    cmp::Ordering,
    fmt,
    hash::{BuildHasher, Hash},
    str::FromStr,
};

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use hashbrown::{DefaultHashBuilder, HashTable};
use smol_str::SmolStr;

use super::notes;

/// An entity, existing or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Uid(u32);

/// An entity type, declared or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TypeId(u32);

/// The name of an attribute, a tag, or a key of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(u32);

/// What the numbers stand for. One layer; those below it are shared and do not change.
///
/// INVARIANT: equal things have equal numbers, through all layers.
#[derive(Debug, Default)]
pub(super) struct Symbols<'b> {
    below: Option<&'b Self>,
    hasher: DefaultHashBuilder,
    uids: Table<(TypeId, SmolStr)>,
    types: Table<(String, EntityTypeName)>,
    names: Table<SmolStr>,
}

/// The things of one kind in one layer.
#[derive(Debug)]
struct Table<T> {
    /// How many there are below.
    first: u32,
    things: Vec<T>,
    numbers: HashTable<u32>,
}

impl Uid {
    /// Its place in a list of all that one layer numbers, if that is where it has its number.
    pub(super) fn place_above(self, first: Self) -> Option<usize> {
        self.0.checked_sub(first.0).map(|place| place as usize)
    }

    /// The uid at that place, counted from this one.
    pub(super) fn above(self, place: usize) -> Self {
        Self(self.0 + number(place))
    }
}

impl TypeId {
    /// Its place in a list of all types.
    pub(super) fn place(self) -> usize {
        self.0 as usize
    }
}

impl<'b> Symbols<'b> {
    /// A layer on top.
    pub(super) fn above(below: &'b Self) -> Self {
        Self {
            below: Some(below),
            hasher: below.hasher.clone(),
            uids: Table::above(&below.uids),
            types: Table::above(&below.types),
            names: Table::above(&below.names),
        }
    }

    /// The number that the first new uid in this layer has.
    pub(super) fn first_uid(&self) -> Uid {
        Uid(self.uids.first)
    }

    /// The uid, if it has a number.
    pub(super) fn find_uid(&self, kind: TypeId, id: &str) -> Option<Uid> {
        let hash = self.hasher.hash_one((kind, id));
        let is = |thing: &(TypeId, SmolStr)| thing.0 == kind && thing.1 == id;
        self.find(hash, |layer| &layer.uids, is).map(Uid)
    }

    /// The uid; a new one gets a number.
    pub(super) fn uid(&mut self, kind: TypeId, id: &str) -> Uid {
        let hash = self.hasher.hash_one((kind, id));
        let is = |thing: &(TypeId, SmolStr)| thing.0 == kind && thing.1 == id;
        if let Some(found) = self.find(hash, |layer| &layer.uids, is) {
            return Uid(found);
        }
        let thing = (kind, SmolStr::new(id));
        let hasher = &self.hasher;
        let rehash = |(kind, id): &(TypeId, SmolStr)| hasher.hash_one((*kind, id.as_str()));
        Uid(self.uids.add(hash, thing, rehash))
    }

    /// The number of a public uid.
    pub(super) fn uid_of(&mut self, uid: &EntityUid) -> Uid {
        let kind = self.type_of_name(uid.type_name());
        self.uid(kind, uid.id().unescaped())
    }

    /// The uid of a type's name and an id as they were written.
    ///
    /// # Errors
    /// The name is none.
    pub(super) fn read_uid(&mut self, type_name: &str, id: &str) -> Result<Uid, String> {
        let kind = self.read_type(type_name)?;
        Ok(self.uid(kind, id))
    }

    /// The type of a name as it was written.
    ///
    /// # Errors
    /// The name is none.
    pub(super) fn read_type(&mut self, name: &str) -> Result<TypeId, String> {
        if let Some(known) = self.find_type(name) {
            return Ok(known);
        }
        let parsed = EntityTypeName::from_str(name)
            .map_err(|_| format!("`{}` is not the name of an entity type", notes::Name(name)))?;
        Ok(self.type_of_name(&parsed))
    }

    /// The type of that name, if it has a number.
    pub(super) fn find_type(&self, name: &str) -> Option<TypeId> {
        let hash = self.hasher.hash_one(name);
        let is = |thing: &(String, EntityTypeName)| thing.0 == name;
        self.find(hash, |layer| &layer.types, is).map(TypeId)
    }

    /// The type of that name; a new one gets a number.
    pub(super) fn type_of_name(&mut self, name: &EntityTypeName) -> TypeId {
        let text = name.to_string();
        if let Some(known) = self.find_type(&text) {
            return known;
        }
        let hasher = &self.hasher;
        let rehash = |(text, _): &(String, EntityTypeName)| hasher.hash_one(text.as_str());
        let hash = hasher.hash_one(text.as_str());
        TypeId(self.types.add(hash, (text, name.clone()), rehash))
    }

    /// The name; a new one gets a number.
    pub(super) fn name(&mut self, name: &str) -> Name {
        let hash = self.hasher.hash_one(name);
        if let Some(found) = self.find(hash, |layer| &layer.names, |thing| thing == name) {
            return Name(found);
        }
        let hasher = &self.hasher;
        let rehash = |name: &SmolStr| hasher.hash_one(name.as_str());
        Name(self.names.add(hash, SmolStr::new(name), rehash))
    }

    /// The name, if it has a number.
    pub(super) fn find_name(&self, name: &str) -> Option<Name> {
        let hash = self.hasher.hash_one(name);
        let found = self.find(hash, |layer| &layer.names, |thing| thing == name);
        found.map(Name)
    }

    /// The type of an entity.
    pub(super) fn kind(&self, uid: Uid) -> TypeId {
        let thing = self.thing(uid.0, |layer| &layer.uids);
        thing.map_or(TypeId(u32::MAX), |(kind, _)| *kind)
    }

    /// The id of an entity, unescaped.
    pub(super) fn id(&self, uid: Uid) -> &str {
        let thing = self.thing(uid.0, |layer| &layer.uids);
        thing.map_or("", |(_, id)| id.as_str())
    }

    /// The text of a type's name.
    pub(super) fn type_text(&self, kind: TypeId) -> &str {
        let thing = self.thing(kind.0, |layer| &layer.types);
        thing.map_or("", |(text, _)| text.as_str())
    }

    /// The text of a name.
    pub(super) fn text(&self, name: Name) -> SmolStr {
        let thing = self.thing(name.0, |layer| &layer.names);
        thing.cloned().unwrap_or_default()
    }

    /// The public form of a uid; of every one that was given a number there is one.
    pub(super) fn public(&self, uid: Uid) -> Option<EntityUid> {
        let (kind, id) = self.thing(uid.0, |layer| &layer.uids)?;
        let (_, name) = self.thing(kind.0, |layer| &layer.types)?;
        let id = EntityId::new(id);
        Some(EntityUid::from_type_name_and_id(name.clone(), id))
    }

    /// The uid as Cedar writes it.
    pub(super) fn show(&self, uid: Uid) -> impl fmt::Display + use<> {
        let public = self.public(uid);
        fmt::from_fn(move |f| public.iter().try_for_each(|uid| write!(f, "{uid}")))
    }

    /// In which order uids are told, whatever numbers they have.
    pub(super) fn order(&self, a: Uid, b: Uid) -> Ordering {
        let key = |uid| (self.type_text(self.kind(uid)), self.id(uid));
        key(a).cmp(&key(b))
    }

    /// Gives back what room is left.
    pub(super) fn shrink(&mut self) {
        self.uids.things.shrink_to_fit();
    }

    fn find<T>(
        &self,
        hash: u64,
        table: impl Fn(&Self) -> &Table<T>,
        is: impl Fn(&T) -> bool,
    ) -> Option<u32> {
        let mut layer = self;
        loop {
            if let Some(found) = table(layer).find(hash, &is) {
                return Some(found);
            }
            layer = layer.below?;
        }
    }

    fn thing<T>(&self, number: u32, table: impl Fn(&Self) -> &Table<T>) -> Option<&T> {
        let mut layer = self;
        loop {
            let table = table(layer);
            if let Some(place) = number.checked_sub(table.first) {
                return table.things.get(place as usize);
            }
            layer = layer.below?;
        }
    }
}

impl<T> Table<T> {
    fn above(below: &Self) -> Self {
        Self {
            first: below.first + number(below.things.len()),
            ..Self::default()
        }
    }

    fn find(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<u32> {
        let place = |number: u32| number.checked_sub(self.first).map(|it| it as usize);
        let thing = |number: u32| self.things.get(place(number)?);
        let found = self.numbers.find(hash, |it| thing(*it).is_some_and(&is));
        found.copied()
    }

    fn add(&mut self, hash: u64, thing: T, rehash: impl Fn(&T) -> u64) -> u32 {
        let new = self.first + number(self.things.len());
        let (first, things) = (self.first, &self.things);
        let hash_of = |it: &u32| {
            let thing = things.get((*it - first) as usize);
            thing.map_or(0, &rehash)
        };
        self.numbers.insert_unique(hash, new, hash_of);
        self.things.push(thing);
        new
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            first: 0,
            things: Vec::new(),
            numbers: HashTable::new(),
        }
    }
}

/// There are never as many: what is read is bounded to a quarter of that many bytes.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_knows_what_is_below_and_adds_to_it() {
        let mut base = Symbols::default();
        let user = base.read_type("User").unwrap();
        let ann = base.uid(user, "ann");
        let mut layer = Symbols::above(&base);
        assert_eq!(layer.read_uid("User", "ann"), Ok(ann));
        let ben = layer.read_uid("User", "ben").unwrap();
        assert_eq!(layer.uid(user, "ben"), ben);
        assert_ne!(ann, ben);
        let mut top = Symbols::above(&layer);
        assert_eq!(top.read_uid("User", "ben"), Ok(ben));
        let other = top.read_uid("App::User", "ben").unwrap();
        assert_eq!(top.show(other).to_string(), r#"App::User::"ben""#);
        assert_eq!((top.id(ann), top.type_text(top.kind(ben))), ("ann", "User"));
        assert_eq!(base.find_uid(user, "ben"), None);
        assert!(top.read_type("not a name").is_err());
    }
}
