use std::fmt::Write;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(template: &str, target: &str, expected: Option<&[&str]>) {
    let template = Template::parse(template).unwrap_or_else(|why| panic!("{template}: {why}"));
    let parsed = Target::parse(target).unwrap();
    let values = template.values(&parsed).unwrap();
    assert_eq!(
        values.as_deref(),
        expected
            .map(|it| it
                .iter()
                .map(|it| (*it).into())
                .collect::<Vec<Cow<'_, str>>>())
            .as_deref(),
        "{template:?} {target}"
    );
}

#[test]
fn a_template_takes_the_paths_of_its_shape() {
    let project = "/api/projects/{project}";
    check(project, "/api/projects/7", Some(&["7"]));
    check(project, "/api/projects/7/", Some(&["7"]));
    check("/api/projects/{project}/", "/api/projects/7", Some(&["7"]));
    check(project, "/api/projects/a%20b?x=y", Some(&["a b"]));
    check(project, "/%61pi/projects/7", Some(&["7"]));
    for other in [
        "/",
        "/api/projects",
        "/api/projects/7/x",
        "/x/api/projects/7",
        "/API/projects/7",
        "/api/Projects/7",
    ] {
        check(project, other, None);
    }
    check("/", "/", Some(&[]));
    check("/", "/a", None);
    check("/a b", "/a%20b", Some(&[]));
    check("/{a}/x/{b}", "/1/x/2", Some(&["1", "2"]));
    check("/static/{rest...}", "/static/a/b.js", Some(&["a/b.js"]));
    check("/static/{rest...}", "/static/a", Some(&["a"]));
    check("/static/{rest...}", "/static/", None);
    check("/static/{rest...}", "/statically", None);
    check("/{rest...}", "/", None);
}

#[test]
fn a_template_may_ask_for_keys_of_the_query() {
    let tasks = "/api/tasks?project={project}";
    check(tasks, "/api/tasks/?page=1&project=7", Some(&["7"]));
    check(tasks, "/api/tasks", None);
    check(tasks, "/api/tasks?page=1", None);
    let action = "/api/dm/actions?id=delete_tasks&project={project}";
    check(
        action,
        "/api/dm/actions?project=7&id=delete_tasks",
        Some(&["7"]),
    );
    check(action, "/api/dm/actions?project=7&id=next_task", None);
    check(action, "/api/dm/actions?project=7", None);
    let template = Template::parse(tasks).unwrap();
    let twice = Target::parse("/api/tasks?project=7&project=8").unwrap();
    assert_eq!(template.values(&twice), Err(Ambiguous::QueryKey));
    // Of another path, it says nothing about this one.
    let other = Target::parse("/api/users?project=7&project=8").unwrap();
    assert_eq!(template.values(&other), Ok(None));
}

#[test]
fn what_is_no_template_is_told() {
    let part = |text: &str| BadTemplate::Part(text.to_owned());
    let pair = |text: &str| BadTemplate::Pair(text.to_owned());
    for (text, expected) in [
        ("", BadTemplate::Path),
        ("api", BadTemplate::Path),
        ("//", BadTemplate::Path),
        ("/a//b", BadTemplate::Path),
        ("/a/../b", part("..")),
        ("/.", part(".")),
        ("/a/x{b}", part("x{b}")),
        ("/a/{b", part("{b")),
        ("/a/{}", part("{}")),
        ("/a/{b-c}", part("{b-c}")),
        ("/a%20b", part("a%20b")),
        ("/a;b", part("a;b")),
        ("/a\\b", part("a\\b")),
        ("/{a}/{a}", BadTemplate::Twice("a".to_owned())),
        ("/{a...}/b", BadTemplate::Rest("a".to_owned())),
        ("/{a...}/{b...}", BadTemplate::Rest("a".to_owned())),
        ("/a?", pair("")),
        ("/a?b", pair("b")),
        ("/a?b=", pair("b=")),
        ("/a?=c", pair("=c")),
        ("/a?b=c%20d", pair("b=c%20d")),
        ("/a?b=1&b=2", BadTemplate::Twice("b".to_owned())),
        ("/{b}?b={b}", BadTemplate::Twice("b".to_owned())),
    ] {
        assert_eq!(Template::parse(text), Err(expected), "{text}");
    }
}

#[test]
fn a_template_covers_what_it_takes_all_of() {
    let check = |one: &str, other: &str, expected: bool| {
        let [one, other] = [one, other].map(|text| Template::parse(text).unwrap());
        assert_eq!(one.covers(&other), expected, "{one:?} {other:?}");
    };
    check("/a/{b}", "/a/b", true);
    check("/a/{b}", "/a/{c}/", true);
    check("/a/b", "/a/{b}", false);
    check("/a/{b}", "/a/b/c", false);
    check("/{r...}", "/a/{b}", true);
    check("/a/{r...}", "/a", false);
    check("/a/{r...}", "/a/{r...}", true);
    check("/a/{b}", "/a/{r...}", false);
    check("/{x}/{r...}", "/{r...}", false);
    check("/a", "/a?b=c", true);
    check("/a?b=c", "/a", false);
    check("/a?b={v}", "/a?b=c&d=e", true);
    check("/a?b=c", "/a?b={v}", false);
}

/// A path that has these values at a template's places.
fn rendered(template: &Template, values: &[Cow<'_, str>]) -> String {
    let mut path = String::new();
    let mut values = values.iter();
    for part in &template.segments {
        path.push('/');
        match part {
            Part::Literal(literal) => escape(&mut path, literal),
            Part::Value => escape(&mut path, values.next().unwrap()),
        }
    }
    if template.rest {
        for segment in values.next().unwrap().split('/') {
            path.push('/');
            escape(&mut path, segment);
        }
    }
    if path.is_empty() {
        "/".to_owned()
    } else {
        path
    }
}

fn escape(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'.' {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02x}").unwrap();
        }
    }
}

fn templates() -> impl Strategy<Value = Template> {
    let literal = "[a-zé._-]{0,3}[a-z]".prop_map(Part::Literal);
    let part = prop_oneof![literal, Just(Part::Value)];
    let parts = proptest::collection::vec(part, 0..4);
    (parts, any::<bool>()).prop_map(|(segments, rest)| {
        let found = segments.iter().filter(|part| **part == Part::Value);
        let names = found.count() + usize::from(rest);
        Template {
            segments,
            rest,
            query: Vec::new(),
            names: (0..names).map(|at| at.to_string()).collect(),
        }
    })
}

proptest! {
    #[test]
    fn values_come_back_from_the_path_that_they_were_put_into(
        template in templates(),
        values in proptest::collection::vec("[a-zA-Z0-9 é\u{10348}:@!$&'()*+,=.~-]{0,4}[a-z]", 5),
    ) {
        let values: Vec<Cow<'_, str>> = values.into_iter().map(Cow::from).collect();
        let values = &values[..template.names.len()];
        let path = rendered(&template, values);
        let target = Target::parse(&path).unwrap();
        let found = template.values(&target).unwrap();
        prop_assert_eq!(found.as_deref(), Some(values), "{}", path);
    }

    #[test]
    fn a_path_that_is_taken_is_rendered_to_itself(
        template in templates(),
        path in "(/([a-c]|%6[1-3]|%C3%A9|%20|:|\\.a){1,2}){0,5}/?",
    ) {
        if let Ok(target) = Target::parse(&path)
            && let Ok(Some(values)) = template.values(&target)
        {
            let again = rendered(&template, &values);
            prop_assert_eq!(Target::parse(&again).unwrap(), target.clone(), "{}", again);
        }
    }
}
