//! `-o key=value`: one setting from the command line.
//!
//! ```text
//! json_output=true            a key
//! engine.replay.capture_file= a key below others
//! plugins[2].name=x           an item of a sequence
//! rules[].disable.tag=net     a new item at the end
//! a\.b\[c=x                   `\` takes the next character as it is
//! append_output[]={...}       a value between braces is read as YAML
//! ```
//!
//! Any other value is one scalar, whatever it looks like: `[a, b]` is a text.

use crate::tree::{Entry, Node, TreeError, Value};

/// One step of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    Append,
}

/// A parsed override.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// As it was given, for messages.
    text: String,
    steps: Vec<Step>,
    value: Node,
}

/// What is wrong with an override.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// No `=`.
    #[error("option '{0}' has no value: write KEY=VALUE or KEY.SUBKEY=VALUE")]
    NoValue(String),
    /// The key's syntax.
    #[error("config error at key '{key}': {message}")]
    Key {
        /// The key as given.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// The value between braces is no YAML.
    #[error("value of option '{key}': {error}")]
    Value {
        /// The key as given.
        key: String,
        /// What is wrong.
        error: TreeError,
    },
}

impl Override {
    /// Parses `key=value`.
    ///
    /// # Errors
    /// [`OptionError`] for a missing `=`, a malformed key, or a value in braces that is no YAML.
    pub fn parse(text: &str) -> Result<Self, OptionError> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(OptionError::NoValue(text.to_owned()));
        };
        let steps = steps(key).map_err(|message| OptionError::Key {
            key: key.to_owned(),
            message: message.into(),
        })?;
        let value = if value.starts_with('{') && value.ends_with('}') {
            Node::parse(value, None).map_err(|error| OptionError::Value {
                key: key.to_owned(),
                error,
            })?
        } else {
            Node::scalar(value)
        };
        Ok(Self {
            text: text.to_owned(),
            steps,
            value,
        })
    }

    /// An override made by the program, for a flag that stands for a key.
    #[must_use]
    pub fn set(path: &str, value: &str) -> Self {
        let steps = path
            .split('.')
            .flat_map(|part| {
                let (name, append) = part
                    .strip_suffix("[]")
                    .map_or((part, false), |name| (name, true));
                std::iter::once(Step::Key(name.to_owned())).chain(append.then_some(Step::Append))
            })
            .collect();
        Self {
            text: format!("{path}={value}"),
            steps,
            value: Node::scalar(value),
        }
    }

    /// Whether it sets something below the top-level key `key`.
    #[must_use]
    pub fn concerns(&self, key: &str) -> bool {
        matches!(self.steps.first(), Some(Step::Key(first)) if first == key)
    }

    /// As it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Sets the value in `root`.
    ///
    /// # Errors
    /// [`OptionError::Key`] when the key leads through something that is no map or sequence.
    pub fn apply(&self, root: &mut Node) -> Result<(), OptionError> {
        let key = || {
            self.text
                .split_once('=')
                .map_or(self.text.as_str(), |(key, _)| key)
        };
        let mut node = root;
        for step in &self.steps {
            node = descend(node, step).map_err(|message| OptionError::Key {
                key: key().to_owned(),
                message,
            })?;
        }
        *node = self.value.clone();
        Ok(())
    }
}

fn descend<'n>(node: &'n mut Node, step: &Step) -> Result<&'n mut Node, String> {
    if node.value == Value::Null {
        node.value = match step {
            Step::Key(_) => Value::Map(Vec::new()),
            Step::Index(_) | Step::Append => Value::Sequence(Vec::new()),
        };
    }
    let shape = node.shape();
    match (step, &mut node.value) {
        (Step::Key(key), Value::Map(entries)) => {
            let at = entries
                .iter()
                .position(|e| e.key == *key)
                .unwrap_or_else(|| {
                    let value = Node::null();
                    entries.push(Entry {
                        key: key.clone(),
                        key_at: None,
                        value,
                    });
                    entries.len() - 1
                });
            Ok(&mut entries[at].value)
        }
        (Step::Index(index), Value::Sequence(items)) => {
            if *index == items.len() {
                items.push(Node::null());
            }
            let len = items.len();
            items
                .get_mut(*index)
                .ok_or_else(|| format!("index {index} is beyond the end, there are {len} items"))
        }
        (Step::Append, Value::Sequence(items)) => {
            items.push(Node::null());
            Ok(items.last_mut().expect("an item was just pushed"))
        }
        (Step::Key(key), _) => Err(format!("'{key}' is looked for inside {shape}")),
        (Step::Index(_) | Step::Append, _) => Err(format!("an index into {shape}")),
    }
}

/// Splits a key into its steps.
fn steps(key: &str) -> Result<Vec<Step>, &'static str> {
    let mut steps = Vec::new();
    let mut name = String::new();
    let mut after_index = false;
    let mut chars = key.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.push(
                chars
                    .next()
                    .ok_or("a backslash at the end escapes nothing")?,
            ),
            '.' => {
                if name.is_empty() && !after_index {
                    return Err("a name is missing before '.'");
                }
                if !name.is_empty() {
                    steps.push(Step::Key(std::mem::take(&mut name)));
                }
                after_index = false;
                if chars.as_str().is_empty() {
                    return Err("a name is missing after '.'");
                }
            }
            '[' => {
                if !name.is_empty() {
                    steps.push(Step::Key(std::mem::take(&mut name)));
                } else if !after_index {
                    return Err("a name is missing before '['");
                }
                let (index, rest) = chars.as_str().split_once(']').ok_or("']' is missing")?;
                steps.push(if index.is_empty() {
                    Step::Append
                } else {
                    Step::Index(index.parse().map_err(|_| "an index must be a number")?)
                });
                chars = rest.chars();
                after_index = true;
            }
            ']' => return Err("']' without '['"),
            _ if after_index => return Err("'.' or '[' must follow ']'"),
            c => name.push(c),
        }
    }
    if !name.is_empty() {
        steps.push(Step::Key(name));
    }
    if steps.is_empty() {
        Err("the key is empty")
    } else {
        Ok(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(yaml: &str, options: &[&str]) -> serde_json::Value {
        let mut root = Node::parse(yaml, None).unwrap();
        for option in options {
            Override::parse(option).unwrap().apply(&mut root).unwrap();
        }
        root.to_json()
    }

    #[test]
    fn keys_indices_and_appending() {
        let json = applied(
            "a: {b: 1}\nl: [x, y]\n",
            &[
                "a.b=2",
                "a.c.d=true",
                "l[1]=z",
                "l[]=w",
                "n[].disable.rule=*",
                r"d\.o\[t=1=2",
            ],
        );
        assert_eq!(
            json,
            serde_json::json!({"a": {"b": 2, "c": {"d": true}}, "l": ["x", "z", "w"],
                "n": [{"disable": {"rule": "*"}}], "d.o[t": "1=2"})
        );
    }

    #[test]
    fn only_braces_make_yaml() {
        let json = applied("", &["a[]={\"x\": [1, 2]}", "b=[1, 2]"]);
        assert_eq!(
            json,
            serde_json::json!({"a": [{"x": [1, 2]}], "b": "[1, 2]"})
        );
    }

    #[test]
    fn refused() {
        for bad in [
            "x", "=1", ".a=1", "a.=1", "a[=1", "a]=1", "a[x]=1", "a[0]b=1", "[0]=1", "a\\=1",
        ] {
            assert!(Override::parse(bad).is_err(), "{bad}");
        }
        let mut root = Node::parse("a: 1\nl: [x]\n", None).unwrap();
        for bad in ["a.b=1", "a[0]=1", "l.x=1", "l[5]=1"] {
            assert!(
                Override::parse(bad).unwrap().apply(&mut root).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn flags_stand_for_keys() {
        let mut root = Node::null();
        Override::set("rules[].disable.rule", "*")
            .apply(&mut root)
            .unwrap();
        Override::set("rules[].enable.tag", "a")
            .apply(&mut root)
            .unwrap();
        let expected =
            serde_json::json!({"rules": [{"disable": {"rule": "*"}}, {"enable": {"tag": "a"}}]});
        assert_eq!(root.to_json(), expected);
    }
}
