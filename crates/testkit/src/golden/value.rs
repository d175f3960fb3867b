//! Values of fields as JSON documents, for comparisons.

use filter::render::Buffers;
use filter::{FieldDef, Format, Type, Value};
use serde_json::{Number, json};

/// What an alert's JSON shows for `value`.
#[must_use]
pub fn json(field: &FieldDef, value: &Value<'_>) -> serde_json::Value {
    match *value {
        Value::Signed(n) if field.format == Format::Hex => json!(format!("{n:X}")),
        Value::Unsigned(n) if field.format == Format::Hex => json!(format!("{n:X}")),
        Value::Signed(n) => json!(n),
        Value::Unsigned(n) => json!(n),
        Value::Double(x) => Number::from_f64(x).map_or(serde_json::Value::Null, Into::into),
        Value::Bool(b) => json!(b),
        Value::Bytes(_) if field.ty == Type::ByteBuf => {
            let mut text = Vec::new();
            filter::json::value(field, Some(value), Buffers::Text, &mut text);
            serde_json::from_slice(&text).unwrap_or_default()
        }
        Value::Bytes(text) => json!(shown(text)),
        Value::Ip(address) => json!(address.to_string()),
        Value::List(items) => items.iter().map(|item| json(field, item)).collect(),
    }
}

/// The original's outputs show control characters as U+FFFD.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
