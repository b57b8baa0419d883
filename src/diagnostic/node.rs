//! A value read from user text, with the place of every part of it.
//!
//! TOML scenarios and YAML manifests are read into the same tree, so that a scenario can patch a manifest, `--set` can
//! patch a scenario, and a mistake still points at the text it was written in. [`Node::read`] turns a tree into a typed
//! value through serde; its errors are [`Diagnostic`]s that name the key.

use std::ops::Range;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Diagnostic, SourceText, nearest, read::Reader};

/// A byte range of a text.
pub type Place = (Arc<SourceText>, Range<usize>);

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub content: Content,
    /// Where it was written.
    pub place: Place,
}

/// What a node holds: what JSON can say, and what it cannot.
#[derive(Clone, Debug)]
pub enum Content {
    /// `null`, YAML only.
    Null,
    /// A truth value.
    Bool(bool),
    /// A finite number.
    Number(serde_json::Number),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A table, in the order of its text or of its keys, as the parser gave it; keys are unique.
    Table(Vec<(Key, Node)>),
    /// What no key takes, named: a date, an infinite number.
    Foreign(&'static str),
    /// A value written without quotes where there is no other way to say which it is, as on the command line: this text
    /// where a string is wanted, else this value.
    Bare(String, Box<Content>),
}

/// A key of a table and where it was written.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Where it was written.
    pub place: Place,
}

impl Node {
    /// An empty table at a place.
    pub fn empty_table(place: Place) -> Node {
        Node {
            content: Content::Table(Vec::new()),
            place,
        }
    }

    /// Entries of a table; none for anything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.content {
            Content::Table(entries) => entries,
            _ => &[],
        }
    }

    /// Elements of a list; none for anything else.
    pub fn elements(&self) -> &[Node] {
        match &self.content {
            Content::List(elements) => elements,
            _ => &[],
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find_map(|(k, node)| (k.name == key).then_some(node))
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The node a JSON pointer (RFC 6901) leads to.
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        steps(pointer).try_fold(self, |node, step| match &node.content {
            Content::List(elements) => elements.get(step.parse::<usize>().ok()?),
            _ => node.get(&step),
        })
    }

    /// The place a JSON pointer leads to, or that of the nearest part above it that exists.
    pub fn place_of(&self, pointer: &str) -> Place {
        let mut node = self;
        for step in steps(pointer) {
            let next = match &node.content {
                Content::List(elements) => step.parse::<usize>().ok().and_then(|i| elements.get(i)),
                _ => node.get(&step),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.place.clone()
    }

    /// As JSON. What JSON cannot hold is refused where it stands.
    pub fn to_json(&self) -> Result<Value, Diagnostic> {
        let content = match &self.content {
            Content::Bare(_, value) => value,
            other => other,
        };
        Ok(match content {
            Content::Null => Value::Null,
            Content::Bool(b) => Value::Bool(*b),
            Content::Number(n) => Value::Number(n.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(elements) => elements
                .iter()
                .map(Node::to_json)
                .collect::<Result<_, _>>()?,
            Content::Table(entries) => entries
                .iter()
                .map(|(key, node)| Ok((key.name.clone(), node.to_json()?)))
                .collect::<Result<serde_json::Map<_, _>, Diagnostic>>()?
                .into(),
            Content::Foreign(what) => {
                return Err(Diagnostic::new(format!("{what} cannot stand here"))
                    .at_place(&self.place)
                    .help("write it as a string"));
            }
            Content::Bare(text, _) => Value::String(text.clone()),
        })
    }

    /// As a typed value; the error names the key and points at it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Diagnostic> {
        T::deserialize(Reader(self)).map_err(|e| e.into_diagnostic(&self.place))
    }

    /// Lays `patch` over this value: tables are merged key by key, anything else is replaced (RFC 7396).
    ///
    /// One thing is added, since Kubernetes keeps named things in lists: where this is a list and the patch a table, each key
    /// of the patch names an element, by its `name` or by its index from 0.
    pub fn patch(&mut self, patch: &Node) -> Result<(), Diagnostic> {
        let Content::Table(changes) = &patch.content else {
            *self = patch.clone();
            return Ok(());
        };
        match &mut self.content {
            Content::Table(entries) => {
                for (key, change) in changes {
                    match entries.iter_mut().find(|(k, _)| k.name == key.name) {
                        Some((_, old)) => old.patch(change)?,
                        None => entries.push((key.clone(), change.clone())),
                    }
                }
                Ok(())
            }
            Content::List(elements) => changes
                .iter()
                .try_for_each(|(key, change)| named(elements, key)?.patch(change)),
            _ => {
                *self = patch.clone();
                Ok(())
            }
        }
    }
}

/// The element of a list that a patch means.
fn named<'a>(elements: &'a mut [Node], key: &Key) -> Result<&'a mut Node, Diagnostic> {
    let names: Vec<String> = elements
        .iter()
        .filter_map(|e| Some(e.get("name")?.as_str()?.to_owned()))
        .collect();
    let by_name = elements
        .iter()
        .position(|e| e.get("name").and_then(Node::as_str) == Some(key.name.as_str()));
    let by_index = || {
        key.name
            .parse::<usize>()
            .ok()
            .filter(|&i| i < elements.len())
    };
    match by_name.or_else(by_index) {
        Some(index) => Ok(&mut elements[index]),
        None => {
            let help = match nearest::nearest(&key.name, names.iter().map(String::as_str)) {
                Some(name) => format!("did you mean `{name}`?"),
                None if elements.is_empty() => "the list is empty: give a whole one".to_owned(),
                None if names.is_empty() => {
                    let indices: Vec<String> =
                        (0..elements.len().min(9)).map(|i| i.to_string()).collect();
                    format!(
                        "elements are named by their index: {}",
                        nearest::listed(&indices)
                    )
                }
                None => format!("it has {}", nearest::listed(&names)),
            };
            Err(Diagnostic::new(format!(
                "the list has no element `{}`",
                key.name.escape_debug()
            ))
            .at(&key.place.0, key.place.1.clone())
            .help(help))
        }
    }
}

fn steps(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer
        .split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: &Value) -> Node {
        let place = (SourceText::new("json", json.to_string()), 0..0);
        let content = match json {
            Value::Null => Content::Null,
            Value::Bool(b) => Content::Bool(*b),
            Value::Number(n) => Content::Number(n.clone()),
            Value::String(text) => Content::Text(text.clone()),
            Value::Array(elements) => Content::List(elements.iter().map(node).collect()),
            Value::Object(entries) => {
                let entries = entries.iter().map(|(name, value)| {
                    let (name, place) = (name.clone(), place.clone());
                    (Key { name, place }, node(value))
                });
                Content::Table(entries.collect())
            }
        };
        Node { content, place }
    }

    #[test]
    fn patches_merge_tables_and_name_elements() {
        use serde_json::json;
        let list = json!({ "l": [{ "name": "a", "x": 1 }, { "name": "b", "x": 2 }] });
        for (target, patch, expected) in [
            (
                json!({ "a": 1, "b": { "c": 2 } }),
                json!({ "b": { "d": 3 } }),
                json!({ "a": 1, "b": { "c": 2, "d": 3 } }),
            ),
            (
                json!({ "a": [1, 2] }),
                json!({ "a": [3] }),
                json!({ "a": [3] }),
            ),
            (
                json!({ "a": 1 }),
                json!({ "a": { "b": 2 } }),
                json!({ "a": { "b": 2 } }),
            ),
            (
                json!({ "a": { "b": 2 } }),
                json!({ "a": 1 }),
                json!({ "a": 1 }),
            ),
            (
                list.clone(),
                json!({ "l": { "b": { "x": 5 } } }),
                json!({ "l": [{ "name": "a", "x": 1 }, { "name": "b", "x": 5 }] }),
            ),
            (
                list.clone(),
                json!({ "l": { "0": { "name": "c" } } }),
                json!({ "l": [{ "name": "c", "x": 1 }, { "name": "b", "x": 2 }] }),
            ),
        ] {
            let mut patched = node(&target);
            patched.patch(&node(&patch)).unwrap();
            assert_eq!(patched.to_json().unwrap(), expected, "{target} {patch}");
        }
        let refused = node(&list).patch(&node(&json!({ "l": { "2": {} } })));
        assert_eq!(refused.unwrap_err().message, "the list has no element `2`");
    }

    #[test]
    fn pointers_are_those_of_rfc_6901() {
        let tree = node(&serde_json::json!({ "a/b": [{ "~": 7 }] }));
        let found = tree.pointer("/a~1b/0/~0").unwrap().to_json().unwrap();
        assert_eq!(found, 7);
        assert!(tree.pointer("/a~1b/1").is_none());
        assert!(tree.pointer("/a").is_none());
    }
}
