//! Every cell of both tables, in every situation, in every edition.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    thread,
};

use palisade::authz::{Answer, Decision, Outcome, Snapshot, Sources};

use crate::{
    editions::{Edition, compile, golden},
    expected::expected,
    model::{Role, Situation},
    question::Question,
    situations::situations,
    tables::{Cell, Key, cells, questions},
    world::World,
};

/// Every situation with its question, and the data they are all asked about.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) world: World,
    pub(crate) situations: Vec<(Situation, Question)>,
}

impl Asked {
    pub(crate) fn everything() -> Self {
        let mut world = World::default();
        let mut asked = Vec::new();
        for (action, resource_type) in questions() {
            let action: &'static str = Box::leak(action.into_boxed_str());
            let all: BTreeSet<Situation> = situations(action, &resource_type).into_iter().collect();
            for situation in all {
                let question = Question::of(&situation, &mut world);
                asked.push((situation, question));
            }
        }
        Self {
            world,
            situations: asked,
        }
    }
}

/// The cell a situation belongs to; a member without a role is in none, and never permitted.
pub(crate) fn cell_of<'c>(
    cells: &'c BTreeMap<Key, Cell>,
    situation: &Situation,
) -> Option<&'c Cell> {
    let cell = cells.get(&key_of(situation));
    let has_role = situation.effective_role() != Role::None;
    assert_eq!(cell.is_some(), has_role, "no cell for: {situation}");
    cell
}

/// The scope word of that cell.
pub(crate) fn scope_of<'c>(cells: &'c BTreeMap<Key, Cell>, situation: &Situation) -> &'c str {
    cell_of(cells, situation).map_or("never", |cell| &cell.scope)
}

fn key_of(situation: &Situation) -> Key {
    let resource_type = situation.resource.type_name().to_owned();
    (
        situation.action.to_owned(),
        resource_type,
        situation.effective_role(),
    )
}

/// What was seen of a cell.
#[derive(Clone, Copy, Default)]
struct Seen {
    permits: usize,
    denies: usize,
}

/// What was seen of an edition.
#[derive(Default)]
struct Walk {
    cells: BTreeMap<Key, Seen>,
    determining: BTreeSet<String>,
    failures: Vec<String>,
}

impl Walk {
    fn of(edition: Edition, snapshot: &Snapshot, asked: &[(Situation, Question)]) -> Self {
        let mut walk = Self::default();
        let cells = cells(edition);
        let walked = |(situation, _): &&(Situation, Question)| edition.is_walked(situation.action);
        for (index, (situation, question)) in asked.iter().filter(walked).enumerate() {
            let expected = expected(edition, scope_of(&cells, situation), situation);
            let answer = question.ask(snapshot);
            let mut wrong = deviation(expected, &answer).map(|why| ("", why));
            // Both ways in lead to one decision; a part shows it. 5 has no factor with the cycles of
            // facts and contexts in common, so that all of them get their turn.
            if wrong.is_none() && index % 5 == 0 {
                let other = question.ask_with_properties(snapshot);
                wrong = deviation(expected, &other).map(|why| (" with properties", why));
            }
            if let Some((how, why)) = wrong {
                let row = cell_of(&cells, situation).map_or("-", |cell| &cell.row);
                let (edition, role) = (edition.name(), situation.effective_role().column());
                let failure = format!("{edition}, {row}, {role}{how}: {situation}\n  {why}");
                walk.failures.push(failure);
            }
            walk.determining.extend(answer.policies);
            let seen = walk.cells.entry(key_of(situation)).or_default();
            match expected {
                true => seen.permits += 1,
                false => seen.denies += 1,
            }
        }
        walk
    }

    fn merge(&mut self, other: Self) {
        for (key, seen) in other.cells {
            let sum = self.cells.entry(key).or_default();
            sum.permits += seen.permits;
            sum.denies += seen.denies;
        }
        self.determining.extend(other.determining);
        self.failures.extend(other.failures);
    }
}

/// How an answer is not the expected one. Errors and diagnostics are expected of none.
fn deviation(expected: bool, answer: &Answer) -> Option<String> {
    let got = answer.decision() == Decision::Allow;
    let is_error = answer.outcome == Outcome::Error || !answer.errors.is_empty();
    if got == expected && !is_error && answer.diagnostics.is_empty() {
        return None;
    }
    let word = |permit| if permit { "permit" } else { "deny" };
    let (expected, got) = (word(expected), word(got));
    let Answer {
        policies,
        errors,
        diagnostics,
        ..
    } = answer;
    Some(format!(
        "expected {expected}, got {got} by {policies:?}; errors {errors:?}; diagnostics {diagnostics:?}"
    ))
}

/// Walks all situations of an edition on two threads.
fn walk(edition: Edition, snapshot: &Snapshot, asked: &Asked) -> Walk {
    let (first, second) = asked.situations.split_at(asked.situations.len() / 2);
    let mut walk = thread::scope(|scope| {
        let second = scope.spawn(|| Walk::of(edition, snapshot, second));
        let mut walk = Walk::of(edition, snapshot, first);
        walk.merge(second.join().unwrap());
        walk
    });
    walk.failures.sort();
    walk
}

#[test]
fn every_cell_of_the_table_is_decided_as_printed() {
    let asked = Asked::everything();
    let mut coverage = String::new();
    let (mut policies, mut determining) = (BTreeSet::new(), BTreeSet::new());
    for edition in Edition::ALL {
        let snapshot = compile(&Sources {
            entities: vec![asked.world.source()],
            ..edition.sources()
        });
        let walk = walk(edition, &snapshot, &asked);
        let shown: Vec<&String> = walk.failures.iter().take(10).collect();
        assert!(
            shown.is_empty(),
            "{} wrong: {shown:#?}",
            walk.failures.len()
        );
        every_cell_is_exercised(edition, &walk);
        describe(edition, &walk, &mut coverage);
        policies.extend(snapshot.policies().iter().map(|policy| policy.id.clone()));
        determining.extend(walk.determining);
    }
    // An overlay may take every say from a policy of the base; then it has it in the base edition.
    every_policy_decides_something(&policies, &determining);
    golden("oracle-coverage.txt", &coverage);
}

fn every_cell_is_exercised(edition: Edition, walk: &Walk) {
    for (key, cell) in walked_cells(edition) {
        let Seen { permits, denies } = walk.cells.get(&key).copied().unwrap_or_default();
        let name = edition.name();
        assert!(denies > 0, "{name}: nothing is denied in {key:?}");
        // The Owner's transfer has no cell that permits, nor has any other `never`.
        assert_eq!(
            permits > 0,
            cell.scope != "never",
            "{name}: {permits} permits in {key:?}, {cell:?}"
        );
    }
}

fn every_policy_decides_something(policies: &BTreeSet<String>, determining: &BTreeSet<String>) {
    let idle: Vec<&String> = policies.difference(determining).collect();
    assert!(idle.is_empty(), "policies that never decide: {idle:?}");
}

fn walked_cells(edition: Edition) -> BTreeMap<Key, Cell> {
    let mut cells = cells(edition);
    cells.retain(|(action, ..), _| edition.is_walked(action));
    cells
}

fn describe(edition: Edition, walk: &Walk, out: &mut String) {
    let cells = walked_cells(edition);
    let (mut permits, mut denies) = (0, 0);
    for seen in walk.cells.values() {
        permits += seen.permits;
        denies += seen.denies;
    }
    let name = edition.name();
    writeln!(
        out,
        "{name}: {} cells, {permits} permits, {denies} denies",
        cells.len()
    )
    .unwrap();
    let mut lines: Vec<String> = Vec::new();
    for (key, cell) in &cells {
        let Seen { permits, denies } = walk.cells.get(key).copied().unwrap_or_default();
        let (action, resource_type, role) = key;
        let (row, scope, role) = (&cell.row, &cell.scope, role.column());
        lines.push(format!(
            "{row} {action} {resource_type} {role}: {scope}: {permits} permits, {denies} denies"
        ));
    }
    lines.sort();
    writeln!(out, "{}\n", lines.join("\n")).unwrap();
}
