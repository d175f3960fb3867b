//! The commands for people from outside.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use support::Place;

#[test]
fn replay_prints_alerts_and_a_summary() {
    let place = Place::new();
    let run = place.run(&["replay", "capture.scap", "-r", "rules.yaml"]);
    run.check(
        0,
        &["Warning shadow read by cat\n"],
        &["3 alerts", "2  File opened"],
    );
    assert_eq!(
        run.out().lines().count(),
        3,
        "standard output has alerts only"
    );
    let quiet = place.run(&[
        "replay",
        "capture.scap",
        "-r",
        "rules.yaml",
        "--quiet",
        "--all",
        "--json",
    ]);
    quiet.check(0, &["\"rule\":\"File opened\""], &[]);
    assert_eq!((quiet.out().lines().count(), quiet.err().as_str()), (4, ""));
}

#[test]
fn replay_with_the_shipped_rules() {
    Place::new()
        .run(&["replay", "capture.scap"])
        .check(0, &[], &["events in"]);
}

#[test]
fn replay_refuses_with_code_1_and_usage_with_2() {
    let place = Place::new();
    place
        .run(&["replay", "none.scap"])
        .check(1, &[], &["none.scap"]);
    place.run(&["replay"]).check(2, &[], &["Usage"]);
    place
        .run(&["replay", "capture.scap", "--what"])
        .check(2, &[], &["--what"]);
    place.run(&["read", "--help"]).check(0, &["Usage"], &[]);
}

#[test]
fn read_prints_lines_and_json() {
    let place = Place::new();
    let run = place.run(&["read", "capture.scap"]);
    run.check(
        0,
        &["2 22:13:21.000000000 0 cat (7) < openat fd=3(<f>/etc/shadow)"],
        &[],
    );
    assert_eq!(run.out().lines().count(), 3);
    let args = [
        "read",
        "capture.scap",
        "fd.name",
        "startswith",
        "/tmp",
        "-p",
        "%evt.num %fd.name",
    ];
    // A name with a newline stays on its line.
    assert_eq!(place.run(&args).out(), "1 /tmp/a\n3 /tmp/b\u{fffd}c\n");
    let args = [
        "read",
        "capture.scap",
        "--json",
        "-p",
        "%evt.num %fd.name %container.id",
        "-n",
        "1",
    ];
    let line: serde_json::Value = serde_json::from_str(&place.run(&args).out()).unwrap();
    assert_eq!(line["fd.name"], "/tmp/a");
    let raw = place.run(&["read", "--raw", "capture.scap", "-p", "%evt.num %fd.name"]);
    assert_eq!(raw.out().lines().count(), 3);
    let mut stdin = place.command(&["read", "--raw", "-"]);
    let done = stdin
        .pipe_stdin(place.path("capture.scap"))
        .unwrap()
        .output()
        .unwrap();
    assert_eq!(done.stdout.iter().filter(|byte| **byte == b'\n').count(), 3);
}

#[test]
fn read_shows_where_a_filter_is_wrong() {
    let place = Place::new();
    place
        .run(&["read", "capture.scap", "evt.type = "])
        .check(1, &[], &["evt.type", "^"]);
    place
        .run(&["read", "capture.scap", "-p", "%no"])
        .check(1, &[], &["%no"]);
}

#[test]
fn check_tells_rules_from_configurations() {
    let place = Place::new();
    place.run(&["check", "rules.yaml", "falco.yaml"]).check(
        0,
        &[],
        &["rules.yaml: ok", "falco.yaml: ok"],
    );
    place.write("other.yaml", b"json_outptu: true\n");
    place
        .run(&["check", "other.yaml"])
        .check(1, &[], &["json_output", "1 error"]);
    place
        .run(&["check", "--strict", "other.yaml"])
        .check(1, &[], &[]);
    place.write(
        "bad.yaml",
        b"- rule: x\n  condition: evt.typ = open\n  desc: d\n  output: o\n  priority: INFO\n",
    );
    let run = place.run(&["check", "--format", "json", "bad.yaml", "other.yaml"]);
    run.check(1, &[], &[]);
    let json: serde_json::Value = serde_json::from_str(&run.out()).unwrap();
    assert_eq!(json["falco_load_results"][0]["successful"], false);
    assert_eq!(json["config_results"][0]["diagnostics"][0]["code"], "P0605");
    place.run(&["check", "none.yaml", "rules.yaml"]).check(
        1,
        &[],
        &["none.yaml", "rules.yaml: ok"],
    );
}

#[test]
fn lists() {
    let place = Place::new();
    place.run(&["list", "fields"]).check(0, &["proc.name"], &[]);
    place
        .run(&["list", "fields", "--markdown"])
        .check(0, &["`proc.name` | CHARBUF"], &[]);
    place
        .run(&["list", "events", "--json"])
        .check(0, &["\"Syscall events\""], &[]);
    place
        .run(&["list", "rules", "-r", "rules.yaml"])
        .check(0, &["Shadow opened  Warning"], &[]);
    place
        .run(&["list", "macros", "-r", "rules.yaml"])
        .check(0, &["opens  evt.type = openat"], &[]);
    place
        .run(&["list", "lists"])
        .check(0, &["shell_binaries"], &[]);
    let rules = place
        .run(&["list", "rules", "-r", "rules.yaml", "--json"])
        .out();
    let rules: serde_json::Value = serde_json::from_str(&rules).unwrap();
    assert_eq!(rules[0]["info"]["name"], "Shadow opened");
}

#[test]
fn codes_are_explained() {
    let place = Place::new();
    place.run(&["explain", "p0605"]).check(0, &["P0605: "], &[]);
    place
        .run(&["explain"])
        .check(0, &["P0605  ", "P0102  "], &[]);
    place.run(&["explain", "P9999"]).check(1, &[], &["P9999"]);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let place = Place::new();
    let paths: Vec<String> = (0..20_000).map(|n| format!("/tmp/file-{n}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    place.write("long.scap", &support::capture(&paths));
    let binary = assert_cmd::cargo::cargo_bin("peregrine");
    for command in ["read long.scap", "replay long.scap -q -r rules.yaml"] {
        let line = format!(
            "{} {command} | head -n 1; echo ${{PIPESTATUS[0]}}",
            binary.display()
        );
        let mut shell = std::process::Command::new("bash");
        let done = shell
            .arg("-c")
            .arg(&line)
            .current_dir(place.path(""))
            .output()
            .unwrap();
        assert!(
            String::from_utf8_lossy(&done.stdout).ends_with("\n0\n"),
            "{done:?}"
        );
        assert!(done.stderr.is_empty(), "{done:?}");
    }
}

#[test]
fn signals_end_a_replay_with_its_statistics() {
    let place = Place::new();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("peregrine"))
        .args(["-c", "falco.yaml", "-r", "rules.yaml", "-e", "-"])
        .current_dir(place.path(""))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // An endless capture: the same events over and over, as sections that follow each other.
    let bytes = std::fs::read(place.path("capture.scap")).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        use std::io::Write;
        while stdin.write_all(&bytes).is_ok() {}
    });
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 8];
    std::io::Read::read_exact(&mut out, &mut first).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(rest.contains("Events detected: "));
    feeder.join().unwrap();
}
