//! Bytes of all kinds: nothing panics, and the reader of JSON agrees with a known one.

#![allow(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

use audit::split::Piece;
use audit::{Body, Catalogue, Document, Limits, Session, Splitter, View};
use bumpalo::Bump;
use filter::{FieldSource, Purpose, Schema};
use proptest::prelude::*;
use serde_json::Value;

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-z/~]{0,3}", inner), 0..6)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

/// Reads every field of every event, so that each extractor meets the shape.
fn extract_all(body: &Body) {
    let catalogue = Catalogue::new();
    let scratch = Bump::new();
    for event in body.events() {
        let view = View::new(event.node, event.time);
        for name in catalogue.names() {
            for text in [
                name.to_owned(),
                format!("{name}[0]"),
                format!("{name}[a/0]"),
            ] {
                if let Ok(def) = catalogue.resolve(&text) {
                    let _ = view.extract(&def.field, Purpose::Text, &scratch);
                    if let Some(text) = catalogue.as_text(&def) {
                        let _ = view.extract(&text.field, Purpose::Compare, &scratch);
                    }
                }
            }
        }
        let _ = Session::of(event.node, event.time);
    }
}

proptest! {
    #[test]
    fn agrees_with_a_known_reader(value in json()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let document = Document::parse(text.as_bytes(), 64, 10_000).unwrap();
        let compact = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(String::from_utf8_lossy(document.text()), compact);
        let mut pretty = Vec::new();
        document.root().pretty(&mut pretty);
        prop_assert_eq!(String::from_utf8(pretty).unwrap(), text);
        if let Value::Object(members) = &value {
            for (key, member) in members {
                let found = document.root().get(key).unwrap();
                let wanted = serde_json::to_string(member).unwrap();
                prop_assert_eq!(String::from_utf8_lossy(found.json()), wanted);
                if let Value::String(text) = member {
                    let string = found.string().unwrap();
                    prop_assert_eq!(&string[..], text.as_bytes());
                }
            }
        }
    }

    #[test]
    fn accepts_what_a_known_reader_accepts(text in r#"[\[\]{}",:0-9eE.+\-\\utrfalsn /\x00-\x1f]{0,24}"#) {
        let known = serde_json::from_str::<Value>(&text);
        let ours = Document::parse(text.as_bytes(), 64, 1000);
        // The known reader refuses numbers beyond a double's range.
        if !known.as_ref().is_err_and(|e| e.to_string().contains("out of range")) {
            prop_assert_eq!(known.is_ok(), ours.is_ok(), "{:?} {:?}", known, ours.map(|_| ()));
        }
    }

    #[test]
    fn no_bytes_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Body::parse(&bytes, &Limits::default());
        let mut splitter = Splitter::new(50);
        for chunk in bytes.chunks(7) {
            splitter.push(chunk);
            while splitter.next_piece().is_some() {}
        }
        while splitter.finish().is_some() {}
    }

    #[test]
    fn no_shape_harms(value in json(), key in prop::sample::select(vec![
        "requestObject", "objectRef", "user", "annotations", "responseObject", "responseStatus", "requestURI",
    ]), inner in prop::sample::select(vec!["spec", "rules", "subjects", "data", "groups", "resource"])) {
        let mut event = serde_json::json!({
            "kind": "Event", "auditID": "x", "stage": "ResponseStarted", "stageTimestamp": "2024-05-01T10:00:00Z",
            "objectRef": {"resource": "pods", "subresource": "exec"},
        });
        event[key] = serde_json::json!({ inner: value.clone(), "containers": value.clone() });
        event["requestObject"]["spec"] = serde_json::json!({
            "containers": [value.clone(), {"securityContext": value.clone(), "ports": value.clone()}],
            "volumes": value,
        });
        extract_all(&Body::parse(event.to_string().as_bytes(), &Limits::default()).unwrap());
    }
}

#[test]
fn truncations_of_an_event_harm_nothing() {
    let event = br#"{"kind":"EventList","items":[{"auditID":"\u00e4\"","stageTimestamp":"2024-05-01T10:00:00Z"}]}"#;
    for length in 0..event.len() {
        assert!(
            Body::parse(&event[..length], &Limits::default()).is_err(),
            "{length}"
        );
    }
    assert_eq!(Body::parse(event, &Limits::default()).unwrap().len(), 1);
}

#[test]
fn one_oversized_line_among_others() {
    let mut splitter = Splitter::new(64);
    splitter.push(format!("{{\"a\":\"{}\"}}\n{{\"b\":1}}\n", "x".repeat(1000)).as_bytes());
    assert_eq!(splitter.next_piece(), Some(Piece::TooLarge(1)));
    assert_eq!(
        splitter.next_piece(),
        Some(Piece::Document(2, b"{\"b\":1}".to_vec()))
    );
}
