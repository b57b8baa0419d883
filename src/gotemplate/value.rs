//! Values of a running template, and how Go names and prints them.

use std::collections::BTreeMap;
use std::fmt;

use super::printf::format_float;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'m> {
    /// No value at all.
    Nil,
    Bool(bool),
    Int(i64),
    /// An element of a string.
    Byte(u8),
    Float(f64),
    Text(String),
    /// The variables. An empty map counts as a nil one, since a Canary without variables has none.
    Map(&'m BTreeMap<String, String>),
}

impl Value<'_> {
    /// Go's type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Byte(_) => "uint8",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::Map(_) => "map[string]string",
        }
    }

    /// Whether `if` takes the branch: not the zero of its type.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Byte(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Map(map) => !map.is_empty(),
        }
    }
}

/// `%v`.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("<nil>"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Byte(value) => write!(f, "{value}"),
            Value::Float(value) => f.write_str(&format_float(*value)),
            Value::Text(text) => f.write_str(text),
            Value::Map(map) => {
                f.write_str("map[")?;
                for (index, (key, value)) in map.iter().enumerate() {
                    let space = if index > 0 { " " } else { "" };
                    write!(f, "{space}{key}:{value}")?;
                }
                f.write_str("]")
            }
        }
    }
}
