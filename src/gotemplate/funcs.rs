//! The functions that a template may call (`text/template/funcs.go`).

use super::printf;
use super::value::Value;

/// Flagger's own functions; none takes an argument.
pub(super) const MODEL: [&str; 8] = [
    "name",
    "namespace",
    "target",
    "service",
    "ingress",
    "route",
    "interval",
    "variables",
];

/// Whether a function exists, and whether it is modelled.
pub(super) enum Known {
    Modelled,
    NotModelled,
    No,
}

pub(super) fn known(name: &str) -> Known {
    match name {
        "and" | "or" | "not" | "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "len" | "index"
        | "slice" | "print" | "printf" | "println" => Known::Modelled,
        "html" | "js" | "urlquery" | "call" => Known::NotModelled,
        name if MODEL.contains(&name) => Known::Modelled,
        _ => Known::No,
    }
}

/// How many arguments a builtin wants.
pub(super) enum Arity {
    Exactly(usize),
    AtLeast(usize),
}

pub(super) fn arity(name: &str) -> Arity {
    match name {
        "ne" | "lt" | "le" | "gt" | "ge" => Arity::Exactly(2),
        "not" | "len" => Arity::Exactly(1),
        "print" | "println" => Arity::AtLeast(0),
        "and" | "or" | "eq" | "index" | "slice" | "printf" => Arity::AtLeast(1),
        _ => Arity::Exactly(0),
    }
}

/// Calls a builtin other than `and` and `or`, which choose what they evaluate. The error is what Go says behind
/// `error calling <name>: `.
pub(super) fn call<'m>(name: &str, args: &[Value<'m>]) -> Result<Value<'m>, String> {
    let truth = |truth: Result<bool, String>| truth.map(Value::Bool);
    match (name, args) {
        ("not", [arg]) => Ok(Value::Bool(!arg.is_true())),
        ("eq", [_]) => Err("missing argument for comparison".to_owned()),
        ("eq", [first, others @ ..]) => {
            for other in others {
                if equal(first, other)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        ("ne", [a, b]) => truth(equal(a, b).map(|equal| !equal)),
        ("lt", [a, b]) => truth(less(a, b)),
        ("le", [a, b]) => truth(less_or_equal(a, b)),
        ("gt", [a, b]) => truth(less_or_equal(a, b).map(|le| !le)),
        ("ge", [a, b]) => truth(less(a, b).map(|lt| !lt)),
        ("len", [arg]) => length(arg),
        ("index", [item, indexes @ ..]) => index(item, indexes),
        ("slice", [item, indexes @ ..]) => slice(item, indexes),
        ("print", args) => Ok(Value::Text(printf::print(args))),
        ("println", args) => Ok(Value::Text(printf::println(args))),
        ("printf", [Value::Text(format), args @ ..]) => printf::printf(format, args)
            .map(Value::Text)
            .map_err(|what| format!("{what} is not modelled")),
        _ => unreachable!("{name} has been given the arguments it wants"),
    }
}

fn equal(a: &Value<'_>, b: &Value<'_>) -> Result<bool, String> {
    use Value::{Bool, Byte, Float, Int, Map, Nil, Text};
    match (a, b) {
        (Bool(a), Bool(b)) => Ok(a == b),
        (Int(a), Int(b)) => Ok(a == b),
        (Byte(a), Byte(b)) => Ok(a == b),
        (Int(int), Byte(byte)) | (Byte(byte), Int(int)) => Ok(*int == i64::from(*byte)),
        (Float(a), Float(b)) => Ok(a == b),
        (Text(a), Text(b)) => Ok(a == b),
        (Nil, Nil) => Ok(true),
        (Map(map), Nil) | (Nil, Map(map)) => Ok(map.is_empty()),
        (Map(a), Map(b)) if a.is_empty() || b.is_empty() => Ok(a.is_empty() && b.is_empty()),
        (Map(_), Map(_)) => Err(format!("non-comparable type {b}: {}", b.type_name())),
        // A value that does not exist equals nothing, and that is no error.
        (Nil, _) | (_, Nil) => Ok(false),
        _ => Err(incompatible(a, b)),
    }
}

fn less(a: &Value<'_>, b: &Value<'_>) -> Result<bool, String> {
    use Value::{Bool, Byte, Float, Int, Map, Nil, Text};
    match (a, b) {
        (Nil | Map(_), _) | (_, Nil | Map(_)) | (Bool(_), Bool(_)) => {
            Err("invalid type for comparison".to_owned())
        }
        (Int(a), Int(b)) => Ok(a < b),
        (Byte(a), Byte(b)) => Ok(a < b),
        (Int(a), Byte(b)) => Ok(*a < i64::from(*b)),
        (Byte(a), Int(b)) => Ok(i64::from(*a) < *b),
        (Float(a), Float(b)) => Ok(a < b),
        (Text(a), Text(b)) => Ok(a < b),
        _ => Err(incompatible(a, b)),
    }
}

fn less_or_equal(a: &Value<'_>, b: &Value<'_>) -> Result<bool, String> {
    Ok(less(a, b)? || equal(a, b)?)
}

fn incompatible(a: &Value<'_>, b: &Value<'_>) -> String {
    format!(
        "incompatible types for comparison: {} and {}",
        a.type_name(),
        b.type_name()
    )
}

fn length<'m>(arg: &Value<'_>) -> Result<Value<'m>, String> {
    match arg {
        Value::Text(text) => Ok(Value::Int(text.len() as i64)),
        Value::Map(map) => Ok(Value::Int(map.len() as i64)),
        Value::Nil => Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        other => Err(format!("len of type {}", other.type_name())),
    }
}

fn index<'m>(item: &Value<'m>, indexes: &[Value<'m>]) -> Result<Value<'m>, String> {
    if matches!(item, Value::Nil) {
        return Err("index of untyped nil".to_owned());
    }
    let mut item = item.clone();
    for index in indexes {
        item = match &item {
            Value::Text(text) => {
                let position = position(index, text.len())?;
                let byte = text.as_bytes().get(position);
                // Go's own bounds check, one past the end.
                byte.copied()
                    .map(Value::Byte)
                    .ok_or("reflect: string index out of range")?
            }
            Value::Map(map) => match index {
                Value::Text(key) => Value::Text(map.get(key).cloned().unwrap_or_default()),
                Value::Nil => return Err("value is nil; should be of type string".to_owned()),
                other => {
                    return Err(format!(
                        "value has type {}; should be string",
                        other.type_name()
                    ));
                }
            },
            other => return Err(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(item)
}

fn slice<'m>(item: &Value<'m>, indexes: &[Value<'m>]) -> Result<Value<'m>, String> {
    let text = match item {
        Value::Text(text) => text,
        Value::Nil => return Err("slice of untyped nil".to_owned()),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let (from, to) = match indexes {
        [] => (0, text.len()),
        [from] => (position(from, text.len())?, text.len()),
        [from, to] => (position(from, text.len())?, position(to, text.len())?),
        [_, _, _] => return Err("cannot 3-index slice a string".to_owned()),
        more => return Err(format!("too many slice indexes: {}", more.len())),
    };
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    let part = text.get(from..to);
    part.map(|part| Value::Text(part.to_owned()))
        .ok_or_else(|| "slicing through the middle of a character is not modelled".to_owned())
}

fn position(index: &Value<'_>, limit: usize) -> Result<usize, String> {
    let number = match index {
        Value::Int(number) => *number,
        Value::Byte(number) => i64::from(*number),
        Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        other => {
            return Err(format!(
                "cannot index slice/array with type {}",
                other.type_name()
            ));
        }
    };
    usize::try_from(number)
        .ok()
        .filter(|position| *position <= limit)
        .ok_or_else(|| format!("index out of range: {number}"))
}
