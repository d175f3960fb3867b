//! Which rules run, and in which order they are tried.
//!
//! The order of trying is the order of enabling: the rule files enable in order of definition, a
//! rule that is disabled and enabled again comes last. With `rule_matching: first` that decides
//! which rule fires.

use config::settings::{Select, Selection};
use regex::Regex;
use rules::{Priority, Rule};

/// Enables and disables rules and brings them into the order of trying; disabled ones come last.
pub fn apply(rules: &mut Vec<Rule>, selections: &[Selection], least: Priority) {
    let mut order: Vec<usize> = (0..rules.len()).filter(|at| rules[*at].enabled).collect();
    for selection in selections {
        let picks = picker(&selection.select);
        for (at, rule) in rules.iter_mut().enumerate().filter(|(_, rule)| picks(rule)) {
            if !selection.enable {
                order.retain(|enabled| *enabled != at);
            } else if !rule.enabled {
                order.push(at);
            }
            rule.enabled = selection.enable;
        }
    }
    order.retain(|at| rules[*at].priority <= least);
    let mut places = vec![usize::MAX; rules.len()];
    for (place, at) in order.into_iter().enumerate() {
        places[at] = place;
    }
    let mut placed: Vec<(usize, Rule)> = places.into_iter().zip(std::mem::take(rules)).collect();
    placed.sort_by_key(|(place, _)| *place);
    rules.extend(placed.into_iter().map(|(place, mut rule)| {
        rule.enabled = place != usize::MAX;
        rule
    }));
}

fn picker(select: &Select) -> Box<dyn Fn(&Rule) -> bool + '_> {
    match select {
        Select::Rule(pattern) => Box::new(move |rule| matches(pattern, &rule.name)),
        Select::Tag(tag) => Box::new(move |rule| rule.tags.contains(tag)),
        Select::NameHolds(text) => {
            // Early releases searched a regular expression, later ones the text as it is.
            let expression = Regex::new(text).ok();
            Box::new(move |rule| {
                rule.name.contains(text)
                    || expression.as_ref().is_some_and(|found| found.is_match(&rule.name))
            })
        }
    }
}

/// Whether the whole name fits; `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, tags: &[&str], enabled: bool) -> Rule {
        Rule {
            name: name.to_owned(),
            description: String::new(),
            condition: String::new(),
            output: String::new(),
            output_template: String::new(),
            extra_fields: Vec::new(),
            priority: Priority::Notice,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            source: "syscall".to_owned(),
            enabled,
            capture: false,
            capture_duration: 0,
            exceptions: Vec::new(),
            event_codes: rules::CodeSet::default(),
            syscall_codes: rules::CodeSet::default(),
        }
    }

    fn select(enable: bool, select: Select) -> Selection {
        Selection { enable, select }
    }

    fn order(selections: &[Selection]) -> Vec<String> {
        let mut rules = vec![
            rule("Alpha one", &["a"], true),
            rule("Beta two", &["b"], true),
            rule("Gamma three", &["a", "b"], false),
        ];
        apply(&mut rules, selections, Priority::Debug);
        rules.into_iter().filter(|rule| rule.enabled).map(|rule| rule.name).collect()
    }

    #[test]
    fn the_order_of_enabling() {
        assert_eq!(order(&[]), ["Alpha one", "Beta two"]);
        let off = select(false, Select::Rule("*".into()));
        let picked = order(&[
            off.clone(),
            select(true, Select::Rule("Gamma*".into())),
            select(true, Select::Rule("Alpha one".into())),
        ]);
        assert_eq!(picked, ["Gamma three", "Alpha one"]);
        assert_eq!(order(&[off, select(true, Select::Tag("b".into()))]), ["Beta two", "Gamma three"]);
        assert_eq!(order(&[select(false, Select::Tag("b".into()))]), ["Alpha one"]);
        assert_eq!(order(&[select(false, Select::NameHolds("e.a".into()))]), ["Alpha one"]);
    }

    #[test]
    fn a_priority_from_which_rules_run() {
        let mut rules = vec![rule("a", &[], true)];
        apply(&mut rules, &[], Priority::Warning);
        assert!(!rules[0].enabled);
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*b*c", "a b c", true),
            ("abc", "abcd", false),
            ("b", "abc", false),
            ("*b*", "abc", true),
            ("ab*bc", "abc", false),
            ("A*", "abc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
