//! Captures of what surrounds an alert, and hunts, over captures: no machine is watched.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

mod support;

use std::fs;
use std::path::PathBuf;

use capture::{Compression, Item, Reader, Writer};
use event::{Record, RecordFlags};
use flight::{Options, Recorder};
use support::{Place, START, capture};

const SECOND: u64 = 1_000_000_000;

/// Fires on one of many, and wants a minute before it; another fires on one a little later.
const RULES: &str = r#"
- rule: Shadow opened
  desc: Somebody reads the shadow file.
  condition: evt.type = openat and fd.name = /etc/shadow
  output: shadow read by %proc.name of %proc.cwd (%fd.name %evt.time.s)
  priority: WARNING
  capture: true
  capture_before: 5000
  capture_duration: 3000

- rule: Secret opened
  desc: Somebody reads a secret, which is saved as the configuration says.
  condition: evt.type = openat and fd.name startswith /secret
  output: secret read by %proc.name (%fd.name)
  priority: WARNING
  capture: true
"#;

const RING: [&str; 2] = ["-o", "flight_recorder.enabled=true"];

/// A place whose capture has a hundred opens, a second apart; the named ones at their seconds.
fn place(named: &[(usize, &str)]) -> Place {
    let place = Place::new();
    place.write("rules.yaml", RULES.as_bytes());
    let names: Vec<String> = (0..100)
        .map(|n| match named.iter().find(|one| one.0 == n) {
            Some((_, name)) => (*name).to_owned(),
            None => format!("/tmp/{n}"),
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    place.write("capture.scap", &capture(&names));
    place
}

/// Replays in Falco's form, with captures on.
fn replay(place: &Place, options: &[&str]) -> String {
    let prefix = format!("capture.path_prefix={}", place.path("saved").display());
    let mut all = vec!["-o", "capture.enabled=true", "-o", &prefix];
    all.extend(options);
    let run = place.falco(&all);
    run.check(0, &[], &[]);
    run.out()
}

/// The saved files, in the order of their alerts.
fn saved(place: &Place) -> Vec<PathBuf> {
    let folder = place.path("");
    let all = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let ours = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("saved_")
    };
    let mut all: Vec<PathBuf> = all.filter(ours).collect();
    all.sort();
    all
}

/// Seconds of the events that a reader sees.
fn seconds(path: &PathBuf) -> Vec<u64> {
    let mut found = Vec::new();
    let mut reader = Reader::new(fs::File::open(path).unwrap()).unwrap();
    while let Some(item) = reader.next().unwrap() {
        if let Item::Event(record) = item
            && !record.flags.contains(RecordFlags::STATE_ONLY)
        {
            found.push((record.ts - START) / SECOND);
        }
    }
    found
}

#[test]
fn without_a_ring_a_capture_begins_with_its_alert() {
    let place = place(&[(30, "/etc/shadow"), (31, "/secret/1"), (60, "/secret/2")]);
    let text = replay(&place, &[]);
    assert!(!text.contains("capture_file"), "{text}");
    let files = saved(&place);
    // The second alert lies in the first one's window, and makes it longer; the third has its own.
    let found: Vec<Vec<u64>> = files.iter().map(seconds).collect();
    let expected: [Vec<u64>; 2] = [(30..=36).collect(), (60..=65).collect()];
    assert_eq!(found, expected);
    let name = format!("saved_{:020}_{:020}.scap", START + 30 * SECOND, 31);
    assert_eq!(files[0].file_name().unwrap().to_str().unwrap(), name);
    // As Falco has it, nothing is saved where the key is off, and everything in the mode all_rules.
    let off = crate::place(&[(30, "/etc/shadow")]);
    off.falco(&[]).check(0, &["shadow read"], &[]);
    assert_eq!(saved(&off).len(), 0);
}

#[test]
fn with_a_ring_it_begins_before_and_replays_to_the_same_alert() {
    let place = place(&[(30, "/etc/shadow"), (60, "/secret/2")]);
    let text = replay(&place, &RING);
    let files = saved(&place);
    let found: Vec<Vec<u64>> = files.iter().map(seconds).collect();
    let expected: [Vec<u64>; 2] = [(25..=33).collect(), (60..=65).collect()];
    assert_eq!(found, expected);
    let alert = |text: &str| {
        let line = text.lines().find(|line| line.contains("shadow read"));
        line.unwrap().to_owned()
    };
    let (alert_there, path) = {
        let line = alert(&text);
        let (line, path) = line.split_once(" capture_file=").unwrap();
        (line.to_owned(), path.to_owned())
    };
    assert_eq!(PathBuf::from(path), files[0]);
    let file = files[0].to_str().unwrap();
    let again = place.run(&["replay", file, "-r", "rules.yaml"]);
    again.check(0, &[], &["1 alert"]);
    assert_eq!(alert(&again.out()), alert_there);
}

/// An alert that does not go out by itself has a file like any other: the line that tells of it says where.
#[test]
fn a_line_for_many_names_their_files() {
    let named = [(30, "/secret/1"), (60, "/secret/1"), (62, "/secret/1")];
    let place = place(&named);
    for (options, text) in [
        (
            &["alert_grouping.enabled=true"][..],
            "2 more like the alert",
        ),
        (
            &["alert_limits[]={match: {rules: ['*']}, rate: 1/h, burst: 1}"],
            "2 alerts of the rule",
        ),
    ] {
        saved(&place)
            .iter()
            .for_each(|file| fs::remove_file(file).unwrap());
        let options: Vec<&str> = options.iter().flat_map(|one| ["-o", *one]).collect();
        let out = replay(&place, &[&options[..], &RING].concat());
        let files = saved(&place);
        assert_eq!(files.len(), 2);
        let line = out.lines().find(|line| line.contains(text)).unwrap();
        let told = format!("; events in {}", files[1].display());
        assert!(line.ends_with(&told), "{line}");
        let json = replay(
            &place,
            &[&options[..], &RING, &["-o", "json_output=true"]].concat(),
        );
        let line = json.lines().find(|line| line.contains(text)).unwrap();
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = &line["output_fields"];
        let captures = [&fields["group.captures"], &fields["limit.captures"]];
        let captures = captures.iter().find_map(|one| one.as_array()).unwrap();
        assert_eq!(captures, &[serde_json::json!(files[1])]);
    }
}

#[test]
fn json_names_the_file_and_defaults_hold() {
    let place = place(&[(30, "/secret/1"), (99, "/tmp/none")]);
    let options = [
        "-o",
        "json_output=true",
        "-o",
        "capture.default_before=2000",
        "-o",
        "capture.default_duration=1000",
    ];
    let text = replay(&place, &[&options[..], &RING].concat());
    let line = text
        .lines()
        .find(|line| line.contains("secret read"))
        .unwrap();
    let alert: serde_json::Value = serde_json::from_str(line).unwrap();
    let files = saved(&place);
    assert_eq!(alert["capture_file"], files[0].to_str().unwrap());
    assert!(line.starts_with("{\"capture_file\":"), "{line}");
    assert_eq!(seconds(&files[0]), [28, 29, 30, 31]);
}

#[test]
fn all_rules_may_ask_and_files_have_their_number() {
    let every: Vec<(usize, String)> = (0..10).map(|n| (n * 10, format!("/secret/{n}"))).collect();
    let named: Vec<(usize, &str)> = every.iter().map(|(n, name)| (*n, name.as_str())).collect();
    let place = place(&named);
    let options = [
        "-o",
        "capture.default_duration=1000",
        "-o",
        "capture.max_files=3",
    ];
    let text = replay(&place, &[&options[..], &RING].concat());
    assert_eq!(saved(&place).len(), 3);
    assert_eq!(text.matches("secret read").count(), 10);
    assert_eq!(text.matches("capture_file=").count(), 3);
    // What is there counts.
    replay(&place, &[&options[..], &RING].concat());
    assert_eq!(saved(&place).len(), 3);
}

#[test]
fn what_the_ring_does_not_hold_is_said() {
    let place = place(&[(2, "/etc/shadow")]);
    let prefix = format!("capture.path_prefix={}", place.path("saved").display());
    let on = ["-o", "capture.enabled=true", "-o", &prefix];
    let run = place.falco(&[&on[..], &RING].concat());
    run.check(0, &[], &["lacks 3 s at its begin"]);
    assert_eq!(seconds(&saved(&place)[0]), [0, 1, 2, 3, 4, 5]);
    place
        .falco(&on)
        .check(0, &[], &["1 rules ask for what was before"]);
}

#[test]
fn a_filter_keeps_what_the_state_needs() {
    let place = place(&[(30, "/etc/shadow")]);
    let filter = "flight_recorder.filter=fd.name startswith /etc";
    replay(&place, &[&["-o", filter][..], &RING].concat());
    assert_eq!(seconds(&saved(&place)[0]), [30]);
    let wrong = place.falco(&[&["-o", "flight_recorder.filter=fd.nome = 1"][..], &RING].concat());
    wrong.check(1, &[], &["flight_recorder.filter", "fd.nome"]);
    let wrong = place.falco(&[&["-o", "flight_recorder.max_age=soon"][..], &RING].concat());
    wrong.check(1, &[], &["flight_recorder.max_age", "15m"]);
}

/// Puts the events of a capture into a ring on disk, in segments of so many events; a gap behind one.
fn ring(place: &Place, each: usize, gap: Option<usize>) -> PathBuf {
    let folder = place.path("ring");
    let mut recorder = Recorder::start(&Options {
        directory: Some(folder.clone()),
        ..Options::default()
    })
    .unwrap();
    let bytes = fs::read(place.path("capture.scap")).unwrap();
    let mut standing = Writer::new(Vec::new(), Compression::None).unwrap();
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    let mut events = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        match item {
            Item::Event(record) => events.push(record.bytes().to_vec()),
            item => standing.item(&item).unwrap(),
        }
    }
    let standing = standing.finish().unwrap();
    for (n, bytes) in events.iter().enumerate() {
        let record = Record::parse(bytes, 0, RecordFlags::default()).unwrap();
        if n.is_multiple_of(each) {
            recorder.begin(record.ts, standing.clone(), note());
        }
        recorder.event(&record, record.flags);
    }
    let _ = recorder.finish();
    if let Some(gap) = gap {
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some())
            .collect();
        files.sort();
        fs::remove_file(&files[gap]).unwrap();
    }
    folder
}

/// Says that opens were captured, and nothing else.
fn note() -> Vec<u8> {
    use event::{EventCode, RecordBuilder, codes};
    let mut writer = Writer::continuing(Vec::new(), Compression::None).unwrap();
    let note = RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), u64::MAX, 0)
        .u32(0)
        .text("flight_recorder")
        .text(r#"{"syscalls":["openat"],"filter":""}"#)
        .finish();
    let record = Record::parse(&note, 0, RecordFlags::STATE_ONLY).unwrap();
    writer.event(&record).unwrap();
    writer.finish().unwrap()
}

#[test]
fn a_hunt_finds_what_a_replay_finds() {
    let place = place(&[(30, "/etc/shadow"), (60, "/secret/2"), (99, "/secret/3")]);
    let folder = ring(&place, 7, None);
    let folder = folder.to_str().unwrap();
    let replayed = place.run(&["replay", "capture.scap", "-r", "rules.yaml"]);
    let hunted = place.run(&["hunt", "rules.yaml", "--from", folder]);
    hunted.check(
        0,
        &["shadow read by cat of /"],
        &[
            "3 alerts",
            "2  Secret opened",
            "100 events from 2023-11-14 22:13:20 to",
            "15 segments",
        ],
    );
    assert_eq!(hunted.out(), replayed.out());
    // Only the last minute; and as JSON.
    let late = place.run(&[
        "hunt",
        "rules.yaml",
        "--from",
        folder,
        "--last",
        "1m",
        "--json",
        "-q",
    ]);
    assert_eq!(late.out().lines().count(), 2, "{}", late.out());
    assert!(
        late.out()
            .lines()
            .all(|line| line.contains("\"rule\":\"Secret opened\""))
    );
}

#[test]
fn a_hunt_says_what_it_cannot_see() {
    let place = place(&[(60, "/secret/2")]);
    place.write(
        "more.yaml",
        br#"
- rule: Traced
  desc: Somebody traces, or opens.
  condition: evt.type in (ptrace, openat) and proc.name = nobody
  output: traced
  priority: INFO
"#,
    );
    let folder = ring(&place, 10, Some(4));
    fs::write(
        folder.join("flight-00000000000000000001-0000000000000001-0000000001.scap"),
        "?",
    )
    .unwrap();
    let folder = folder.to_str().unwrap();
    let hunted = place.run(&["hunt", "rules.yaml", "more.yaml", "--from", folder]);
    hunted.check(
        0,
        &["secret read"],
        &[
            "90 events",
            "a gap from 2023-11-14 22:13:59 to 2023-11-14 22:14:10",
            "not read to its end: flight-00000000000000000001",
            "1 rule could not see all that it asks for",
            "Traced: not ptrace",
        ],
    );
    for (args, said) in [
        (
            vec!["--from", "/nowhere"],
            "cannot read a ring in '/nowhere'",
        ),
        (vec!["--from", "."], "there are no segments"),
        (vec!["--socket", "/nowhere/s"], "no service listens there"),
        (
            vec!["--from", folder, "--last", "soon"],
            "--last 'soon' is no span of time",
        ),
    ] {
        let run = place.run(&[&["hunt", "rules.yaml"], &args[..]].concat());
        run.check(1, &[], &[said]);
    }
}
