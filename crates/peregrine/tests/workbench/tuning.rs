//! What rules cost and bring, and exceptions from alerts.

use std::path::Path;

use serde_json::Value;

use crate::support::Place;

#[test]
fn a_profile_counts_times_and_tells_what_is_dead() {
    let place = Place::new();
    place.write(
        "more.yaml",
        b"- rule: Slow\n  desc: d\n  condition: evt.type = openat and fd.name regex \".*shadow.*\" and fd.name glob \"/tmp/*\"\n  output: o\n  priority: INFO\n- rule: Never asked\n  desc: d\n  condition: evt.type = setuid\n  output: o\n  priority: INFO\n",
    );
    let args = [
        "profile",
        "capture.scap",
        "-r",
        "rules.yaml",
        "-r",
        "more.yaml",
    ];
    place.run(&args).check(
        0,
        &[
            "3 events, 4 rules",
            "Rules, the dearest first",
            "fd.name contains shadow",
            "\"Shadow opened\" takes 1 of 3 matches of \"File opened\"",
            "Rules that held on none of the events of their types: 1",
            "Rules of whose types no event came: 1",
            "Never asked",
        ],
        &[],
    );
    let mut args = args.to_vec();
    args.extend(["--format", "json"]);
    let json: Value = serde_json::from_str(&place.run(&args).out()).unwrap();
    assert_eq!(json["events"], 3);
    let rule = json["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["rule"] == "File opened")
        .unwrap();
    assert_eq!(
        (&rule["evaluated"], &rule["held"], &rule["alerts"]),
        (&3.into(), &3.into(), &2.into())
    );
    let shared = json["comparisons"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["comparison"] == "evt.type = openat")
        .unwrap();
    assert_eq!(
        (&shared["rules"], &shared["evaluated"], &shared["held"]),
        (&3.into(), &3.into(), &3.into())
    );
}

#[test]
fn an_alert_becomes_the_narrowest_exception() {
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sample = root.join("samples/incident.scap");
    let shipped = root.join("rules/peregrine_rules.yaml");
    let (sample, shipped) = (sample.to_str().unwrap(), shipped.to_str().unwrap());
    let alerts = place
        .run(&["replay", sample, "-r", shipped, "--json", "--quiet"])
        .out();
    let line = alerts
        .lines()
        .find(|line| line.contains("\"Read sensitive file untrusted\""))
        .unwrap();
    let other = line.replace("\"proc.name\":\"cat\"", "\"proc.name\":\"less\"");
    assert_ne!(line, other);
    place.write(
        "alerts.jsonl",
        format!("{line}\n{other}\nnot an alert\n{line}\n").as_bytes(),
    );

    place
        .run(&["suppress", "alerts.jsonl", "-r", shipped])
        .check(1, &[], &["--owner"]);
    let base = [
        "suppress",
        "alerts.jsonl",
        "-r",
        shipped,
        "--owner",
        "mira",
        "--reason",
        "the nightly backup; agreed",
    ];
    let with = |more: &[&str]| {
        let mut args = base.to_vec();
        args.extend(more);
        place.run(&args)
    };
    with(&["--expires", "2001-01-01"]).check(1, &[], &["expired from the start"]);
    with(&["--expires", "2999-12-31", "--write", "local.yaml"]).check(
        0,
        &[
            "# suppressed: owner=mira; expires=2999-12-31; reason=the nightly backup; agreed",
            "- rule: Read sensitive file untrusted",
            "proc.name",
            "override:",
        ],
        &[
            "it would have silenced 1 besides",
            "tests in which the rule raises an alert, it would hide 0",
        ],
    );
    // With it the alert is gone, and no other is.
    let after = place
        .run(&[
            "replay",
            sample,
            "-r",
            shipped,
            "-r",
            "local.yaml",
            "--json",
            "--quiet",
        ])
        .out();
    assert!(
        !after.contains("\"Read sensitive file untrusted\""),
        "{after}"
    );
    assert_eq!(after.lines().count() + 1, alerts.lines().count());
    // A wide one hides attacks, and says so.
    with(&["--expires", "2999-12-31", "--fields", "fd.name"]).check(
        0,
        &["fields: [fd.name]"],
        &["it would hide", "cat reads the hashes"],
    );

    // The upkeep.
    place
        .run(&[
            "suppress",
            "--review",
            "-r",
            shipped,
            "-r",
            "local.yaml",
            "--capture",
            sample,
        ])
        .check(
            0,
            &["1 suppressions, 0 of them expired", "used 1 times"],
            &[],
        );
    let old = place.read("local.yaml").replace("2999", "2001");
    place.write("local.yaml", old.as_bytes());
    place
        .run(&[
            "suppress",
            "--review",
            "-r",
            shipped,
            "-r",
            "local.yaml",
            "--capture",
            place.path("capture.scap").to_str().unwrap(),
        ])
        .check(
            1,
            &[
                "1 of them expired",
                "local.yaml:1: expired 2001-12-31; ask mira: the nightly backup; agreed",
                "never used",
            ],
            &[],
        );
}

#[test]
fn an_alert_of_the_local_store_becomes_one_too() {
    let place = Place::new();
    let file = place.path("alerts.sqlite");
    let mut store = store::Store::open(&file, store::Limits::default()).unwrap();
    let alert = |name: &str| store::Alert {
        time: 1_700_000_000_000_000_000,
        rule: "File opened".into(),
        fields: [
            ("proc.name".to_owned(), name.into()),
            ("fd.num".to_owned(), 3.into()),
        ]
        .into_iter()
        .collect(),
        ..store::Alert::default()
    };
    store
        .add(&[alert("cat"), alert("a b, \"c\" (d)"), alert("cat")])
        .unwrap();
    drop(store);
    let suppress = |more: &[&str]| {
        let mut args = vec!["suppress", "alerts.sqlite", "-r", "rules.yaml"];
        args.extend(["--owner", "o", "--reason", "r", "--expires", "2999-01-01"]);
        args.extend(more);
        place.run(&args)
    };
    suppress(&[]).check(
        0,
        &["fields: [proc.name]", "- [cat]"],
        &["it would have silenced 1 besides"],
    );
    // A name that looks like a condition stays a name.
    suppress(&["--line", "2"]).check(
        0,
        &["- ['\"a b, \\\"c\\\" (d)\"']"],
        &["it would have silenced 0 besides"],
    );
    suppress(&["--line", "9"]).check(1, &[], &["line 9 of alerts.sqlite is no alert"]);
}
