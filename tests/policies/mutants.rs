//! Mutants of a policy: the effect flipped, one condition less, one role more.

use std::collections::BTreeMap;

use cedar_policy::{Policy, PolicyId};
use serde_json::{Value, json};

use crate::model::Role;

/// A policy with one change.
#[derive(Debug)]
pub(crate) struct Mutant {
    /// What was changed, as the list of survivors names it.
    pub(crate) change: String,
    pub(crate) policy: Policy,
}

/// A change, and what the thing is after it.
type Variant = (String, Value);

/// Every mutant of a policy.
pub(crate) fn mutants(policy: &Policy) -> Vec<Mutant> {
    let json = policy.to_json().unwrap();
    let mut variants = vec![flipped(&json)];
    variants.extend(with_fewer_actions(&json));
    for (index, clause) in json["conditions"].as_array().unwrap().iter().enumerate() {
        let mut without = json.clone();
        without["conditions"].as_array_mut().unwrap().remove(index);
        let kind = clause["kind"].as_str().unwrap();
        let text = format!("drop {kind} {{ {} }}", cedar(&clause["body"]));
        variants.push((text, without));
        for (change, body) in changed(&clause["body"]) {
            let mut with = json.clone();
            with["conditions"][index]["body"] = body;
            variants.push((change, with));
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mutant = |(change, json): Variant| {
        // The same words may stand in a policy twice.
        let times = seen.entry(change.clone()).or_default();
        *times += 1;
        let change = if *times == 1 {
            change
        } else {
            format!("{change} (#{times})")
        };
        let id = PolicyId::new(policy.id());
        Mutant {
            policy: Policy::from_json(Some(id), json).unwrap(),
            change,
        }
    };
    variants.into_iter().map(mutant).collect()
}

fn flipped(policy: &Value) -> Variant {
    let mut flipped = policy.clone();
    let effect = if policy["effect"] == "permit" {
        "forbid"
    } else {
        "permit"
    };
    flipped["effect"] = effect.into();
    (format!("{effect} instead"), flipped)
}

fn with_fewer_actions(policy: &Value) -> Vec<Variant> {
    let actions = policy["action"]["entities"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let without = |index: usize| {
        let mut policy = policy.clone();
        let gone = policy["action"]["entities"]
            .as_array_mut()
            .unwrap()
            .remove(index);
        (
            format!("drop the action {}", gone["id"].as_str().unwrap()),
            policy,
        )
    };
    (0..actions.len()).map(without).collect()
}

/// Every expression that differs from this one in one place.
fn changed(expression: &Value) -> Vec<Variant> {
    let (operator, operands) = node(expression);
    let mut variants = Vec::new();
    match operator {
        "&&" | "||" => {
            let operands = spine(operator, expression);
            for (index, operand) in operands.iter().enumerate() {
                let mut rest = operands.clone();
                rest.remove(index);
                variants.push((format!("drop {}", cedar(operand)), joined(operator, &rest)));
                for (change, operand) in changed(operand) {
                    let mut with = operands.clone();
                    with[index] = operand;
                    variants.push((change, joined(operator, &with)));
                }
            }
        }
        "!" => {
            let inner = &operands["arg"];
            variants.push((
                format!("drop the ! of {}", cedar(expression)),
                inner.clone(),
            ));
            let negated = |(change, inner)| (change, json!({ "!": { "arg": inner } }));
            variants.extend(changed(inner).into_iter().map(negated));
        }
        "if-then-else" => {
            for branch in ["then", "else"] {
                let text = format!("{branch} whatever {}", cedar(&operands["if"]));
                variants.push((text, operands[branch].clone()));
            }
            for part in ["if", "then", "else"] {
                for (change, inner) in changed(&operands[part]) {
                    let mut with = expression.clone();
                    with[operator][part] = inner;
                    variants.push((change, with));
                }
            }
        }
        "==" | "in" => variants.extend(with_other_roles(expression)),
        _ => {}
    }
    variants
}

/// `x == Role::"a"` and `x in [Role::"a", …]` with one role more, and with one less.
fn with_other_roles(expression: &Value) -> Vec<Variant> {
    let (operator, operands) = node(expression);
    let right = &operands["right"];
    let is_role = |value: &Value| value["Value"]["__entity"]["type"] == "Role";
    let roles: Vec<Value> = match right["Set"].as_array() {
        Some(set) if operator == "in" => set.clone(),
        None if operator == "==" => vec![right.clone()],
        _ => Vec::new(),
    };
    if roles.is_empty() || !roles.iter().all(is_role) {
        return Vec::new();
    }
    let among =
        |roles: &[Value]| json!({ "in": { "left": operands["left"], "right": { "Set": roles } } });
    let text = cedar(expression);
    let mut variants = Vec::new();
    for role in Role::ALL {
        let role_value = json!({ "Value": { "__entity": { "type": "Role", "id": role.id() } } });
        if !roles.contains(&role_value) {
            let mut more = roles.clone();
            more.push(role_value);
            variants.push((format!("add {} to {text}", role.id()), among(&more)));
        } else if roles.len() > 1 {
            let fewer: Vec<Value> = roles
                .iter()
                .filter(|role| **role != role_value)
                .cloned()
                .collect();
            variants.push((format!("take {} from {text}", role.id()), among(&fewer)));
        }
    }
    variants
}

/// The operator of an expression, and what belongs to it.
fn node(expression: &Value) -> (&str, &Value) {
    let mut entries = expression.as_object().unwrap().iter();
    let (operator, operands) = entries.next().unwrap();
    (operator, operands)
}

/// The operands of a chain of the same operator.
fn spine(operator: &str, expression: &Value) -> Vec<Value> {
    match node(expression) {
        (same, operands) if same == operator => {
            let mut all = spine(operator, &operands["left"]);
            all.extend(spine(operator, &operands["right"]));
            all
        }
        _ => vec![expression.clone()],
    }
}

fn joined(operator: &str, operands: &[Value]) -> Value {
    let join = |left, right: Value| json!({ operator: { "left": left, "right": right } });
    operands.iter().cloned().reduce(join).unwrap()
}

/// The expression in Cedar's syntax, as far as the shipped policies use it.
fn cedar(expression: &Value) -> String {
    let (operator, operands) = node(expression);
    let side = |key: &str| cedar(&operands[key]);
    let list = |items: &Value| {
        let items: Vec<String> = items.as_array().unwrap().iter().map(cedar).collect();
        items.join(", ")
    };
    match operator {
        "Var" => operands.as_str().unwrap().to_owned(),
        "Value" => match operands["__entity"].as_object() {
            Some(uid) => format!("{}::{}", uid["type"].as_str().unwrap(), uid["id"]),
            None => operands.to_string(),
        },
        "." => format!("{}.{}", side("left"), operands["attr"].as_str().unwrap()),
        "has" => format!(
            "{} has {}",
            side("left"),
            operands["attr"].as_str().unwrap()
        ),
        "!" => format!("!({})", side("arg")),
        "Set" => format!("[{}]", list(operands)),
        "contains" => format!("{}.contains({})", side("left"), side("right")),
        "==" | "!=" | "in" => format!("{} {operator} {}", side("left"), side("right")),
        "&&" | "||" => {
            let operands = spine(operator, expression);
            let operands: Vec<String> = operands.iter().map(bracketed).collect();
            operands.join(&format!(" {operator} "))
        }
        "if-then-else" => format!(
            "if {} then {} else {}",
            side("if"),
            side("then"),
            side("else")
        ),
        unknown => panic!("no words for `{unknown}`"),
    }
}

fn bracketed(expression: &Value) -> String {
    match node(expression).0 {
        "&&" | "||" => format!("({})", cedar(expression)),
        _ => cedar(expression),
    }
}
