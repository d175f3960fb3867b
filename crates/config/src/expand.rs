//! `${NAME}` in scalar values.
//!
//! `${NAME}` becomes the variable's value or nothing, `$${NAME}` becomes the text `${NAME}`. An
//! inserted value is scanned again. The first `$` that begins neither form, and a brace that is
//! never closed, end the expansion of that scalar. Where a variable refers to itself the original
//! never comes to an end; here the number of replacements is limited and the rest stays as it is.

use crate::tree::{Node, Value};

/// Replacements in one scalar; no honest value needs more.
const MAX_REPLACEMENTS: usize = 1_000;
/// Length a scalar may grow to.
const MAX_LENGTH: usize = 1 << 20;

/// Expands every scalar value of `node`; keys stay.
pub fn expand(node: &mut Node, variable: &dyn Fn(&str) -> Option<String>) {
    match &mut node.value {
        Value::Null => {}
        Value::Scalar(text) => {
            if let Some(expanded) = expand_text(text, variable) {
                *text = expanded;
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| expand(item, variable)),
        Value::Map(entries) => entries
            .iter_mut()
            .for_each(|e| expand(&mut e.value, variable)),
    }
}

/// The expanded text, or `None` where nothing changes.
fn expand_text(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    text.find('$')?;
    let mut text = text.to_owned();
    let mut from = 0;
    for _ in 0..MAX_REPLACEMENTS {
        let Some(start) = text[from..].find('$').map(|at| from + at) else {
            break;
        };
        let rest = &text[start..];
        let escaped = rest.starts_with("$${");
        if !escaped && !rest.starts_with("${") {
            break;
        }
        let Some(close) = rest.find('}').map(|at| start + at) else {
            break;
        };
        if escaped {
            text.remove(start);
            from = close;
            continue;
        }
        let value = variable(&text[start + 2..close]).unwrap_or_default();
        if text.len().saturating_add(value.len()) > MAX_LENGTH {
            break;
        }
        text.replace_range(start..=close, &value);
        from = start;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let variable = |name: &str| match name {
            "HOME" => Some("/root".to_owned()),
            "A" => Some("${B}".to_owned()),
            "B" => Some("bee".to_owned()),
            "SELF" => Some("x${SELF}".to_owned()),
            _ => None,
        };
        let mut node = Node::scalar(text);
        expand(&mut node, &variable);
        assert_eq!(node.text(), Some(expected), "{text}");
    }

    #[test]
    fn forms() {
        check("${HOME}/x${HOME}", "/root/x/root");
        check("a${NOPE}b", "ab");
        check("$${HOME}-${HOME}", "${HOME}-/root");
        check("${A}", "bee");
        check("a$b${HOME}", "a$b${HOME}");
        check("${HOME", "${HOME");
        check("é${HOME}é", "é/rooté");
    }

    #[test]
    fn a_variable_that_names_itself_ends() {
        let mut node = Node::scalar("${SELF}");
        expand(&mut node, &|_| Some("x${SELF}".to_owned()));
        assert!(node.text().is_some_and(|text| text.len() < 10_000));
    }
}
