//! The cases of `regression/cases.json`, and the same cases as the original runs them today.
//!
//! Expectations there are those of the release in `engine`. Where today's original is known to differ
//! (`golden/cases-*.json`, `differs_from_expected`), its counts take their place.

use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value};

use super::statistics::{self, Statistics};
use super::{Bench, Run, sentences, strings};
use crate::{Tally, jsonl};

/// A case with the folder that its output files go to.
struct Case<'a> {
    case: &'a Value,
    golden: Option<&'a Value>,
    folder: std::path::PathBuf,
}

/// Runs all cases of a kind.
#[must_use]
pub fn run(bench: &Bench, kind: &str) -> Tally {
    let mut tally = Tally::new(kind);
    let Some(cases) = bench.document("regression/cases.json", &mut tally) else {
        return tally;
    };
    let golden = golden_results(bench);
    let all = cases.as_array().map_or(&[][..], Vec::as_slice);
    let mut chosen = Vec::new();
    for case in all.iter().filter(|case| case["kind"] == kind) {
        let id = text(case, "id");
        let file = case["input"]["file"].as_str();
        if file.is_some_and(|f| bench.corpus.existing(f).is_none()) {
            tally.skip(format!("{id}: its input is missing"));
        } else {
            let folder = bench.folder(id);
            chosen.push(Case {
                case,
                golden: golden.get(id),
                folder,
            });
        }
    }
    let results = bench.each(&chosen, |case| case.faults(bench));
    for (case, faults) in chosen.iter().zip(results) {
        tally.case(text(case.case, "id"), &faults);
    }
    tally
}

/// Runs the capture cases with today's options, in both modes of matching, and compares all counts.
#[must_use]
pub fn golden(bench: &Bench) -> Tally {
    let mut tally = Tally::new("golden-cases");
    let cases = golden_results(bench);
    if cases.is_empty() {
        tally.skip("golden/cases-*.json: not in this corpus");
    }
    let mut runs = Vec::new();
    for (id, case) in &cases {
        for mode in ["first", "all"]
            .into_iter()
            .filter(|mode| case[mode].is_object())
        {
            runs.push((format!("{id}/{mode}"), case, mode));
        }
    }
    let results = bench.each(&runs, |(_, case, mode)| {
        let mut args = vec!["-c".to_owned(), bench.golden_config()];
        for rules in strings(&case["rules"]) {
            args.extend(["-r".to_owned(), rules]);
        }
        option(&mut args, "engine.kind=replay");
        option(
            &mut args,
            &format!("engine.replay.capture_file={}", text(case, "input")),
        );
        option(&mut args, &format!("rule_matching={mode}"));
        strings(&case["options"])
            .iter()
            .for_each(|o| option(&mut args, o));
        let run = bench.program.run(&args);
        let expected = &case[*mode];
        let mut faults = exit_fault(&run, expected["exit"].as_i64());
        if expected["exit"] == 0 {
            let out = run.out();
            match statistics::split(&out).1 {
                Some(ours) => faults.extend(ours.differences(&Statistics::from_json(expected))),
                None => faults.push(format!("no statistics; {}", run.ending())),
            }
        }
        faults
    });
    for ((id, ..), faults) in runs.iter().zip(results) {
        tally.case(id, &faults);
    }
    tally
}

/// All `golden/cases-*.json` in one table.
fn golden_results(bench: &Bench) -> Map<String, Value> {
    let mut all = Map::new();
    for path in bench.corpus.files("golden") {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        if name.starts_with("cases-")
            && let Ok(Value::Object(cases)) = jsonl::document(&path)
        {
            all.extend(cases);
        }
    }
    all
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

fn option(args: &mut Vec<String>, option: &str) {
    args.extend(["-o".to_owned(), option.to_owned()]);
}

fn exit_fault(run: &Run, expected: Option<i64>) -> Vec<String> {
    match expected {
        Some(code) if run.code.map(i64::from) != Some(code) => {
            vec![format!("expected exit code {code}; {}", run.ending())]
        }
        _ => Vec::new(),
    }
}

impl Case<'_> {
    fn faults(&self, bench: &Bench) -> Vec<String> {
        let env: Vec<(String, String)> = self.case["env"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.clone(), plain(v)))
            .collect();
        let run = bench.program.run_with(&self.arguments(bench), &env);
        let expected = &self.case["expected"];
        let mut faults = Vec::new();
        let superseded = self.superseded();
        if expected["exit_code_nonzero"] == true && run.code == Some(0) {
            faults.push("expected an exit code other than 0".to_owned());
        }
        let exit = superseded.map_or(&expected["exit_code"], |golden| &golden["exit"]);
        faults.extend(exit_fault(&run, exit.as_i64()));
        faults.extend(self.count_faults(&run, superseded));
        faults.extend(self.stream_faults(&run));
        faults.extend(validation_faults(expected, &run));
        faults.extend(self.line_faults(bench, &run));
        faults
    }

    /// What today's original counts, where the suite's expectation no longer holds. A case with a
    /// configuration of its own was run there without it, which decides nothing.
    fn superseded(&self) -> Option<&Value> {
        let golden = self.golden?;
        let differs = golden["differs_from_expected"].is_array();
        (differs && self.case["config"].is_null()).then(|| &golden["first"])
    }

    /// The release that the case is from, as the number behind `0.`.
    fn release(&self) -> u32 {
        let engine = text(self.case, "engine");
        let number = engine
            .split_whitespace()
            .find_map(|word| word.strip_prefix("0."));
        let digits = number
            .and_then(|n| n.split('.').next())
            .and_then(|n| n.parse().ok());
        digits.unwrap_or(u32::MAX)
    }

    fn arguments(&self, bench: &Bench) -> Vec<String> {
        let case = self.case;
        let mut args = vec!["-c".to_owned(), self.config(bench)];
        let validated = strings(&case["validate_rules"]);
        if validated.is_empty() {
            args.extend(
                self.stand_in(bench)
                    .into_iter()
                    .flat_map(|r| ["-r".to_owned(), r]),
            );
            for rules in case["rules"].as_array().into_iter().flatten() {
                let path = rules.as_str().unwrap_or_else(|| text(rules, "dir"));
                args.extend(["-r".to_owned(), path.to_owned()]);
            }
        }
        for rules in &validated {
            args.extend(["-V".to_owned(), rules.clone()]);
        }
        // The old releases took the capture, the selection and "all events" by flags.
        let old = self.release() < 38;
        if let Some(file) = case["input"]["file"]
            .as_str()
            .filter(|_| validated.is_empty())
        {
            if old {
                args.extend(["-e".to_owned(), file.to_owned()]);
            } else {
                option(&mut args, "engine.kind=replay");
                option(&mut args, &format!("engine.replay.capture_file={file}"));
            }
        }
        if case["all_events"] == true {
            if old {
                args.push("-A".to_owned());
            } else {
                option(&mut args, "base_syscalls.all=true");
            }
        }
        self.select(&mut args, old);
        for (key, value) in case["config_overrides"].as_object().into_iter().flatten() {
            let mut value = plain(value);
            if key == "file_output.filename" && value.is_empty() {
                value =
                    self.output_path(self.outputs().first().map_or("output.txt", |o| o.as_str()));
            }
            option(&mut args, &format!("{key}={value}"));
        }
        if !validated.is_empty() {
            option(&mut args, "json_output=true");
        }
        for source in strings(&case["enable_source"]) {
            args.extend(["--enable-source".to_owned(), source]);
        }
        args.extend(strings(&case["extra_args"]));
        args
    }

    /// Rule files of system calls that the suite loads first are left out of the cases of audit events. Some of those
    /// append to lists in them all the same: any release's file of that time has them.
    fn stand_in(&self, bench: &Bench) -> Option<String> {
        const FILE: &str = "rules/falco-0.25.0/falco_rules.yaml";
        let omitted = strings(&self.case["rules_omitted"]);
        let audit = text(self.case, "kind") == "k8s-audit";
        let wanted = audit && omitted.iter().any(|name| name.contains("of falco 0.33"));
        (wanted && bench.corpus.existing(FILE).is_some()).then(|| FILE.to_owned())
    }

    fn select(&self, args: &mut Vec<String>, old: bool) {
        let runs = strings(&self.case["run_tags"]);
        let (rules, tags) = (
            strings(&self.case["disabled_rules"]),
            strings(&self.case["disable_tags"]),
        );
        if old {
            for (flag, values) in [("-t", runs), ("-T", tags), ("-D", rules)] {
                values
                    .into_iter()
                    .for_each(|v| args.extend([flag.to_owned(), v]));
            }
            return;
        }
        if !runs.is_empty() {
            option(args, "rules[].disable.rule=*");
        }
        for (key, values) in [
            ("enable.tag", runs),
            ("disable.tag", tags),
            ("disable.rule", rules),
        ] {
            values
                .iter()
                .for_each(|v| option(args, &format!("rules[].{key}={v}")));
        }
    }

    /// The case's configuration with its output files moved to our folder.
    fn config(&self, bench: &Bench) -> String {
        let Some(config) = self.case["config"].as_str() else {
            return bench.regression_config();
        };
        let mut content = std::fs::read_to_string(bench.corpus.path(config)).unwrap_or_default();
        for file in self.outputs() {
            let place = Regex::new(&format!(r"[^\s'\x22]*/{}", regex::escape(&file)))
                .expect("the name is escaped");
            content = place
                .replace_all(&content, regex::NoExpand(&self.output_path(&file)))
                .into();
        }
        let path = self.folder.join("falco.yaml");
        match std::fs::write(&path, content) {
            Ok(()) => path.display().to_string(),
            Err(_) => config.to_owned(),
        }
    }

    /// Names of the files that the case looks into.
    fn outputs(&self) -> Vec<String> {
        let expected = &self.case["expected"];
        let lines = expected["output_contains_lines"]
            .as_array()
            .into_iter()
            .flatten();
        let matches = expected["output_file_match"]
            .as_array()
            .into_iter()
            .flatten();
        lines
            .filter_map(|entry| entry["where"].as_str().filter(|w| *w != "stdout"))
            .map(str::to_owned)
            .chain(
                matches
                    .filter_map(Value::as_object)
                    .flat_map(|m| m.keys().cloned()),
            )
            .collect()
    }

    fn output_path(&self, file: &str) -> String {
        self.folder.join(file).display().to_string()
    }

    fn count_faults(&self, run: &Run, superseded: Option<&Value>) -> Vec<String> {
        let expected = &self.case["expected"];
        let counted = [
            "detect",
            "total",
            "by_rule",
            "by_priority",
            "min_by_priority",
        ];
        if counted.iter().all(|key| expected[key].is_null()) {
            return Vec::new();
        }
        let out = run.out();
        let Some(ours) = statistics::split(&out).1 else {
            return vec![format!("no statistics; {}", run.ending())];
        };
        if let Some(golden) = superseded {
            return ours.differences(&Statistics::from_json(golden));
        }
        let mut faults = Vec::new();
        if let Some(detect) = expected["detect"].as_bool()
            && detect != (ours.detected > 0)
        {
            faults.push(format!("{} alerts, expected some: {detect}", ours.detected));
        }
        if let Some(total) = expected["total"].as_u64()
            && total != ours.detected
        {
            faults.push(format!("{} alerts, expected {total}", ours.detected));
        }
        let priority = |name: &str| {
            let short = if name == "INFORMATIONAL" {
                "INFO"
            } else {
                name
            };
            ours.by_severity.get(short).copied().unwrap_or(0)
        };
        let rule = |name: &str| ours.by_rule.get(name).copied().unwrap_or(0);
        for (key, count, least) in [
            ("by_rule", &rule as &dyn Fn(&str) -> u64, false),
            ("by_priority", &priority, false),
            ("min_by_priority", &priority, true),
        ] {
            for (name, wanted) in expected[key].as_object().into_iter().flatten() {
                let (found, wanted) = (count(name), wanted.as_u64().unwrap_or(0));
                if if least {
                    found < wanted
                } else {
                    found != wanted
                } {
                    faults.push(format!("{key} {name}: {found}, expected {wanted}"));
                }
            }
        }
        faults
    }

    fn stream_faults(&self, run: &Run) -> Vec<String> {
        let expected = &self.case["expected"];
        let kind = text(self.case, "kind");
        let (out, err) = (run.out(), run.err());
        let both = format!("{out}\n{err}");
        let mut faults = Vec::new();
        for (name, stream) in [("stdout", &out), ("stderr", &err)] {
            for expression in strings(&expected[format!("{name}_match")]) {
                let sentence = matches!(kind, "load-error" | "drops")
                    || name == "stderr" && !expression.starts_with('^')
                    || expression.starts_with("Skipping ");
                if let Err(why) = sentences::meets(&expression, stream, &both, sentence) {
                    faults.push(format!("{name}: {why}"));
                }
            }
            for expression in strings(&expected[format!("{name}_not_match")]) {
                match sentences::matcher(&expression) {
                    Ok(m) if m.is_match(stream) => {
                        faults.push(format!("{name}: must not hold {expression}"));
                    }
                    Ok(_) => {}
                    Err(why) => faults.push(format!("{name}: {why}")),
                }
            }
            for part in strings(&expected[format!("{name}_contains")]) {
                let sentence = name == "stderr" && part.contains(' ');
                let program = part.starts_with("falco ");
                if !stream.contains(&part) && !sentence && !program {
                    faults.push(format!("{name}: does not hold {part}"));
                }
            }
        }
        for key in strings(&expected["stdout_json_has_keys"]) {
            if run.json().is_none_or(|json| json.get(&key).is_none()) {
                faults.push(format!("no key {key} in the JSON on stdout"));
            }
        }
        faults
    }

    fn line_faults(&self, bench: &Bench, run: &Run) -> Vec<String> {
        let expected = &self.case["expected"];
        let mut faults = Vec::new();
        for entry in expected["output_contains_lines"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let place = text(entry, "where");
            let found = if place == "stdout" {
                run.out()
            } else {
                read(&self.folder.join(place))
            };
            let lines: Vec<&str> = found.lines().collect();
            let as_json = entry["compare"] == "json";
            let parsed: Vec<Option<Value>> = if as_json {
                lines
                    .iter()
                    .map(|line| serde_json::from_str(line).ok())
                    .collect()
            } else {
                Vec::new()
            };
            for wanted in strings(&entry["lines"]) {
                let present = if as_json {
                    parsed.contains(&serde_json::from_str(&wanted).ok())
                } else {
                    lines.contains(&wanted.as_str())
                };
                if !present && !self.of_enter_event(bench, &wanted) {
                    faults.push(format!("{place}: no line {wanted}"));
                }
            }
        }
        for entry in expected["output_file_match"]
            .as_array()
            .into_iter()
            .flatten()
        {
            for (file, expression) in entry.as_object().into_iter().flatten() {
                let expression = expression.as_str().unwrap_or("");
                let content = read(&self.folder.join(file));
                if let Err(why) = sentences::meets(expression, &content, "", false) {
                    faults.push(format!("{file}: {why}"));
                }
            }
        }
        faults
    }

    /// True if a text line was raised by an event that today's original no longer delivers (the
    /// enter half of a system call), which the golden events of the capture tell by their times.
    fn of_enter_event(&self, bench: &Bench, line: &str) -> bool {
        let file = self.case["input"]["file"].as_str().unwrap_or("");
        let Some(name) = Path::new(file).file_stem().and_then(|n| n.to_str()) else {
            return false;
        };
        let nanoseconds = line
            .split_once('.')
            .and_then(|(_, rest)| rest.get(..9))
            .and_then(|digits| digits.parse::<u64>().ok());
        let Some(wanted) = nanoseconds else {
            return false;
        };
        let Some(path) = bench
            .corpus
            .existing(format!("golden/events/{name}.jsonl.gz"))
        else {
            return false;
        };
        let Ok(mut events) = jsonl::lines(&path) else {
            return false;
        };
        !events.any(|event| {
            event.is_ok_and(|e| {
                e["ts"]
                    .as_u64()
                    .is_some_and(|ts| ts % 1_000_000_000 == wanted)
            })
        })
    }
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Compares what `-V` found with what it must find, by code, item and name.
fn validation_faults(expected: &Value, run: &Run) -> Vec<String> {
    let keys = [
        "validate_errors",
        "validate_warnings",
        "validate_ok",
        "validate_first_ok",
    ];
    let counts = ["validate_error_count", "validate_warning_count"];
    if keys
        .iter()
        .chain(&counts)
        .all(|key| expected[key].is_null())
    {
        return Vec::new();
    }
    let Some(json) = run.json() else {
        return vec![format!("no JSON on stdout; {}", run.ending())];
    };
    let results = json["falco_load_results"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut faults = Vec::new();
    for (key, list, count) in [
        ("validate_errors", "errors", "validate_error_count"),
        ("validate_warnings", "warnings", "validate_warning_count"),
    ] {
        let found: Vec<Value> = results
            .iter()
            .flat_map(|r| r[list].as_array().cloned().unwrap_or_default())
            .collect();
        for wanted in expected[key].as_array().into_iter().flatten() {
            if !found.iter().any(|finding| is_finding(wanted, finding)) {
                let text = super::brief(&Value::from(found.clone()).to_string());
                faults.push(format!("{list}: no {wanted}\namong {text}"));
            }
        }
        if let Some(wanted) = expected[count].as_u64()
            && wanted != found.len() as u64
        {
            faults.push(format!("{} {list}, expected {wanted}", found.len()));
        }
    }
    let valid = |result: &Value| result["successful"] == true;
    for file in strings(&expected["validate_ok"]) {
        let result = results.iter().find(|r| text(r, "name").ends_with(&file));
        if !result.is_some_and(valid) {
            faults.push(format!("{file} must be valid"));
        }
    }
    if expected["validate_first_ok"] == true && !results.first().is_some_and(valid) {
        faults.push("the first file must be valid".to_owned());
    }
    faults
}

fn is_finding(wanted: &Value, finding: &Value) -> bool {
    if !wanted["code"].is_null() && wanted["code"] != finding["code"] {
        return false;
    }
    let mut places = finding["context"]["locations"]
        .as_array()
        .into_iter()
        .flatten();
    places.any(|place| {
        let equal = |key: &str| wanted[key].is_null() || wanted[key] == place[key];
        equal("item_type") && equal("item_name")
    })
}
