//! The shipped rules load without a finding, and the sample incident raises what it must.

use std::process::{Command, Output};

use testkit::corpus::workspace_root;

fn peregrine(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(args)
        .current_dir(workspace_root())
        .env("TZ", "UTC")
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary is built")
}

#[test]
fn shipped_rules_load_without_a_finding() {
    let output = peregrine(&["check", "--format", "json", "rules/peregrine_rules.yaml"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let json: serde_json::Value = serde_json::from_str(text.trim()).expect("JSON");
    let result = &json["falco_load_results"][0];
    assert_eq!(result["successful"], true, "{text}");
    assert_eq!(result["schema_valid"], true, "{text}");
    assert_eq!(result["errors"], serde_json::json!([]), "{text}");
    assert_eq!(result["warnings"], serde_json::json!([]), "{text}");
    assert!(output.status.success());
}

#[test]
fn the_sample_incident_raises_its_alerts() {
    let output = peregrine(&[
        "replay",
        "samples/incident.scap",
        "--json",
        "-r",
        "rules/peregrine_rules.yaml",
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let rules: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a JSON line"))
        .map(|alert| alert["rule"].as_str().expect("a rule").to_owned())
        .collect();
    assert_eq!(
        rules,
        [
            "Run shell untrusted",
            "Read sensitive file untrusted",
            "Drop and execute new binary in container",
            "Redirect STDOUT/STDIN to Network Connection in Container",
            "Redirect STDOUT/STDIN to Network Connection in Container",
            "Redirect STDOUT/STDIN to Network Connection in Container",
            "Terminal shell in container",
            "Schedule Cron Jobs",
            "Delete or rename shell history",
        ]
    );
}
