//! Rules that look right and do not fire: `explain --why-not` names the true cause.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// What is wrong with a rule called `watched` over the sample incident.
struct Puzzle {
    /// Rule files in the order of loading.
    files: &'static [&'static str],
    /// More arguments.
    args: &'static [&'static str],
    /// What the answer's cause must say.
    says: &'static [&'static str],
}

impl Puzzle {
    const fn new(files: &'static [&'static str], says: &'static [&'static str]) -> Self {
        Self {
            files,
            args: &[],
            says,
        }
    }

    fn solve(&self) -> String {
        let place = TempDir::new().unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/incident.scap");
        let mut command = Command::new(env!("CARGO_BIN_EXE_peregrine"));
        command
            .args(["explain", "--why-not", "watched"])
            .arg(sample);
        for (number, text) in self.files.iter().enumerate() {
            let path = place.path().join(format!("{number}.yaml"));
            std::fs::write(&path, text).unwrap();
            command.arg("-r").arg(path);
        }
        let output = command.args(self.args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}

macro_rules! rule {
    ($condition:literal) => {
        rule!($condition, "")
    };
    ($condition:literal, $more:literal) => {
        concat!(
            "- rule: watched\n  desc: d\n  output: o\n  priority: NOTICE\n  condition: ",
            $condition,
            "\n",
            $more
        )
    };
}

const OPENED: &str = rule!("evt.type = openat and fd.name = /etc/shadow");

const PUZZLES: &[Puzzle] = &[
    // The program calls the younger system call.
    Puzzle::new(
        &[rule!("evt.type = open and fd.name = /etc/shadow")],
        &[
            "no event is of its types (open)",
            "there are events of openat",
        ],
    ),
    Puzzle::new(
        &[rule!("evt.type = openat and fd.name = shadow")],
        &["fd.name = shadow", "\"/etc/shadow\" only ends with it"],
    ),
    Puzzle::new(
        &[rule!("evt.type = openat and proc.name = CAT")],
        &["proc.name = CAT", "upper and lower case"],
    ),
    Puzzle::new(
        &[
            OPENED,
            "- rule: watched\n  enabled: false\n  override: {enabled: replace}\n",
        ],
        &["the rule is disabled at", "1.yaml:1"],
    ),
    Puzzle::new(
        &[rule!(
            "evt.type = openat and fd.name = /etc/shadow",
            "  enabled: false\n"
        )],
        &["the rule is disabled at", "0.yaml:1"],
    ),
    Puzzle {
        files: &[OPENED],
        args: &["-o", "priority=error"],
        says: &["its priority Notice is below Error"],
    },
    Puzzle {
        files: &[OPENED],
        args: &["-o", "rules[]={\"disable\": {\"rule\": \"watched\"}}"],
        says: &["the configuration's selection of rules leaves it out"],
    },
    // Events are not split any more.
    Puzzle::new(
        &[rule!(
            "evt.type = openat and evt.dir = > and fd.name = /etc/shadow"
        )],
        &["evt.dir = >", "evt.dir is always <"],
    ),
    Puzzle::new(
        &[rule!("evt.type = openat and evt.type = execve")],
        &["can hold on no type of event"],
    ),
    // Metadata of the image are unknown in this capture.
    Puzzle::new(
        &[rule!(
            "evt.type = openat and fd.name = /etc/shadow and container.image.repository != nginx"
        )],
        &[
            "container.image.repository != nginx",
            "metadata was not there",
        ],
    ),
    Puzzle::new(
        &[rule!(
            "evt.type = openat and fd.name = /etc/shadow",
            "  exceptions:\n    - {name: cats, fields: [proc.name, fd.name], comps: [=, startswith], values: [[cat, /etc]]}\n"
        )],
        &["Cause: not", "[exception cats]"],
    ),
    // Another rule is tried first.
    Puzzle::new(
        &[
            "- rule: greedy\n  desc: d\n  output: o\n  priority: INFO\n  condition: evt.type = openat and fd.directory = /etc\n",
            OPENED,
        ],
        &["the rule \"greedy\" is tried before it", "rule_matching"],
    ),
    // A later file makes a macro stricter than its author meant.
    Puzzle::new(
        &[
            concat!(
                "- macro: reads\n  condition: evt.type = openat\n",
                rule!("reads and fd.name = /etc/shadow")
            ),
            "- macro: reads\n  condition: evt.type = openat and proc.name = vim\n",
        ],
        &["proc.name = vim", "[macro reads, ", "1.yaml:1"],
    ),
    Puzzle::new(
        &[
            concat!(
                "- list: files\n  items: [/etc/shadow]\n",
                rule!("evt.type = openat and fd.name in (files)")
            ),
            "- list: files\n  items: [/etc/gshadow]\n",
        ],
        &["fd.name in (/etc/gshadow)", "/etc/shadow (1)"],
    ),
    Puzzle::new(
        &[rule!(
            "evt.type = execve and proc.name = a-very-long-program-name"
        )],
        &["the kernel keeps 15 bytes of a name"],
    ),
    Puzzle::new(
        &[rule!("evt.type = openat and fd.name = /etc/sha*")],
        &["is a pattern: use glob"],
    ),
    Puzzle::new(
        &[rule!("'evt.type = openat and fd.name = \"/etc/shadow \"'")],
        &["differs in blanks only"],
    ),
    Puzzle::new(
        &[rule!(
            "evt.type = openat and fd.name = /etc/shadow and container.id = host"
        )],
        &["container.id = host", "7c1d5e0a94b3"],
    ),
    Puzzle::new(
        &[rule!(
            "evt.type = openat and fd.name = /etc/shadow and proc.pname = bash"
        )],
        &["proc.pname = bash", "sh (1"],
    ),
    // Success is not failure.
    Puzzle::new(
        &[rule!(
            "evt.type = openat and fd.name = /etc/shadow and evt.failed = true"
        )],
        &["evt.failed = true", "false ("],
    ),
    // A later file replaced the condition.
    Puzzle::new(
        &[
            OPENED,
            "- rule: watched\n  condition: evt.type = openat and fd.name = /etc/passwd\n  override: {condition: replace}\n",
        ],
        &["fd.name = /etc/passwd", "/etc/shadow (1)"],
    ),
    // Appended with `and` where `or` was meant.
    Puzzle::new(
        &[
            OPENED,
            "- rule: watched\n  condition: and proc.name = head\n  override: {condition: append}\n",
        ],
        &["proc.name = head", "cat (1"],
    ),
];

#[test]
fn every_puzzle_is_solved() {
    for (number, puzzle) in PUZZLES.iter().enumerate() {
        let text = puzzle.solve();
        let causes = text.split("\nHow far").next().unwrap();
        for part in puzzle.says {
            assert!(
                causes.contains(part),
                "puzzle {number} must say {part:?}:\n{text}"
            );
        }
    }
}

#[test]
fn a_rule_that_fires_has_no_cause() {
    let text = Puzzle::new(&[OPENED], &[]).solve();
    assert!(
        text.contains("holds on 1 of 94 events; alerts: 1"),
        "{text}"
    );
    assert!(!text.contains("Cause"), "{text}");
}

#[test]
fn one_event_clause_by_clause() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/incident.scap");
    let explain = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_peregrine"))
            .arg("explain")
            .arg(&sample)
            .args(args)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    let (code, text) = explain(&["--rule", "Terminal shell in container", "--event", "16"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("does not match event 16 (execve by sh"),
        "{text}"
    );
    let decides = text.lines().filter(|line| line.ends_with("<- decides"));
    let decides: Vec<&str> = decides.collect();
    assert_eq!(decides.len(), 1, "{text}");
    assert!(decides[0].contains("proc.tty"), "{text}");

    let (code, text) = explain(&["--rule", "Terminal shell in kontainer", "--event", "16"]);
    assert_eq!(code, Some(1));
    assert!(
        text.contains("there is one called \"Terminal shell in container\""),
        "{text}"
    );
    let (code, text) = explain(&["--event", "100000"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("there is no event 100000"), "{text}");
}
