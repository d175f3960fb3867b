//! `peregrine config`, the shipped configuration, and configurations that must not start.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use support::Place;
use testkit::corpus::workspace_root;

#[test]
fn the_shipped_configuration_is_good() {
    let shipped = workspace_root().join("config/peregrine.yaml");
    let place = Place::new();
    place
        .run(&["check", "--strict", shipped.to_str().unwrap()])
        .check(0, &[], &["ok"]);
}

#[test]
fn values_and_origins() {
    let place = Place::new();
    place.write(
        "falco.yaml",
        b"json_output: true\nrules_files:\n  - rules.yaml\nlog_stderr: maybe\n",
    );
    let run = place.run(&["config", "falco.yaml", "-o", "priority=error"]);
    run.check(0, &[], &["log_stderr"]);
    let line = |key: &str| {
        let out = run.out();
        let line = out
            .lines()
            .find(|line| line.starts_with(&format!("{key}: ")))
            .unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("json_output"), "json_output: true # falco.yaml:1");
    assert_eq!(
        line("rules_files[0]"),
        "rules_files[0]: rules.yaml # falco.yaml:3"
    );
    assert_eq!(line("priority"), "priority: error # command line");
    assert_eq!(
        line("log_stderr"),
        "log_stderr: false # default; falco.yaml:4 is of no use"
    );
    assert_eq!(line("output_timeout"), "output_timeout: 2000 # default");
    let changed = place
        .run(&["config", "falco.yaml", "--changed", "--format", "json"])
        .out();
    let document: serde_json::Value = serde_json::from_str(&changed).unwrap();
    assert_eq!(document["json_output"]["origin"], "falco.yaml:1");
    assert!(document.get("output_timeout").is_none());
}

#[test]
fn what_cannot_work_starts_nothing() {
    let place = Place::new();
    place.write("rubbish.pem", b"rubbish");
    for (option, text) in [
        (
            r#"http_output={"enabled": true, "url": "nowhere"}"#,
            "nowhere",
        ),
        (
            r#"http_output={"enabled": true, "url": "https://x/", "ca_cert": "missing.pem"}"#,
            "missing.pem",
        ),
        (
            r#"http_output={"enabled": true, "url": "https://x/", "ca_cert": "rubbish.pem"}"#,
            "rubbish.pem",
        ),
        (
            r#"extra_outputs[]={"type": "file", "filename": "f", "spool": {"path": "/proc/nowhere"}}"#,
            "/proc/nowhere",
        ),
        (
            r#"extra_outputs[]={"type": "nats", "address": "x:1", "subject": "a b"}"#,
            "a b",
        ),
    ] {
        let run = place.falco(&["-o", option]);
        run.check(1, &[], &["Error:", text]);
        assert!(!run.out().contains("Events detected"), "{option}");
    }
}

#[test]
fn alerts_go_where_they_are_wanted() {
    let place = Place::new();
    let all = r#"extra_outputs[]={"type": "file", "filename": "all"}"#;
    let secrets = r#"extra_outputs[]={"type": "file", "filename": "secrets", "filter": {"tags": ["secrets"]}}"#;
    let urgent =
        r#"extra_outputs[]={"type": "file", "filename": "none", "filter": {"priority": "error"}}"#;
    place
        .falco(&["-o", all, "-o", secrets, "-o", urgent])
        .check(0, &["Events detected: 3"], &[]);
    assert_eq!(place.read("all").lines().count(), 3);
    assert_eq!(place.read("secrets").lines().count(), 1);
    assert!(place.read("secrets").contains("shadow read"));
    assert!(!place.path("none").exists());
}

#[test]
fn the_old_throttle_holds_alerts_back() {
    let place = Place::new();
    let config = format!(
        "{}outputs: {{rate: 0.0001, max_burst: 1}}\n",
        support::CONFIG
    );
    place.write("falco.yaml", config.as_bytes());
    let run = place.falco(&[]);
    run.check(
        0,
        &["opened /tmp/a", "Events detected: 3"],
        &["outputs.rate"],
    );
    assert!(!run.out().contains("shadow read"), "{}", run.out());
}
