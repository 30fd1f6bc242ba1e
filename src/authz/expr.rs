//! Conditions of policies over numbered entities: what they say, or that Cedar has to be asked.
//!
//! This is the part of Cedar's language that says yes or no. Whatever raises an error ends in
//! [`Unsure`]: then Cedar's own evaluator is asked the same, and its answer counts.
//!
//! INVARIANT: operands are evaluated in Cedar's order, and all of an operator's before the first is
//! looked at, so that what was looked into until we were unsure is what Cedar looks into.

use std::borrow::Cow;

use super::{
    engine::{Function, Pattern},
    symbols::{Name, TypeId, Uid},
    value::{Elements, Fields, Value},
    world::World,
};

/// Cedar has to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsure;

/// A question as policies see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'q> {
    pub(super) principal: Uid,
    pub(super) action: Uid,
    pub(super) resource: Uid,
    /// A record.
    pub(super) context: &'q Value,
    pub(super) world: &'q World<'q>,
}

/// An expression of Cedar's language.
#[derive(Debug)]
pub(super) enum Expr {
    Action,
    /// `a && b && …`
    All(Box<[Self]>),
    /// `a || b || …`
    Any(Box<[Self]>),
    Arithmetic(Arithmetic, Box<[Self; 2]>),
    Call(Function, Box<[Self]>),
    Compare(Compare, Box<[Self; 2]>),
    Context,
    Get(Box<Self>, Name),
    /// `a has b.c.d`
    Has(Box<Self>, Box<[Name]>),
    If(Box<[Self; 3]>),
    Is(Box<Self>, TypeId),
    IsEmpty(Box<Self>),
    Like(Box<Self>, Pattern),
    Negative(Box<Self>),
    Not(Box<Self>),
    Principal,
    Record(Box<[(Name, Self)]>),
    Resource,
    Set(Box<[Self]>),
    Tag(Box<[Self; 2]>),
    Value(Value),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Arithmetic {
    Add,
    Multiply,
    Subtract,
}

/// Operators of two operands that say yes or no.
#[derive(Clone, Copy, Debug)]
pub(super) enum Compare {
    Contains,
    ContainsAll,
    ContainsAny,
    Equal,
    HasTag,
    In,
    Less,
    LessOrEqual,
}

type Evaluated<'v> = Result<Cow<'v, Value>, Unsure>;

impl Expr {
    /// Whether it holds.
    pub(super) fn holds(&self, scene: &Scene<'_>) -> Result<bool, Unsure> {
        match self {
            Self::All(parts) => {
                for part in parts {
                    if !part.holds(scene)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(parts) => {
                for part in parts {
                    if part.holds(scene)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Compare(operator, operands) => operator.holds(operands, scene),
            Self::Has(of, path) => has(of.value(scene)?, path, scene),
            Self::If(parts) => Self::chosen(parts, scene)?.holds(scene),
            Self::Is(of, kind) => Ok(scene.world.kind(of.entity(scene)?) == *kind),
            Self::IsEmpty(of) => set(&*of.value(scene)?).map(Elements::is_empty),
            Self::Like(of, pattern) => {
                let text = of.value(scene)?;
                text.as_str().map(|it| pattern.matches(it)).ok_or(Unsure)
            }
            Self::Not(of) => Ok(!of.holds(scene)?),
            Self::Action
            | Self::Arithmetic(..)
            | Self::Call(..)
            | Self::Context
            | Self::Get(..)
            | Self::Negative(_)
            | Self::Principal
            | Self::Record(_)
            | Self::Resource
            | Self::Set(_)
            | Self::Tag(_)
            | Self::Value(_) => self.value(scene)?.as_bool().ok_or(Unsure),
        }
    }

    /// The value, if it is the same for every question.
    pub(super) fn as_constant(&self) -> Option<&Value> {
        if let Self::Value(value) = self {
            Some(value)
        } else {
            None
        }
    }

    fn value<'v>(&'v self, scene: &Scene<'v>) -> Evaluated<'v> {
        let entity = |uid| Ok(Cow::Owned(Value::Entity(uid)));
        match self {
            Self::Action => entity(scene.action),
            Self::Principal => entity(scene.principal),
            Self::Resource => entity(scene.resource),
            Self::Context => Ok(Cow::Borrowed(scene.context)),
            Self::Value(value) => Ok(Cow::Borrowed(value)),
            Self::Get(of, name) => get(of.value(scene)?, *name, scene),
            Self::Tag(operands) => {
                let (of, key) = both(operands, scene)?;
                let tag = tag(of.as_entity().ok_or(Unsure)?, &key, scene)?;
                tag.map(Cow::Borrowed).ok_or(Unsure)
            }
            Self::If(parts) => Self::chosen(parts, scene)?.value(scene),
            Self::Set(elements) => {
                let elements = elements.iter().map(|it| it.owned(scene));
                let elements = elements.collect::<Result<_, _>>()?;
                Ok(Cow::Owned(Value::Set(Elements::of(elements))))
            }
            Self::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, it)| Ok((*name, it.owned(scene)?)));
                let fields = fields.collect::<Result<_, _>>()?;
                Ok(Cow::Owned(Value::Record(Fields::of(fields))))
            }
            Self::Arithmetic(operator, operands) => {
                let (left, right) = both(operands, scene)?;
                let longs = left.as_long().zip(right.as_long());
                long(longs.and_then(|(left, right)| operator.of(left, right)))
            }
            Self::Negative(of) => long(of.value(scene)?.as_long().and_then(i64::checked_neg)),
            Self::Call(function, arguments) => {
                let arguments = arguments.iter().map(|it| it.owned(scene));
                let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
                function.call(&arguments).map(Cow::Owned).ok_or(Unsure)
            }
            Self::All(_)
            | Self::Any(_)
            | Self::Compare(..)
            | Self::Has(..)
            | Self::Is(..)
            | Self::IsEmpty(_)
            | Self::Like(..)
            | Self::Not(_) => Ok(Cow::Owned(Value::Bool(self.holds(scene)?))),
        }
    }

    fn owned(&self, scene: &Scene<'_>) -> Result<Value, Unsure> {
        self.value(scene).map(Cow::into_owned)
    }

    fn entity(&self, scene: &Scene<'_>) -> Result<Uid, Unsure> {
        self.value(scene)?.as_entity().ok_or(Unsure)
    }

    /// What an `if` comes to.
    fn chosen<'v>(
        [test, then, otherwise]: &'v [Self; 3],
        scene: &Scene<'_>,
    ) -> Result<&'v Self, Unsure> {
        Ok(if test.holds(scene)? { then } else { otherwise })
    }
}

impl Arithmetic {
    fn of(self, left: i64, right: i64) -> Option<i64> {
        match self {
            Self::Add => left.checked_add(right),
            Self::Multiply => left.checked_mul(right),
            Self::Subtract => left.checked_sub(right),
        }
    }
}

impl Compare {
    fn holds(self, operands: &[Expr; 2], scene: &Scene<'_>) -> Result<bool, Unsure> {
        let (left, right) = both(operands, scene)?;
        match self {
            Self::Contains => Ok(set(&left)?.contains(&right)),
            Self::ContainsAll => Ok(set(&left)?.contains_all(set(&right)?)),
            Self::ContainsAny => Ok(set(&left)?.contains_any(set(&right)?)),
            Self::Equal => Ok(left == right),
            Self::HasTag => {
                let of = left.as_entity().ok_or(Unsure)?;
                Ok(tag(of, &right, scene)?.is_some())
            }
            Self::In => is_in(left.as_entity().ok_or(Unsure)?, &right, scene),
            Self::Less => is_less(&left, &right, false),
            Self::LessOrEqual => is_less(&left, &right, true),
        }
    }
}

/// The values of both operands.
fn both<'v>(
    [left, right]: &'v [Expr; 2],
    scene: &Scene<'v>,
) -> Result<(Cow<'v, Value>, Cow<'v, Value>), Unsure> {
    Ok((left.value(scene)?, right.value(scene)?))
}

/// The order of numbers, of points in time, and of spans.
fn is_less(left: &Value, right: &Value, or_equal: bool) -> Result<bool, Unsure> {
    if let (Value::Extension(left), Value::Extension(right)) = (left, right) {
        return left.is_less(right, or_equal).ok_or(Unsure);
    }
    let longs = left.as_long().zip(right.as_long());
    let (left, right) = longs.ok_or(Unsure)?;
    Ok(left < right || or_equal && left == right)
}

fn long<'v>(long: Option<i64>) -> Evaluated<'v> {
    long.map(|it| Cow::Owned(Value::Long(it))).ok_or(Unsure)
}

fn set(value: &Value) -> Result<&Elements, Unsure> {
    value.as_set().ok_or(Unsure)
}

fn get<'v>(of: Cow<'v, Value>, name: Name, scene: &Scene<'v>) -> Evaluated<'v> {
    if let Some(uid) = of.as_entity() {
        let attribute = scene.world.attribute(uid, name);
        return attribute.map(Cow::Borrowed).ok_or(Unsure);
    }
    let found = match of {
        Cow::Borrowed(record) => record
            .as_record()
            .ok_or(Unsure)?
            .get(name)
            .map(Cow::Borrowed),
        Cow::Owned(record) => {
            let found = record.as_record().ok_or(Unsure)?.get(name);
            found.cloned().map(Cow::Owned)
        }
    };
    found.ok_or(Unsure)
}

fn has<'v>(of: Cow<'v, Value>, path: &[Name], scene: &Scene<'v>) -> Result<bool, Unsure> {
    let mut current = of;
    let mut left = path.len();
    for name in path {
        if !matches!(&*current, Value::Entity(_) | Value::Record(_)) {
            return Err(Unsure);
        }
        // Of an entity, or a record, what cannot be got is not there.
        let Ok(next) = get(current, *name, scene) else {
            return Ok(false);
        };
        left -= 1;
        if left == 0 {
            return Ok(true);
        }
        current = next;
    }
    Ok(true)
}

/// The tag of an entity that has it.
fn tag<'v>(of: Uid, key: &Value, scene: &Scene<'v>) -> Result<Option<&'v Value>, Unsure> {
    let name = scene.world.symbols.find_name(key.as_str().ok_or(Unsure)?);
    Ok(scene.world.tag(of, name))
}

fn is_in(uid: Uid, groups: &Value, scene: &Scene<'_>) -> Result<bool, Unsure> {
    if let Some(group) = groups.as_entity() {
        return Ok(scene.world.is_in(uid, group));
    }
    let ancestors = scene.world.ancestors(uid);
    let mut found = false;
    for group in set(groups)?.iter() {
        let group = group.as_entity().ok_or(Unsure)?;
        found = found || uid == group || ancestors.contains(group);
    }
    Ok(found)
}
