//! The conformance cases of the language specification, all of them.

use std::path::PathBuf;

use filter::{ParseErrorKind, parse};
use serde_json::Value as Json;

fn cases() -> Option<Json> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("PEREGRINE_SPEC")
        .map_or_else(|| root.join("../shared/spec"), PathBuf::from);
    let path = folder.join("filter-cases.json");
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("the cases are JSON")),
        Err(error) => {
            assert!(
                std::env::var_os("PEREGRINE_REQUIRE_CORPUS").is_none(),
                "{}: {error}",
                path.display()
            );
            println!("left out: {} cannot be read", path.display());
            None
        }
    }
}

fn text<'j>(case: &'j Json, key: &str) -> Option<&'j str> {
    case.get(key).and_then(Json::as_str)
}

#[test]
fn syntax_of_all_cases() {
    let Some(cases) = cases() else { return };
    let mut wrong = Vec::new();
    let all = cases["cases"].as_array().unwrap();
    for case in all {
        let filter = text(case, "filter").unwrap();
        let mut fail = |what: String| {
            wrong.push(format!("{} {filter:?}: {what}", text(case, "id").unwrap()));
        };
        match parse(filter) {
            Ok(ast) => {
                if case["parses"] == false {
                    fail(format!("parses as {ast}"));
                } else if let Some(canonical) = text(case, "canonical") {
                    if ast.to_string() != canonical {
                        fail(format!("prints {ast}, not {canonical}"));
                    }
                }
            }
            Err(error) => {
                if case["parses"] == true {
                    fail(format!("{error} at {}", error.at));
                }
                if let Some(place) = case.get("error_position") {
                    let position = error.position(filter);
                    let ours = (error.at as u64, position.line, position.column);
                    let theirs = (&place["index"], &place["line"], &place["column"]);
                    if *theirs.0 != ours.0 || *theirs.1 != ours.1 || *theirs.2 != ours.2 {
                        fail(format!("{error} at {ours:?}, not {theirs:?}"));
                    }
                }
                if let Some(message) = text(case, "message") {
                    if !message.starts_with(class_of(&error.kind)) {
                        fail(format!("{:?}, not {message}", error.kind));
                    }
                    if let ParseErrorKind::UnexpectedToken { after } = &error.kind {
                        if message.split('\'').nth(1) != Some(after) {
                            fail(format!("after {after:?}, not {message}"));
                        }
                    }
                }
            }
        }
    }
    println!("{} cases, {} wrong", all.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How the original's message of this class begins, up to what is particular.
fn class_of(kind: &ParseErrorKind) -> &'static str {
    match kind {
        ParseErrorKind::Empty => "filter input string is empty",
        ParseErrorKind::UnexpectedToken { .. } => "unexpected token after ",
        ParseErrorKind::JoinedWord { .. } => "expected blank or ",
        ParseErrorKind::MissingParenthesis => "expected a ",
        ParseErrorKind::ExpectedCheck => "expected a ",
        ParseErrorKind::ExpectedArgument => {
            "expected a valid field argument: a quoted string or a bare string"
        }
        ParseErrorKind::MissingBracket => "expected a ",
        ParseErrorKind::UnclosedTransformer => "expected a ",
        ParseErrorKind::ExpectedTransformerArgument => {
            "expected field transformer argument: field, transformer, quoted string, number, or \
             transformer list"
        }
        ParseErrorKind::ExpectedTransformerItem => {
            "expected transformer list argument: field, transformer, quoted string, or number"
        }
        ParseErrorKind::ExpectedOperator => "expected a valid check operator: one of ",
        ParseErrorKind::ExpectedNumber => {
            "expected a number value or a field with a valid transformer: "
        }
        ParseErrorKind::ExpectedValue => {
            "expected a string value or a field with a valid transformer: "
        }
        ParseErrorKind::ExpectedListItem => "expected a string value",
        ParseErrorKind::ExpectedModifierList => "expected a list or an identifier",
        ParseErrorKind::ExpectedList => {
            "expected a list, an identifier, or a field with a valid transformer: "
        }
        ParseErrorKind::ExpectedFieldInVal => "expected a field within ",
        ParseErrorKind::TooDeep { .. } => "exceeded max depth limit of 100",
        ParseErrorKind::ForeignQuote { .. } => "invalid \\",
        ParseErrorKind::UnknownEscape { .. } => "unsupported string escape sequence: \\",
        _ => "?",
    }
}
