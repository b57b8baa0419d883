//! The serde deserializer over a [`Node`]: types say what they expect, it says where that was not found.
//!
//! The messages are predicates with the key in front: a type that refuses a value through `de::Error::custom` writes
//! what follows the key (`needs a unit`), then, on a second line, what to do.

use std::fmt::Display;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::node::{Content, Key, Node, Place};
use super::{Diagnostic, nearest};

/// Reads a node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Node);

/// Why a node cannot be what was asked for.
#[derive(Debug)]
pub(super) struct ReadError {
    fault: Fault,
    help: Option<String>,
    place: Option<Place>,
    /// Steps from the fault up to the root.
    path: Vec<Step>,
}

#[derive(Debug)]
enum Fault {
    /// What is to be said of the key.
    Predicate(String),
    /// A key that no one asked for; it is the last step of the path.
    UnknownKey,
    /// A key that must be there.
    MissingKey(String),
}

#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

impl ReadError {
    fn new(fault: Fault) -> Self {
        ReadError {
            fault,
            help: None,
            place: None,
            path: Vec::new(),
        }
    }

    /// The innermost place wins.
    fn at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }

    fn under(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }

    pub(super) fn into_diagnostic(self, root: &Place) -> Diagnostic {
        let mut path = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(&quoted(key)),
                Step::Key(key) => {
                    path.push('.');
                    path.push_str(&quoted(key));
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        let message = match self.fault {
            Fault::Predicate(predicate) if path.is_empty() => predicate,
            Fault::Predicate(predicate) => format!("`{path}` {predicate}"),
            Fault::UnknownKey => format!("unknown key `{path}`"),
            Fault::MissingKey(key) if path.is_empty() => format!("`{key}` is missing"),
            Fault::MissingKey(key) => format!("`{path}` lacks the key `{key}`"),
        };
        let (source, range) = self.place.unwrap_or_else(|| root.clone());
        let mut diagnostic = Diagnostic::new(message).at(&source, range);
        diagnostic.help = self.help;
        diagnostic
    }
}

/// A key as it would be written, in quotes where it must be.
fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("\"{}\"", key.escape_debug())
    }
}

impl Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.fault)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: Display>(message: T) -> Self {
        let text = message.to_string();
        let (predicate, help) = match text.split_once('\n') {
            Some((predicate, help)) => (predicate.to_owned(), Some(help.to_owned())),
            None => (text, None),
        };
        ReadError {
            help,
            ..ReadError::new(Fault::Predicate(predicate))
        }
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let (wanted, shown) = (wanted_name(&wanted.to_string()), found_name(&found));
        let scalar = matches!(
            found,
            Unexpected::Bool(_)
                | Unexpected::Unsigned(_)
                | Unexpected::Signed(_)
                | Unexpected::Float(_)
        );
        let help = (scalar && wanted == "a string").then(|| format!("write \"{shown}\""));
        ReadError {
            help,
            ..ReadError::new(Fault::Predicate(format!("must be {wanted}, not {shown}")))
        }
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let help = match nearest::nearest(field, expected.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the keys here are {}", nearest::listed(expected)),
        };
        ReadError {
            help: Some(help),
            ..ReadError::new(Fault::UnknownKey)
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let help = nearest::nearest(variant, expected.iter().copied())
            .map(|meant| format!("did you mean `{meant}`?"));
        ReadError {
            help,
            ..ReadError::new(Fault::Predicate(format!(
                "must be {}, not `{}`",
                one_of(expected),
                variant.escape_debug()
            )))
        }
    }

    fn missing_field(field: &'static str) -> Self {
        ReadError::new(Fault::MissingKey(field.to_owned()))
    }

    fn duplicate_field(field: &'static str) -> Self {
        ReadError::new(Fault::Predicate(format!("has the key `{field}` twice")))
    }
}

/// `` `a` ``, `` `a` or `b` ``, `` one of `a`, `b` and `c` ``.
fn one_of(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}`"),
        [one, two] => format!("`{one}` or `{two}`"),
        many => format!("one of {}", nearest::listed(many)),
    }
}

/// serde names Rust's types; this names the user's.
fn wanted_name(wanted: &str) -> String {
    match wanted {
        "u8" | "u16" | "u32" | "u64" => "a whole number, 0 or more".into(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        other if other.starts_with("struct ") || other.starts_with("enum ") => "a table".into(),
        other => other.into(),
    }
}

fn found_name(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(b) => format!("{b}"),
        Unexpected::Unsigned(n) => format!("{n}"),
        Unexpected::Signed(n) => format!("{n}"),
        Unexpected::Float(n) => format!("{n:?}"),
        Unexpected::Str(s) => format!("the string \"{}\"", shortened(s)),
        Unexpected::Unit | Unexpected::Option => "null".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a table".into(),
        other => other.to_string(),
    }
}

/// A string as it can be shown within a sentence.
fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    let mut shown: String = text
        .chars()
        .take(MOST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MOST).is_some() {
        shown.push_str("...");
    }
    shown
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Node { content, place } = self.0;
        match content {
            Content::Null => visitor.visit_unit(),
            Content::Bool(b) => visitor.visit_bool(*b),
            Content::Number(n) => match (n.as_u64(), n.as_i64(), n.as_f64()) {
                (Some(n), _, _) => visitor.visit_u64(n),
                (_, Some(n), _) => visitor.visit_i64(n),
                (_, _, Some(n)) => visitor.visit_f64(n),
                (None, None, None) => Err(ReadError::custom("is not a number that can be held")),
            },
            Content::Text(text) => visitor.visit_str(text),
            Content::List(elements) => visitor.visit_seq(Elements {
                left: elements.iter().enumerate(),
            }),
            Content::Table(entries) => visitor.visit_map(Entries {
                left: entries.iter(),
                value: None,
            }),
            Content::Bare(_, value) => Reader(&Node {
                content: Content::clone(value),
                place: place.clone(),
            })
            .deserialize_any(visitor),
            Content::Foreign(what) => {
                Err(ReadError::invalid_type(Unexpected::Other(what), &visitor))
            }
        }
        .map_err(|e| e.at(place))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.content {
            Content::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let Node { content, place } = self.0;
        match content {
            Content::Text(text) | Content::Bare(text, _) => {
                visitor.visit_enum(StrDeserializer::new(text))
            }
            Content::Table(entries) => match entries.as_slice() {
                [entry] => visitor.visit_enum(Variant(entry)),
                _ => Err(ReadError::custom(format!(
                    "must have exactly one key: {}",
                    one_of(variants)
                ))),
            },
            _ => Err(ReadError::custom(format!("must be {}", one_of(variants)))),
        }
        .map_err(|e: ReadError| e.at(place))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.content {
            Content::Bare(text, _) => visitor.visit_str(text),
            _ => self.deserialize_any(visitor),
        }
    }

    /// serde would take a list for a struct, field by field; no one means that.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0.content {
            Content::List(_) => {
                Err(ReadError::invalid_type(Unexpected::Seq, &visitor).at(&self.0.place))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier
    }
}

struct Elements<'a> {
    left: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Some((index, node)) = self.left.next() else {
            return Ok(None);
        };
        seed.deserialize(Reader(node))
            .map(Some)
            .map_err(|e| e.at(&node.place).under(Step::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

struct Entries<'a> {
    left: std::slice::Iter<'a, (Key, Node)>,
    value: Option<&'a (Key, Node)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        let Some(entry) = self.left.next() else {
            return Ok(None);
        };
        self.value = Some(entry);
        let key = &entry.0;
        seed.deserialize(key.name.as_str().into_deserializer())
            .map(Some)
            .map_err(|e: ReadError| e.at(&key.place).under(Step::Key(key.name.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some((key, node)) = self.value.take() else {
            return Err(ReadError::custom("has a value without a key"));
        };
        seed.deserialize(Reader(node))
            .map_err(|e| e.at(&node.place).under(Step::Key(key.name.clone())))
    }
}

/// A table of one key, as an enum: the key is the variant.
struct Variant<'a>(&'a (Key, Node));

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = ReadError;
    type Variant = Variant<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Variant<'a>), ReadError> {
        let key = &self.0.0;
        let value = seed
            .deserialize(key.name.as_str().into_deserializer())
            .map_err(|e: ReadError| e.at(&key.place))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Err(ReadError::custom(format!(
            "must be the string \"{}\", not a table",
            self.0.0.name
        )))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        let (key, node) = self.0;
        seed.deserialize(Reader(node))
            .map_err(|e| e.at(&node.place).under(Step::Key(key.name.clone())))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.struct_variant(&[], visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let (key, node) = self.0;
        Reader(node)
            .deserialize_any(visitor)
            .map_err(|e| e.at(&node.place).under(Step::Key(key.name.clone())))
    }
}
