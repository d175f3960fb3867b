//! An alert as a log record of OpenTelemetry, in the JSON form that OTLP over HTTP takes.
//!
//! | of the alert | becomes |
//! |---|---|
//! | `hostname`; `peregrine` | resource attributes `host.name`; `service.name` |
//! | `time` | time of the record |
//! | `priority` | severity, by the specification's table for syslog |
//! | `output` (`message`, where that is left out) | body |
//! | `output_fields` | an attribute each, under the field's name |
//! | `rule`, `source`, `tags` | attributes `rule`, `source`, `tags` |
//!
//! A line that is no JSON is the body, and all that there is to say.

use std::time::{SystemTime, UNIX_EPOCH};

use rules::Priority;
use serde_json::{Map, Value, json};

use crate::message::Message;

/// How deep values may lie in each other.
const DEPTH: usize = 16;

/// The body of a request with one record.
#[must_use]
pub fn request(message: Message<'_>, hostname: &str) -> Vec<u8> {
    let alert: Map<String, Value> = serde_json::from_slice(message.line).unwrap_or_default();
    let text = |key: &str| alert.get(key).and_then(Value::as_str);
    let line = String::from_utf8_lossy(message.line);
    let body = text("output").or_else(|| text("message"));
    let now = nanoseconds(SystemTime::now());
    let time = text("time").and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let time = time.map_or_else(|| now.clone(), |time| time.as_nanosecond().to_string());
    let mut attributes = Vec::new();
    for key in ["rule", "source", "tags"] {
        attributes.extend(alert.get(key).and_then(|value| attribute(key, value)));
    }
    if let Some(Value::Object(fields)) = alert.get("output_fields") {
        attributes.extend(
            fields
                .iter()
                .filter_map(|(key, value)| attribute(key, value)),
        );
    }
    let host = text("hostname").unwrap_or(hostname);
    let resource: Vec<Value> = [("service.name", "peregrine"), ("host.name", host)]
        .into_iter()
        .filter_map(|(key, value)| attribute(key, &json!(value)))
        .collect();
    json!({"resourceLogs": [{
        "resource": {"attributes": resource},
        "scopeLogs": [{
            "scope": {"name": "peregrine", "version": env!("CARGO_PKG_VERSION")},
            "logRecords": [{
                "timeUnixNano": time,
                "observedTimeUnixNano": now,
                "severityNumber": severity(message.priority),
                "severityText": message.priority.name(),
                "body": {"stringValue": body.unwrap_or(&line)},
                "attributes": attributes,
            }],
        }],
    }]})
    .to_string()
    .into_bytes()
}

/// Whether a receiver's answer says that it threw the record away, and why.
#[must_use]
pub fn rejection(answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let partial = &answer["partialSuccess"];
    // A number of 64 bits is a text in this form of JSON; some write a number all the same.
    let rejected = &partial["rejectedLogRecords"];
    let none =
        matches!(rejected.as_str(), None | Some("" | "0")) && rejected.as_u64().unwrap_or(0) == 0;
    (!none).then(|| {
        partial["errorMessage"]
            .as_str()
            .unwrap_or("no reason")
            .to_owned()
    })
}

fn nanoseconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().to_string()
}

fn severity(priority: Priority) -> u8 {
    match priority {
        Priority::Emergency => 21,
        Priority::Alert => 19,
        Priority::Critical => 18,
        Priority::Error => 17,
        Priority::Warning => 13,
        Priority::Notice => 10,
        Priority::Informational => 9,
        Priority::Debug => 5,
    }
}

/// A key with its value; a field that has none is left out.
fn attribute(key: &str, value: &Value) -> Option<Value> {
    (!value.is_null()).then(|| json!({"key": key, "value": any(value, DEPTH)}))
}

fn any(value: &Value, depth: usize) -> Value {
    match value {
        Value::Bool(truth) => json!({"boolValue": truth}),
        Value::String(text) => json!({"stringValue": text}),
        // Whole numbers are texts in OTLP's JSON, and signed.
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => json!({"intValue": whole.to_string()}),
            (None, Some(large)) => json!({"stringValue": large.to_string()}),
            (None, None) => json!({"doubleValue": number}),
        },
        Value::Array(items) if depth > 0 => {
            let values: Vec<Value> = items.iter().map(|item| any(item, depth - 1)).collect();
            json!({"arrayValue": {"values": values}})
        }
        Value::Object(entries) if depth > 0 => {
            let values: Vec<Value> = entries
                .iter()
                .map(|(key, value)| json!({"key": key, "value": any(value, depth - 1)}))
                .collect();
            json!({"kvlistValue": {"values": values}})
        }
        other => json!({"stringValue": other.to_string()}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> (Value, Value) {
        let message = Message {
            priority: Priority::Notice,
            line: line.as_bytes(),
        };
        let body: Value = serde_json::from_slice(&request(message, "fallback")).unwrap();
        let logs = &body["resourceLogs"][0];
        let record = logs["scopeLogs"][0]["logRecords"][0].clone();
        (logs["resource"]["attributes"].clone(), record)
    }

    #[test]
    fn an_alert_keeps_its_types() {
        let (resource, record) = record(
            r#"{"hostname":"n1","output":"12:00: Notice shell","output_fields":{"evt.time":1700000000000000001,
            "proc.name":"sh","evt.arg.big":18446744073709551615,"fd.sport":null,"proc.is_exe_writable":true,
            "proc.aname":["a","b"],"x":1.5},"priority":"Notice","rule":"Shell","source":"syscall","tags":["t"],
            "time":"2023-11-14T22:13:20.000000001Z"}"#,
        );
        assert_eq!(
            resource[1],
            json!({"key": "host.name", "value": {"stringValue": "n1"}})
        );
        assert_eq!(record["timeUnixNano"], "1700000000000000001");
        assert_eq!(record["severityNumber"], 10);
        assert_eq!(record["body"]["stringValue"], "12:00: Notice shell");
        let attributes = record["attributes"].as_array().unwrap();
        let value = |key: &str| {
            let found = attributes.iter().find(|a| a["key"] == key);
            found.map(|attribute| attribute["value"].clone())
        };
        assert_eq!(value("rule").unwrap(), json!({"stringValue": "Shell"}));
        assert_eq!(
            value("evt.time").unwrap(),
            json!({"intValue": "1700000000000000001"})
        );
        assert_eq!(
            value("evt.arg.big").unwrap(),
            json!({"stringValue": "18446744073709551615"})
        );
        assert_eq!(value("fd.sport"), None);
        assert_eq!(
            value("proc.is_exe_writable").unwrap(),
            json!({"boolValue": true})
        );
        assert_eq!(value("x").unwrap(), json!({"doubleValue": 1.5}));
        let names = json!({"values": [{"stringValue": "a"}, {"stringValue": "b"}]});
        assert_eq!(value("proc.aname").unwrap(), json!({"arrayValue": names}));
    }

    #[test]
    fn a_line_of_text_is_the_body() {
        let (resource, record) = record("12:00:00.1: Notice a \"shell\"");
        assert_eq!(resource[1]["value"]["stringValue"], "fallback");
        assert_eq!(
            record["body"]["stringValue"],
            "12:00:00.1: Notice a \"shell\""
        );
        assert_eq!(record["attributes"], json!([]));
    }

    #[test]
    fn a_record_that_was_thrown_away_is_known() {
        for taken in [
            "",
            "ok",
            "{}",
            r#"{"partialSuccess":null}"#,
            r#"{"partialSuccess":{"rejectedLogRecords":"0"}}"#,
        ] {
            assert_eq!(rejection(taken.as_bytes()), None, "{taken}");
        }
        let answer = br#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}"#;
        assert_eq!(rejection(answer).unwrap(), "too old");
        let number = br#"{"partialSuccess":{"rejectedLogRecords":1}}"#;
        assert_eq!(rejection(number).unwrap(), "no reason");
    }
}
