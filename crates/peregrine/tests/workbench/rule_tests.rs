//! Rules and their tests: those that ship, and what `peregrine test` says of others.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::Place;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Rules that can raise no alert as they ship: lists and macros that users fill.
const SILENT: [&str; 11] = [
    "Create Disallowed Pod",
    "Untrusted Node Successfully Joined the Cluster",
    "Untrusted Node Unsuccessfully Tried to Join the Cluster",
    "All K8s Audit Events",
    "Launch Disallowed Container",
    "Detect outbound connections to common miner pool ports",
    "Outbound Connection to C2 Servers",
    "Outbound or Inbound Traffic not to Authorized Server Process and Port",
    "Network Connection outside Local Subnet",
    // Its class file would have to be in the event's bytes, which are no text.
    "Java Process Class File Download",
    // A connection that is refused has its address in the call's argument alone, which tests do not make.
    "Many Connections Refused",
];

#[test]
fn the_shipped_rules_pass_their_tests_and_each_has_some() {
    let place = Place::new();
    let rules = root().join("rules");
    let run = place.run(&["test", rules.to_str().unwrap(), "--format", "json"]);
    let report: Value =
        serde_json::from_str(&run.out()).unwrap_or_else(|_| panic!("{}{}", run.out(), run.err()));
    let tests = report["tests"].as_array().unwrap();
    let failed: Vec<String> = tests
        .iter()
        .filter(|test| test["passed"] == false)
        .map(|test| {
            format!(
                "{}:{} {}\n  {}",
                test["file"], test["line"], test["name"], test["differences"]
            )
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(run.code(), 0);

    // Every rule has a test in which it fires, and one in which it does not.
    let mut seen: BTreeMap<String, [bool; 2]> = BTreeMap::new();
    for name in ["stable", "incubating", "sandbox", "stateful", "k8s_audit"] {
        let text = std::fs::read_to_string(rules.join(format!("tests/{name}.yaml"))).unwrap();
        let suite = workbench::scenario::Suite::parse(&text).unwrap().unwrap();
        for test in suite.tests {
            let fires = test.wanted.fires.unwrap_or_else(|| {
                test.wanted
                    .alerts
                    .as_ref()
                    .is_some_and(|all| !all.is_empty())
            });
            seen.entry(test.rule.unwrap()).or_default()[usize::from(fires)] = true;
        }
    }
    let mut count = 0;
    for file in std::fs::read_dir(&rules).unwrap() {
        let path = file.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        for line in text.lines() {
            let Some(rule) = line.strip_prefix("- rule: ") else {
                continue;
            };
            count += 1;
            let [silent, fires] = seen.get(rule).copied().unwrap_or_default();
            assert!(silent, "{rule} has no test in which it must be silent");
            assert!(
                fires || SILENT.contains(&rule),
                "{rule} has no test in which it must fire"
            );
        }
    }
    assert!(count > 100, "{count}");
}

const RULE: &str = "\
- rule: Shell in a container
  desc: d
  condition: evt.type = execve and container.id != host and proc.name in (bash, sh) and proc.tty != 0
  output: shell %proc.name in %container.id by %user.name
  priority: NOTICE
  tests:
    - name: somebody sits there
      events:
        - execve: {proc.name: bash, proc.tty: 34816, container.id: 3ad7b26ded6d, user.name: eve}
      alerts:
        - {output: shell bash in 3ad7b26ded6d by eve}
    - name: on the host
      events:
        - execve: {proc.name: bash, proc.tty: 34816}
      fires: false
";

#[test]
fn tests_inside_of_a_rule() {
    let place = Place::new();
    place.write("mine.yaml", RULE.as_bytes());
    place.run(&["test", "mine.yaml", "-v"]).check(
        0,
        &["ok    mine.yaml:7 somebody sits there", "2 tests, 0 failed"],
        &[],
    );
    place
        .run(&["test", "mine.yaml", "--only", "host"])
        .check(0, &["1 tests, 0 failed"], &[]);
    place
        .run(&["test", "mine.yaml", "--only", "nobody"])
        .check(1, &[], &["\"nobody\""]);
    // Loading it says nothing of them.
    place
        .run(&["check", "mine.yaml", "--strict", "--no-lints"])
        .check(0, &[], &["mine.yaml: ok"]);
    let falco = place.run(&["-c", "falco.yaml", "-V", "mine.yaml"]);
    falco.check(0, &["mine.yaml: Ok"], &["schema validation: ok"]);
}

#[test]
fn a_failure_says_which_clause_it_was() {
    let place = Place::new();
    let wrong = RULE.replace("in (bash, sh)", "in (zsh, sh)").replace(
        "proc.tty: 34816}",
        "proc.tty: 34816, container.id: 3ad7b26ded6d, proc.exe: sh, proc.name: sh}",
    );
    let wrong = wrong
        .replace("proc.name: sh, proc.name: bash", "proc.name: sh")
        .replace(
            "{proc.name: bash, proc.tty: 34816, container.id: 3ad7b26ded6d, proc.exe",
            "{proc.tty: 34816, container.id: 3ad7b26ded6d, proc.exe",
        );
    place.write("mine.yaml", wrong.as_bytes());
    place.run(&["test", "mine.yaml", "--coverage"]).check(
        1,
        &[
            "FAIL  mine.yaml:7 somebody sits there",
            "- alert \"Shell in a container\"",
            "`proc.name in (zsh, sh)` does not hold, it is \"bash\"",
            "FAIL  mine.yaml:12 on the host",
            "+ alert \"Shell in a container\" on event 1: shell sh",
            "2 tests, 2 failed",
            "never false",
        ],
        &[],
    );
    let junit = place.run(&["test", "mine.yaml", "--format", "junit"]).out();
    assert!(
        junit.contains("<testsuites tests=\"2\" failures=\"2\"")
            && junit.contains("<failure message="),
        "{junit}"
    );
    let json: Value =
        serde_json::from_str(&place.run(&["test", "mine.yaml", "--format", "json"]).out()).unwrap();
    assert_eq!(json["failed"], 2);
    assert_eq!(json["coverage"][0]["clauses"], 4);
}

#[test]
fn a_value_that_cannot_be_made_is_an_error_and_no_test_of_something_else() {
    let place = Place::new();
    let with = |event: &str| {
        let text = format!(
            "{}    - name: odd\n      events:\n        - {event}\n      fires: false\n",
            RULE.split("    - name: on the host").next().unwrap()
        );
        place.write("mine.yaml", text.as_bytes());
        place.run(&["test", "mine.yaml"])
    };
    with("execve: {proc.nmae: bash}").check(1, &["proc.nmae", "did you mean `proc.name`"], &[]);
    with("execve: {proc.name: bash, fd.name: /x}").check(
        1,
        &["`fd.name` cannot be made \"/x\" on this event: it is \"<NA>\""],
        &[],
    );
    with("exceve: {proc.name: bash}").check(
        1,
        &["there is no type of event `exceve`; there is `execve`"],
        &[],
    );
    with("openat: {evt.arg.flags: O_REDONLY}").check(
        1,
        &["`O_REDONLY` is no value of parameter `flags`"],
        &[],
    );
    with("execve: {container.id: web}").check(1, &["twelve hexadecimal digits"], &[]);
}

#[test]
fn captures_are_replayed_and_files_beside_are_found() {
    let place = Place::new();
    std::fs::create_dir(place.path("tests")).unwrap();
    place.write(
        "tests/all.yaml",
        b"rules: [../rules.yaml]\ntests:\n  - name: three files\n    capture: ../capture.scap\n    matching: first\n    alerts:\n      - File opened\n      - {rule: Shadow opened, event: 2, fields: {fd.name: /etc/shadow}}\n      - File opened\n",
    );
    place
        .run(&["test", "tests/all.yaml"])
        .check(0, &["1 tests, 0 failed"], &[]);
    place.write("tests/all.yaml", b"rules: [../rules.yaml]\ntests:\n  - {name: x, rule: Nobody, capture: ../capture.scap, fires: true}\n");
    place
        .run(&["test", "tests"])
        .check(1, &["there is no rule \"Nobody\""], &[]);
    place.write(
        "tests/all.yaml",
        b"rules: [../rules.yaml]\ntests:\n  - {name: x, events: [execve], fires: true}\n",
    );
    place
        .run(&["test", "tests"])
        .check(1, &[], &["tests/all.yaml:3", "`fires` needs the `rule`"]);
}
