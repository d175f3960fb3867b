//! The conformance cases of the language specification, all of them.

use std::path::PathBuf;

use filter::{CompileErrorKind, Filter, FilterError, Memo, ParseErrorKind, WarningKind, parse};
use serde_json::Value as Json;

mod synthetic;
use synthetic::{Env, Synthetic};

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
                } else if let Some(canonical) = text(case, "canonical")
                    && ast.to_string() != canonical
                {
                    fail(format!("prints {ast}, not {canonical}"));
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
                    if let ParseErrorKind::UnexpectedToken { after } = &error.kind
                        && message.split('\'').nth(1) != Some(after)
                    {
                        fail(format!("after {after:?}, not {message}"));
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

/// Compiles, warns, evaluates. Where the original has a defect, the sane result counts.
#[test]
fn meaning_of_all_cases() {
    let Some(cases) = cases() else { return };
    let mut wrong = Vec::new();
    let mut evaluated = 0;
    let env = Env::standard();
    for case in cases["cases"].as_array().unwrap() {
        let filter = text(case, "filter").unwrap();
        let mut fail = |what: String| {
            wrong.push(format!("{} {filter:?}: {what}", text(case, "id").unwrap()));
        };
        assert!(
            case.get("env").is_none(),
            "no case has an environment of its own so far"
        );
        let message = text(case, "message").unwrap_or("");
        let compiles = case.get("compiles").map(|flag| flag == true);
        match Filter::compile(filter, &Synthetic) {
            Ok(compiled) => {
                if compiles == Some(false) || !message.is_empty() {
                    fail("compiles".to_owned());
                }
                let result = case.get("sane_result").or_else(|| case.get("result"));
                if let Some(result) = result {
                    evaluated += 1;
                    if *result != compiled.matches(&env, &mut Memo::new()) {
                        fail(format!("is not {result}"));
                    }
                }
                let ours: Vec<_> = compiled
                    .warnings()
                    .iter()
                    .map(|w| warning_of(&w.kind))
                    .collect();
                let theirs: Vec<_> = case
                    .get("warnings")
                    .and_then(Json::as_array)
                    .map(|all| all.iter().filter_map(Json::as_str).collect())
                    .unwrap_or_default();
                let same = ours.len() == theirs.len()
                    && theirs
                        .iter()
                        .zip(&ours)
                        .all(|(theirs, ours)| theirs.contains(ours));
                if !same && (case.get("warnings").is_some() || !ours.is_empty()) {
                    fail(format!("warns {ours:?}, not {theirs:?}"));
                }
            }
            Err(FilterError::Parse(error)) => {
                if case["parses"] == true {
                    fail(error.to_string());
                }
            }
            Err(FilterError::Compile(error)) => {
                let unresolved = matches!(error.kind, CompileErrorKind::UnknownMacro { .. });
                if compiles == Some(true) || (compiles.is_none() && !unresolved) {
                    fail(error.to_string());
                } else if !message.contains(compile_class(&error.kind)) {
                    // `values-20` and `depth-01` carry the message of the older version only.
                    if case.get("since").is_none() {
                        fail(format!("{:?}, not {message}", error.kind));
                    }
                }
            }
            Err(error) => fail(error.to_string()),
        }
    }
    println!("{evaluated} evaluated, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(evaluated >= 374, "only {evaluated} cases have results");
}

fn warning_of(kind: &WarningKind) -> &'static str {
    match kind {
        WarningKind::FieldAsText { .. } => "valid field misused",
        WarningKind::TransformerAsText { .. } => "valid field transformer misused",
        WarningKind::PlainRegex { .. } => "may be optimized with simpler operators",
        _ => "?",
    }
}

/// Part of the original's message of this class.
fn compile_class(kind: &CompileErrorKind) -> &'static str {
    use CompileErrorKind as Kind;
    match kind {
        Kind::UnknownField { .. } => "nonexistent field",
        Kind::UnknownMacro { .. } => "unexpected identifier",
        Kind::Operator {
            modifier: Some(_), ..
        } => "with modifier not supported",
        Kind::Operator { .. } => "operator not supported for",
        Kind::ListOperator { .. } => "operator not supported list filters",
        Kind::Hex => "support hex strings only",
        Kind::Number { .. } => "is not a valid number",
        Kind::Boolean { .. } => "unrecognized boolean value",
        Kind::Ipv4 { .. } => "unrecognized IPv4 address",
        Kind::Ipv6 { .. } => "unrecognized IPv6 address",
        Kind::Network { .. } => "unrecognized IP network",
        Kind::Netmask { longest: 32, .. } => "invalid netmask",
        Kind::Netmask { .. } => "invalid v6 netmask",
        Kind::Service { .. } => "unrecognized protocol",
        Kind::Regex { .. } => "invalid regex pattern",
        Kind::TooLong { .. } => "filter parameter too long",
        Kind::RightOperator { .. } => "' doesn't support right-hand side fields",
        Kind::RightType { .. } => "field type 'IPNET' doesn't support right-hand side fields",
        Kind::Mismatch { .. } => "incompatible type",
        Kind::TransformerType { .. } => "can't add field transformer",
        Kind::NoSelector { .. } => "does not support field arguments",
        Kind::Selector => "must be a single option character",
        Kind::ArgumentCount { given: 1, .. } => "unknown field transfomer",
        Kind::ArgumentCount {
            function: filter::Function::Join,
            ..
        } => "requires exactly 2",
        Kind::ArgumentCount { .. } => "unknown multivalue transformer",
        Kind::ArgumentKind {
            function: filter::Function::Concat,
            ..
        } => "must be strings",
        Kind::ArgumentKind {
            position: 1,
            function: filter::Function::Join,
            ..
        } => "first argument (separator) must be a single value",
        Kind::ArgumentKind { position: 1, .. } => "first argument must be a list",
        Kind::ArgumentKind { position: 2, .. } => "second argument must be a list",
        _ => "?",
    }
}
