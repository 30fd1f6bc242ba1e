//! From the JSON of an AuthZEN request to a raw query, with the place of what is wrong.

use std::{borrow::Cow, fmt};

use crate::authz::{Json, Object, RawAction, RawEntity, RawQuery, RawTarget};

use super::BatchDefaults;

/// The context key that talks to Palisade, not to the policies.
const OWN_KEY: &str = "palisade";

/// Where an object stands in the body, for messages.
#[derive(Clone, Copy)]
pub(super) enum At {
    Item(usize),
    Top,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(index) => write!(f, "evaluations[{index}]."),
            Self::Top => Ok(()),
        }
    }
}

/// One of the four values of a question, unparsed.
#[derive(Clone, Copy)]
struct Slot<'a> {
    at: At,
    json: &'a Json<'a>,
    /// Where identifiers are taken from that the object lacks.
    fallback: Option<&'a Object<'a>>,
}

/// The four values of a question, unparsed; `null` counts as absent.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    at: At,
    subject: Option<Slot<'a>>,
    action: Option<Slot<'a>>,
    resource: Option<Slot<'a>>,
    context: Option<Slot<'a>>,
}

impl<'a> Slots<'a> {
    /// The values at the top of a body.
    pub(super) fn top(object: &'a Object<'a>) -> Self {
        Self::of(object, At::Top)
    }

    /// The values of one item of a batch, where the batch's own stand in for absent ones.
    pub(super) fn item(
        object: &'a Object<'a>,
        index: usize,
        defaults: Self,
        rule: BatchDefaults,
    ) -> Self {
        let own = Self::of(object, At::Item(index));
        let merge = |own: Option<Slot<'a>>, default: Option<Slot<'a>>| match own {
            Some(slot) => Some(Slot {
                fallback: match rule {
                    BatchDefaults::FillIdentifiers => default.and_then(|it| it.json.as_object()),
                    BatchDefaults::Strict => None,
                },
                ..slot
            }),
            None => default,
        };
        Self {
            at: own.at,
            subject: merge(own.subject, defaults.subject),
            action: merge(own.action, defaults.action),
            resource: merge(own.resource, defaults.resource),
            context: merge(own.context, defaults.context),
        }
    }

    fn of(object: &'a Object<'a>, at: At) -> Self {
        let slot = |key| {
            object.non_null(key).map(|json| Slot {
                at,
                json,
                fallback: None,
            })
        };
        Self {
            at,
            subject: slot("subject"),
            action: slot("action"),
            resource: slot("resource"),
            context: slot("context"),
        }
    }

    /// Says which value is there but no object.
    pub(super) fn all_objects(&self) -> Result<(), String> {
        let named = [
            (self.subject, "subject"),
            (self.action, "action"),
            (self.resource, "resource"),
            (self.context, "context"),
        ];
        named
            .into_iter()
            .filter_map(|(slot, name)| Some(slot?.object(name)))
            .try_for_each(|object| object.map(drop))
    }

    /// Parses the values.
    pub(super) fn question(&self) -> Result<Question<'a>, String> {
        let (principal, action, resource) = (self.subject()?, self.action()?, self.resource()?);
        let (context, explain) = self.context()?;
        Ok(Question {
            principal,
            action,
            resource,
            context,
            explain,
        })
    }

    /// The subject, whole.
    pub(super) fn subject(&self) -> Result<RawEntity<'a>, String> {
        self.need(self.subject, "subject")?.entity("subject")
    }

    /// The action, whole.
    pub(super) fn action(&self) -> Result<RawAction<'a>, String> {
        self.need(self.action, "action")?.action()
    }

    /// The resource, whole.
    pub(super) fn resource(&self) -> Result<RawEntity<'a>, String> {
        self.need(self.resource, "resource")?.entity("resource")
    }

    /// The subject whose id is sought.
    pub(super) fn subject_type(&self) -> Result<RawTarget<'a>, String> {
        self.need(self.subject, "subject")?.target("subject")
    }

    /// The resource whose id is sought.
    pub(super) fn resource_type(&self) -> Result<RawTarget<'a>, String> {
        self.need(self.resource, "resource")?.target("resource")
    }

    fn need(&self, slot: Option<Slot<'a>>, name: &str) -> Result<Slot<'a>, String> {
        slot.ok_or_else(|| format!("`{}{name}` is missing", self.at))
    }

    /// The context without what in it is for Palisade; and whether reasons are wanted.
    pub(super) fn context(&self) -> Result<(Option<Cow<'a, Object<'a>>>, bool), String> {
        let context = match self.context {
            Some(slot) => Some(slot.object("context")?),
            None => None,
        };
        let own = context.and_then(|context| context.get(OWN_KEY));
        let explain = own
            .and_then(Json::as_object)
            .and_then(|own| own.get("explain"))
            .and_then(Json::as_bool);
        let context = context.map(|context| match own {
            Some(_) => Cow::Owned(context.without(OWN_KEY)),
            None => Cow::Borrowed(context),
        });
        Ok((context, explain.unwrap_or(false)))
    }
}

impl<'a> Slot<'a> {
    fn object(&self, name: &str) -> Result<&'a Object<'a>, String> {
        self.json.as_object().ok_or_else(|| {
            let kind = self.json.kind();
            format!("`{}{name}` must be an object, not {kind}", self.at)
        })
    }

    fn entity(&self, name: &str) -> Result<RawEntity<'a>, String> {
        let object = self.object(name)?;
        Ok(RawEntity {
            type_name: self.identifier(object, name, "type")?,
            id: self.identifier(object, name, "id")?,
            properties: self.properties(object, name)?,
        })
    }

    /// An entity whose id does not matter.
    fn target(&self, name: &str) -> Result<RawTarget<'a>, String> {
        let object = self.object(name)?;
        Ok(RawTarget {
            type_name: self.identifier(object, name, "type")?,
            properties: self.properties(object, name)?,
        })
    }

    fn action(&self) -> Result<RawAction<'a>, String> {
        let object = self.object("action")?;
        Ok(RawAction {
            name: self.identifier(object, "action", "name")?,
            properties: self.properties(object, "action")?,
        })
    }

    /// A required string. An empty one is a string like any other.
    fn identifier(&self, object: &'a Object<'a>, name: &str, key: &str) -> Result<&'a str, String> {
        let at = self.at;
        let json = object
            .non_null(key)
            .or_else(|| self.fallback.and_then(|fallback| fallback.non_null(key)))
            .ok_or_else(|| format!("`{at}{name}.{key}` is missing"))?;
        json.as_str().ok_or_else(|| {
            let kind = json.kind();
            format!("`{at}{name}.{key}` must be a string, not {kind}")
        })
    }

    fn properties(
        &self,
        object: &'a Object<'a>,
        name: &str,
    ) -> Result<Option<&'a Object<'a>>, String> {
        let Some(json) = object.non_null("properties") else {
            return Ok(None);
        };
        json.as_object().map(Some).ok_or_else(|| {
            let kind = json.kind();
            format!(
                "`{}{name}.properties` must be an object, not {kind}",
                self.at
            )
        })
    }
}

/// One question of the right shape.
pub(super) struct Question<'a> {
    principal: RawEntity<'a>,
    action: RawAction<'a>,
    resource: RawEntity<'a>,
    context: Option<Cow<'a, Object<'a>>>,
    /// The caller wants reasons.
    pub(super) explain: bool,
}

impl Question<'_> {
    /// What the core is asked.
    pub(super) fn raw(&self) -> RawQuery<'_> {
        RawQuery {
            principal: self.principal,
            action: self.action,
            resource: self.resource,
            context: self.context.as_deref(),
        }
    }
}
