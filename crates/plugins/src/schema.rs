//! Settings of a plugin against its JSON schema: as much of JSON schema as plugins' libraries write.
//!
//! Known: `type`, `enum`, `const`, `required`, `properties`, `additionalProperties`, `items`, `minimum`, `maximum`,
//! `minLength`, `maxLength`, `anyOf`, `oneOf`, `allOf`, and `$ref` into the schema itself. Other words mean nothing. Of several
//! faults the outermost is told.

use serde_json::Value;

/// Deepest nesting of schema and settings that is followed.
const DEEPEST: usize = 32;

/// Checks settings.
///
/// # Errors
/// Where they do not fit, and why.
pub(crate) fn check(schema: &str, settings: &Value) -> Result<(), String> {
    let schema: Value = serde_json::from_str(schema)
        .map_err(|e| format!("the plugin's own schema is no JSON: {e}"))?;
    let check = Check { root: &schema };
    check
        .value(&schema, settings, "<root>", DEEPEST)
        .map_err(|(place, text)| format!("In {place}, {text}"))
}

struct Check<'s> {
    root: &'s Value,
}

type Fault = (String, String);

impl Check<'_> {
    fn value(&self, schema: &Value, value: &Value, place: &str, left: usize) -> Result<(), Fault> {
        let fault = |text: String| Err((place.to_owned(), text));
        if left == 0 || schema == &Value::Bool(true) {
            return Ok(());
        }
        if schema == &Value::Bool(false) {
            return fault("nothing is allowed here".to_owned());
        }
        if let Some(path) = schema["$ref"].as_str()
            && let Some(target) = path
                .strip_prefix('#')
                .and_then(|path| self.root.pointer(path))
        {
            self.value(target, value, place, left - 1)?;
        }
        if !fits_type(&schema["type"], value) {
            let wanted = &schema["type"];
            return fault(format!("a value of type {wanted} is wanted"));
        }
        if let Some(all) = schema["enum"].as_array()
            && !all.contains(value)
        {
            return fault(format!("the value is none of {}", schema["enum"]));
        }
        if let Some(wanted) = schema.get("const")
            && wanted != value
        {
            return fault(format!("the value must be {wanted}"));
        }
        if let Some(number) = value.as_f64() {
            let low = schema["minimum"]
                .as_f64()
                .is_some_and(|least| number < least);
            let high = schema["maximum"].as_f64().is_some_and(|most| number > most);
            if low || high {
                return fault("the number is out of range".to_owned());
            }
        }
        if let Some(text) = value.as_str() {
            let length = text.chars().count() as u64;
            let short = schema["minLength"]
                .as_u64()
                .is_some_and(|least| length < least);
            let long = schema["maxLength"]
                .as_u64()
                .is_some_and(|most| length > most);
            if short || long {
                return fault("the text is too short or too long".to_owned());
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.value(part, value, place, left - 1)?;
        }
        for word in ["anyOf", "oneOf"] {
            let Some(parts) = schema[word].as_array() else {
                continue;
            };
            let fitting = parts
                .iter()
                .filter(|part| self.value(part, value, place, left - 1).is_ok())
                .count();
            if fitting == 0 || (word == "oneOf" && fitting > 1) {
                return fault("the value fits none of what is allowed, or several".to_owned());
            }
        }
        self.object(schema, value, place, left)?;
        if let (Some(items), Some(all)) = (schema.get("items"), value.as_array()) {
            for (n, item) in all.iter().enumerate() {
                self.value(items, item, &format!("{place}[{n}]"), left - 1)?;
            }
        }
        Ok(())
    }

    fn object(&self, schema: &Value, value: &Value, place: &str, left: usize) -> Result<(), Fault> {
        let Some(map) = value.as_object() else {
            return Ok(());
        };
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !map.contains_key(name) {
                return Err((place.to_owned(), format!("'{name}' is missing")));
            }
        }
        for (key, value) in map {
            let inner = format!("{place}[{key}]");
            match (&schema["properties"][key], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => {
                    return Err((place.to_owned(), format!("there is no setting '{key}'")));
                }
                (Value::Null, rest @ Value::Object(_)) => {
                    self.value(rest, value, &inner, left - 1)?;
                }
                (Value::Null, _) => {}
                (known, _) => self.value(known, value, &inner, left - 1)?,
            }
        }
        Ok(())
    }
}

fn fits_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        _ => true,
    };
    match wanted {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_fit_or_are_told_why() {
        let schema = json!({
            "type": "object",
            "required": ["jitter"],
            "properties": {
                "jitter": {"type": "integer", "minimum": 0, "maximum": 100},
                "mode": {"enum": ["a", "b"]},
                "inner": {"$ref": "#/definitions/inner"},
                "list": {"type": "array", "items": {"type": ["string", "null"]}},
                "one": {"anyOf": [{"type": "string", "minLength": 2}, {"const": 7}]},
            },
            "additionalProperties": false,
            "definitions": {"inner": {"type": "object", "properties": {"x": {"type": "boolean"}}}},
        })
        .to_string();
        let check = |settings: Value| check(&schema, &settings);
        assert_eq!(
            check(
                json!({"jitter": 1, "mode": "a", "inner": {"x": true}, "list": ["x", null], "one": 7})
            ),
            Ok(())
        );
        for (bad, word) in [
            (json!([]), "In <root>, a value of type"),
            (json!({}), "'jitter' is missing"),
            (json!({"jitter": 101}), "In <root>[jitter], the number"),
            (json!({"jitter": 1.5}), "type"),
            (json!({"jitter": 1, "mode": "c"}), "none of"),
            (
                json!({"jitter": 1, "inner": {"x": 1}}),
                "In <root>[inner][x]",
            ),
            (json!({"jitter": 1, "list": [1]}), "In <root>[list][0]"),
            (json!({"jitter": 1, "one": "x"}), "fits none"),
            (json!({"jitter": 1, "other": 1}), "no setting 'other'"),
        ] {
            let error = check(bad.clone()).unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
        }
        assert!(super::check("{", &json!({})).is_err());
        // A schema that refers to itself ends all the same.
        assert_eq!(super::check(r##"{"$ref": "#"}"##, &json!({})), Ok(()));
    }
}
