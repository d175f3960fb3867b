//! Events are lost: that is told, and what was missed is looked up when it is met.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testkit::load::{Kind, Load, Pace};

use crate::watch::{Place, Watch, field, live, peregrine, signal};

/// Opens a file when it is told to, and writes to it from when it is told to until it is told to go.
const WRITER: &str = r#"
import os, sys, time

def await_(name):
    while not os.path.exists(name):
        time.sleep(0.05)

os.chdir(sys.argv[1])
await_("open")
missed = os.open("missed", os.O_WRONLY)
os.close(os.open("opened", os.O_CREAT))
await_("write")
while not os.path.exists("go"):
    os.write(missed, b"x")
    time.sleep(0.05)
"#;

#[test]
fn losses_are_told_and_the_state_heals() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let missed = place.write("missed", b"");
    let mut writer = Command::new("python3")
        .args(["-c", WRITER])
        .arg(place.dir())
        .spawn()
        .unwrap();
    let rules = format!(
        r#"
- rule: Written
  desc: The file that nobody saw being opened.
  condition: evt.type = write and fd.name contains "{}/missed"
  output: "%proc.pid %fd.name"
  priority: WARNING
"#,
        place.mark()
    );
    let mut falco = peregrine();
    falco.arg("-U").arg("-c");
    falco.arg(place.write("falco.yaml", b"stdout_output: {enabled: true}\n"));
    for option in [
        "engine.kind=modern_ebpf",
        "engine.modern_ebpf.buf_size_preset=3",
        "engine.modern_ebpf.cpus_for_each_buffer=0",
        "base_syscalls.all=true",
        "syscall_event_drops.threshold=0",
        "syscall_event_drops.max_burst=10",
        "syscall_event_drops.actions[]=alert",
        "json_output=true",
    ] {
        falco.args(["-o", option]);
    }
    let mut watch = Watch::of(&place, &rules, &mut falco);

    // While it cannot read, its buffer fills up, and stays full.
    signal(watch.pid(), "STOP");
    let flood = Pace {
        turns: Some(60_000),
        ..Pace::default()
    };
    Load::new().unwrap().work(Kind::Files, flood).unwrap();
    place.write("open", b"");
    while !place.path("opened").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(watch.pid(), "CONT");
    watch.milestone();
    place.write("write", b"");
    let written = watch.expect(|alert| alert["rule"] == "Written");
    assert_eq!(field(&written, "proc.pid"), writer.id().to_string());
    assert_eq!(field(&written, "fd.name"), missed.display().to_string());
    place.write("go", b"");
    assert!(writer.wait().unwrap().success());

    let lost = |alert: &Value, what: &str| -> u64 { field(alert, what).parse().unwrap_or(0) };
    let told = watch.expect(|alert| {
        alert["rule"] == "Falco internal: syscall event drop"
            && lost(alert, "n_drops_buffer_open_exit") > 1000
    });
    assert_eq!(
        lost(&told, "n_drops"),
        lost(&told, "n_drops_buffer_total"),
        "{told}"
    );
    let (_, said, status) = watch.stop();
    assert!(status.success(), "{said}");
    assert!(said.contains("event drop detected"), "{said}");
}

/// Where nobody said what is to be done about losses, the log has them while they are news.
#[test]
fn losses_are_no_secret_where_nothing_is_configured() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let rules = format!(
        r#"
- rule: Closed
  desc: Files of this test.
  condition: evt.type in (openat, close) and fd.name contains "{}/never"
  output: "%fd.name"
  priority: WARNING
"#,
        place.mark()
    );
    let small = [
        "-o",
        "engine.modern_ebpf.buf_size_preset=3",
        "-o",
        "engine.modern_ebpf.cpus_for_each_buffer=0",
    ];
    let mut watch = Watch::start(&place, &rules, &small);
    signal(watch.pid(), "STOP");
    let flood = Pace {
        turns: Some(60_000),
        ..Pace::default()
    };
    Load::new().unwrap().work(Kind::Files, flood).unwrap();
    signal(watch.pid(), "CONT");
    // It looks once a second of the events' time.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(1100));
        watch.milestone();
    }
    let (_, said, status) = watch.stop();
    assert!(status.success(), "{said}");
    let warning = said.find(" events were lost: they came faster than they were read");
    let summary = said.find(" events lost:");
    assert!(warning.is_some() && warning < summary, "{said}");
}
