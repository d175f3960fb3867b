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
        (
            r#"extra_outputs[]={"type": "kafka", "brokers": ["x"]}"#,
            "HOST:PORT",
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
    let stderr = r#"extra_outputs[]={"type": "stderr", "filter": {"tags": ["secrets"]}}"#;
    let run = place.falco(&["-o", stderr, "-o", "stdout_output.enabled=false"]);
    run.check(0, &[], &["Warning shadow read by cat"]);
    assert!(!run.out().contains("shadow read"), "{}", run.out());
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

/// A key of the schema.
struct Key {
    path: String,
    kind: String,
    /// It is ours alone, or below one that is.
    ours: bool,
    /// It is below one that is.
    inside: bool,
}

/// Every key of both schemas.
fn keys() -> Vec<Key> {
    type Schema = serde_json::Value;
    fn walk(document: &Schema, schema: &Schema, key: Key, out: &mut Vec<Key>) {
        let target = schema["$ref"].as_str();
        let target = target.and_then(|at| document.pointer(at.trim_start_matches('#')));
        let schema = target.unwrap_or(schema);
        let (path, ours) = (key.path.clone(), key.ours);
        if !path.is_empty() {
            let kind = schema["type"].as_str().unwrap_or("any").to_owned();
            out.push(Key { kind, ..key });
        }
        let mut descend = |below: &Schema, path: String, ours: bool, inside: bool| {
            let kind = String::new();
            let key = Key {
                path,
                kind,
                ours,
                inside,
            };
            walk(document, below, key, out);
        };
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            let dot = if path.is_empty() { "" } else { "." };
            let marked = below.get("x-peregrine").is_some();
            descend(below, format!("{path}{dot}{name}"), ours || marked, ours);
        }
        if schema["items"].is_object() {
            descend(&schema["items"], format!("{path}[]"), ours, ours);
        }
    }
    let schema = config::schema::full_schema();
    let mut out = Vec::new();
    let root = Key {
        path: String::new(),
        kind: String::new(),
        ours: false,
        inside: false,
    };
    walk(&schema, &schema, root, &mut out);
    out
}

/// A document in flow style with one value at a path, two lines down, and the column of its last key.
fn document(path: &str, value: &str) -> String {
    let mut out = value.to_owned();
    let steps: Vec<&str> = path.split('.').collect();
    for (depth, step) in steps.iter().enumerate().rev() {
        let name = step.trim_end_matches("[]");
        for _ in 0..step.matches("[]").count() {
            out = format!("[{out}]");
        }
        out = if depth == 0 {
            format!("{name}: {out}")
        } else {
            format!("{{{name}: {out}}}")
        };
    }
    format!("# one line\n\n{out}\n")
}

/// Every key, with a value of a type that it has not, and every key misspelt: refused by who asks, with
/// file, line, column and the key; what is ours is refused at the start too, Falco's own are warned of
/// and have their defaults, as in Falco.
#[test]
fn every_key_with_a_wrong_type_and_every_key_misspelt() {
    let place = Place::new();
    let all = keys();
    assert!(all.len() > 150, "{}", all.len());
    let mut files = Vec::new();
    let mut expected = Vec::new();
    for (n, key) in all.iter().enumerate() {
        let path = &key.path;
        let wrong = match key.kind.as_str() {
            "string" | "array" => "{a: 1}",
            "object" => "[1]",
            "boolean" | "integer" | "number" => "maybe",
            _ => "",
        };
        if !wrong.is_empty() {
            let name = format!("type-{n}.yaml");
            place.write(&name, document(path, wrong).as_bytes());
            expected.push((name.clone(), path.replace("[]", "[0]"), None, key.ours));
            files.push(name);
        }
        if path.ends_with("[]") {
            continue;
        }
        let name = format!("name-{n}.yaml");
        let misspelt = format!("{path}x");
        place.write(&name, document(&misspelt, "1").as_bytes());
        let name_of_it = path.rsplit('.').next().unwrap_or(path);
        expected.push((
            name.clone(),
            misspelt.replace("[]", "[0]"),
            Some(name_of_it.to_owned()),
            key.inside,
        ));
        files.push(name);
    }
    let mut arguments = vec!["check", "--format", "json"];
    arguments.extend(files.iter().map(String::as_str));
    let run = place.run(&arguments);
    assert_eq!(run.code(), 1);
    let document: serde_json::Value = serde_json::from_str(&run.out()).unwrap();
    let results = document["config_results"].as_array().unwrap();
    assert_eq!(results.len(), files.len());
    let mut faults = Vec::new();
    for ((name, path, key, _), result) in expected.iter().zip(results) {
        assert_eq!(result["name"], name.as_str());
        let told = result["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .any(|found| {
                let text = found.to_string();
                found["severity"] == "error"
                    && text.contains(path.as_str())
                    && text.contains("\"line\":3")
            });
        if !told || result["successful"] != false {
            faults.push(format!("{path} ({name}): {result}"));
        }
        if let Some(key) = key {
            let suggested = result["diagnostics"]
                .to_string()
                .contains(&format!("\"{key}\""));
            // Where another key is as near, that one may be named.
            if !suggested && key.len() > 5 {
                faults.push(format!("{path}: '{key}' is not suggested: {result}"));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        files.len(),
        faults.join("\n")
    );
    // A start: one file of each kind through the binary, all of them through the loader.
    for (name, path, _, ours) in &expected {
        let text = place.read(name);
        let request = config::Request {
            base: Some(&text),
            ..config::Request::default()
        };
        let loaded = config::load(&request);
        if *ours {
            assert!(
                loaded.is_err(),
                "{path} is ours, and a fault in it starts nothing"
            );
        } else if let Ok(loaded) = loaded {
            assert!(
                !loaded.warnings.is_empty(),
                "{path} is passed over without a word"
            );
        }
    }
}

#[test]
fn a_start_says_where_the_fault_is_and_starts_nothing() {
    let place = Place::new();
    for (more, texts) in [
        (
            "page: {enabled: true, listen_prot: 1}\n",
            &["falco.yaml:", "page.listen_prot", "listen_port"][..],
        ),
        (
            "alert_store: {keep_days: many}\n",
            &["falco.yaml:", "alert_store.keep_days"],
        ),
        (
            "extra_outputs: [{type: stdotu}]\n",
            &["falco.yaml:", "stdotu"],
        ),
        ("priority: loud\n", &["falco.yaml:", "loud"]),
        ("json_output: [\n", &["falco.yaml"]),
    ] {
        place.write(
            "falco.yaml",
            format!("{}{more}", support::CONFIG).as_bytes(),
        );
        let run = place.falco(&[]);
        run.check(1, &[], texts);
        assert!(
            !run.out().contains("opened /tmp/a") && !run.out().contains("Events detected"),
            "{more}"
        );
    }
    place.write("falco.yaml", support::CONFIG.as_bytes());
    place
        .falco(&["-o", "page.listen_port=many"])
        .check(1, &[], &["page.listen_port"]);
    place
        .falco(&["-c", "missing.yaml"])
        .check(1, &[], &["Error:", "missing.yaml"]);
}

/// What the two releases ship, every key of it, as it is.
#[test]
fn the_configurations_of_both_releases_work_as_they_are() {
    for (release, past) in [("0.44", 0), ("0.15", 3)] {
        let place = Place::new();
        let data = workspace_root().join("crates/peregrine/tests/data");
        let text = std::fs::read(data.join(format!("falco-{release}.yaml"))).unwrap();
        place.write("falco.yaml", &text);
        let checked = place.run(&["check", "falco.yaml"]);
        checked.check(0, &[], &["falco.yaml: ok"]);
        assert_eq!(
            checked.err().matches("of the past").count(),
            past,
            "{}",
            checked.err()
        );
        let run = place.falco(&[]);
        run.check(0, &["shadow read by cat", "Events detected: 3"], &[]);
        // The rules that it names, without -r; two of them are not there, which is no fault.
        let replay = ["-c", "falco.yaml", "-o", "engine.kind=replay", "-o"];
        let run = place.run(&[&replay[..], &["engine.replay.capture_file=capture.scap"]].concat());
        run.check(0, &["shadow read by cat", "Events detected: 3"], &[]);
    }
}
