//! The flight recorder on a running machine: what is saved of an alert, what hunts find, and what a kill
//! leaves.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::watch::{Place, Watch, field, live, peregrine, sh, signal};

/// A rule on a file of the test, with what a reader wants to know of who opened it.
fn rule(place: &Place, file: &str, keys: &str) -> String {
    format!(
        r#"
- rule: Opened {file}
  desc: A file of the test is written.
  condition: evt.type in (open, openat, openat2, write) and fd.name = {}/{file}
  output: "%evt.type %proc.name %proc.pid %proc.pname %proc.aname[2] %proc.cmdline %proc.cwd %proc.exepath %fd.name %user.name %proc.sname"
  priority: WARNING
{keys}"#,
        place.dir().display()
    )
}

const WANTED: &str = "  capture: true\n  capture_before: 60000\n  capture_duration: 1000\n";

/// Options of a watcher with a ring.
fn options(place: &Place, more: &[String]) -> Vec<String> {
    let mut all = vec![
        "flight_recorder.enabled=true".to_owned(),
        "capture.enabled=true".to_owned(),
        format!("capture.path_prefix={}/saved", place.dir().display()),
        format!("flight_recorder.socket={}/run/s", place.dir().display()),
    ];
    all.extend_from_slice(more);
    all.into_iter()
        .flat_map(|option| ["-o".to_owned(), option])
        .collect()
}

fn start(place: &Place, rules: &str, options: &[String]) -> Watch {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Watch::start(place, rules, &options)
}

/// Alerts of a command that writes them to standard output, and what it says.
fn alerts(args: &[&str]) -> (Vec<Value>, String) {
    let output = peregrine().args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (all.collect(), said)
}

/// The same alert: who, what, when; all but where its file is and the number that its event has there.
fn same(one: &Value, other: &Value) {
    for key in ["rule", "time", "output_fields", "priority"] {
        assert_eq!(one[key], other[key], "{key}");
    }
}

#[test]
fn a_capture_of_an_alert_tells_all_of_it_again() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let dir = place.dir().display().to_string();
    // A descriptor from before the watcher, whose name no event tells.
    let script =
        format!("exec 7>>{dir}/old; read go; echo early >&7; read go; echo late >&7; sleep 0.1");
    let mut child = Command::new("sh")
        .args(["-c", &format!("sh -c '{script}'; true")])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    while !place.path("old").exists() {
        std::thread::yield_now();
    }
    let rules = rule(&place, "old", WANTED);
    let more = ["base_syscalls.all=true".to_owned()];
    let mut watch = start(&place, &rules, &options(&place, &more));
    let stdin = child.stdin.as_mut().unwrap();
    sh(&format!("echo before > {dir}/before"));
    stdin.write_all(b"go\n").unwrap();
    watch.milestone();
    stdin.write_all(b"go\n").unwrap();
    child.wait().unwrap();
    sh(&format!("echo after > {dir}/after"));
    let (found, said, _) = watch.stop();
    assert_eq!(found.len(), 2, "{found:#?} {said}");
    // The second lies in the window of the first.
    assert_eq!(found[0]["capture_file"], found[1]["capture_file"]);
    let file = found[0]["capture_file"].as_str().unwrap().to_owned();
    let rules = place.write("again.yaml", rules.as_bytes());
    let (again, told) = alerts(&["replay", &file, "--json", "-r", rules.to_str().unwrap()]);
    assert_eq!(again.len(), 2, "{told}");
    same(&found[0], &again[0]);
    same(&found[1], &again[1]);
    assert_eq!(field(&again[0], "fd.name"), format!("{dir}/old"));
    for name in ["proc.pname", "proc.aname[2]", "proc.exepath", "user.name"] {
        assert_ne!(again[0]["output_fields"][name], Value::Null, "{name}");
    }
    // What was before and after it is there.
    for name in ["before", "after"] {
        let shown = sh(&format!(
            "{} read {file} evt.type in '(open,openat)' and fd.name = {dir}/{name} -p %proc.name",
            env!("CARGO_BIN_EXE_peregrine")
        ));
        assert_eq!(shown.trim(), "sh", "{name}");
    }
}

#[test]
fn a_hunt_over_memory_finds_what_no_rule_had_asked_for() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let dir = place.dir().display().to_string();
    let rules = rule(&place, "none", "");
    let mut watch = start(&place, &rules, &options(&place, &[]));
    sh(&format!("echo x > {dir}/seen"));
    watch.milestone();
    let new = place.write("new.yaml", rule(&place, "seen", "").as_bytes());
    let socket = format!("{dir}/run/s");
    let hunt = ["hunt", new.to_str().unwrap(), "--json", "--socket", &socket];
    // The ring gets what happened within a second.
    let (mut found, mut said) = alerts(&hunt);
    for _ in 0..100 {
        if !found.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        (found, said) = alerts(&hunt);
    }
    assert_eq!(found.len(), 1, "{said}");
    assert_eq!(field(&found[0], "fd.name"), format!("{dir}/seen"));
    assert!(said.contains("Opened seen: not write"), "{said}");
    let (_, _, status) = watch.stop();
    assert!(status.success() && !Path::new(&socket).exists());
}

#[test]
fn a_killed_watcher_leaves_its_ring() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let dir = place.dir().display().to_string();
    let ring = format!("flight_recorder.directory={dir}/ring");
    let mut rules = rule(&place, "none", "");
    let new = place.write("new.yaml", rule(&place, "seen", "").as_bytes());
    let from = format!("{dir}/ring");
    for n in 1..=2 {
        let mut watch = start(
            &place,
            &rules,
            &options(&place, std::slice::from_ref(&ring)),
        );
        sh(&format!("echo x > {dir}/seen"));
        watch.milestone();
        let hunt = ["hunt", new.to_str().unwrap(), "--json", "--from", &from];
        // A batch is written when it is a second old, or later on a busy machine.
        for _ in 0..300 {
            let output = peregrine().args(hunt).output().unwrap();
            if output.stdout.split(|&b| b == b'\n').count() > n {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        signal(watch.pid(), "KILL");
        let _ = watch.join();
        let (found, said) = alerts(&hunt);
        assert_eq!(found.len(), n, "{said}");
        assert_eq!(said.contains("a gap from"), n == 2, "{said}");
        rules.push('\n');
    }
}
