//! Kubernetes YAML as people write it: several documents in a file, each an object of some kind, with positions.
//!
//! Scalars are read as the API server's tools read them (YAML 1.1: `yes` is true, `0755` is octal), `null` counts as
//! absent, and a `List` is its items. What an object means is not looked at here.

use std::ops::Range;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Location, Spanned};

use crate::diagnostic::{Content, Diagnostic, Key, Node, Place, SourceText};

/// Largest file read, in bytes.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Most documents in one file.
pub const MAX_DOCUMENTS: usize = 1_000;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 64;
/// Most values in one file, those that aliases stand for counted each time.
pub const MAX_NODES: usize = 200_000;

/// An object, as written.
#[derive(Clone, Debug)]
pub struct Document {
    /// API group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// `metadata.name`; empty where there is none.
    pub name: String,
    /// The whole object, with places. Its root is a table.
    pub node: Node,
}

impl Document {
    /// The document in a tree, which must name its kind.
    pub fn new(node: Node) -> Result<Document, Diagnostic> {
        if !matches!(node.content, Content::Table(_)) {
            return Err(
                Diagnostic::new("a manifest must be a map of keys to values")
                    .at(&node.place.0, node.place.1.clone())
                    .help("it needs at least `apiVersion`, `kind` and `metadata`"),
            );
        }
        let api_version = required(&node, "apiVersion")?;
        let kind = required(&node, "kind")?;
        let name = match node.pointer("/metadata/name") {
            None => String::new(),
            Some(name) => text(name, "metadata.name")?,
        };
        Ok(Document {
            api_version,
            kind,
            name,
            node,
        })
    }

    /// Where a JSON pointer (`/spec/targetRef/name`) leads, or the nearest part above it that was written.
    pub fn place_of(&self, pointer: &str) -> Place {
        self.node.place_of(pointer)
    }
}

/// Every document of a file as values with places.
fn nodes(source: &Arc<SourceText>) -> Result<Vec<Node>, Diagnostic> {
    if source.text.len() > MAX_FILE_BYTES {
        return Err(Diagnostic::new(format!(
            "`{}` has {} bytes; at most {MAX_FILE_BYTES} are read",
            source.name,
            source.text.len()
        )));
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        emit_comments: false,
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS,
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
        },
    };
    let documents: Vec<Spanned<Yaml>> =
        serde_saphyr::from_multiple_with_options(&source.text, options)
            .map_err(|error| syntax(source, &error))?;
    Ok(documents
        .into_iter()
        .map(|yaml| node(yaml, source, None))
        .collect())
}

/// Whether any document of a file says what kind of object it is, as the values of a Helm chart do not.
pub fn names_a_kind(source: &Arc<SourceText>) -> Result<bool, Diagnostic> {
    Ok(nodes(source)?.iter().any(|node| node.get("kind").is_some()))
}

/// Reads every document of a file.
pub fn read(source: &Arc<SourceText>) -> Result<Vec<Document>, Diagnostic> {
    let mut found = Vec::new();
    for node in nodes(source)? {
        let node = Document::new(node)?;
        if node.kind == "List" && node.api_version == "v1" {
            let items = node.node.get("items").map_or(&[][..], Node::elements);
            for item in items {
                found.push(Document::new(item.clone())?);
            }
        } else {
            found.push(node);
        }
    }
    Ok(found)
}

fn required(node: &Node, key: &str) -> Result<String, Diagnostic> {
    match node.get(key) {
        Some(value) => text(value, key),
        None => Err(Diagnostic::new(format!("the manifest has no `{key}`"))
            .at(&node.place.0, node.place.1.clone())
            .help("every Kubernetes object names its `apiVersion` and `kind`")),
    }
}

fn text(node: &Node, key: &str) -> Result<String, Diagnostic> {
    match node.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Diagnostic::new(format!("`{key}` must be a string"))
            .at(&node.place.0, node.place.1.clone())
            .help("put it in quotes")),
    }
}

fn syntax(source: &Arc<SourceText>, error: &Error) -> Diagnostic {
    let diagnostic = Diagnostic::new(format!("not readable as YAML: {}", fault(error)));
    match error.location() {
        Some(location) => diagnostic.at(source, range(&source.text, &location)),
        None => diagnostic.at(source, 0..0),
    }
}

/// The library speaks to programmers; where that shows, this speaks to the user.
fn fault(error: &Error) -> String {
    match error.without_snippet() {
        Error::AliasError { error, .. } => fault(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{}` is given twice", key.escape_debug())
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias leads to itself".to_owned(),
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => format!("it nests more than {MAX_DEPTH} deep"),
            BudgetBreach::Documents { .. } => format!("it has more than {MAX_DOCUMENTS} documents"),
            BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
                format!("it has more than {MAX_NODES} values")
            }
            _ => "its anchors and aliases are more than are followed".to_owned(),
        },
        Error::AliasReplayLimitExceeded { .. } => {
            format!("its aliases stand for more than {MAX_NODES} values")
        }
        other => {
            // It ends with the position, which the snippet shows.
            let whole = other.to_string();
            whole.split(" at line ").next().unwrap_or(&whole).to_owned()
        }
    }
}

/// The bytes a location stands for. Some errors know their position in characters only.
fn range(text: &str, location: &Location) -> Range<usize> {
    let span = location.span();
    if let (Some(start), Some(len)) = (span.byte_offset(), span.byte_len()) {
        return start as usize..(start + len) as usize;
    }
    let mut starts = text.char_indices().map(|(byte, _)| byte);
    let start = starts
        .by_ref()
        .nth(span.offset() as usize)
        .unwrap_or(text.len());
    let end = starts
        .nth((span.len() as usize).saturating_sub(1))
        .unwrap_or(text.len());
    start..end
}

/// Gives a value its place. A block has no width of its own: the key above it stands for it, else its own first part.
fn node(yaml: Spanned<Yaml>, source: &Arc<SourceText>, above: Option<&Place>) -> Node {
    let at = |location: &Location| (Arc::clone(source), range(&source.text, location));
    let own = at(&yaml.defined);
    let content = match yaml.value {
        Yaml::Null => Content::Null,
        Yaml::Bool(b) => Content::Bool(b),
        Yaml::Number(n) => Content::Number(n),
        Yaml::Text(text) => Content::Text(text),
        Yaml::List(elements) => {
            let elements = elements.into_iter().map(|e| node(e, source, None));
            Content::List(elements.collect())
        }
        Yaml::Table(entries) => {
            let entries = entries
                .into_iter()
                .filter(|(_, value)| !matches!(value.value, Yaml::Null))
                .map(|(key, value)| {
                    let place = at(&key.defined);
                    let value = node(value, source, Some(&place));
                    let name = key.value;
                    (Key { name, place }, value)
                });
            Content::Table(entries.collect())
        }
    };
    let first = || match &content {
        Content::List(elements) => elements.first().map(|element| element.place.clone()),
        Content::Table(entries) => entries.first().map(|(key, _)| key.place.clone()),
        _ => None,
    };
    let place = match own.1.is_empty() {
        true => above.cloned().or_else(first).unwrap_or(own),
        false => own,
    };
    Node { content, place }
}

/// A YAML value before it gets its places.
enum Yaml {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Spanned<Yaml>>),
    Table(Vec<(Spanned<String>, Spanned<Yaml>)>),
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Yaml, E> {
        Ok(Yaml::Number(n.into()))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Yaml, E> {
        Ok(Yaml::Number(n.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Yaml, E> {
        serde_json::Number::from_f64(n)
            .map(Yaml::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Yaml, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Yaml::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            table.push(entry);
        }
        Ok(Yaml::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str) -> Result<Vec<Document>, Diagnostic> {
        read(&SourceText::new("a.yaml", text))
    }

    fn message(text: &str) -> String {
        documents(text).expect_err("a mistake").message
    }

    #[test]
    fn a_file_holds_many_objects_and_empty_documents_count_for_nothing() {
        let found = documents(
            "---\n# nothing\n---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\n\
             apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n\
             - {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n",
        )
        .unwrap();
        let names: Vec<_> = found.iter().map(|d| (&*d.kind, &*d.name)).collect();
        assert_eq!(
            names,
            [("Service", "a"), ("Secret", "b"), ("ConfigMap", "c")]
        );
        assert!(documents("").unwrap().is_empty());
    }

    #[test]
    fn scalars_are_read_as_kubectl_reads_them() {
        let text = "apiVersion: v1\nkind: X\na: yes\nb: 0755\nc: 1e3\nd: \"0755\"\ne: null\nf: 2024-01-01\n";
        let found = documents(text).unwrap();
        assert_eq!(
            found[0].node.to_json().unwrap(),
            serde_json::json!({
                "apiVersion": "v1", "kind": "X", "a": true, "b": 493, "c": 1000.0, "d": "0755", "f": "2024-01-01",
            })
        );
    }

    #[test]
    fn a_pointer_leads_to_the_text_or_to_the_nearest_part_above() {
        let text = "apiVersion: v1\nkind: X\nspec:\n  list:\n  - name: \"é\"\n    value: 3\n";
        let found = documents(text).unwrap();
        let at = |pointer: &str| {
            let (source, range) = found[0].place_of(pointer);
            source.text[range].to_owned()
        };
        for (pointer, expected) in [
            ("/spec/list/0/name", "\"é\""),
            ("/spec/list/0/value", "3"),
            ("/spec/list/0/missing", "name"),
            ("/spec/list/7", "list"),
            ("/spec/other", "spec"),
            ("", "apiVersion"),
        ] {
            assert_eq!(at(pointer), expected, "{pointer}");
        }
    }

    #[test]
    fn aliases_are_followed_but_not_into_a_flood() {
        let text = "apiVersion: v1\nkind: X\na: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n";
        let found = documents(text).unwrap();
        let json = found[0].node.to_json().unwrap();
        assert_eq!(json["b"], serde_json::json!({ "x": 1 }));
        assert_eq!(json["c"], serde_json::json!({ "x": 1, "y": 2 }));

        let mut flood = String::from("apiVersion: v1\nkind: X\nl0: &l0 [1,1,1,1,1,1,1,1,1,1]\n");
        for level in 1..10 {
            let below = format!("*l{}", level - 1);
            let list = vec![below; 10].join(",");
            flood.push_str(&format!("l{level}: &l{level} [{list}]\n"));
        }
        assert_eq!(
            message(&flood),
            "not readable as YAML: its aliases stand for more than 200000 values"
        );
    }

    #[test]
    fn limits_are_refused_in_words() {
        let (open, close) = ("[".repeat(70), "]".repeat(70));
        let deep = format!("apiVersion: v1\nkind: X\na: {open}{close}");
        let many = "apiVersion: v1\nkind: X\n---\n".repeat(MAX_DOCUMENTS + 1);
        let wide = format!("apiVersion: v1\nkind: X\na: [{}1]", "1,".repeat(MAX_NODES));
        for (text, expected) in [
            (deep, "it nests more than 64 deep"),
            (many, "it has more than 1000 documents"),
            (wide, "it has more than 200000 values"),
        ] {
            assert_eq!(message(&text), format!("not readable as YAML: {expected}"));
        }
        let large = " ".repeat(MAX_FILE_BYTES + 1);
        assert!(message(&large).contains("at most"), "{}", message(&large));
    }
}
