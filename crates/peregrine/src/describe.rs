//! Descriptions of rules: `-L`, `-l`, and what `-V` says as text.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::ruleset::Loading;
use crate::sources::Sources;

/// The text or JSON of `-L` and `-l RULE`.
///
/// # Errors
/// When there is no such rule.
pub(crate) fn text(
    loading: &Loading,
    rule: Option<&str>,
    as_json: bool,
    sources: &Sources,
) -> Result<String> {
    if as_json {
        return Ok(format!("{}\n", json(loading, rule, sources)?));
    }
    let set = loading.set();
    let chosen: Vec<&rules::Rule> = set
        .rules
        .iter()
        .filter(|found| rule.is_none_or(|name| found.name == name))
        .collect();
    if let (Some(name), true) = (rule, chosen.is_empty()) {
        bail!("rule \"{name}\" is not loaded");
    }
    let mut out = String::new();
    line("Rule", "Description", &mut out);
    line("----", "-----------", &mut out);
    for rule in chosen {
        out.push('\n');
        let mut name = rule.name.as_str();
        for part in wrapped(&rule.description, 59) {
            line(name, &part, &mut out);
            name = "";
        }
    }
    Ok(out)
}

fn line(left: &str, right: &str, out: &mut String) {
    out.push_str(&format!("{left:<50} {right}\n"));
}

/// Lines of at most `width` characters, one at least.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let current = lines.last_mut().expect("there is one from the beginning");
        if !current.is_empty() && current.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
            continue;
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    lines
}

/// The description as JSON.
///
/// # Errors
/// When there is no such rule.
pub(crate) fn json(loading: &Loading, rule: Option<&str>, sources: &Sources) -> Result<Value> {
    let sources = sources.schemas();
    let described = match rule {
        Some(name) => rules::describe::rule(loading.set(), name, &sources),
        None => Some(rules::describe::all(loading.set(), &sources)),
    };
    match described {
        Some(described) => Ok(described),
        None => bail!("rule \"{}\" is not loaded", rule.unwrap_or_default()),
    }
}

/// What `-V` prints without JSON: a block for each file.
pub(crate) fn validation(loading: &Loading) -> String {
    let mut out = String::new();
    for outcome in loading.outcomes() {
        let warns = outcome.findings.iter().any(|finding| !finding.is_error());
        let verdict = match (outcome.successful(), warns) {
            (true, false) => "Ok",
            (true, true) => "Ok, with warnings",
            (false, _) => "Invalid",
        };
        out.push_str(&format!("{}: {verdict}\n", outcome.name));
        if !outcome.successful() {
            out.push_str(&outcome.text(loading.sources(), false));
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping() {
        assert_eq!(wrapped("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("abcdefgh i", 5), ["abcdefgh", "i"]);
    }
}
