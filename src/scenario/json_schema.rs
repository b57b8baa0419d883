//! The JSON Schema of the scenario file, for editors and for `rollcast schema`.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::schema::File;

/// The JSON Schema (draft 2020-12) of the scenario file, every key documented; ends with a newline.
pub fn json_schema() -> String {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(drop_null));
    let schema = SchemaGenerator::new(settings).into_root_schema_for::<File>();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

/// An absent key is `Option::None` to serde and `null` to schemars; TOML has no null.
fn drop_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    for key in ["type", "enum"] {
        if let Some(Value::Array(values)) = object.get_mut(key) {
            values.retain(|value| *value != "null" && !value.is_null());
            if key == "type" && values.len() == 1 {
                let only = values.remove(0);
                object.insert(key.to_owned(), only);
            }
        }
    }
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else {
        return;
    };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if choices.len() > 1 {
        return;
    }
    // What is left of `anyOf: [T, null]` is T, with the description of the key it stands at.
    let Some(Value::Object(only)) = choices.pop() else {
        return;
    };
    object.remove("anyOf");
    for (key, value) in only {
        object.entry(key).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key of every table, with its schema.
    fn keys(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (key, inner) in properties {
                found.push((format!("{path}.{key}"), inner.clone()));
            }
        }
        for (name, inner) in schema
            .get("$defs")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            keys(inner, name, found);
        }
    }

    #[test]
    fn every_key_is_documented_and_none_may_be_null() {
        let schema: Value = serde_json::from_str(&json_schema()).unwrap();
        let mut found = Vec::new();
        keys(&schema, "", &mut found);
        assert!(found.len() > 70, "only {} keys", found.len());
        for (key, inner) in found {
            let documented = inner.get("description").and_then(Value::as_str);
            assert!(documented.is_some_and(|d| d.len() > 4), "{key}: {inner}");
        }
        assert!(!json_schema().contains("null"));
    }
}
