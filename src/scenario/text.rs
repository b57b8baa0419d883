//! TOML text into a tree with places, and `--set` laid over it.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Content, Diagnostic, Key, Node, SourceText};

/// A value given on the command line: `--set traffic.rate=50/s`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The key as in the file, with dots: `traffic.rate`, `versions.v2.env.FAIL_RATE`, `events.0.at`.
    pub key: String,
    /// A TOML value; what is none is taken as a string, and so is a bare number where the key wants a string.
    pub value: String,
}

/// Reads a text of TOML, a scenario or another file of the user's, into a tree with places.
pub fn parse(source: &Arc<SourceText>) -> Result<Node, Diagnostic> {
    match DeTable::parse(&source.text) {
        Ok(table) => {
            let at = At { source, shift: 0 };
            Ok(at.node(table.span(), at.table(table.get_ref())))
        }
        Err(error) => Err(
            Diagnostic::new(format!("not readable as TOML: {}", error.message()))
                .at(source, error.span().unwrap_or(0..0)),
        ),
    }
}

/// Lays one override over the scenario.
pub(super) fn set(document: &mut Node, change: &Override) -> Result<(), Diagnostic> {
    let source = SourceText::new("--set", format!("{}={}", change.key, change.value));
    let key_range = 0..change.key.len();
    let unreadable = || {
        Diagnostic::new(format!("`{}` is not a key", change.key.escape_debug()))
            .at(&source, key_range.clone())
            .help("write keys as in the file, with dots: --set traffic.rate=50/s")
    };
    // A key alone has no text to parse; with a value it is a line of TOML.
    let line = format!("{}=0", change.key);
    let keys = DeTable::parse(&line).map_err(|_| unreadable())?;
    let mut path = Vec::new();
    let mut table = keys.get_ref();
    loop {
        let mut entries = table.iter();
        let (Some((key, value)), None) = (entries.next(), entries.next()) else {
            return Err(unreadable());
        };
        path.push(Key {
            name: key.get_ref().clone().into_owned(),
            place: (Arc::clone(&source), key.span()),
        });
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    let at = At {
        source: &source,
        shift: change.key.len() + 1,
    };
    let value_range = 0..change.value.len();
    let value = match DeValue::parse(&change.value).map(|value| at.value(&value)) {
        Ok(value) => match value.content {
            Content::Text(_) | Content::List(_) | Content::Table(_) => value,
            scalar => at.node(
                value_range,
                Content::Bare(change.value.clone(), Box::new(scalar)),
            ),
        },
        Err(_) => at.node(value_range, Content::Text(change.value.clone())),
    };
    let patch = path.into_iter().rev().fold(value, |inner, key| Node {
        place: key.place.clone(),
        content: Content::Table(vec![(key, inner)]),
    });
    document.patch(&patch)
}

/// Turns parsed TOML into nodes of a source whose text starts `shift` bytes before what was parsed.
struct At<'a> {
    source: &'a Arc<SourceText>,
    shift: usize,
}

impl At<'_> {
    fn node(&self, range: Range<usize>, content: Content) -> Node {
        Node {
            content,
            place: (
                Arc::clone(self.source),
                range.start + self.shift..range.end + self.shift,
            ),
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Content {
        let entries = table.iter().map(|(key, value)| {
            let place = self.node(key.span(), Content::Null).place;
            let name = key.get_ref().clone().into_owned();
            (Key { name, place }, self.value(value))
        });
        Content::Table(entries.collect())
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let content = match value.get_ref() {
            DeValue::String(text) => Content::Text(text.clone().into_owned()),
            DeValue::Boolean(b) => Content::Bool(*b),
            DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => Content::Number(n.into()),
                Err(_) => Content::Foreign("a number of more than 64 bits"),
            },
            DeValue::Float(n) => {
                let finite = n.as_str().parse::<f64>().ok();
                match finite.and_then(serde_json::Number::from_f64) {
                    Some(n) => Content::Number(n),
                    None => Content::Foreign("a number that is not finite"),
                }
            }
            DeValue::Datetime(_) => Content::Foreign("a date"),
            DeValue::Array(elements) => {
                Content::List(elements.iter().map(|e| self.value(e)).collect())
            }
            DeValue::Table(table) => self.table(table),
        };
        self.node(value.span(), content)
    }
}
