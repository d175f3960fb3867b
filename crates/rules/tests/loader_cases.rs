//! Cases of Falco's own tests of its loader: what loads, what is warned about, what compiles.

#![allow(clippy::unwrap_used, reason = "a test")]

mod corpus;

use rules::{Class, Finding, Loaded, Loader, Options};
use serde_json::Value;

/// The class behind a text of Falco's: sentences are ours, so a text is checked by its class.
fn class_of(text: &str) -> Class {
    let classes: &[(&str, Class)] = &[
        ("re-defined with a different source", Class::ErrValidate),
        ("evt.dir", Class::DeprecatedItem),
        ("Rule matches too many evt.type values", Class::NoEvtType),
        ("exception with no values", Class::AppendNoValues),
        ("is not a supported comparison operator", Class::ErrValidate),
        ("comps must be one of", Class::ErrValidate),
        (
            "Multiple definitions of exception",
            Class::ExceptionNameNotUnique,
        ),
        ("misused as a const string value", Class::CompileCondition),
        ("no list by that name already exists", Class::ErrValidate),
        ("no rule by that name already exists", Class::ErrValidate),
        ("no macro by that name already exists", Class::ErrValidate),
        ("Unknown key", Class::UnknownKey),
        ("Macro has an invalid name", Class::InvalidMacroName),
        ("List has an invalid name", Class::InvalidListName),
        ("Unable to parse engine version", Class::ErrYamlValidate),
        ("'enabled' key usage is deprecated", Class::DeprecatedItem),
        ("cannot be used together", Class::ErrYamlValidate),
        ("'append' key is deprecated", Class::DeprecatedItem),
        ("Item has no mapping for key", Class::ErrYamlValidate),
        ("Unexpected key", Class::ErrYamlValidate),
        ("was specified but", Class::ErrYamlValidate),
    ];
    let found = classes.iter().find(|(part, _)| text.contains(part));
    found
        .unwrap_or_else(|| panic!("what class has the text {text:?}?"))
        .1
}

fn has(loaded: &Loaded, text: &str, error: bool) -> bool {
    let mut findings = loaded.falco().filter(|f| f.is_error() == error);
    let class = class_of(text);
    findings.any(|f: &Finding| {
        f.class == Some(class) && (text != "evt.dir" || f.deprecated_field.as_deref() == Some(text))
    })
}

fn texts<'v>(expected: &'v Value, key: &str) -> impl Iterator<Item = &'v str> {
    expected[key]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn step(loader: &mut Loader<'_>, step: &Value, wrong: &mut Vec<String>) {
    let expected = &step["expected"];
    let name = step["file_name"].as_str().unwrap();
    let loaded = loader.load(name, step["content"].as_str().unwrap().as_bytes());
    let mut check = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let texts_found: Vec<String> = loaded
        .findings
        .iter()
        .map(|f| f.diagnostic.message.clone())
        .collect();
    if let Some(loads) = expected["loads"].as_bool() {
        check(
            loaded.successful() == loads,
            format!("loads: {texts_found:?}"),
        );
    }
    if let Some(schema) = expected["schema_validation"].as_str() {
        let ours = match &loaded.schema {
            None => "none",
            Some(schema) if schema.valid => "ok",
            Some(_) => "failed",
        };
        check(ours == schema, format!("schema {ours} instead of {schema}"));
    }
    if let Some(warns) = expected["has_warnings"].as_bool() {
        let ours = loaded.falco().any(|f| !f.is_error());
        check(ours == warns, format!("warnings: {texts_found:?}"));
    }
    for text in texts(expected, "errors_contain") {
        check(
            has(&loaded, text, true),
            format!("lacks the error {text}: {texts_found:?}"),
        );
    }
    for text in texts(expected, "warnings_contain") {
        check(
            has(&loaded, text, false),
            format!("lacks the warning {text}: {texts_found:?}"),
        );
    }
    for text in texts(expected, "warnings_do_not_contain") {
        check(
            !has(&loaded, text, false),
            format!("has the warning {text}"),
        );
    }
    let set = loader.rule_set();
    for (rule, condition) in expected["compiled_condition"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let ours = set
            .rules
            .iter()
            .find(|r| r.name == *rule)
            .map(|r| r.ast.to_string());
        check(
            ours.as_deref() == condition.as_str(),
            format!("{rule}: {ours:?}, not {condition}"),
        );
    }
    for (rule, output) in expected["compiled_output"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let ours = set
            .rules
            .iter()
            .find(|r| r.name == *rule)
            .map(|r| r.output_template.clone());
        check(
            ours.as_deref() == output.as_str(),
            format!("{rule}: {ours:?}, not {output}"),
        );
    }
    if let Some(count) = expected["enabled_rules"].as_u64() {
        let ours = set.rules.iter().filter(|r| r.enabled).count() as u64;
        check(ours == count, format!("{ours} rules on, not {count}"));
    }
    for entry in expected["describe"].as_array().into_iter().flatten() {
        let name = entry["rule"].as_str().unwrap();
        let catalogue = corpus::catalogue();
        let described = rules::describe::rule(set, name, &[("syscall", &catalogue)]);
        let pointer: String = entry["path"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| {
                format!(
                    "/{}",
                    p.as_str().map_or_else(|| p.to_string(), str::to_owned)
                )
            })
            .collect();
        let found = described
            .as_ref()
            .and_then(|d| d.pointer(&pointer))
            .cloned();
        if let Some(size) = entry["size"].as_u64() {
            let ours = found
                .as_ref()
                .and_then(Value::as_array)
                .map(|a| a.len() as u64);
            check(ours == Some(size), format!("{pointer}: {found:?}"));
        } else {
            // Numbers of the source's language carry a suffix.
            let plain = |v: &Value| v.as_str().map(|s| s.trim_end_matches('u').to_owned());
            let want = &entry["value"];
            let same = found.as_ref().is_some_and(|f| {
                f == want || (f.is_number() && plain(want) == Some(f.to_string()))
            });
            check(same, format!("{pointer}: {found:?}, not {want}"));
        }
    }
}

#[test]
fn cases_pass() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let cases = corpus::json(&folder.join("regression/loader-cases.json"));
    let catalogue = corpus::catalogue();
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases.as_array().unwrap() {
        let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
        let mut wrong = Vec::new();
        for one in case["steps"].as_array().unwrap() {
            step(&mut loader, one, &mut wrong);
        }
        if wrong.is_empty() {
            passed += 1;
        } else {
            failed.push(format!("{}: {}", case["name"], wrong.join("; ")));
        }
    }
    println!("loader cases: {passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
