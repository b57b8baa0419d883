//! The JUnit report held against the two schemas that go by the name: `junit-10.xsd` of Jenkins' xUnit plugin, and the older
//! one of Windy Road, which asks for more.

use std::fs;
use std::process::ExitCode;

use crate::Folder;

/// An element of XML as far as the report has them.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn attribute(&self, name: &str) -> &str {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|(known, _)| known == name);
        &found
            .unwrap_or_else(|| panic!("{} has no {name}", self.name))
            .1
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Reads a document strictly: what is not well-formed panics.
fn parse(text: &str) -> Element {
    let text = text
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        .expect("a declaration");
    let mut open = vec![Element::default()];
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let inside = &rest[..at];
        assert!(!inside.contains('>'), "{inside}");
        open.last_mut().unwrap().text += &unescaped(inside);
        let (tag, after) = rest[at + 1..].split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let done = open.pop().unwrap();
            assert_eq!(done.name, name);
            open.last_mut().unwrap().children.push(done);
            continue;
        }
        let (tag, empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut element = Element {
            name: name.to_owned(),
            ..Element::default()
        };
        while !attributes.trim().is_empty() {
            let (key, after) = attributes
                .trim_start()
                .split_once("=\"")
                .expect("key=\"value\"");
            let (value, after) = after.split_once('"').expect("a value ends");
            assert!(
                element.attributes.iter().all(|(known, _)| known != key),
                "{key} twice"
            );
            element.attributes.push((key.to_owned(), unescaped(value)));
            attributes = after;
        }
        if empty {
            open.last_mut().unwrap().children.push(element);
        } else {
            open.push(element);
        }
    }
    assert_eq!(open.len(), 1, "an element is not closed");
    open.pop().unwrap().children.pop().unwrap()
}

fn unescaped(text: &str) -> String {
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
        assert!(
            known.iter().any(|entity| text[at..].starts_with(entity)),
            "{text}"
        );
    }
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"");
    text.replace("&amp;", "&")
}

/// What both schemas allow at once: the attributes an element must have, those it may have, and its children in order.
const SCHEMA: [(&str, &[&str], &[&str]); 8] = [
    ("testsuites", &[], &["testsuite"]),
    (
        "testsuite",
        &[
            "package",
            "id",
            "name",
            "timestamp",
            "hostname",
            "tests",
            "failures",
            "errors",
            "time",
        ],
        &["properties", "testcase", "system-out", "system-err"],
    ),
    ("properties", &[], &[]),
    (
        "testcase",
        &["name", "classname", "time"],
        &["error", "failure"],
    ),
    ("error", &["message", "type"], &[]),
    ("failure", &["message", "type"], &[]),
    ("system-out", &[], &[]),
    ("system-err", &[], &[]),
];

fn validate(element: &Element) {
    let (_, attributes, children) = SCHEMA
        .iter()
        .find(|(name, ..)| *name == element.name)
        .unwrap_or_else(|| panic!("<{}> is in no schema", element.name));
    let mut wanted: Vec<&str> = attributes.to_vec();
    let mut found: Vec<&str> = element.attributes.iter().map(|(name, _)| &**name).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted, "attributes of <{}>", element.name);
    let order: Vec<usize> = element
        .children
        .iter()
        .map(|child| {
            let mut known = children.iter();
            let place = known.position(|name| *name == child.name);
            place.unwrap_or_else(|| panic!("<{}> in <{}>", child.name, element.name))
        })
        .collect();
    assert!(
        order.is_sorted(),
        "children of <{}>: {order:?}",
        element.name
    );
    for name in ["tests", "failures", "errors", "id"] {
        if attributes.contains(&name) {
            element.attribute(name).parse::<u32>().unwrap();
        }
    }
    if attributes.contains(&"time") {
        let time = element.attribute("time");
        let digits = time.split_once('.').expect("a decimal fraction");
        assert!(
            [digits.0, digits.1]
                .iter()
                .all(|d| d.chars().all(|c| c.is_ascii_digit())),
            "{time}"
        );
    }
    if attributes.contains(&"timestamp") {
        let shape: String = element
            .attribute("timestamp")
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "0000-00-00T00:00:00");
    }
    for one in ["properties", "system-out", "system-err"] {
        if children.contains(&one) {
            assert_eq!(element.named(one).count(), 1, "{one} stands once");
        }
    }
    element.children.iter().for_each(validate);
}

#[test]
fn the_report_is_valid_and_counts_what_it_holds() {
    let folder = Folder::new();
    folder.edit("k8s/canary.yaml", "threshold: 3", "threshold: 1");
    folder.edit(
        "ten-pods.toml",
        "outcome = \"rolled-back\"",
        "events = [\"<none> & \\\"such\\\"\"]",
    );
    folder.edit("slow-start.toml", "rate = \"20/s\"", "rate = 20");
    let report = folder.path("reports/junit.xml");
    let (code, printed) = folder.check("", &["--junit", report.to_str().unwrap()]);
    assert_eq!(code, ExitCode::from(2), "{printed}");
    let root = parse(&fs::read_to_string(&report).unwrap());
    assert_eq!(root.name, "testsuites");
    validate(&root);
    let suite = &root.children[0];
    let cases: Vec<&Element> = suite.named("testcase").collect();
    let having = |name: &str| {
        cases
            .iter()
            .filter(|case| case.named(name).count() > 0)
            .count()
    };
    for (attribute, count) in [
        ("tests", cases.len()),
        ("failures", having("failure")),
        ("errors", having("error")),
    ] {
        assert_eq!(suite.attribute(attribute), count.to_string(), "{attribute}");
    }
    assert_eq!((cases.len(), having("error")), (6, 1));
    let case = |name: &str| {
        cases
            .iter()
            .find(|case| case.attribute("name") == name)
            .unwrap()
    };
    let failure = &case("ten-pods.toml").children[0];
    assert_eq!(failure.attribute("type"), "expectation");
    assert!(
        failure
            .attribute("message")
            .contains("an event with \"<none> & \"such\"\""),
        "{failure:?}"
    );
    let failure = &case("failing.toml").children[0];
    assert_eq!(failure.attribute("type"), "baseline");
    assert!(
        failure
            .text
            .contains("changed: Canary web: spec.analysis.threshold 3 → 1"),
        "{failure:?}"
    );
    assert!(
        case("slow-start.toml").children[0]
            .text
            .contains("needs a unit")
    );
}
