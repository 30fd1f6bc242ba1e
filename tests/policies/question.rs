//! A situation as a question, in both shapes it can be asked in.

use palisade::authz::{
    Answer, CedarQuery, Json, OnPolicyError, RawAction, RawEntity, RawQuery, Snapshot,
};
use serde_json::{Value, json};

use crate::{
    model::{Context, Person, Resource, Role, Situation, Someone, Status},
    world::{World, reference},
};

/// How deep the JSON of a question may nest.
const MAX_DEPTH: usize = 32;

/// A question about the shared world.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) principal: String,
    pub(crate) action: &'static str,
    pub(crate) resource_type: &'static str,
    pub(crate) resource: String,
    /// As Cedar writes it: entities as `__entity`.
    pub(crate) context: Value,
    /// Entities that come with it, with their parents.
    pub(crate) inline: Vec<Value>,
    /// As AuthZEN callers write it: ids where the schema knows the type.
    plain_context: Value,
    /// The attributes of the resource, as AuthZEN callers write them.
    properties: Value,
}

impl Question {
    pub(crate) fn of(situation: &Situation, world: &mut World) -> Self {
        let Situation {
            action,
            person,
            resource,
            ..
        } = *situation;
        let mut question = Self {
            principal: world.person(person),
            action,
            resource_type: resource.type_name(),
            resource: String::new(),
            context: json!({}),
            inline: Vec::new(),
            plain_context: json!({}),
            properties: Value::Null,
        };
        question.resource = question.take_resource(situation, world);
        question.take_context(situation, world);
        question
    }

    fn take_resource(&mut self, situation: &Situation, world: &mut World) -> String {
        let Situation {
            person,
            resource,
            place,
            ..
        } = *situation;
        match resource {
            Resource::Annotation => self.take_annotation(situation, world),
            Resource::Member(someone) => world.someone(person, someone),
            Resource::MemberReport(subject, in_project) => {
                self.take_report(situation, world, subject, in_project)
            }
            Resource::Organization(home) => world.organization(person, home),
            Resource::Project => world.project(person, place),
            Resource::Task => self.take_task(situation, world),
            Resource::Workspace => world.workspace(person, place),
        }
    }

    fn take_task(&mut self, situation: &Situation, world: &mut World) -> String {
        let Situation {
            person,
            place,
            work,
            ..
        } = *situation;
        let project = world.project(person, place);
        let id = format!(
            "{project}/{}{}{}",
            u8::from(work.annotator),
            u8::from(work.reviewer),
            u8::from(work.labeled)
        );
        let people = [
            ("annotators", work.annotator),
            ("reviewers", work.reviewer),
            ("labeled_by", work.labeled),
        ];
        let other = world.someone(person, OTHER);
        let mut attrs = json!({ "project": reference("Project", &project) });
        self.properties = json!({ "project": project });
        for (key, with_me) in people {
            let mut ids = vec![other.clone()];
            ids.extend(with_me.then(|| self.principal.clone()));
            attrs[key] = ids.iter().map(|id| reference("Member", id)).collect();
            self.properties[key] = ids.into();
        }
        let parent = json!({ "type": "Project", "id": project });
        self.bring("Task", &id, &attrs, &[parent]);
        id
    }

    fn take_annotation(&mut self, situation: &Situation, world: &mut World) -> String {
        let task = self.take_task(situation, world);
        let author = match situation.work.author {
            true => self.principal.clone(),
            false => world.someone(situation.person, OTHER),
        };
        let id = format!("{task}/by-{author}");
        let attrs =
            json!({ "task": reference("Task", &task), "author": reference("Member", &author) });
        let inner = json!({ "type": "Task", "id": task, "properties": self.properties });
        self.properties = json!({ "author": author, "task": inner });
        self.bring(
            "Annotation",
            &id,
            &attrs,
            &[json!({ "type": "Task", "id": task })],
        );
        id
    }

    fn take_report(
        &mut self,
        situation: &Situation,
        world: &mut World,
        subject: Someone,
        in_project: bool,
    ) -> String {
        let Situation { person, place, .. } = *situation;
        let organization = world.organization(person, subject.is_home());
        let member = world.someone(person, subject);
        let mut id = format!("about/{member}");
        let mut attrs = json!({ "subject": reference("Member", &member) });
        let mut parents = vec![json!({ "type": "Organization", "id": organization })];
        self.properties = json!({ "subject": member });
        if in_project {
            let project = world.project(person, place);
            id = format!("{id}/in/{project}");
            attrs["project"] = reference("Project", &project);
            parents.push(json!({ "type": "Project", "id": project }));
            self.properties["project"] = project.into();
        }
        self.bring("MemberReport", &id, &attrs, &parents);
        id
    }

    fn bring(&mut self, type_name: &str, id: &str, attrs: &Value, parents: &[Value]) {
        let uid = json!({ "type": type_name, "id": id });
        self.inline
            .push(json!({ "uid": uid, "attrs": attrs, "parents": parents }));
    }

    fn take_context(&mut self, situation: &Situation, world: &mut World) {
        let person = situation.person;
        match situation.context {
            Context::Assigned(None) | Context::Empty => {}
            Context::Assigned(Some(assigned)) => self.beside("has_assigned_task", assigned),
            Context::Duplicate(target, mode, ground_truth) => {
                self.beside_entity(
                    "target_workspace",
                    "Workspace",
                    &world.target(person, target),
                );
                self.beside_entity("mode", "DuplicateMode", mode);
                self.beside("ground_truth", ground_truth);
            }
            Context::Member(member) => self.beside_member(person, member, world),
            Context::Move(target) => {
                self.beside_entity(
                    "target_workspace",
                    "Workspace",
                    &world.target(person, target),
                );
            }
            Context::NewRole(role) => self.beside_entity("new_role", "Role", role.id()),
            Context::ProjectRole(member, role) => {
                self.beside_member(person, member, world);
                self.beside_entity("new_role", "ProjectRole", role);
            }
        }
    }

    fn beside_member(&mut self, person: Person, member: Someone, world: &mut World) {
        self.beside_entity("member", "Member", &world.someone(person, member));
    }

    fn beside_entity(&mut self, key: &str, type_name: &str, id: &str) {
        self.context[key] = reference(type_name, id);
        self.plain_context[key] = id.into();
    }

    fn beside(&mut self, key: &str, value: bool) {
        self.context[key] = value.into();
        self.plain_context[key] = value.into();
    }

    /// Asks as the Cedar-shaped endpoints do; attributes only, the parents are the sidecar's to compute.
    pub(crate) fn ask(&self, snapshot: &Snapshot) -> Answer {
        let orphan = |entity: &Value| {
            let mut entity = entity.clone();
            entity["parents"] = json!([]);
            entity
        };
        let inline: Value = self.inline.iter().map(orphan).collect();
        let [inline, context, principal, action, resource] = [
            inline.to_string(),
            self.context.to_string(),
            uid("Member", &self.principal),
            uid("Action", self.action),
            uid(self.resource_type, &self.resource),
        ];
        let [inline, context, principal, action, resource] =
            [&inline, &context, &principal, &action, &resource].map(|text| parse(text));
        let entities = snapshot.cedar_entities(None, Some(&inline)).unwrap();
        let query = CedarQuery {
            principal: &principal,
            action: &action,
            resource: &resource,
            context: Some(&context),
        };
        let query = snapshot.cedar_query(&query, &entities).unwrap();
        snapshot.decide(&query, OnPolicyError::Deny)
    }

    /// Asks as the AuthZEN endpoints do.
    pub(crate) fn ask_with_properties(&self, snapshot: &Snapshot) -> Answer {
        let (context, properties) = (self.plain_context.to_string(), self.properties.to_string());
        let (context, properties) = (parse(&context), parse(&properties));
        let query = snapshot.query(&RawQuery {
            principal: RawEntity {
                type_name: "Member",
                id: &self.principal,
                properties: None,
            },
            action: RawAction {
                name: self.action,
                properties: None,
            },
            resource: RawEntity {
                type_name: self.resource_type,
                id: &self.resource,
                properties: properties.as_object(),
            },
            context: context.as_object(),
        });
        snapshot.decide(&query, OnPolicyError::Deny)
    }
}

/// Somebody else, where somebody else is needed.
const OTHER: Someone = Someone::Colleague(Role::Annotator, Status::Active);

fn uid(type_name: &str, id: &str) -> String {
    json!({ "type": type_name, "id": id }).to_string()
}

fn parse(text: &str) -> Json<'_> {
    Json::parse(text.as_bytes(), MAX_DEPTH).unwrap()
}
