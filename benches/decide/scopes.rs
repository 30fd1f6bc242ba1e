//! One decision by fifty policies of one scope's shape, of which at least one permits.

use crate::{
    Case,
    ask::Ask,
    core_alone, measure,
    sets::{self, FEWEST_POLICIES, Set},
    table,
};

/// Each with the number of the policy in it.
const SHAPES: [&str; 11] = [
    "principal, action, resource",
    r#"principal, action == Action::"ACTION", resource"#,
    r#"principal, action in [Action::"ACTION", Action::"a999"], resource"#,
    r#"principal == User::"USER", action, resource"#,
    r#"principal in Team::"TEAM", action, resource"#,
    "principal is PERSON, action, resource",
    r#"principal is PERSON in Team::"TEAM", action, resource"#,
    r#"principal, action, resource == Task::"TASK""#,
    r#"principal, action, resource in Project::"PROJECT""#,
    "principal, action, resource is THING",
    r#"principal is PERSON in Team::"TEAM", action == Action::"ACTION", resource is THING in Project::"PROJECT""#,
];

pub(crate) fn run(rounds: usize) {
    let snapshots = SHAPES.map(|shape| {
        let policies = (0..FEWEST_POLICIES).map(|number| policy(shape, number));
        core_alone::compiled(Set {
            policies: vec![policies.collect()],
            ..Set::of_entities(1_000)
        })
    });
    let user_and_task = |number: usize| (sets::user(number), sets::task(number * 10 % 50));
    let asks: Vec<Ask> = (0..FEWEST_POLICIES)
        .map(user_and_task)
        .map(|(user, task)| Ask::new(("User", &user), "view", ("Task", &task), true))
        .collect();
    let cases = snapshots.each_ref().map(|snapshot| Case {
        snapshot,
        asks: &asks,
    });
    let names = SHAPES.map(|shape| format!("`{shape}`"));
    table(
        "50 policies with this scope",
        &names,
        &measure(rounds, &cases),
    );
}

/// Names what one question in fifty is about, where there are so many to name; else every tenth
/// names what all questions are about.
fn policy(shape: &str, number: usize) -> String {
    let asked = number.is_multiple_of(10);
    let other = |asked_for: &str, other: &str| if asked { asked_for } else { other }.to_owned();
    let action = other("view", &format!("a{number}"));
    // Every user is in the only team there is, and every task of these in the first project.
    let team = if asked { 0 } else { number };
    let scope = shape
        .replace("ACTION", &action)
        .replace("USER", &sets::user(number))
        .replace("TEAM", &sets::team(team))
        .replace("TASK", &sets::task(number))
        .replace("PROJECT", &sets::project(number))
        .replace("PERSON", &other("User", "Robot"))
        .replace("THING", &other("Task", "Draft"));
    format!(
        "@id(\"p{number}\") permit ({scope}) when {{ principal has level && principal.level >= 0 }};\n"
    )
}
