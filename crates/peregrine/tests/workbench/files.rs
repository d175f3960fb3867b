//! Layout, advice and fixes, and differences of rule files.

use crate::support::Place;

const UNTIDY: &str = "\
- macro:   opens
  condition: >
      evt.type=openat   and
      evt.dir = <
- rule: Shadow
  desc: d
  condition: opens and opens and fd.name startswith /etc and proc.exepath=/bin/cat
  output: o %fd.name
  priority: warn   # why
";

#[test]
fn layout() {
    let place = Place::new();
    place.write("mine.yaml", UNTIDY.as_bytes());
    place
        .run(&["fmt", "--check", "mine.yaml"])
        .check(1, &["mine.yaml"], &[]);
    place
        .run(&["fmt", "mine.yaml"])
        .check(0, &[], &["mine.yaml: laid out"]);
    let text = place.read("mine.yaml");
    assert!(text.starts_with("- macro: opens\n  condition: >\n    evt.type = openat and evt.dir = <\n\n- rule: Shadow\n"), "{text}");
    assert!(text.contains("  priority: warn # why\n"), "{text}");
    place
        .run(&["fmt", "--check", "mine.yaml"])
        .check(0, &[], &[]);
    place.write("broken.yaml", b"- [x\n");
    place
        .run(&["fmt", "broken.yaml"])
        .check(1, &[], &["broken.yaml"]);
    let mut command = place.command(&["fmt", "-"]);
    let out = command.write_stdin("- list:   x\n").output().unwrap();
    assert_eq!(String::from_utf8(out.stdout).unwrap(), "- list: x\n");
}

#[test]
fn advice_and_fixes() {
    let place = Place::new();
    place.write("mine.yaml", UNTIDY.as_bytes());
    place.run(&["check", "mine.yaml"]).check(
        0,
        &[],
        &["P0306", "P0303", "pieces of advice", "mine.yaml:7"],
    );
    place
        .run(&["explain", "P0306"])
        .check(0, &["/etcetera"], &[]);
    let json: serde_json::Value =
        serde_json::from_str(&place.run(&["check", "mine.yaml", "--format", "json"]).out())
            .unwrap();
    assert!(
        json["advice"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["code"] == "P0306" && one["severity"] == "advice")
    );
    place.run(&["check", "mine.yaml", "--fix"]).check(
        0,
        &[],
        &["mine.yaml: 3 fixed (P0164, P0181, P0303)"],
    );
    let text = place.read("mine.yaml");
    assert!(
        !text.contains("evt.dir")
            && !text.contains("opens and opens")
            && text.contains("priority: WARNING   # why"),
        "{text}"
    );
    place
        .run(&["check", "mine.yaml", "--fix"])
        .check(0, &[], &["nothing to fix"]);
    // The same in its own words is no difference.
    place.write("before.yaml", UNTIDY.as_bytes());
    place
        .run(&["diff", "before.yaml", "mine.yaml"])
        .check(0, &["no difference in meaning"], &[]);
}

#[test]
fn differences() {
    let place = Place::new();
    let rules = place.read("rules.yaml");
    place.write(
        "new.yaml",
        rules
            .replace(
                "fd.name = /etc/shadow",
                "fd.name in (/etc/shadow, /etc/gshadow)",
            )
            .replace("priority: INFO", "priority: NOTICE")
            .as_bytes(),
    );
    place.write("local.yaml", b"- rule: Shadow opened\n  enabled: false\n  override: {enabled: replace}\n- rule: Mine\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n");
    place.run(&["diff", "rules.yaml", "new.yaml"]).check(
        1,
        &[
            "rule \"Shadow opened\": changed",
            "- opens and fd.name = /etc/shadow",
            "+ opens and fd.name in (/etc/shadow, /etc/gshadow)",
            "rule \"File opened\": changed",
            "2 rules, 0 macros, 0 lists differ",
        ],
        &[],
    );
    place
        .run(&["diff", "rules.yaml", "rules.yaml,local.yaml"])
        .check(
            1,
            &["enabled\n  - true\n  + false", "rule \"Mine\": added"],
            &[],
        );
    let json: serde_json::Value = serde_json::from_str(
        &place
            .run(&[
                "diff",
                "rules.yaml,local.yaml",
                "rules.yaml",
                "--format",
                "json",
            ])
            .out(),
    )
    .unwrap();
    assert!(
        json["differences"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "Mine" && one["change"] == "removed")
    );
}
