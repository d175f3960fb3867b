//! Falco's form from outside: flags, exit codes, streams, bad input.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use support::Place;

#[test]
fn alerts_and_statistics() {
    let run = Place::new().falco(&[]);
    run.check(0, &[], &["Syscall event drop monitoring:"]);
    assert_eq!(
        run.out(),
        "22:13:20.000000000: Informational opened /tmp/a\n\
         22:13:21.000000000: Warning shadow read by cat\n\
         22:13:22.000000000: Informational opened /tmp/b\u{fffd}c\n\
         Events detected: 3\nRule counts by severity:\n   WARNING: 1\n   INFO: 2\n\
         Triggered rules by rule name:\n   Shadow opened: 1\n   File opened: 2\n"
    );
}

#[test]
fn all_matching_rules() {
    Place::new()
        .falco(&["-o", "rule_matching=all"])
        .check(0, &["Events detected: 4"], &[]);
}

#[test]
fn json_lines_are_json() {
    let place = Place::new();
    let out = place
        .falco(&["-o", "json_output=true", "-o", "time_format_iso_8601=true"])
        .out();
    let alert: serde_json::Value = serde_json::from_str(out.lines().nth(2).unwrap()).unwrap();
    assert_eq!(alert["output_fields"]["fd.name"], "/tmp/b\u{fffd}c");
    assert_eq!(
        alert["output_fields"]["evt.time.iso8601"],
        1_700_000_002_000_000_000_u64
    );
    assert_eq!(alert["hostname"], "here");
    assert_eq!(alert["tags"][0], "files");
    assert_eq!(alert["time"], "2023-11-14T22:13:22.000000000Z");
}

#[test]
fn extra_output_and_fields() {
    let place = Place::new();
    let extra = r#"append_output[]={"match": {"rule": "Shadow opened"}, "extra_output": "on %evt.hostname", "extra_fields": ["evt.num", {"who": "<%proc.name>"}]}"#;
    let run = place.falco(&["-o", "json_output=true", "-o", extra]);
    run.check(
        0,
        &[
            "shadow read by cat on here\"",
            "\"evt.num\":2",
            "\"who\":\"<cat>\"",
        ],
        &[],
    );
    place
        .falco(&["-p", "pid=%proc.pid"])
        .check(0, &["opened /tmp/a pid=7\n"], &["-p"]);
    place.falco(&["-pc"]).check(0, &["opened /tmp/a\n"], &[]);
    place
        .falco(&["-p", "%no.field"])
        .check(1, &[], &["no.field"]);
}

#[test]
fn selection_by_options_and_old_flags() {
    let place = Place::new();
    let only = [
        "-o",
        "rules[].disable.rule=*",
        "-o",
        "rules[].enable.tag=secrets",
    ];
    for args in [
        &only[..],
        &["-t", "secrets"],
        &["-D", "File op.*"],
        &["-o", "priority=warning"],
    ] {
        let run = place.falco(args);
        run.check(0, &["Events detected: 1\n", "Shadow opened: 1"], &[]);
    }
    place
        .falco(&["-T", "files"])
        .check(0, &["Events detected: 0\n"], &["option -T"]);
    place
        .falco(&["-t", "a", "-D", "b"])
        .check(1, &[], &["-t", "-D"]);
}

#[test]
fn old_way_of_naming_a_capture() {
    let place = Place::new();
    let args = ["-c", "falco.yaml", "-r", "rules.yaml", "-e", "capture.scap"];
    place
        .run(&args)
        .check(0, &["Events detected: 3"], &["replay"]);
    let mut stdin = place.command(&["-c", "falco.yaml", "-r", "rules.yaml", "-e", "-"]);
    stdin
        .pipe_stdin(place.path("capture.scap"))
        .unwrap()
        .assert()
        .success();
}

#[test]
fn a_limit_of_event_time() {
    Place::new()
        .falco(&["-M", "2"])
        .check(0, &["Events detected: 2\n"], &[]);
}

#[test]
fn outputs_to_file_and_program() {
    let place = Place::new();
    place
        .falco(&[
            "-o",
            "file_output.enabled=true",
            "-o",
            "file_output.filename=alerts.txt",
            "-o",
            "program_output.enabled=true",
            "-o",
            "program_output.program=cat >> piped.txt",
            "-o",
            "stdout_output.enabled=false",
        ])
        .check(0, &["Events detected: 3"], &[]);
    assert_eq!(place.read("alerts.txt").lines().count(), 3);
    assert_eq!(place.read("alerts.txt"), place.read("piped.txt"));
    let run = place.falco(&["-o", "stdout_output.enabled=false"]);
    run.check(1, &[], &["No output configured", "stdout_output.enabled"]);
}

#[test]
fn an_output_that_fails_is_logged_and_does_not_stop_the_others() {
    let args = [
        "-o",
        "file_output={\"enabled\": true, \"filename\": \"/nowhere/x\"}",
    ];
    Place::new()
        .falco(&args)
        .check(0, &["opened /tmp/a"], &["file", "/nowhere/x"]);
}

#[test]
fn a_truncated_capture_gives_its_alerts_first() {
    let place = Place::new();
    let whole = std::fs::read(place.path("capture.scap")).unwrap();
    place.write("capture.scap", &whole[..whole.len() - 20]);
    let run = place.falco(&[]);
    run.check(
        1,
        &["Warning shadow read by cat", "Events detected: 2"],
        &["capture.scap"],
    );
}

#[test]
fn bad_captures() {
    let place = Place::new();
    place.write("empty", b"");
    place.write("text", b"this is no capture\n");
    for (file, word) in [
        ("none", "none"),
        (".", "directory"),
        ("empty", "empty"),
        ("text", "text"),
    ] {
        let option = format!("engine.replay.capture_file={file}");
        place
            .falco(&["-o", &option])
            .check(1, &[], &["Error: ", word]);
    }
}

#[test]
fn bad_rules() {
    let place = Place::new();
    place.write(
        "bad.yaml",
        b"- rule: x\n  condition: evt.typ = open\n  desc: d\n  output: o\n  priority: INFO\n",
    );
    place
        .falco(&["-r", "bad.yaml"])
        .check(1, &[], &["evt.type", "bad.yaml:2"]);
    place
        .falco(&["-r", "none.yaml"])
        .check(1, &[], &["none.yaml"]);
    place
        .run(&["-c", "falco.yaml"])
        .check(1, &[], &["at least one rules file", "-r"]);
}

#[test]
fn bad_configuration() {
    let place = Place::new();
    for (content, words) in [
        ("priority: loud\n", ["loud", "falco.yaml:1"]),
        ("rule_matching: [\n", ["YAML", "falco.yaml"]),
        ("- a\n", ["map", "falco.yaml"]),
    ] {
        place.write("falco.yaml", content.as_bytes());
        place.falco(&[]).check(1, &[], &words);
    }
    place
        .run(&["-c", "none.yaml", "-r", "rules.yaml"])
        .check(1, &[], &["none.yaml", "-c"]);
    place.write(
        "falco.yaml",
        b"stdout_output: {enabled: true}\njson_outptu: true\nlog_stderr: true\n",
    );
    place
        .falco(&[])
        .check(0, &["Events detected: 3"], &["json_outptu"]);
}

#[test]
fn unknown_and_removed_flags() {
    let place = Place::new();
    place
        .falco(&["--verison"])
        .check(1, &[], &["'--verison'", "--version"]);
    place
        .falco(&["-o", "x"])
        .check(1, &[], &["'x'", "KEY=VALUE"]);
    place.falco(&["stray"]).check(0, &[], &["'stray'"]);
}

#[test]
fn information() {
    let place = Place::new();
    place
        .run(&["--help"])
        .check(0, &["Usage:", "replay FILE", "--validate <path>"], &[]);
    place
        .run(&["--version"])
        .check(0, &["Falco version: ", "Engine:        "], &[]);
    place.run(&["-i"]).check(0, &["- read\n"], &[]);
    place
        .run(&["--list", "-N"])
        .check(0, &["\nproc.name\n"], &[]);
    place.run(&["--list=nothing"]).check(1, &[], &["syscall"]);
    place
        .run(&["--list-events", "--format", "xml"])
        .check(1, &[], &["'xml'"]);
    place.run(&["--page-size"]).check(0, &["bytes"], &[]);
    for schema in ["--config-schema", "--rule-schema"] {
        let schema: serde_json::Value = serde_json::from_str(&place.run(&[schema]).out()).unwrap();
        assert!(schema["definitions"].is_object());
    }
    let version = place
        .run(&["-c", "falco.yaml", "-o", "json_output=true", "--version"])
        .out();
    let version: serde_json::Value = serde_json::from_str(&version).unwrap();
    assert_eq!(version["engine_version"], "62");
}

#[test]
fn descriptions_validation_and_support() {
    let place = Place::new();
    place
        .falco(&["-L"])
        .check(0, &["Shadow opened", "Somebody opens a file."], &[]);
    place
        .falco(&["-l", "File opened"])
        .check(0, &["Somebody opens a file."], &[]);
    place
        .falco(&["-l", "Nothing"])
        .check(1, &[], &["\"Nothing\""]);
    place
        .falco(&["-V", "rules.yaml"])
        .check(0, &["rules.yaml: Ok\n"], &[]);
    place.write("bad.yaml", b"- rule: x\n");
    place
        .falco(&["-V", "bad.yaml"])
        .check(1, &["bad.yaml: Invalid"], &["Error: "]);
    place.falco(&["--dry-run"]).check(0, &[], &[]);
    let support: serde_json::Value =
        serde_json::from_str(&place.falco(&["--support"]).out()).unwrap();
    assert_eq!(support["rules_files"][0]["name"], "rules.yaml");
}
