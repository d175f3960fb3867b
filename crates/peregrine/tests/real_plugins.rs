//! Plugins that are built with the interface's own library, through the binary: rules on their fields, events that they put
//! in, recordings of their events and what `read` makes of these.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use capture::{Compression, Writer};
use event::snapshot::{MachineInfo, Process};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use support::{Place, START};
use testkit::plugins::{compiled, sample};

const RULES: &str = r#"
- required_plugin_versions:
    - name: counting
      version: 1.0.0
    - name: reading
      version: 0.3.0

- rule: Seven
  desc: A number that the plugin counted.
  condition: count.n = 7 or count.times[2] = 4
  output: counted %count.n digits %count.digits (%evt.plugininfo from %evt.pluginname)
  priority: WARNING
  source: counting
"#;

fn config(plugins: &[(&str, String)], more: &str) -> String {
    let all: Vec<String> = plugins
        .iter()
        .map(|(name, library)| format!("{{name: {name}, library_path: {library}{more}}}"))
        .collect();
    format!(
        "engine: {{kind: nodriver}}\nstdout_output: {{enabled: true}}\nlog_stderr: true\nlog_syslog: false\n\
         plugins: [{}]\n",
        all.join(", ")
    )
}

fn alerts(out: &str) -> Vec<String> {
    out.lines()
        .filter_map(|line| line.split_once(": ")?.1.split_once(' '))
        .filter(|(priority, _)| *priority == "Warning")
        .map(|(_, text)| text.to_owned())
        .collect()
}

#[test]
fn a_source_its_fields_a_recording_and_its_replay() {
    let place = Place::new();
    let plugins = [
        ("counting", sample("counting")),
        ("reading", sample("reading")),
    ];
    let text = config(&plugins, ", open_params: '12'");
    place.write("plugins.yaml", text.as_bytes());
    place.write("count.yaml", RULES.as_bytes());
    let wanted = [
        "counted 2 digits (2) (n=2 from counting)",
        "counted 7 digits (7) (n=7 from counting)",
    ];
    let run = place.run(&["-c", "plugins.yaml", "-r", "count.yaml"]);
    run.check(0, &[], &[]);
    assert_eq!(alerts(&run.out()), wanted, "{}", run.err());
    // The same in our own process.
    place.write(
        "inside.yaml",
        config(&plugins, ", open_params: '12', in_process: true").as_bytes(),
    );
    let run = place.run(&["-c", "inside.yaml", "-r", "count.yaml"]);
    assert_eq!(alerts(&run.out()), wanted, "{}", run.err());

    let record = ["record", "out.scap", "-c", "plugins.yaml", "--source"];
    let run = place.run(&[&record[..], &["counting"]].concat());
    run.check(0, &[], &["12 events"]);
    let run = place.run(&["-c", "plugins.yaml", "-r", "count.yaml", "-e", "out.scap"]);
    run.check(0, &[], &[]);
    assert_eq!(alerts(&run.out()), wanted, "{}", run.err());
    let run = place.run(&[
        "replay",
        "out.scap",
        "-c",
        "plugins.yaml",
        "-r",
        "count.yaml",
    ]);
    assert_eq!(alerts(&run.out()), wanted, "{}", run.err());
    let run = place.run(&[
        "read",
        "out.scap",
        "-c",
        "plugins.yaml",
        "count.even=true",
        "and",
        "count.n>8",
    ]);
    assert!(
        run.out().lines().count() == 2 && run.out().contains("n=12"),
        "{}{}",
        run.out(),
        run.err()
    );
    let read = ["read", "out.scap", "-c", "plugins.yaml", "-j", "-n", "1"];
    let run = place.run(&[&read[..], &["-p", "%count.n %count.digits %evt.pluginname"]].concat());
    let json: serde_json::Value = serde_json::from_str(run.out().trim()).unwrap();
    assert_eq!(json["count.n"], 1, "{json}");
    assert_eq!(json["evt.pluginname"], "counting");
    place
        .run(&["record", "x.scap", "-c", "plugins.yaml", "--source", "none"])
        .check(1, &[], &["none", "counting"]);
}

/// A capture with one process, which opens a file three times.
fn capture() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Compression::None).unwrap();
    writer.machine(&MachineInfo::default()).unwrap();
    let process = Process {
        tid: 7,
        pid: 7,
        ptid: 1,
        vtid: 7,
        vpid: 7,
        comm: b"cat",
        exe: b"cat",
        args: b"one\0",
        cwd: b"/tmp",
        ..Process::default()
    };
    writer.process(&process).unwrap();
    for n in 0..3 {
        let bytes = RecordBuilder::new(
            EventCode::new(codes::SYSCALL_OPENAT_2_X),
            START + n * 1_000_000,
            7,
        )
        .i64(3)
        .i64(-100)
        .text("x")
        .u32(1)
        .u32(0)
        .u32(0)
        .u64(42)
        .finish();
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        writer.event(&record).unwrap();
    }
    writer.finish().unwrap()
}

/// What plugins write into tables is what rules see, from the same event on.
#[test]
fn rules_see_what_plugins_write_into_threads() {
    let place = Place::new();
    let plugins = [
        ("tallying", sample("tallying")),
        ("reckoning", sample("reckoning")),
    ];
    let rules = r#"
- rule: Visited
  desc: A thread that the plugin counts.
  condition: evt.type = openat and tally.visits > 1
  output: "%tally.visits visits of %proc.name, doubled %reckon.doubled, argument %tally.argument[0]"
  priority: WARNING
"#;
    place.write("tally.yaml", rules.as_bytes());
    place.write("threads.scap", &capture());
    for more in ["", ", in_process: true"] {
        place.write("plugins.yaml", config(&plugins, more).as_bytes());
        let run = place.run(&[
            "-c",
            "plugins.yaml",
            "-r",
            "tally.yaml",
            "-e",
            "threads.scap",
        ]);
        run.check(0, &[], &[]);
        assert_eq!(
            alerts(&run.out()),
            [
                "2 visits of cat, doubled 4, argument one",
                "3 visits of regular, doubled 6, argument one"
            ],
            "{}",
            run.err()
        );
    }
}

#[test]
fn listings_tell_of_every_capability() {
    let place = Place::new();
    let plugins = ["counting", "reading", "watching", "injecting"].map(|name| (name, sample(name)));
    place.write("plugins.yaml", config(&plugins, "").as_bytes());
    let run = place.run(&["-c", "plugins.yaml", "--list-plugins"]);
    let out = run.out();
    for words in [
        "4 Plugins Loaded:",
        "Name: counting\nDescription: Counts\nContact: nobody\nVersion: 1.2.3\nCapabilities: \n  - Event Sourcing (ID=999, source='counting')",
        "  - Field Extraction",
        "  - Event Parsing",
        "  - Async Events",
    ] {
        assert!(out.contains(words), "{words}\n{out}{}", run.err());
    }
    let run = place.run(&["-c", "plugins.yaml", "--list=counting"]);
    assert!(
        run.out().contains("count.times") && run.out().contains("evt.plugininfo"),
        "{}",
        run.out()
    );
    place
        .run(&["-c", "plugins.yaml", "--plugin-info", "counting"])
        .check(0, &["Suggested open params:"], &[]);
    let run = place.run(&["list", "fields", "-c", "plugins.yaml"]);
    for name in [
        "ka.verb",
        "jevt.value",
        "k8s.user.name",
        "count.digits",
        "proc.name",
    ] {
        assert!(run.out().contains(name), "{name}");
    }
    // Only some of those that are configured.
    let text = format!("{}load_plugins: [reading]\n", config(&plugins, ""));
    place.write("some.yaml", text.as_bytes());
    let run = place.run(&["-c", "some.yaml", "--list-plugins"]);
    assert!(run.out().contains("1 Plugins Loaded:"), "{}", run.out());
}

/// One that listens only is of use for captures, not for a running machine.
#[test]
fn what_has_no_use_is_refused() {
    let place = Place::new();
    let listening = [("listening", sample("listening"))];
    place.write("plugins.yaml", config(&listening, "").as_bytes());
    place.write("threads.scap", &capture());
    place
        .run(&["-c", "plugins.yaml", "-r", "rules.yaml"])
        .check(1, &[], &["'listening' is loaded but unused"]);
    let run = place.run(&[
        "-c",
        "plugins.yaml",
        "-r",
        "rules.yaml",
        "-e",
        "threads.scap",
    ]);
    run.check(0, &["opened"], &[]);
    // Two with one number, and two with one field.
    let both = [
        ("counting", sample("counting")),
        ("misbehaving", compiled(&place.path(""), "misbehaving")),
    ];
    place.write("plugins.yaml", config(&both, "").as_bytes());
    place.run(&["-c", "plugins.yaml", "--list-plugins"]).check(
        1,
        &[],
        &["found another plugin with ID 999"],
    );
    let twice = [("reading", sample("reading")), ("again", sample("reading"))];
    place.write("plugins.yaml", config(&twice, "").as_bytes());
    place.run(&["-c", "plugins.yaml", "--list-plugins"]).check(
        1,
        &[],
        &["found another plugin with name reading"],
    );
}

/// Events that a plugin puts into the stream of another source have a type of their own.
#[test]
fn async_events_reach_the_rules_of_the_source() {
    let place = Place::new();
    let plugins = [
        ("counting", sample("counting")),
        ("injecting", sample("injecting")),
    ];
    // So many that the source goes on for a while.
    let text = config(&plugins, ", open_params: '3000000'");
    place.write("plugins.yaml", text.as_bytes());
    let rules = r#"
- rule: Ticked
  desc: An event that the plugin put in.
  condition: evt.asynctype = tick
  output: "injected %evt.asynctype %evt.is_async"
  priority: WARNING
  source: counting
"#;
    place.write("tick.yaml", rules.as_bytes());
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(["-c", "plugins.yaml", "-r", "tick.yaml"])
        .current_dir(place.path(""))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    use std::io::BufRead;
    let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let ticks = lines
        .map_while(Result::ok)
        .filter(|line| line.contains("tick"));
    assert_eq!(ticks.take(3).count(), 3);
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn audit_files_are_read_with_their_fields() {
    let place = Place::new();
    let event = |name: &str, verb: &str| {
        format!(
            r#"{{"kind":"Event","auditID":"1","stage":"ResponseComplete","verb":"{verb}","stageTimestamp":"2024-05-01T10:00:00Z","requestURI":"/api/{name}","user":{{"username":"{name}"}},"responseStatus":{{"code":201}}}}"#
        )
    };
    let text = format!("{}\n{}\n", event("eve", "create"), event("adam", "get"));
    place.write("audit.log", text.as_bytes());
    let run = place.run(&["read", "audit.log"]);
    let lines: Vec<String> = run.out().lines().map(str::to_owned).collect();
    assert!(
        lines.len() == 2 && lines[0].contains("eve create /api/eve 201"),
        "{lines:?}{}",
        run.err()
    );
    let run = place.run(&[
        "read",
        "audit.log",
        "ka.verb=get",
        "-j",
        "-p",
        "%ka.user.name %jevt.value[/responseStatus/code]",
    ]);
    let json: serde_json::Value = serde_json::from_str(run.out().trim()).unwrap();
    assert_eq!(json["ka.user.name"], "adam", "{json}");
    assert_eq!(json["jevt.value[/responseStatus/code]"], "201", "{json}");
    // Recorded from the webhook they are the same in a capture.
    place
        .run(&["read", "audit.log", "no.such=1"])
        .check(1, &[], &["does not compile"]);
}
