//! Judges expectations that quote the original's sentences.
//!
//! Its sentences are not reproduced, so a text is compared by what it says: the code that belongs to
//! the sentence, and the names and numbers in it. Texts that come from rules (outputs, rule names) and
//! the structure of a line are no sentences and are compared as they are.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// Parts of the original's load messages, each with the codes that stand for it.
const MESSAGES: &[(&str, &[&str])] = &[
    ("too many evt.type values", &["LOAD_NO_EVTTYPE"]),
    ("exception with no values", &["LOAD_APPEND_NO_VALUES"]),
    (
        "Multiple definitions of exception",
        &["LOAD_EXCEPTION_NAME_NOT_UNIQUE"],
    ),
    ("misused as a const string", &["LOAD_COMPILE_CONDITION"]),
    ("Unknown key", &["LOAD_UNKNOWN_KEY"]),
    ("List has an invalid name", &["LOAD_INVALID_LIST_NAME"]),
    ("Macro has an invalid name", &["LOAD_INVALID_MACRO_NAME"]),
    ("key usage is deprecated", &["LOAD_DEPRECATED_ITEM"]),
    ("key is deprecated", &["LOAD_DEPRECATED_ITEM"]),
    (
        "not referred to by any other",
        &["LOAD_UNUSED_MACRO", "LOAD_UNUSED_LIST"],
    ),
    ("Unknown source", &["LOAD_UNKNOWN_SOURCE"]),
    ("re-defined with a different source", &["LOAD_ERR_VALIDATE"]),
    ("supported comparison operator", &["LOAD_ERR_VALIDATE"]),
    ("supported filter field", &["LOAD_ERR_VALIDATE"]),
    ("comps must be one of", &["LOAD_ERR_VALIDATE"]),
    ("must have equal length", &["LOAD_ERR_VALIDATE"]),
    (
        "must both be strings",
        &["LOAD_ERR_VALIDATE", "LOAD_ERR_YAML_VALIDATE"],
    ),
    ("by that name already exists", &["LOAD_ERR_VALIDATE"]),
    ("Undefined macro", &["LOAD_ERR_VALIDATE"]),
    ("reference loop", &["LOAD_ERR_VALIDATE"]),
    (
        "cannot be used together",
        &["LOAD_ERR_VALIDATE", "LOAD_ERR_YAML_VALIDATE"],
    ),
    (
        "Unexpected key",
        &["LOAD_ERR_VALIDATE", "LOAD_ERR_YAML_VALIDATE"],
    ),
    (
        "was specified but",
        &["LOAD_ERR_VALIDATE", "LOAD_ERR_YAML_VALIDATE"],
    ),
    (
        "cannot be appended to",
        &["LOAD_ERR_VALIDATE", "LOAD_ERR_YAML_VALIDATE"],
    ),
    (
        "cannot be replaced",
        &["LOAD_ERR_VALIDATE", "LOAD_ERR_YAML_VALIDATE"],
    ),
    ("parse engine version", &["LOAD_ERR_YAML_VALIDATE"]),
    ("Rules require engine version", &["LOAD_ERR_VALIDATE"]),
    ("Item has no mapping for key", &["LOAD_ERR_YAML_VALIDATE"]),
    ("Mapping for key", &["LOAD_ERR_YAML_VALIDATE"]),
    ("Can't decode YAML", &["LOAD_ERR_YAML_VALIDATE"]),
    ("Value is not a scalar", &["LOAD_ERR_YAML_VALIDATE"]),
    ("Value must be non-empty", &["LOAD_ERR_YAML_VALIDATE"]),
    ("Invalid priority", &["LOAD_ERR_YAML_VALIDATE"]),
    ("Rules content is not yaml", &["LOAD_ERR_YAML_VALIDATE"]),
    ("yaml associative array", &["LOAD_ERR_YAML_VALIDATE"]),
    ("yaml-cpp:", &["LOAD_ERR_YAML_PARSE"]),
    (
        "nonexistent field",
        &["LOAD_ERR_COMPILE_CONDITION", "LOAD_UNKNOWN_FILTER"],
    ),
    (
        "unknown event type",
        &["LOAD_ERR_COMPILE_CONDITION", "LOAD_UNKNOWN_FILTER"],
    ),
    (
        "unexpected token",
        &["LOAD_ERR_COMPILE_CONDITION", "LOAD_ERR_COMPILE_OUTPUT"],
    ),
];

/// The codes that stand for a load message of the original; none if it is not known.
#[must_use]
pub fn codes(message: &str) -> Option<&'static [&'static str]> {
    MESSAGES
        .iter()
        .find(|(part, _)| message.contains(part))
        .map(|(_, codes)| *codes)
}

/// True if one of `findings` (errors or warnings of a load result) says what `message` says.
#[must_use]
pub fn said_by(message: &str, findings: &[Value]) -> bool {
    let names = names(message);
    let codes = codes(message);
    findings.iter().any(|finding| {
        let code = finding["code"].as_str().unwrap_or("");
        let text = unspaced(&finding.to_string());
        codes.is_none_or(|codes| codes.contains(&code))
            && names
                .iter()
                .all(|name| text.contains(&unspaced(&escaped(name))))
    })
}

/// A text without its blanks: expressions may be quoted as they were written or as they were read.
fn unspaced(text: &str) -> String {
    text.split_whitespace().collect()
}

/// A text as it stands inside a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The names and numbers in a sentence or in a regular expression for one: what is quoted, what looks
/// like an identifier or a field, and what is a count.
#[must_use]
pub fn names(sentence: &str) -> Vec<String> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#""([^"]+)"|'([^']+)'|\b(\d+)\b|\b([a-z0-9]+(?:[_.][a-z0-9]+)+)\b"#)
            .expect("a constant")
    });
    // Explanations that follow the point of a message name keys that need not be repeated.
    let head = [
        "Add an ",
        "The correct approach",
        "Expected ",
        "Allowed values",
    ]
    .iter()
    .filter_map(|stop| sentence.find(stop))
    .min()
    .map_or(sentence, |end| &sentence[..end]);
    NAME.captures_iter(head)
        .filter_map(|found| found.iter().skip(1).flatten().next())
        .map(|name| name.as_str().to_owned())
        // Keys of the language that a sentence explains are no names of something.
        .filter(|name| name != "append" && !name.starts_with("override"))
        .collect()
}

/// Whether a regular expression of an expectation is met by a stream.
///
/// `sentence` says that the stream carries the original's own sentences here: then the names and
/// numbers in the expression must be found instead, in either stream.
///
/// # Errors
/// What is missing, in words.
pub fn meets(expression: &str, stream: &str, both: &str, sentence: bool) -> Result<(), String> {
    if let Some(inner) = expression
        .strip_prefix("^(?!")
        .and_then(|e| e.strip_suffix(')'))
    {
        let matcher = matcher(inner)?;
        return match stream.lines().find(|line| matcher.is_match(line)) {
            Some(line) => Err(format!("must not be there: {line}")),
            None => Ok(()),
        };
    }
    if matcher(expression)?.is_match(stream) {
        return Ok(());
    }
    if sentence {
        let missing: Vec<String> = names(expression)
            .into_iter()
            .filter(|name| !both.contains(name.as_str()))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        return Err(format!("names not found: {}", missing.join(", ")));
    }
    Err(format!("not found: {expression}"))
}

/// Compiles a regular expression as the suites mean it: `^` is the start of a line.
///
/// # Errors
/// When the expression uses what the regex crate does not know.
pub fn matcher(expression: &str) -> Result<Regex, String> {
    Regex::new(&format!("(?m){expression}")).map_err(|e| format!("expression not understood: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_sentences() {
        let check = |sentence: &str, expected: &[&str]| assert_eq!(names(sentence), expected);
        check("List my_list has 'append' key but no list", &["my_list"]);
        check("event drop detected: 9 occurrences", &["9"]);
        check(
            "Rule \"A b\" contains unknown filter proc.nobody. Exiting.",
            &["A b", "proc.nobody"],
        );
        check("'append' key is deprecated. Add an 'append' entry", &[]);
    }

    #[test]
    fn a_finding_says_the_same_by_code_and_name() {
        let finding =
            serde_json::json!({"code": "LOAD_UNKNOWN_KEY", "message": "`prio` means nothing"});
        let findings = [finding];
        assert!(said_by("Unknown key 'prio'", &findings));
        assert!(!said_by("Unknown key 'other'", &findings));
        assert!(!said_by("Undefined macro 'prio' used", &findings));
    }

    #[test]
    fn look_ahead_at_the_start_is_a_negation() {
        meets("^(?!.*\"tags\":.*)", "{\"a\":1}\n", "", false).unwrap();
        meets("^(?!.*\"tags\":.*)", "{\"tags\":1}\n", "", false).unwrap_err();
    }
}
