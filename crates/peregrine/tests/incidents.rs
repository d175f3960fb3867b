//! `peregrine incident` from outside: the sample incident from its capture, and stores, good and bad.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use store::{Alert, Event, Limits, Process, Store, Thing, Touched};
use support::{Place, Run, START};
use testkit::corpus::workspace_root;

fn sample(place: &Place, args: &[&str]) -> Run {
    let root = workspace_root();
    let path = |name: &str| root.join(name).display().to_string();
    let files = [
        path("samples/incident.scap"),
        path("rules/peregrine_rules.yaml"),
        path("rules/peregrine-incubating_rules.yaml"),
    ];
    let mut all = vec![
        "incident", "-e", &files[0], "-r", &files[1], "-r", &files[2],
    ];
    all.extend(args);
    place.run(&all)
}

fn value(run: &Run) -> Value {
    assert_eq!(run.code(), 0, "{}", run.err());
    serde_json::from_str(&run.out()).unwrap()
}

#[test]
fn the_sample_incident_is_one_picture() {
    let place = Place::new();
    let list = value(&sample(&place, &["--json"]));
    let all = list.as_array().unwrap();
    let id = all
        .iter()
        .max_by_key(|one| one["alerts"].as_u64())
        .and_then(|one| one["incident"].as_str())
        .unwrap();
    assert_eq!(id.len(), 16);
    let report = value(&sample(&place, &[id, "--json"]));
    assert_eq!(report["incident"], *id);
    let alerts = report["alerts"].as_array().unwrap();
    assert_eq!(alerts[0]["id"], *id, "the first alert gives the name");
    assert!(alerts.len() >= 9, "{alerts:#?}");
    assert_eq!(report["priority"], "Critical");
    // Every alert names those before it.
    for (n, alert) in alerts.iter().enumerate() {
        let earlier = alert["earlier"].as_array().unwrap();
        let before: Vec<&Value> = alerts[..n].iter().map(|one| &one["id"]).collect();
        assert!(earlier.iter().all(|one| before.contains(&one)), "{alert}");
        assert_eq!(earlier.is_empty(), n == 0, "{alert}");
    }
    let names = |key: &str| -> BTreeSet<(String, String)> {
        let all = report[key].as_array().unwrap().iter();
        all.map(|one| {
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            (text("how"), text("name"))
        })
        .collect()
    };
    let files = names("files");
    for (how, name) in [
        ("read", "/etc/shadow"),
        ("written", "/tmp/.cache"),
        ("run", "/tmp/.cache"),
        ("written", "/etc/cron.d/refresh"),
        ("removed", "/root/.bash_history"),
    ] {
        assert!(
            files.contains(&(how.into(), name.into())),
            "no {how} {name} in {files:#?}"
        );
    }
    let all = report["files"].as_array().unwrap().iter();
    let once = all.filter(|one| one["name"] == "/etc/cron.d/refresh");
    assert_eq!(
        once.map(|one| one["times"].clone()).collect::<Vec<_>>(),
        [1]
    );
    let connections = names("connections");
    assert!(
        connections
            .iter()
            .any(|(how, name)| how == "connected" && name.contains("198.51.100.23:4444")),
        "{connections:#?}"
    );
    // sh ran cat, curl and what curl fetched; the last became a shell.
    let processes = report["processes"].as_array().unwrap();
    let named = |name: &str| processes.iter().find(|one| one["name"] == name);
    let (sh, cat) = (named("sh").unwrap(), named("cat").unwrap());
    assert_eq!(cat["parent"], sh["id"]);
    assert!(
        named("nginx").is_some() || named("php-fpm").is_some(),
        "who it descends from"
    );

    // Any of its alerts leads to it, and so does the begin of an id; and it is the same each time.
    let last = alerts.last().unwrap()["id"].as_str().unwrap();
    let again = sample(&place, &[&last[..8].to_uppercase(), "--json"]);
    assert_eq!(value(&again), report);
    let text = sample(&place, &[id]);
    text.check(
        0,
        &[
            &format!("Incident {id}"),
            "the most urgent Critical",
            "in container 7c1d5e0a94b3",
            "\nProcesses\n",
            "└─ ",
            "\nFiles\n",
            "/etc/cron.d/refresh",
            "\nConnections\n",
            "\nAlerts\n",
            "A program that is not part of the image ran in a container",
        ],
        &[],
    );
    sample(&place, &[]).check(0, &["INCIDENT", id, "Critical"], &[]);
}

/// Ids are the same wherever they are shown: in the list, in JSON, in text; every time.
#[test]
fn alerts_carry_their_ids_where_that_is_wanted() {
    let place = Place::new();
    place.write(
        "ids.yaml",
        b"append_output: [{extra_output: 'alert=%alert.id incident=%incident.id number=%incident.number', \
          extra_fields: [incident.earlier]}]\nstdout_output: {enabled: true}\n",
    );
    let replay = |more: &[&str]| {
        let mut args = vec![
            "replay",
            "capture.scap",
            "-r",
            "rules.yaml",
            "-c",
            "ids.yaml",
            "--quiet",
        ];
        args.extend(more);
        place.run(&args)
    };
    let text = replay(&[]);
    assert_eq!(text.out(), replay(&[]).out());
    let lines: Vec<Value> = replay(&["--json"])
        .out()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    let field = |n: usize, key: &str| lines[n]["output_fields"][key].clone();
    let ids: Vec<Value> = (0..3).map(|n| field(n, "alert.id")).collect();
    assert_eq!(
        ids.iter()
            .map(Value::to_string)
            .collect::<BTreeSet<_>>()
            .len(),
        3
    );
    for n in 0..3 {
        assert_eq!(field(n, "incident.id"), ids[0]);
        assert_eq!(field(n, "incident.number"), n + 1);
        assert_eq!(field(n, "incident.earlier"), json!(ids[..n]));
        assert!(text.out().contains(ids[n].as_str().unwrap()));
    }
    // Every rule on its event, and rules that did not ask are as they were.
    let all = replay(&["--all", "--json"]);
    assert_eq!(all.out().lines().count(), 4);
    let run = place.run(&["incident", "capture.scap", "-r", "rules.yaml", "--json"]);
    let list = value(&run);
    assert_eq!(
        (&list[0]["incident"], &list[0]["alerts"]),
        (&ids[0], &json!(3))
    );
    let refused = place.run(&["replay", "capture.scap", "-r", "bad.yaml"]);
    assert_ne!(refused.code(), 0);
    place.write(
        "bad.yaml",
        b"- {rule: A, desc: b, condition: evt.type = openat and alert.id = 1, output: x, priority: INFO}\n",
    );
    place
        .run(&["replay", "capture.scap", "-r", "bad.yaml"])
        .check(1, &[], &["alert.id"]);
}

/// What a rule that remembers kept of earlier events is evidence, too.
#[test]
fn earlier_steps_are_evidence() {
    let place = Place::new();
    place.write(
        "rules.yaml",
        b"
- rule: One after the other
  desc: First a file, then the other.
  condition: evt.type = openat
  sequence:
    within: 1m
    by: [proc.name]
    steps:
      - step: before
        condition: fd.name = /tmp/a
      - step: after
        condition: fd.name = /etc/shadow
  output: \"%fd.name after %before.fd.name of %before.proc.name, %sequence.duration\"
  priority: WARNING
",
    );
    let list = value(&place.run(&["incident", "capture.scap", "-r", "rules.yaml", "--json"]));
    let id = list[0]["incident"].as_str().unwrap();
    let args = ["incident", id, "capture.scap", "-r", "rules.yaml"];
    let report = value(&place.run(&[&args[..], &["--json"]].concat()));
    let kept = &report["alerts"][0]["remembered"];
    assert_eq!(kept["before.fd.name"], "/tmp/a");
    assert_eq!(kept["sequence.duration"], 1_000_000_000);
    let files = report["files"].as_array().unwrap();
    let told = |how: &str, name: &str| {
        files
            .iter()
            .any(|one| one["how"] == how && one["name"] == name)
    };
    assert!(
        told("before", "/tmp/a") && told("read", "/etc/shadow"),
        "{files:#?}"
    );
    place.run(&args).check(
        0,
        &["before     /tmp/a  cat (7)", "before.proc.name: cat"],
        &[],
    );
}

fn process(pid: i64, name: &str) -> Process {
    Process {
        pid,
        name: name.into(),
        command: format!("{name} --now"),
        uid: Some(0),
        began: START,
        ..Process::default()
    }
}

fn alert(number: u64, incident: &str) -> Alert {
    Alert {
        time: START + number * 1_000_000,
        priority: 4,
        rule: "Loud".into(),
        source: "syscall".into(),
        text: format!("it happened {number}"),
        event: Event {
            number,
            name: "openat".into(),
            thread: 9,
            arguments: String::new(),
        },
        processes: vec![process(9, "loud"), process(5, "sshd")],
        alert_id: format!("{:016x}", 0xaaaa_0000_0000 + number),
        incident: incident.into(),
        touched: vec![Touched {
            thing: Thing::File,
            how: "written".into(),
            name: "/etc/loud".into(),
        }],
        ..Alert::default()
    }
}

fn keep(place: &Place, alerts: &[Alert]) {
    let mut store = Store::open(&place.path("a.sqlite"), Limits::default()).unwrap();
    store.add(alerts).unwrap();
}

const FIRST: &str = "0000aaaa00000000";

#[test]
fn ten_thousand_alerts_are_a_page() {
    let place = Place::new();
    let alerts: Vec<Alert> = (0..10_000).map(|n| alert(n, FIRST)).collect();
    keep(&place, &alerts);
    let run = place.run(&["incident", FIRST, "--store", "a.sqlite"]);
    run.check(
        0,
        &[
            "10,000 alerts within 9.9 s",
            "10,000 times until 22:13:29.999",
            "└─ loud (9)",
            "/etc/loud",
            "loud (9), 10,000 times",
        ],
        &[],
    );
    assert!(run.out().lines().count() < 60, "{}", run.out());
    let all = value(&place.run(&["incident", "a.sqlite", &FIRST[..12], "--json"]));
    assert_eq!(all["alerts"].as_array().unwrap().len(), 10_000);
}

/// A shell that starts thousands, each of which alerts.
#[test]
fn a_fork_bomb_is_a_few_lines() {
    let place = Place::new();
    let alerts: Vec<Alert> = (0..5000)
        .map(|n| Alert {
            processes: vec![
                process(100 + n, "child"),
                process(9, "bomb"),
                process(5, "sshd"),
            ],
            ..alert(n.unsigned_abs(), FIRST)
        })
        .collect();
    keep(&place, &alerts);
    let run = place.run(&["incident", FIRST, "--store", "a.sqlite"]);
    run.check(
        0,
        &[
            "└─ child (100)  child --now  and 4,999 more like it  ◄ 5,000 alerts, Warning",
            "/etc/loud  child (100) and 4,999 more, 5,000 times",
            "5,000 times until",
            "child (100) and 4,999 more, alert 0000aaaa00000000",
        ],
        &[],
    );
    assert!(run.out().lines().count() < 30, "{}", run.out());
}

/// What an attacker, or a hand in the file, may have put there.
#[test]
fn names_forge_no_lines_and_circles_end() {
    let place = Place::new();
    let evil = "a\n22:13:20.000  Emergency      Forged\r\u{1b}[2J\u{9b}1m";
    let mut one = alert(0, FIRST);
    one.rule = format!("Rule {evil}");
    one.text = evil.into();
    one.container = evil.into();
    one.processes = vec![process(9, evil), process(5, evil), process(9, evil)];
    one.touched[0].name = evil.into();
    one.touched[0].how = evil.into();
    one.touched.push(Touched {
        thing: Thing::Connection,
        how: "connected".into(),
        name: evil.into(),
    });
    one.remembered = json!({"step.fd.name": evil}).as_object().unwrap().clone();
    // A fork bomb: each the child of the one before.
    let bomb = (0..3000).map(|n| Alert {
        processes: (0..16).map(|up| process(1000 + n - up, "bomb")).collect(),
        ..alert(1 + n.unsigned_abs(), FIRST)
    });
    let mut alerts = vec![one];
    alerts.extend(bomb);
    keep(&place, &alerts);
    for args in [
        &["incident", FIRST, "--store", "a.sqlite"][..],
        &["incident", "--store", "a.sqlite"],
    ] {
        let run = place.run(args);
        assert_eq!(run.code(), 0, "{}", run.err());
        let out = run.out();
        assert!(out.lines().all(|line| !line.starts_with("22:13")), "{out}");
        assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{out}");
    }
    let report = place.run(&["incident", FIRST, "--store", "a.sqlite"]).out();
    assert!(
        report.contains("◄") && report.contains("bomb (1000)"),
        "{report}"
    );
    assert!(report.lines().count() < 400, "{}", report.lines().count());
    let all = value(&place.run(&["incident", FIRST, "--store", "a.sqlite", "--json"]));
    assert_eq!(all["alerts"].as_array().unwrap().len(), 3001);
}

#[test]
fn what_is_not_there_is_said() {
    let place = Place::new();
    place.write("rubbish", &b"no database at all".repeat(100));
    place.run(&["incident", "--store", "none.sqlite"]).check(
        1,
        &[],
        &["no store at none.sqlite", "alert_store", "-e FILE"],
    );
    place
        .run(&["incident", "--store", "rubbish"])
        .check(1, &[], &["rubbish", "not a database"]);
    place
        .run(&["incident", "abcd", "-e", "none.scap"])
        .check(1, &[], &["none.scap"]);
    place
        .run(&["incident", "nonsense"])
        .check(1, &[], &["neither a file nor an id"]);
    place
        .run(&["incident", "abcd", "ef01"])
        .check(1, &[], &["one too many"]);
    keep(&place, &[alert(0, FIRST), alert(1, "0000aaaa0000ffff")]);
    place.run(&["incident", "a.sqlite", "0000"]).check(
        1,
        &[],
        &["may be any of", FIRST, "0000aaaa0000ffff"],
    );
    place
        .run(&["incident", "a.sqlite", "0123456789abcdef"])
        .check(1, &[], &["no alert of the id"]);
    place.write("falco.yaml", b"alert_store: {path: a.sqlite}\n");
    let list = place.run(&["incident", "-c", "falco.yaml", "-n", "1"]);
    list.check(0, &["0000aaaa0000ffff", "Loud (loud)"], &[]);
    assert_eq!(list.out().lines().count(), 2);
}
