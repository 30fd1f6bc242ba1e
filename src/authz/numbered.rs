//! Entities by uid, found without hashing where this layer gave the uid its number.

use hashbrown::HashMap;

use super::{
    symbols::{Symbols, Uid},
    value::Entity,
};

/// Entities by uid.
#[derive(Debug)]
pub(super) struct Numbered {
    /// The first uid that is numbered in this layer.
    first: Uid,
    /// By place above the first.
    own: Vec<Option<Entity>>,
    /// Those whose uids a layer below knows already.
    others: HashMap<Uid, Entity>,
    len: usize,
}

impl Numbered {
    /// None, for a layer.
    pub(super) fn new(symbols: &Symbols<'_>) -> Self {
        Self {
            first: symbols.first_uid(),
            own: Vec::new(),
            others: HashMap::new(),
            len: 0,
        }
    }

    pub(super) fn get(&self, uid: Uid) -> Option<&Entity> {
        match uid.place_above(self.first) {
            Some(place) => self.own.get(place)?.as_ref(),
            None => self.others.get(&uid),
        }
    }

    pub(super) fn get_mut(&mut self, uid: Uid) -> Option<&mut Entity> {
        match uid.place_above(self.first) {
            Some(place) => self.own.get_mut(place)?.as_mut(),
            None => self.others.get_mut(&uid),
        }
    }

    /// Takes an entity that is not there yet.
    pub(super) fn insert(&mut self, uid: Uid, entity: Entity) {
        self.len += 1;
        let Some(place) = uid.place_above(self.first) else {
            self.others.insert(uid, entity);
            return;
        };
        if self.own.len() <= place {
            self.own.resize_with(place + 1, || None);
        }
        if let Some(empty) = self.own.get_mut(place) {
            *empty = Some(entity);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All, in no order that means something.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Uid, &Entity)> {
        let own = self.own.iter().enumerate();
        let own = own.filter_map(|(place, it)| Some((self.first.above(place), it.as_ref()?)));
        own.chain(self.others.iter().map(|(uid, it)| (*uid, it)))
    }

    /// Gives back what room is left.
    pub(super) fn shrink(&mut self) {
        self.own.shrink_to_fit();
    }
}
