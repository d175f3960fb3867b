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

const FILES: [&str; 4] = [
    "rules/peregrine_rules.yaml",
    "rules/peregrine-incubating_rules.yaml",
    "rules/peregrine-sandbox_rules.yaml",
    "rules/peregrine-stateful_rules.yaml",
];

fn load_without_a_finding(files: &[&str]) {
    let mut args = vec!["check", "--format", "json"];
    args.extend(files);
    let output = peregrine(&args);
    let text = String::from_utf8_lossy(&output.stdout);
    let json: serde_json::Value = serde_json::from_str(text.trim()).expect("JSON");
    let results = json["falco_load_results"].as_array().expect("results");
    assert_eq!(results.len(), files.len());
    for result in results {
        assert_eq!(result["successful"], true, "{files:?}: {result}");
        assert_eq!(result["schema_valid"], true, "{files:?}: {result}");
        assert_eq!(result["errors"], serde_json::json!([]), "{files:?}");
        assert_eq!(result["warnings"], serde_json::json!([]), "{files:?}");
    }
    assert!(output.status.success());
}

#[test]
fn shipped_rules_load_without_a_finding() {
    let [stable, incubating, sandbox, stateful] = FILES;
    for file in FILES {
        load_without_a_finding(&[file]);
    }
    load_without_a_finding(&[stable, incubating, sandbox, stateful]);
    load_without_a_finding(&[stateful, sandbox, incubating, stable]);
    load_without_a_finding(&[incubating, sandbox, stateful, stable]);
}

/// The pieces of a rule file by what they define: `- macro: name` and all that belongs to it.
fn pieces(file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(workspace_root().join(file)).expect("a rule file");
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.starts_with("- ") {
            found.push((line.to_owned(), String::new()));
        } else if let (Some((_, body)), true) = (found.last_mut(), line.starts_with("  ")) {
            body.push_str(line.trim_start());
            body.push('\n');
        }
    }
    found
}

#[test]
fn what_stands_in_two_files_is_the_same() {
    let mut known: std::collections::BTreeMap<String, (String, &str)> = Default::default();
    for file in FILES {
        for (name, body) in pieces(file) {
            if let Some((other, place)) = known.get(&name) {
                assert_eq!(*other, body, "{name} differs between {place} and {file}");
                assert!(!name.starts_with("- rule:"), "{name} stands in two files");
            }
            known.insert(name, (body, file));
        }
    }
}

#[test]
fn every_rule_says_what_it_is() {
    for (file, maturity) in FILES.into_iter().zip(["stable", "incubating", "sandbox"]) {
        let mut rules = 0;
        for (name, body) in pieces(file) {
            if !name.starts_with("- rule:") {
                continue;
            }
            rules += 1;
            let tags = body
                .lines()
                .find_map(|line| line.strip_prefix("tags: ["))
                .unwrap_or_else(|| panic!("{name} has no tags"));
            let tags: Vec<&str> = tags.trim_end_matches(']').split(", ").collect();
            assert_eq!(tags[0], format!("maturity_{maturity}"), "{name}");
            let has = |what: &dyn Fn(&str) -> bool| tags.iter().any(|tag| what(tag));
            assert!(has(&|tag| tag == "host" || tag == "container"), "{name}");
            assert!(has(&|tag| tag.starts_with("mitre_")), "{name}");
            assert!(
                has(&|tag| tag.starts_with('T')
                    && tag[1..].starts_with(|c: char| c.is_ascii_digit() || c == 'A')),
                "{name}: no technique"
            );
            for field in [
                "%proc.name",
                "%proc.exepath",
                "%proc.cmdline",
                "%user.name",
                "%container.id",
            ] {
                assert!(body.contains(field), "{name}: the output lacks {field}");
            }
            let description = body.split("condition:").next().unwrap_or_default();
            assert!(
                description.len() > 100,
                "{name}: what does the attacker gain?"
            );
        }
        assert!(rules >= 25, "{file} has {rules} rules");
    }
}

#[test]
fn the_sample_incident_raises_its_alerts() {
    let output = peregrine(&[
        "replay",
        "samples/incident.scap",
        "--json",
        "-r",
        FILES[0],
        "-r",
        FILES[1],
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
            "Launch Ingress Remote File Copy Tools in Container",
            "Drop and execute new binary in container",
            "Redirect STDOUT/STDIN to Network Connection in Container",
            "Redirect STDOUT/STDIN to Network Connection in Container",
            "Redirect STDOUT/STDIN to Network Connection in Container",
            "Run shell untrusted",
            "Schedule Cron Jobs",
            "Delete or rename shell history",
            "Terminal shell in container",
        ]
    );
}
