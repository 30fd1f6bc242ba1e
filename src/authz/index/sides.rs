//! Policies by the scopes of principal and resource.

use hashbrown::HashMap;

use crate::authz::{
    expr::Scene,
    rule::Scope,
    symbols::{TypeId, Uid},
    value::Uids,
};

/// By what one side of a scope can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Side {
    Any,
    /// This entity, or one below it.
    At(Uid),
    Is(TypeId),
}

/// The kinds of sides, without what they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Any,
    At,
    Is,
}

/// Places of rules, by both sides.
#[derive(Debug, Default)]
pub(super) struct BySides {
    /// Each rule is in one of these.
    lists: HashMap<(Side, Side), Vec<usize>>,
    /// The kinds there are: most sets of policies have one or two.
    shapes: Vec<(Shape, Shape)>,
}

/// The sides of one kind under which what lets an entity in is found.
struct Keys<'w> {
    shape: Shape,
    uid: Uid,
    kind: TypeId,
    ancestors: &'w Uids,
}

impl From<Scope> for Side {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Any => Self::Any,
            Scope::Equal(uid) | Scope::In(uid) | Scope::IsIn(_, uid) => Self::At(uid),
            Scope::Is(kind) => Self::Is(kind),
        }
    }
}

impl Side {
    fn shape(self) -> Shape {
        match self {
            Self::Any => Shape::Any,
            Self::At(_) => Shape::At,
            Self::Is(_) => Shape::Is,
        }
    }
}

impl BySides {
    /// Rules by place, each with the scopes of its principal and resource.
    pub(super) fn of(rules: impl Iterator<Item = (usize, [Scope; 2])>) -> Self {
        let mut by_sides = Self::default();
        for (place, [principal, resource]) in rules {
            let sides = (Side::from(principal), Side::from(resource));
            by_sides.lists.entry(sides).or_default().push(place);
            let shapes = (sides.0.shape(), sides.1.shape());
            if !by_sides.shapes.contains(&shapes) {
                by_sides.shapes.push(shapes);
            }
        }
        by_sides
    }

    /// Tells of every rule whose scopes may let in who asks, and what for.
    pub(super) fn each(&self, scene: &Scene<'_>, tell: &mut impl FnMut(usize)) {
        let world = scene.world;
        let (above_principal, above_resource) = (
            world.ancestors(scene.principal),
            world.ancestors(scene.resource),
        );
        for shapes in &self.shapes {
            let keys = |shape, uid, ancestors| Keys {
                shape,
                uid,
                kind: world.kind(uid),
                ancestors,
            };
            let principals = keys(shapes.0, scene.principal, &above_principal);
            let resources = keys(shapes.1, scene.resource, &above_resource);
            // A principal in thousands of groups: there are fewer policies than ways to find them.
            if principals.len().saturating_mul(resources.len()) > self.lists.len() {
                self.each_of_shape(*shapes, (&principals, &resources), tell);
                continue;
            }
            for principal in principals.iter() {
                for resource in resources.iter() {
                    let list = self.lists.get(&(principal, resource));
                    list.into_iter().flatten().copied().for_each(&mut *tell);
                }
            }
        }
    }

    /// Tells of the rules of these shapes, looking at all of them.
    fn each_of_shape(
        &self,
        shapes: (Shape, Shape),
        (principals, resources): (&Keys<'_>, &Keys<'_>),
        tell: &mut impl FnMut(usize),
    ) {
        for ((principal, resource), list) in &self.lists {
            if (principal.shape(), resource.shape()) == shapes
                && principals.contain(*principal)
                && resources.contain(*resource)
            {
                list.iter().copied().for_each(&mut *tell);
            }
        }
    }
}

impl Keys<'_> {
    fn len(&self) -> usize {
        match self.shape {
            Shape::Any | Shape::Is => 1,
            Shape::At => 1 + self.ancestors.len(),
        }
    }

    /// Whether a policy with this side may let the entity in.
    fn contain(&self, side: Side) -> bool {
        match side {
            Side::Any => true,
            Side::At(group) => self.uid == group || self.ancestors.contains(group),
            Side::Is(kind) => self.kind == kind,
        }
    }

    fn iter(&self) -> impl Iterator<Item = Side> {
        let (first, ancestors) = match self.shape {
            Shape::Any => (Side::Any, None),
            Shape::At => (Side::At(self.uid), Some(self.ancestors)),
            Shape::Is => (Side::Is(self.kind), None),
        };
        let ancestors = ancestors.into_iter().flat_map(Uids::iter);
        // One that is its own ancestor would be found twice.
        let others = ancestors.filter(|above| *above != self.uid).map(Side::At);
        std::iter::once(first).chain(others)
    }
}
