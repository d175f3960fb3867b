//! The coverage page: what the rules see, by tactic and technique and by kind of event, and what each cannot see.
//!
//! It is made from the rule files and the cases, and from a table of what stands in no rule: the blind spots. What a rule
//! costs is said from its condition: which events it is looked at for, how many comparisons it has, whom it asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::audit::AuditCase;
use crate::case::Case;
use crate::condition::{Word, expanded};
use crate::ways;

/// What a rule cannot see: its name, a tab, the words.
const BLIND: &str = include_str!("../attacks/blind-spots.txt");

/// A rule as its file has it.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Stable, incubating or sandbox.
    pub maturity: String,
    /// All tags.
    pub tags: Vec<String>,
    /// Its priority.
    pub priority: String,
    /// False if it has to be turned on.
    pub enabled: bool,
    /// Where its events come from.
    pub source: String,
    /// The condition, folded into a line.
    pub condition: String,
}

/// Rules and macros of a rule file that is written as the shipped ones are.
#[must_use]
pub fn read(text: &str) -> (Vec<Rule>, BTreeMap<String, String>) {
    let mut rules = Vec::new();
    let mut macros = BTreeMap::new();
    for piece in text.split("\n- ").skip(1) {
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        let mut last = String::new();
        for (number, line) in piece.lines().enumerate() {
            if line.starts_with('#') || line.is_empty() {
                break;
            }
            let content = line.trim_start();
            let depth = line.len() - content.len();
            if (number == 0 || depth == 2)
                && let Some((key, value)) = content.split_once(':')
            {
                key.clone_into(&mut last);
                keys.insert(
                    last.clone(),
                    value.trim().trim_start_matches('>').trim().to_owned(),
                );
            } else if let Some(value) = keys.get_mut(&last) {
                value.push(' ');
                value.push_str(content);
            }
        }
        let key = |name: &str| {
            keys.get(name)
                .map(|value| value.trim().to_owned())
                .unwrap_or_default()
        };
        if keys.contains_key("macro") {
            macros.insert(key("macro"), key("condition"));
        } else if keys.contains_key("rule") {
            let tags: Vec<String> = key("tags")
                .trim_matches(['[', ']'])
                .split(", ")
                .map(str::to_owned)
                .collect();
            rules.push(Rule {
                name: key("rule"),
                maturity: tags[0].trim_start_matches("maturity_").to_owned(),
                source: match key("source").as_str() {
                    "" => "syscall".to_owned(),
                    source => source.to_owned(),
                },
                tags,
                priority: key("priority"),
                enabled: key("enabled") != "false",
                condition: key("condition"),
            });
        }
    }
    (rules, macros)
}

/// The event types that a condition names, wherever they stand in it; of audit events, the kinds of objects.
fn event_types(rule: &Rule, macros: &BTreeMap<String, String>) -> BTreeSet<String> {
    let field_of_type = if rule.source == AUDIT {
        "ka.target.resource"
    } else {
        "evt.type"
    };
    let mut found = BTreeSet::new();
    let mut of_type = false;
    for word in expanded(&rule.condition, macros) {
        match word {
            Word::Field(field) => of_type = field == field_of_type,
            Word::Value(value) if of_type => {
                found.insert(value);
            }
            Word::Logic(_) => of_type = false,
            _ => {}
        }
    }
    found
}

/// The source of audit events.
const AUDIT: &str = "k8s_audit";

/// What a rule takes: how often it is looked at, how much there is to compare, and whom it asks.
fn cost(rule: &Rule, macros: &BTreeMap<String, String>) -> String {
    const BUSY: [&str; 8] = [
        "read", "readv", "recvfrom", "recvmsg", "sendto", "sendmsg", "fcntl", "accept",
    ];
    const OFTEN: [&str; 6] = ["open", "openat", "openat2", "dup", "dup2", "dup3"];
    let types = event_types(rule, macros);
    let any = |names: &[&str]| names.iter().any(|name| types.contains(*name));
    let often = if rule.source == AUDIT {
        "every request"
    } else if any(&BUSY) {
        "high: data and descriptors"
    } else if any(&OFTEN) {
        "medium: every open or dup"
    } else {
        "low: rare calls"
    };
    let words = expanded(&rule.condition, macros);
    let comparisons = words
        .iter()
        .filter(|word| matches!(word, Word::Operator(_)))
        .count();
    let names = |start: &str, end: &str| {
        words.iter().any(
            |word| matches!(word, Word::Field(field) if field.starts_with(start) && field.ends_with(end)),
        )
    };
    let mut text = format!("{often}; {comparisons} comparisons");
    if names("container.image", "")
        || names("container.mount", "")
        || names("container.privileged", "")
    {
        text.push_str("; asks the container runtime");
    }
    if names("fd.", "ip.name") {
        text.push_str("; looks names up");
    }
    text
}

fn tactic_name(tag: &str) -> String {
    let words = tag.trim_start_matches("mitre_").replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

fn is_technique(tag: &str) -> bool {
    tag.strip_prefix('T')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == 'A'))
}

/// The page, from the text of each rule file and the cases; `others` is what Falco's own rules do in the suite.
#[must_use]
pub fn page(files: &[String], cases: &[Case], audit: &[AuditCase], others: &str) -> String {
    let mut rules = Vec::new();
    let mut macros = BTreeMap::new();
    for file in files {
        let (more, its_macros) = read(file);
        rules.extend(more);
        macros.extend(its_macros);
    }
    let mut page = String::from(
        "# What the rules cover\n\n\
         Made by `peregrine-attack coverage` from the rule files and the attack suite; a test keeps it fresh. Rules in *italics*\n\
         are off until they are turned on. The numbers beside a rule: cases that make it fire, and near misses that must not.\n\
         `peregrine-attack list --rule NAME` tells each of them.\n",
    );
    let counts = |rule: &Rule| {
        let of = |fires: bool| {
            let own = cases
                .iter()
                .filter(|case| case.rule == rule.name && case.fires == fires);
            let events = audit
                .iter()
                .filter(|case| case.rule == rule.name && case.fires == fires);
            own.count() + events.count()
        };
        (of(true), of(false))
    };
    let shown = |rule: &Rule| {
        if rule.enabled {
            rule.name.clone()
        } else {
            format!("*{}*", rule.name)
        }
    };

    page.push_str(
        "\n## By tactic and technique\n\n| tactic | technique | rules |\n|---|---|---|\n",
    );
    let mut by_tactic: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for rule in &rules {
        let tactics = rule.tags.iter().filter(|tag| tag.starts_with("mitre_"));
        for tactic in tactics {
            for technique in rule.tags.iter().filter(|tag| is_technique(tag)) {
                by_tactic
                    .entry((tactic_name(tactic), technique.clone()))
                    .or_default()
                    .push(shown(rule));
            }
        }
    }
    for ((tactic, technique), names) in &by_tactic {
        let _ = writeln!(page, "| {tactic} | {technique} | {} |", names.join("; "));
    }

    for (title, head, audited) in [
        ("By kind of event", "event", false),
        ("By kind of object in a cluster", "object", true),
    ] {
        let _ = writeln!(page, "\n## {title}\n\n| {head} | rules |\n|---|---|");
        let mut by_event: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for rule in rules
            .iter()
            .filter(|rule| (rule.source == AUDIT) == audited)
        {
            let mut kinds = event_types(rule, &macros);
            if kinds.is_empty() {
                kinds.insert("any".to_owned());
            }
            for kind in kinds {
                by_event.entry(kind).or_default().push(shown(rule));
            }
        }
        for (kind, names) in &by_event {
            let _ = writeln!(page, "| `{kind}` | {} |", names.join("; "));
        }
    }

    page.push_str("\n## Rule by rule\n\n| rule | maturity | priority | cases | cost | what it cannot see |\n|---|---|---|---|---|---|\n");
    let blind = blind_spots();
    for rule in &rules {
        let (fires, silent) = counts(rule);
        let _ = writeln!(
            page,
            "| {} | {} | {} | {fires} / {silent} | {} | {} |",
            shown(rule),
            rule.maturity,
            rule.priority,
            cost(rule, &macros),
            blind.get(rule.name.as_str()).copied().unwrap_or_default(),
        );
    }
    page.push_str(&tried(&rules, cases));
    page.push_str(
        "\n## What no rule can see\n\n\
         * A file that is reached through a symbolic link that was there before: calls carry the path as it was written. The\n\
         \x20 making of links to protected places is seen.\n\
         * What a program does within itself: a shell's own commands, code that an interpreter was handed on its standard\n\
         \x20 input, memory that is mapped and changed.\n\
         * `truncate` and `ftruncate`, `chattr`, extended attributes: these calls arrive without their arguments.\n\
         * Events that were lost: losses are counted and become an alert of their own.\n",
    );
    if !others.is_empty() {
        page.push_str("\n## Falco's own rules in the same suite\n\n");
        page.push_str(others);
    }
    page
}

/// The ways around each stable rule that its attacks take.
fn tried(rules: &[Rule], cases: &[Case]) -> String {
    let mut text = String::from("\n## Ways around that are tried\n\n");
    for (way, words) in ways::WAYS {
        let _ = writeln!(text, "* {way}: {words}");
    }
    text.push_str("\n| stable rule | attacks | by |\n|---|---|---|\n");
    let stable = |rule: &&Rule| rule.maturity == "stable" && rule.source != AUDIT;
    for rule in rules.iter().filter(stable) {
        let attacks: Vec<&Case> = cases
            .iter()
            .filter(|case| case.rule == rule.name && case.fires)
            .collect();
        let taken: BTreeSet<&str> = attacks.iter().flat_map(|case| ways::of(case)).collect();
        let names: Vec<&str> = ways::WAYS
            .iter()
            .map(|(way, _)| *way)
            .filter(|way| taken.contains(way))
            .collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            rule.name,
            attacks.len(),
            names.join(", ")
        );
    }
    text
}

/// What each rule cannot see.
#[must_use]
pub fn blind_spots() -> BTreeMap<&'static str, &'static str> {
    BLIND
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect()
}

/// A table of two rule sets beside each other: how many of each rule's cases ended as they should.
#[must_use]
pub fn side_by_side(cases: &[Case], ours: &[bool], theirs: &[bool]) -> String {
    let mut table = String::from(
        "Every case of a rule that both have; a rule fires and is silent where it should. Ours first, then Falco's newest\n\
         file and those that it no longer ships on by default, both in Peregrine. Cases of lists that the suite itself fills are\n\
         left out.\n\n| rule | fires, ours | fires, Falco's | silent, ours | silent, Falco's |\n|---|---|---|---|---|\n",
    );
    let mut names: Vec<&str> = Vec::new();
    for case in cases {
        if !names.contains(&case.rule.as_str()) {
            names.push(&case.rule);
        }
    }
    let mut sums = [0; 6];
    for name in names {
        let of = |fires: bool, right: &[bool]| {
            let all = cases
                .iter()
                .zip(right)
                .filter(|(case, _)| case.rule == name && case.fires == fires);
            (
                all.clone().filter(|(_, right)| **right).count(),
                all.count(),
            )
        };
        let (a, all) = of(true, ours);
        let (b, _) = of(true, theirs);
        let (c, quiet) = of(false, ours);
        let (d, _) = of(false, theirs);
        for (sum, one) in sums.iter_mut().zip([a, b, all, c, d, quiet]) {
            *sum += one;
        }
        let _ = writeln!(
            table,
            "| {name} | {a} of {all} | {b} of {all} | {c} of {quiet} | {d} of {quiet} |"
        );
    }
    let [a, b, all, c, d, quiet] = sums;
    let _ = writeln!(
        table,
        "| **all** | {a} of {all} | {b} of {all} | {c} of {quiet} | {d} of {quiet} |"
    );
    table
}
