//! Events are lost: that is told, in the log and as an alert, and what was missed is looked up when it is met.

use std::process::Command;

use testkit::load::{Kind, Load, Pace};

use crate::watch::{Place, Watch, field, live, signal};

/// Waits for a file, opens another one, says so, waits again, and writes to what it opened.
const WRITER: &str = r#"
await() { while [ ! -e "$1" ]; do sleep 0.05; done; }
await "$0/open"
exec 5>>"$0/missed"
: > "$0/opened"
await "$0/write"
echo x >&5
"#;

#[test]
fn losses_are_told_and_the_state_heals() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let missed = place.write("missed", b"");
    let mut writer = Command::new("bash")
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
    let options = [
        "base_syscalls.all=true",
        "engine.modern_ebpf.buf_size_preset=1",
        "engine.modern_ebpf.cpus_for_each_buffer=0",
        "syscall_event_drops.threshold=0",
        "syscall_event_drops.max_burst=10",
        "syscall_event_drops.actions[]=log",
        "syscall_event_drops.actions[]=alert",
        "log_level=debug",
    ];
    let options: Vec<&str> = options.iter().flat_map(|one| ["-o", one]).collect();
    let mut watch = Watch::start(&place, &rules, &options);

    // While it cannot read, its buffer fills up, and stays full.
    signal(watch.pid(), "STOP");
    let flood = Pace {
        turns: Some(40_000),
        ..Pace::default()
    };
    let load = Load::new().unwrap();
    load.work(Kind::Files, flood).unwrap();
    place.write("open", b"");
    while !place.path("opened").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    signal(watch.pid(), "CONT");
    watch.milestone();
    place.write("write", b"");
    assert!(writer.wait().unwrap().success());

    let told = watch.expect(|alert| alert["rule"] == "Falco internal: syscall event drop");
    let lost = |what: &str| -> u64 { field(&told, what).parse().unwrap() };
    assert!(lost("n_drops_buffer_open_exit") > 1000, "{told}");
    assert!(lost("n_drops") >= lost("n_drops_buffer_total"), "{told}");
    for class in ["clone_fork_exit", "execve_exit", "proc_exit"] {
        assert_eq!(lost(&format!("n_drops_buffer_{class}")), 0, "{told}");
    }
    let (alerts, said, status) = watch.stop();
    assert!(status.success(), "{said}");
    assert!(
        said.contains("system calls dropped in last second"),
        "{said}"
    );
    let written: Vec<_> = alerts.iter().filter(|a| a["rule"] == "Written").collect();
    assert_eq!(written.len(), 1, "{alerts:#?}");
    assert_eq!(field(written[0], "proc.pid"), writer.id().to_string());
    assert_eq!(field(written[0], "fd.name"), missed.display().to_string());
}
