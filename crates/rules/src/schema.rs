//! The advisory check of rule files against the published JSON schema.
//!
//! The schema is fixed, so it is written down here as what each key takes instead of being
//! interpreted. Scalars of YAML have no types of their own: a number also is a text, `true` and
//! `false` (and only these spellings) are truth values, digits are an integer.

use crate::yaml::{Kind, NodeId, Tree};

/// After so many deviations no more are looked for.
const MOST_MESSAGES: usize = 2000;

/// Outcome of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Whether all documents conform.
    pub valid: bool,
    /// `failed for <path>: <description>` for each deviation; with several documents also `ok` for
    /// each that conforms.
    pub messages: Vec<String>,
}

/// What a value must be.
enum Shape {
    Text,
    Truth,
    Integer,
    /// An integer or a text.
    Item,
    Anything,
    /// One of these words.
    OneOf(&'static [&'static str]),
    Sequence(&'static Shape),
    /// Keys with their shapes, those that must be there, and how many there must be at least.
    Mapping {
        keys: &'static [(&'static str, Shape)],
        required: &'static [&'static str],
        least: usize,
    },
}

const PRIORITIES: &[&str] = &[
    "EMERGENCY",
    "ALERT",
    "CRITICAL",
    "ERROR",
    "WARNING",
    "NOTICE",
    "INFO",
    "INFORMATIONAL",
    "DEBUG",
];

const OPERATION: Shape = Shape::OneOf(&["append", "replace"]);

static PLUGIN: Shape = Shape::Mapping {
    keys: &[("name", Shape::Text), ("version", Shape::Text)],
    required: &["name", "version"],
    least: 0,
};

static REQUIREMENT: Shape = Shape::Mapping {
    keys: &[
        ("alternatives", Shape::Sequence(&PLUGIN)),
        ("name", Shape::Text),
        ("version", Shape::Text),
    ],
    required: &["name", "version"],
    least: 0,
};

static EXCEPTION: Shape = Shape::Mapping {
    keys: &[
        ("comps", Shape::Anything),
        ("fields", Shape::Anything),
        ("name", Shape::Text),
        ("values", Shape::Anything),
    ],
    required: &["name"],
    least: 0,
};

static RULE: Shape = Shape::Mapping {
    keys: &[
        ("append", Shape::Truth),
        ("capture", Shape::Truth),
        ("capture_before", Shape::Integer),
        ("capture_duration", Shape::Integer),
        ("condition", Shape::Text),
        ("desc", Shape::Text),
        ("enabled", Shape::Truth),
        ("exceptions", Shape::Sequence(&EXCEPTION)),
        ("items", Shape::Sequence(&Shape::Item)),
        ("list", Shape::Text),
        ("macro", Shape::Text),
        ("output", Shape::Text),
        (
            "override",
            Shape::Mapping {
                keys: &[
                    ("capture", OPERATION),
                    ("capture_before", OPERATION),
                    ("capture_duration", OPERATION),
                    ("condition", OPERATION),
                    ("desc", OPERATION),
                    ("enabled", OPERATION),
                    ("exceptions", OPERATION),
                    ("items", OPERATION),
                    ("output", OPERATION),
                    ("priority", OPERATION),
                    ("skip-if-unknown-filter", OPERATION),
                    ("sequence", OPERATION),
                    ("threshold", OPERATION),
                    ("first_seen", OPERATION),
                    ("tags", OPERATION),
                    ("warn_evttypes", OPERATION),
                ],
                required: &[],
                least: 1,
            },
        ),
        ("priority", Shape::OneOf(PRIORITIES)),
        ("required_engine_version", Shape::Text),
        ("required_plugin_versions", Shape::Sequence(&REQUIREMENT)),
        ("rule", Shape::Text),
        ("skip-if-unknown-filter", Shape::Truth),
        ("source", Shape::Text),
        ("tags", Shape::Sequence(&Shape::Text)),
        // Ours; the published schema has no such keys.
        ("sequence", Shape::Anything),
        ("first_seen", Shape::Anything),
        ("threshold", Shape::Anything),
        ("tests", Shape::Anything),
        ("warn_evttypes", Shape::Truth),
    ],
    required: &[],
    least: 0,
};

static RULES: Shape = Shape::Sequence(&RULE);

/// Checks all documents. `None` where there is nothing to check.
#[must_use]
pub fn check(tree: &Tree<'_>) -> Option<Validity> {
    // A file of comments only has one document of nothing: that counts as none.
    let empty = tree.documents.iter().all(|&d| tree.is_null(d));
    if tree.documents.is_empty() || (empty && tree.documents.len() == 1) {
        return None;
    }
    let mut validity = Validity {
        valid: true,
        messages: Vec::new(),
    };
    for &document in &tree.documents {
        let before = validity.messages.len();
        conforms(tree, document, &RULES, "<root>", &mut validity.messages);
        if validity.messages.len() > before {
            validity.valid = false;
        } else if tree.documents.len() > 1 {
            validity.messages.push("ok".to_owned());
        }
    }
    if validity.valid {
        validity.messages.clear();
    }
    Some(validity)
}

fn conforms(
    tree: &Tree<'_>,
    id: NodeId,
    shape: &Shape,
    path: &str,
    messages: &mut Vec<String>,
) -> bool {
    if messages.len() >= MOST_MESSAGES {
        return true;
    }
    let kind = &tree.node(id).kind;
    let scalar = match kind {
        Kind::Null => Some(""),
        Kind::Scalar(scalar) => Some(scalar.value.as_ref()),
        Kind::Sequence(_) | Kind::Mapping(_) => None,
    };
    let mut fail = |text: String| {
        messages.push(format!("failed for {path}: {text}"));
        false
    };
    const TYPE: &str = "Value type not permitted by 'type' constraint.";
    match (shape, scalar) {
        (Shape::Anything, _) | (Shape::Text, Some(_)) => true,
        (Shape::Truth, Some("true" | "false")) => true,
        (Shape::Integer, Some(text)) if integer(text) => true,
        (Shape::Item, Some(_)) => true,
        (Shape::Item, None) => {
            fail("Failed to validate against any schemas allowed by anyOf constraint.".to_owned())
        }
        (Shape::OneOf(words), Some(text)) if words.contains(&text) => true,
        (Shape::OneOf(_), Some(_)) => fail("Failed to match against any enum values.".to_owned()),
        (Shape::Sequence(inner), None) => {
            let Kind::Sequence(items) = kind else {
                return fail(TYPE.to_owned());
            };
            let mut all = true;
            for (n, &item) in items.iter().enumerate() {
                if !conforms(tree, item, inner, &format!("{path}[{n}]"), messages) {
                    all = false;
                    messages.push(format!(
                        "failed for {path}: Failed to validate item #{n} in array."
                    ));
                }
            }
            all
        }
        (
            Shape::Mapping {
                keys,
                required,
                least,
            },
            None,
        ) => {
            let Kind::Mapping(_) = kind else {
                return fail(TYPE.to_owned());
            };
            mapping(tree, id, keys, required, *least, path, messages)
        }
        _ => fail(TYPE.to_owned()),
    }
}

fn mapping(
    tree: &Tree<'_>,
    id: NodeId,
    keys: &[(&str, Shape)],
    required: &[&str],
    least: usize,
    path: &str,
    messages: &mut Vec<String>,
) -> bool {
    let entries = tree.entries(id);
    let before = messages.len();
    if entries.len() < least {
        messages.push(format!(
            "failed for {path}: Object should have no fewer than {least} properties."
        ));
    }
    for (key, shape) in keys {
        let Some(value) = tree.value(id, key) else {
            continue;
        };
        if !conforms(tree, value, shape, &format!("{path}[{key}]"), messages) {
            messages.push(format!(
                "failed for {path}: Failed to validate against schema associated with property name '{key}'."
            ));
        }
    }
    // One stranger is named, the first.
    let known = |name: &str| keys.iter().any(|(k, _)| *k == name);
    let stranger = entries
        .iter()
        .filter_map(|&(k, _)| tree.text(k))
        .find(|name| !known(name));
    if let Some(name) = stranger {
        messages.push(format!(
            "failed for {path}: Object contains a property that could not be validated using 'properties' or 'additionalProperties' constraints: '{name}'."
        ));
    }
    for name in required {
        if tree.value(id, name).is_none() {
            messages.push(format!(
                "failed for {path}: Missing required property '{name}'."
            ));
        }
    }
    messages.len() == before
}

fn integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
