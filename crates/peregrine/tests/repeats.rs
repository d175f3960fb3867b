//! Alerts that repeat themselves, through the program: off unless asked for, one line for many where they are, and no count that
//! does not add up.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use std::collections::BTreeMap;

use serde_json::Value;
use support::{CONFIG, Place, capture};

/// Opens of 3 different files, one a second, for a minute.
fn place(configuration: &str) -> Place {
    let place = Place::new();
    let paths: Vec<String> = (0..60).map(|n| format!("/tmp/{}", n % 3)).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    place.write("capture.scap", &capture(&paths));
    place.write("falco.yaml", format!("{CONFIG}{configuration}").as_bytes());
    place
}

const GROUPING: &str = "alert_grouping:
  enabled: true
  window: 20s
  fields: [proc.name]
  examples: 1
  alerts:
    - {match: {rules: ['Shadow*']}, enabled: false}
";

#[test]
fn without_its_keys_nothing_changes() {
    let plain = place("").falco(&[]);
    let off = place("alert_grouping: {enabled: false, window: 1s}\nalert_limits: []\n").falco(&[]);
    assert_eq!(plain.out(), off.out());
    // Lines of the log begin with the time of day.
    let untimed = |log: &str| -> Vec<String> {
        let lines = log.lines();
        lines
            .map(|line| {
                line.split_once(": falco.yaml")
                    .map_or(line, |(_, said)| said)
            })
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(untimed(&plain.err()), untimed(&off.err()));
    assert_eq!(plain.out().matches("opened /tmp/").count(), 60);
}

#[test]
fn the_first_goes_out_at_once_and_a_line_tells_of_the_others() {
    let run = place(GROUPING).falco(&[]);
    run.check(
        0,
        &[
            "22:13:20.000000000: Informational opened /tmp/0\n",
            "22:13:39.000000000: Informational 19 more like the alert of 22:13:20.000000000: opened /tmp/0; \
             also: opened /tmp/1\n",
            "22:13:40.000000000: Informational opened /tmp/2\n",
            // The end of the capture ends a group, too.
            "22:14:19.000000000: Informational 19 more like the alert of 22:14:00.000000000: opened /tmp/1; \
             also: opened /tmp/2\n",
            // Nothing is missing where alerts are counted.
            "Events detected: 60\n",
            "   File opened: 60\n",
        ],
        &["of these 60 alerts 57 are in groups and 0 were held back by limits; 3 lines tell of them"],
    );
    let lines: Vec<String> = run.out().lines().map(str::to_owned).collect();
    let alerts = lines.iter().filter(|line| line.contains("opened")).count();
    assert_eq!(
        alerts,
        6 + 1,
        "three and three, and a line of the counts: {lines:#?}"
    );
    assert_eq!(run.out(), place(GROUPING).falco(&[]).out());
}

#[test]
fn json_says_what_a_line_stands_for() {
    let place = place(GROUPING);
    let run = place.falco(&[
        "-o",
        "json_output=true",
        "-o",
        "append_output[]={\"extra_output\": \"at %evt.num\"}",
    ]);
    let lines: Vec<Value> = run
        .out()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_eq!(lines.len(), 6);
    let told: Vec<&Value> = lines
        .iter()
        .filter(|line| line["output_fields"]["group.more"].is_u64())
        .collect();
    assert_eq!(told.len(), 3);
    let one = told[0];
    let fields = &one["output_fields"];
    assert_eq!(
        (&one["rule"], &one["priority"]),
        (&"File opened".into(), &"Informational".into())
    );
    assert_eq!(one["tags"], serde_json::json!(["files"]));
    assert_eq!(one["time"], "2023-11-14T22:13:39.000000000Z");
    assert_eq!(fields["group.count"], 20);
    assert_eq!(fields["group.more"], 19);
    assert_eq!(fields["group.first"], 1_700_000_000_000_000_000_u64);
    assert_eq!(fields["group.last"], 1_700_000_019_000_000_000_u64);
    assert_eq!(fields["evt.time"], fields["group.last"]);
    assert_eq!(fields["proc.name"], "cat");
    assert_eq!(
        fields["group.examples"],
        serde_json::json!(["opened /tmp/1 at 2"])
    );
    let output = one["output"].as_str().unwrap();
    assert!(
        output.contains("19 more like the alert of 22:13:20.000000000: opened /tmp/0 at 1;"),
        "{output}"
    );
}

/// What was raised, what went out, and what lines for many say: for each rule the same.
#[test]
fn limits_hold_back_and_say_so() {
    let place = place(
        "alert_limits:
  - match: {tags: [files], priority: informational}
    rate: 6/m
    burst: 2
    tell: 25s
",
    );
    let run = place.falco(&["-o", "json_output=true"]);
    run.check(
        0,
        &["Events detected: 60\n", "   File opened: 60\n"],
        &["held back by limits"],
    );
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let out = run.out();
    let lines: Vec<Value> = out
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for line in &lines {
        let held = line["output_fields"]["limit.held"].as_u64();
        *counts.entry(line["rule"].as_str().unwrap()).or_default() += held.unwrap_or(1);
    }
    assert_eq!(counts, BTreeMap::from([("File opened", 60)]));
    let told: Vec<&Value> = lines
        .iter()
        .filter(|line| line["output_fields"]["limit.held"].is_u64())
        .collect();
    assert_eq!(
        told.len(),
        3,
        "two while it lasts and one at the end: {told:#?}"
    );
    assert_eq!(
        lines.len() - told.len(),
        2 + 5,
        "the burst, and one every ten seconds"
    );
    let text = told[0]["output"].as_str().unwrap();
    assert!(
        text.contains(" alerts of the rule \"File opened\" held back since 22:13:22"),
        "{text}"
    );
    assert!(text.ends_with("by its limit of 6/m"), "{text}");
}

#[test]
fn other_sources_are_grouped_by_their_own_fields() {
    let place = place("alert_grouping: {enabled: true, fields: [proc.name, ka.user.name]}\n");
    let event = |n: u32, user: &str| {
        format!(
            r#"{{"kind":"Event","auditID":"{n}","stage":"ResponseComplete","verb":"get","stageTimestamp":"2024-05-01T10:00:0{n}Z","user":{{"username":"{user}"}},"objectRef":{{"resource":"pods","name":"p{n}"}}}}"#
        )
    };
    let events: Vec<String> = [(1, "eve"), (2, "adam"), (3, "eve"), (4, "eve")]
        .iter()
        .map(|(n, user)| event(*n, user))
        .collect();
    place.write("audit.json", events.join("\n").as_bytes());
    place.write(
        "audit.yaml",
        b"- {rule: Audited, desc: An event., condition: ka.verb = get, output: '%ka.user.name gets %ka.target.name', \
          priority: INFO, source: k8s_audit}\n",
    );
    let run = place.run(&[
        "replay",
        "audit.json",
        "-r",
        "audit.yaml",
        "-c",
        "falco.yaml",
    ]);
    run.check(
        0,
        &[
            "Informational eve gets p1\n",
            "Informational adam gets p2\n",
            "2 more like the alert of 10:00:01.000000000: eve gets p1; also: eve gets p3; also: eve gets p4\n",
        ],
        &["4 alerts", "2 are in groups"],
    );
    assert_eq!(run.out().lines().count(), 3);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (configuration, texts) in [
        (
            "alert_grouping: {enabled: true, fields: [proc.nam]}\n",
            &["no event source has the field `proc.nam`", "`proc.name`"][..],
        ),
        (
            "alert_grouping: {enabled: true, window: soon}\n",
            &["window 'soon' is no span of time", "falco.yaml:4"],
        ),
        (
            "alert_grouping: {enabled: true, feilds: []}\n",
            &["feilds", "fields"],
        ),
        (
            "alert_limits: [{rate: 1/s}]\n",
            &["alert_limits[0] does not say which alerts"],
        ),
        (
            "alert_limits: [{match: {}, rate: 0/s}]\n",
            &["'0/s' is no rate"],
        ),
    ] {
        let run = place(configuration).falco(&[]);
        run.check(1, &[], texts);
        assert!(!run.out().contains("Events detected"), "{configuration}");
    }
}

/// A name that an attacker chose cannot look like a line of ours.
#[test]
fn no_name_forges_a_line() {
    let place = place("alert_grouping: {enabled: true, fields: [proc.name], examples: 20}\n");
    let forged = "/tmp/x\n22:13:20.000000000: Emergency 9 more like the alert of";
    place.write(
        "capture.scap",
        &capture(&["/tmp/a", forged, "/tmp/\u{1b}[2Jb\r"]),
    );
    let run = place.falco(&[]);
    let out = run.out();
    let lines: Vec<&str> = out
        .lines()
        .take_while(|line| !line.starts_with("Events"))
        .collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[1].contains("2 more like the alert of 22:13:20.000000000: opened /tmp/a"));
    assert!(!out.contains('\u{1b}') && !out.contains('\r'));
}

/// Alerts by rule, those that a line stands for included.
fn counted(run: &support::Run) -> BTreeMap<String, u64> {
    assert_eq!(run.code(), 0, "{}", run.err());
    let mut counts = BTreeMap::new();
    for line in run.out().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let fields = &line["output_fields"];
        let many = fields["group.more"]
            .as_u64()
            .or(fields["limit.held"].as_u64());
        *counts
            .entry(line["rule"].as_str().unwrap().to_owned())
            .or_default() += many.unwrap_or(1);
    }
    counts
}

/// Several rules that fire on one event, groups that crowd each other, and limits, all at once.
#[test]
fn whatever_is_set_the_counts_of_each_rule_add_up() {
    let place = place("");
    let paths: Vec<String> = (0..900).map(|n| format!("/tmp/{}", n * n % 31)).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    place.write("capture.scap", &capture(&paths));
    place.write(
        "rules.yaml",
        format!("{}{}", support::RULES, SEVERAL).as_bytes(),
    );
    let replay = |more: &[&str]| {
        let mut args = vec![
            "replay",
            "capture.scap",
            "-r",
            "rules.yaml",
            "--json",
            "--all",
            "--quiet",
        ];
        args.extend(more.iter().flat_map(|option| ["-o", *option]));
        place.run(&args)
    };
    let plain = counted(&replay(&[]));
    assert_eq!((plain["File opened"], plain.len()), (900, 4), "{plain:?}");
    let grouped = [
        "alert_grouping.enabled=true",
        "alert_grouping.window=100s",
        "alert_grouping.max_groups=7",
    ];
    let limited = ["alert_limits[]={match: {rules: ['*']}, rate: 1/10s, burst: 3, tell: 30s}"];
    for options in [
        &grouped[..],
        &limited[..],
        &[&grouped[..], &limited[..]].concat(),
    ] {
        let run = replay(options);
        assert!(run.out().lines().count() < 2800, "{options:?}");
        assert_eq!(counted(&run), plain, "{options:?}");
        assert_eq!(run.out(), replay(options).out(), "{options:?}");
    }
}

const SEVERAL: &str = "
- rule: Also opened
  desc: Every open again.
  condition: opens
  output: again %fd.name
  priority: NOTICE

- rule: One of three
  desc: Some of them.
  condition: opens and fd.name endswith 1
  output: one %evt.num
  priority: ERROR

- rule: Many
  desc: Five in a window.
  condition: opens
  threshold: {at_least: 5, within: 200s, by: [fd.name]}
  output: '%threshold.value of %fd.name'
  priority: WARNING
";
