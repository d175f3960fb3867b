//! The alerts of `golden/alerts`: every set of rules, mode of matching and capture, line by line.
//!
//! A stub stood in for the container plugin there: every process belonged to the host. The runner's
//! configuration switches all container engines off, which comes to the same. Keys that were cut from a
//! golden line (`container_fields_removed`, `unreliable`) are cut from ours before the two are compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::statistics::{self, Statistics};
use super::{Bench, brief, strings};
use crate::corpus::CaptureFile;
use crate::{Tally, jsonl};

/// One set of rules in one mode, as `golden/alerts/summary.json.gz` describes it.
#[derive(Clone, Debug)]
struct Set {
    /// Key in the summary without `.text`, say `broad.first` or `community/NAME.yaml`.
    name: String,
    /// File of the alerts, which is missing where there is no alert.
    file: String,
    mode: String,
    iso: bool,
    rules: Vec<String>,
    options: Vec<String>,
    /// Only the alerts of these rules were kept; empty: of all.
    only: Vec<String>,
    /// Rules whose output has a field that the original prints as missing, see [`DEFECTIVE`].
    defective: Vec<String>,
    /// Statistics per capture, where the summary has them.
    counts: BTreeMap<String, Statistics>,
}

/// Fields in outputs that the recorded release always prints as `<NA>`, a defect that the specification
/// names. They are cases of their own, `SET/CAPTURE/RULE/defective`, which the list of known differences
/// excuses; the rest of such a line is compared.
const DEFECTIVE: [&str; 2] = ["%len(", "%evt.type.is."];

/// Compares the JSON alerts and the closing statistics.
#[must_use]
pub fn json(bench: &Bench) -> Tally {
    let mut tally = Tally::new("alerts");
    let Some(sets) = sets(bench, &mut tally, false) else {
        return tally;
    };
    for set in sets {
        let expected = match golden_lines(bench, &set) {
            Ok(lines) => lines,
            Err(why) => {
                tally.fail(&set.name, why);
                continue;
            }
        };
        let captures = bench.corpus.captures();
        let results = bench.each(&captures, |capture| {
            let key = format!("{}.scap", capture.name);
            let none = Vec::new();
            compare_json(bench, &set, capture, expected.get(&key).unwrap_or(&none))
        });
        for (id, faults) in results.into_iter().flatten() {
            tally.case(id, &faults);
        }
    }
    tally
}

/// Compares the text alerts.
#[must_use]
pub fn text(bench: &Bench) -> Tally {
    let mut tally = Tally::new("alerts-text");
    let Some(sets) = sets(bench, &mut tally, true) else {
        return tally;
    };
    for set in sets {
        let path = bench.corpus.path(format!("golden/alerts/{}", set.file));
        let content = match jsonl::open(&path).and_then(|mut file| {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }) {
            Ok(content) => content,
            Err(e) => {
                tally.fail(&set.name, format!("{}: {e}", path.display()));
                continue;
            }
        };
        let mut expected: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut capture = "";
        for line in content.lines() {
            match line.strip_prefix("=== ") {
                Some(name) => {
                    capture = name;
                    expected.entry(capture).or_default();
                }
                None => expected.entry(capture).or_default().push(line),
            }
        }
        let captures = bench.corpus.captures();
        let results = bench.each(&captures, |capture| {
            let run = bench.program.run(&arguments(bench, &set, capture, false));
            let out = run.out();
            let (alerts, found) = statistics::split(&out);
            if run.code != Some(0) || found.is_none() {
                return (Some(run.ending()), None);
            }
            let rest;
            let ours: Vec<&str> = alerts.lines().collect();
            let none = Vec::new();
            let key = format!("{}.scap", capture.name);
            let wanted = expected.get(key.as_str()).unwrap_or(&none);
            let strict = first_difference(&ours, &wanted);
            let excused: Vec<&str> = if set.defective.is_empty() {
                wanted.clone()
            } else {
                let pairs = wanted.iter().enumerate();
                let as_ours = |(at, theirs): (usize, &&'_ str)| match ours.get(at) {
                    Some(line) if same_but_for(line, theirs, &[], true) => line.to_string(),
                    _ => theirs.to_string(),
                };
                rest = pairs.map(as_ours).collect::<Vec<String>>();
                rest.iter().map(String::as_str).collect()
            };
            (first_difference(&ours, &excused), strict)
        });
        for (capture, (faults, strict)) in captures.iter().zip(results) {
            let id = format!("{}/{}", set.name, capture.name);
            if faults.is_none() && !set.defective.is_empty() {
                tally.case(format!("{id}/defective"), strict.as_slice());
            }
            tally.case(id, faults.as_slice());
        }
    }
    tally
}

fn sets(bench: &Bench, tally: &mut Tally, text: bool) -> Option<Vec<Set>> {
    let file = ["summary.json.gz", "summary.json"]
        .into_iter()
        .map(|name| format!("golden/alerts/{name}"))
        .find(|file| bench.corpus.existing(file).is_some())
        .unwrap_or_else(|| "golden/alerts/summary.json.gz".to_owned());
    let summary = bench.document(&file, tally)?;
    let mut sets = Vec::new();
    for (key, entry) in summary.as_object().into_iter().flatten() {
        let rules = strings(&entry["rules"]);
        if rules.is_empty() || key.ends_with(".text") != text {
            continue;
        }
        let missing = rules
            .iter()
            .find(|file| bench.corpus.existing(file).is_none());
        if let Some(file) = missing {
            tally.skip(format!("{key}: no {file}"));
            continue;
        }
        let name = key.strip_suffix(".text").unwrap_or(key).to_owned();
        let mode = if name.contains(".all") || entry["matching"] == "all" {
            "all"
        } else {
            "first"
        };
        let community = key
            .strip_prefix("community/")
            .and_then(|n| n.strip_suffix(".yaml"));
        let (file, only) = match community {
            Some(stem) => {
                let path = bench.corpus.path(format!("rules/{key}"));
                (
                    format!("community-{stem}.{mode}.jsonl.gz"),
                    rule_names(&path),
                )
            }
            None if text => (format!("{key}.gz"), Vec::new()),
            None => (format!("{key}.jsonl.gz"), Vec::new()),
        };
        let captures = entry["captures"].as_object().into_iter().flatten();
        sets.push(Set {
            iso: name.ends_with(".iso"),
            mode: mode.to_owned(),
            defective: rules
                .iter()
                .flat_map(|file| defective(&bench.corpus.path(file)))
                .collect(),
            options: strings(&entry["options"]),
            counts: captures
                .filter(|(_, counts)| counts["exit"] == 0)
                .map(|(capture, counts)| (capture.clone(), Statistics::from_json(counts)))
                .collect(),
            name,
            file,
            rules,
            only,
        });
    }
    Some(sets)
}

/// Names of the rules in a file, read off its text.
fn rule_names(path: &std::path::Path) -> Vec<String> {
    let content = std::fs::read_to_string(path).unwrap_or_default();
    content
        .lines()
        .filter_map(|line| {
            line.trim_start()
                .trim_start_matches("- ")
                .strip_prefix("rule:")
        })
        .map(|name| name.trim().trim_matches(['"', '\'']).to_owned())
        .collect()
}

/// Names of the rules in a file whose output, or any other text, holds a defective field.
fn defective(path: &std::path::Path) -> Vec<String> {
    let content = std::fs::read_to_string(path).unwrap_or_default();
    let rules = content.split("- rule:").skip(1);
    rules
        .filter(|rule| DEFECTIVE.iter().any(|field| rule.contains(field)))
        .filter_map(|rule| rule.lines().next())
        .map(|name| name.trim().trim_matches(['"', '\'']).to_owned())
        .collect()
}

fn arguments(bench: &Bench, set: &Set, capture: &CaptureFile, json: bool) -> Vec<String> {
    let mut args = vec!["-c".to_owned(), bench.golden_config()];
    for rules in &set.rules {
        args.extend(["-r".to_owned(), rules.clone()]);
    }
    let mut options = vec![
        "engine.kind=replay".to_owned(),
        format!("engine.replay.capture_file={}", capture.path.display()),
        format!("rule_matching={}", set.mode),
        format!("json_output={json}"),
        format!("time_format_iso_8601={}", set.iso),
    ];
    options.extend(set.options.iter().cloned());
    args.extend(
        options
            .into_iter()
            .flat_map(|option| ["-o".to_owned(), option]),
    );
    args
}

type Lines = BTreeMap<String, Vec<(String, Value)>>;

/// The golden alerts by capture: the line without what was added to it, and its value.
fn golden_lines(bench: &Bench, set: &Set) -> Result<Lines, String> {
    let mut lines = Lines::new();
    let Some(path) = bench.corpus.existing(format!("golden/alerts/{}", set.file)) else {
        return Ok(lines);
    };
    let reader = jsonl::open(&path).map_err(|e| e.to_string())?;
    for line in std::io::BufRead::lines(reader) {
        let line = line.map_err(|e| e.to_string())?;
        let value: Value = serde_json::from_str(&line).map_err(|e| e.to_string())?;
        let capture = value["capture"].as_str().unwrap_or("").to_owned();
        let added = format!("{{\"capture\":{},", value["capture"]);
        let exact = line
            .strip_prefix(&added)
            .map_or(line.clone(), |rest| format!("{{{rest}"));
        lines.entry(capture).or_default().push((exact, value));
    }
    Ok(lines)
}

type Case = (String, Vec<String>);

fn compare_json(
    bench: &Bench,
    set: &Set,
    capture: &CaptureFile,
    expected: &[(String, Value)],
) -> Vec<Case> {
    let id = format!("{}/{}", set.name, capture.name);
    let run = bench.program.run(&arguments(bench, set, capture, true));
    let out = run.out();
    let (alerts, found) = statistics::split(&out);
    let Some(found) = found.filter(|_| run.code == Some(0)) else {
        return vec![(id, vec![run.ending()])];
    };
    let mut ours: Vec<(&str, Value)> = Vec::new();
    for line in alerts.lines() {
        match serde_json::from_str(line) {
            Ok(value) => ours.push((line, value)),
            Err(e) => return vec![(id, vec![format!("{e}: {}", brief(line))])],
        }
    }
    if !set.only.is_empty() {
        ours.retain(|(_, v)| set.only.iter().any(|name| v["rule"] == name.as_str()));
    }
    let mut faults = Vec::new();
    if let Some(counts) = set.counts.get(&format!("{}.scap", capture.name)) {
        faults.extend(found.of_rules(&set.only).differences(counts));
    }
    // The order of alerts, by event and rule; their contents are compared rule by rule below.
    let order = |v: &Value| format!("{} {}", v["time"], v["rule"]);
    let ours_order: Vec<String> = ours.iter().map(|(_, v)| order(v)).collect();
    let expected_order: Vec<String> = expected.iter().map(|(_, v)| order(v)).collect();
    let (a, b): (Vec<&str>, Vec<&str>) = (
        ours_order.iter().map(String::as_str).collect(),
        expected_order.iter().map(String::as_str).collect(),
    );
    faults.extend(first_difference(&a, &b));
    let mut cases = vec![(id.clone(), faults)];
    let mut rules: Vec<&str> = expected
        .iter()
        .filter_map(|(_, v)| v["rule"].as_str())
        .collect();
    rules.sort_unstable();
    rules.dedup();
    for rule in rules {
        let excused = set.defective.iter().any(|name| name == rule);
        cases.push((
            format!("{id}/{rule}"),
            rule_faults(rule, &ours, expected, excused),
        ));
        if excused {
            let all = rule_faults(rule, &ours, expected, false);
            cases.push((format!("{id}/{rule}/defective"), all));
        }
    }
    cases
}

/// Compares the alerts of one rule, paired by event; with `excused` a number of ours may stand where the
/// original says `<NA>`.
fn rule_faults(
    rule: &str,
    ours: &[(&str, Value)],
    expected: &[(String, Value)],
    excused: bool,
) -> Vec<String> {
    let mut by_event: BTreeMap<&str, Vec<&(&str, Value)>> = BTreeMap::new();
    for alert in ours.iter().filter(|(_, v)| v["rule"] == rule).rev() {
        by_event
            .entry(alert.1["time"].as_str().unwrap_or(""))
            .or_default()
            .push(alert);
    }
    let (mut lines, mut differing) = (0, BTreeMap::<String, (usize, String)>::new());
    let mut fault = |what: String, example: String| {
        differing.entry(what).or_insert((0, example)).0 += 1;
    };
    for (exact, wanted) in expected.iter().filter(|(_, v)| v["rule"] == rule) {
        lines += 1;
        let time = wanted["time"].as_str().unwrap_or("");
        let Some((line, value)) = by_event.get_mut(time).and_then(Vec::pop) else {
            fault("missing".to_owned(), brief(exact));
            continue;
        };
        if line == exact {
            continue;
        }
        let (mut value, mut plain) = (value.clone(), wanted.clone());
        let (cut, ours_fields) = (removed(&mut plain), value["output_fields"].clone());
        for name in &cut {
            remove(&mut value["output_fields"], name);
            remove(&mut plain["output_fields"], name);
        }
        for text in ["output", "message"] {
            let (Some(a), Some(b)) = (line_of(&value, text), line_of(&plain, text)) else {
                continue;
            };
            if same_but_for(a, b, &container_texts(&ours_fields, &cut), excused) {
                plain[text] = value[text].clone();
            }
        }
        if !wanted["unreliable"].is_null() {
            for text in ["output", "message"] {
                remove(&mut value, text);
                remove(&mut plain, text);
            }
        }
        let before = differences(&value, &plain, &mut fault);
        if before == 0 && cut.is_empty() && wanted["unreliable"].is_null() && !excused {
            fault(
                "equal as JSON, not as text".to_owned(),
                format!("{line}\nexpected {exact}"),
            );
        }
    }
    let left: usize = by_event.values().map(Vec::len).sum();
    if left > 0 {
        let example = by_event
            .values()
            .flatten()
            .next()
            .map_or("", |(line, _)| line);
        differing.insert("superfluous".to_owned(), (left, brief(example)));
    }
    differing
        .into_iter()
        .map(|(what, (n, example))| format!("{what} in {n} of {lines} alerts: {example}"))
        .collect()
}

fn line_of<'a>(alert: &'a Value, key: &str) -> Option<&'a str> {
    alert[key].as_str()
}

/// For each field that was cut: its text in our line, and the one that the stub gave.
fn container_texts(ours: &Value, cut: &[String]) -> Vec<(String, &'static str)> {
    cut.iter()
        .map(|name| {
            let text = match &ours[name.as_str()] {
                Value::Null => "<NA>".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let stub = name == "container.id" || name == "container.name";
            (text, if stub { "host" } else { "<NA>" })
        })
        .collect()
}

/// True if two lines are the same once our text of a container field may stand for the stub's (the
/// real plugin gives empty texts on the host where the stub gave nothing), and, if `numbers`, a number
/// of ours for `<NA>`.
fn same_but_for(ours: &str, theirs: &str, pairs: &[(String, &'static str)], numbers: bool) -> bool {
    let (a, b) = (ours.as_bytes(), theirs.as_bytes());
    let (mut open, mut seen) = (vec![(0, 0)], std::collections::HashSet::new());
    while let Some((i, j)) = open.pop() {
        if i == a.len() && j == b.len() {
            return true;
        }
        if !seen.insert((i, j)) {
            continue;
        }
        for (text, stub) in pairs {
            if a[i..].starts_with(text.as_bytes()) && b[j..].starts_with(stub.as_bytes()) {
                open.push((i + text.len(), j + stub.len()));
            }
        }
        if numbers && b[j..].starts_with(b"<NA>") {
            let digits = a[i..].iter().take_while(|c| c.is_ascii_digit()).count();
            if digits > 0 {
                open.push((i + digits, j + 4));
            }
        }
        if i < a.len() && j < b.len() && a[i] == b[j] {
            open.push((i + 1, j + 1));
        }
    }
    false
}

/// Takes the marks that were added to a golden line off it and gives the fields that they name.
fn removed(plain: &mut Value) -> Vec<String> {
    let mut names = Vec::new();
    for mark in ["container_fields_removed", "unreliable"] {
        names.extend(strings(&plain[mark]));
        remove(plain, mark);
    }
    remove(plain, "capture");
    names
}

fn remove(object: &mut Value, key: &str) {
    if let Some(map) = object.as_object_mut() {
        map.remove(key);
    }
}

/// Reports every key in which two alerts differ; gives their number.
fn differences(ours: &Value, theirs: &Value, fault: &mut impl FnMut(String, String)) -> usize {
    let none = Map::new();
    let mut count = 0;
    let mut compare = |prefix: &str, ours: &Value, theirs: &Value| {
        let (a, b) = (
            ours.as_object().unwrap_or(&none),
            theirs.as_object().unwrap_or(&none),
        );
        let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let nested = prefix.is_empty() && key == "output_fields";
            if !nested && a.get(key) != b.get(key) {
                let show = |v: Option<&Value>| v.map_or("nothing".to_owned(), Value::to_string);
                let example = format!(
                    "{}\nexpected {}\nat {} {}",
                    brief(&show(a.get(key))),
                    brief(&show(b.get(key))),
                    theirs["time"],
                    theirs["output_fields"]["evt.num"]
                );
                fault(format!("{prefix}{key}"), example);
                count += 1;
            }
        }
    };
    compare("", ours, theirs);
    compare(
        "output_fields.",
        &ours["output_fields"],
        &theirs["output_fields"],
    );
    count
}

/// The first line in which two texts differ, with their numbers of lines.
fn first_difference(ours: &[&str], expected: &[&str]) -> Option<String> {
    let at = ours.iter().zip(expected).position(|(a, b)| a != b);
    let at =
        at.or_else(|| (ours.len() != expected.len()).then(|| ours.len().min(expected.len())))?;
    let different = ours.iter().zip(expected).filter(|(a, b)| a != b).count();
    let show = |lines: &[&str]| {
        lines
            .get(at)
            .map_or("nothing".to_owned(), |line| brief(line))
    };
    Some(format!(
        "line {} of {}, expected {} lines, {different} differ:\n{}\nexpected {}",
        at + 1,
        ours.len(),
        expected.len(),
        show(ours),
        show(expected)
    ))
}
