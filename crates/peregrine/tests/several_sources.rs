//! Several event sources at once: one's flood or fault is no other's, and nothing that was taken is lost at the end.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::Place;

const EVENT: &str = r#"{"kind":"Event","auditID":"1","stage":"ResponseComplete","verb":"create","stageTimestamp":"2024-05-01T10:00:00Z","user":{"username":"eve"},"objectRef":{"resource":"pods","name":"mine"}}"#;

/// Lists of so many events, and so many lists.
const LIST: usize = 100;
const LISTS: usize = 50;

const RULES: &str = "
- rule: Audited
  desc: An event of the flood.
  condition: ka.user.name = eve
  output: audited %ka.target.name
  priority: INFO
  source: k8s_audit
";

const HARM: &str = "
- rule: Harm
  desc: An event of the plugin.
  condition: harm.n = 7
  output: harm %harm.n
  priority: NOTICE
  source: harm
";

fn list() -> String {
    let items = vec![EVENT; LIST].join(",");
    format!(r#"{{"kind":"EventList","items":[{items}]}}"#)
}

struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    /// Starts it with its webhook at a free port, and waits until all of `ready` were said in its log.
    fn start(place: &Place, args: &[&str], ready: &[&str]) -> Self {
        for _ in 0..5 {
            let port = testkit::port::free();
            let webserver = format!("webserver.listen_port={port}");
            let mut child = Command::new(env!("CARGO_BIN_EXE_peregrine"))
                .args(["-c", "daemon.yaml", "-r", "audit.yaml", "-o", &webserver])
                .args(args)
                .current_dir(place.path(""))
                .env("TZ", "UTC")
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut log = BufReader::new(child.stderr.take().unwrap());
            let mut all = String::new();
            while ready.iter().any(|words| !all.contains(words)) {
                if log.read_line(&mut all).unwrap_or(0) == 0 {
                    break;
                }
            }
            if ready.iter().all(|words| all.contains(words)) {
                // The rest of the log must not hold the program up.
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::stderr()));
                return Self { child, port };
            }
            let _ = child.wait();
            // Another test may have taken the port.
            assert!(all.contains("listen"), "{all}");
        }
        panic!("no port was to be had");
    }

    fn post(&self, body: &str) -> u32 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let head = format!(
            "POST /k8s-audit HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).unwrap_or("");
        status.parse().unwrap_or(0)
    }

    /// Ends it; its exit code.
    fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn place() -> Place {
    let place = Place::new();
    let alerts = place.path("alerts").display().to_string();
    place.write(
        "daemon.yaml",
        format!(
            "log_stderr: true\nlog_syslog: false\nfile_output: {{enabled: true, keep_alive: \"true\", filename: {alerts}}}\n\
             webserver: {{enabled: false, listen_address: 127.0.0.1, k8s_audit_endpoint: /k8s-audit}}\n"
        )
        .as_bytes(),
    );
    place.write("audit.yaml", RULES.as_bytes());
    place
}

fn count(place: &Place, words: &str) -> usize {
    let text = std::fs::read_to_string(place.path("alerts")).unwrap_or_default();
    text.lines().filter(|line| line.contains(words)).count()
}

/// Waits until so many alerts have these words.
fn wait(place: &Place, words: &str, wanted: usize) {
    let limit = Instant::now() + Duration::from_secs(90);
    while count(place, words) < wanted {
        assert!(
            Instant::now() < limit,
            "{} of {wanted} alerts '{words}'",
            count(place, words)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_was_answered_with_200_is_looked_at_when_the_program_ends() {
    let place = place();
    let daemon = Daemon::start(
        &place,
        &["-o", "engine.kind=nodriver"],
        &["events are taken at"],
    );
    let body = list();
    for _ in 0..LISTS {
        assert_eq!(daemon.post(&body), 200);
    }
    assert_eq!(daemon.end(), Some(0));
    assert_eq!(count(&place, "audited mine"), LIST * LISTS);
}

/// A group is told when the clock has passed its window, at a reload, and at the end: no alert is only counted.
#[test]
fn groups_end_by_the_clock_at_a_reload_and_at_the_end() {
    let place = place();
    let configuration = place.read("daemon.yaml") + "alert_grouping: {enabled: true}\n";
    place.write("daemon.yaml", configuration.as_bytes());
    let daemon = Daemon::start(
        &place,
        &["-o", "engine.kind=nodriver"],
        &["events are taken at"],
    );
    let told = "99 more like the alert of 10:00:00.000000000: audited mine";
    assert_eq!(daemon.post(&list()), 200);
    wait(&place, told, 1);
    // An hour that the clock does not reach.
    let later = list().replace("2024-05-01", "2100-05-01");
    assert_eq!(daemon.post(&later), 200);
    wait(&place, "Informational audited mine", 2);
    assert_eq!(count(&place, told), 1);
    let pid = daemon.child.id().to_string();
    let reload = Command::new("kill").args(["-HUP", &pid]).status();
    assert!(reload.unwrap().success());
    wait(&place, told, 2);
    assert_eq!(daemon.post(&later), 200);
    wait(&place, "Informational audited mine", 3);
    assert_eq!(daemon.end(), Some(0));
    assert_eq!((count(&place, told), count(&place, "")), (3, 6));
}

/// Each source that has a thread of its own saves what surrounds its alerts: its own events, before and after.
#[test]
fn a_source_beside_others_saves_captures() {
    let place = place();
    let library = testkit::plugins::compiled(&place.path(""), "misbehaving");
    let config = place.read("daemon.yaml");
    let prefix = place.path("saved").display().to_string();
    place.write(
        "daemon.yaml",
        format!(
            "{config}plugins: [{{name: misbehaving, library_path: {library}, init_config: crashes}}]\n\
             flight_recorder: {{enabled: true, socket: ''}}\n\
             capture: {{enabled: true, path_prefix: {prefix}}}\n"
        )
        .as_bytes(),
    );
    let keys = "  capture: true\n  capture_before: 60000\n  capture_duration: 1000\n";
    let audited = RULES.replace("eve\n", "eve and ka.target.name = mine\n");
    let rules = format!("{}{keys}{HARM}{keys}", audited.trim_end().to_owned() + "\n");
    place.write("audit.yaml", rules.as_bytes());
    let daemon = Daemon::start(
        &place,
        &["-o", "engine.kind=nodriver"],
        &["events are taken at", "Opening 'harm' source"],
    );
    let now = Command::new("date").args(["-u", "+%FT%TZ"]).output();
    let now = String::from_utf8(now.unwrap().stdout).unwrap();
    let event = EVENT.replace("2024-05-01T10:00:00Z", now.trim());
    assert_eq!(daemon.post(&event.replace("mine", "theirs")), 200);
    assert_eq!(daemon.post(&event), 200);
    wait(&place, "audited mine", 1);
    wait(&place, "harm 7", 1);
    assert_eq!(daemon.end(), Some(0));
    let alerts = place.read("alerts");
    let file = |words: &str| {
        let line = alerts.lines().find(|line| line.contains(words)).unwrap();
        let (_, file) = line.split_once(" capture_file=").unwrap();
        file.to_owned()
    };
    assert!(place.path("").join(file("harm 7")).exists());
    let file = file("audited mine");
    let read = place.run(&["read", &file, "-p", "%evt.type %evt.plugininfo"]);
    let text = read.out();
    assert_eq!(
        text.lines().count(),
        2,
        "what was before it, and it: {text}"
    );
    let again = place.run(&[
        "replay",
        &file,
        "-r",
        "audit.yaml",
        "-c",
        "daemon.yaml",
        "-o",
        "stdout_output.enabled=true",
        "-o",
        "capture.enabled=false",
    ]);
    assert!(again.out().contains("audited mine"), "{}", again.err());
}

#[test]
fn a_file_that_grows_is_a_source() {
    let place = place();
    place.write("audit.log", format!("{EVENT}\n").as_bytes());
    let path = place.path("audit.log");
    let plugin = format!(
        "plugins: [{{name: k8saudit, library_path: libk8saudit.so, open_params: 'file://{}'}}]\n",
        path.display()
    );
    let config = place.read("daemon.yaml");
    place.write(
        "daemon.yaml",
        config
            .replace(", k8s_audit_endpoint: /k8s-audit", "")
            .as_bytes(),
    );
    let config = place.read("daemon.yaml");
    place.write("daemon.yaml", format!("{config}{plugin}").as_bytes());
    let daemon = Daemon::start(
        &place,
        &["-o", "engine.kind=nodriver"],
        &["are read as they come"],
    );
    let append = |text: &str| {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    };
    append(&format!("{}\n", EVENT.replace("mine", "first")));
    wait(&place, "audited first", 1);
    // Rotated, as a log rotation does it.
    std::fs::rename(&path, place.path("audit.log.1")).unwrap();
    append(&format!("{}\nnonsense\n", EVENT.replace("mine", "second")));
    wait(&place, "audited second", 1);
    append(&format!("{}\n", EVENT.replace("mine", "third")));
    assert_eq!(daemon.end(), Some(0));
    assert_eq!(count(&place, "audited third"), 1);
    assert_eq!(
        count(&place, "audited mine"),
        0,
        "what stood in the file is old"
    );
}

/// A plugin whose process dies after each event is started again and again; the webhook's events all come.
#[test]
fn a_plugin_that_crashes_takes_nothing_from_another_source() {
    let place = place();
    let library = testkit::plugins::compiled(&place.path(""), "misbehaving");
    let config = place.read("daemon.yaml");
    place.write(
        "daemon.yaml",
        format!("{config}plugins: [{{name: misbehaving, library_path: {library}, init_config: crashes}}]\n").as_bytes(),
    );
    let rules = format!("{RULES}{HARM}");
    place.write("audit.yaml", rules.as_bytes());
    let daemon = Daemon::start(
        &place,
        &["-o", "engine.kind=nodriver"],
        &["events are taken at", "Opening 'harm' source"],
    );
    let body = list();
    for _ in 0..LISTS {
        assert_eq!(daemon.post(&body), 200);
    }
    wait(&place, "harm 7", 3);
    wait(&place, "audited mine", LIST * LISTS);
    assert_eq!(daemon.end(), Some(0));
    assert_eq!(count(&place, "audited mine"), LIST * LISTS);
}

/// Whether the kernel can be watched from here.
fn live() -> bool {
    let place = Place::new();
    let run = place.run(&["doctor"]);
    if run.code() == 0 {
        return true;
    }
    let required = std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_some_and(|v| v == "1");
    assert!(
        !required,
        "the kernel cannot be watched:\n{}{}",
        run.out(),
        run.err()
    );
    eprintln!("left out: the kernel cannot be watched from here");
    false
}

/// A plugin beside both that fails at once, and a flood of audit events: the machine's own events are all seen.
#[test]
fn a_flood_and_a_fault_are_no_other_sources() {
    if !live() {
        return;
    }
    let place = place();
    let library = testkit::plugins::compiled(&place.path(""), "misbehaving");
    let config = place.read("daemon.yaml");
    place.write(
        "daemon.yaml",
        format!("{config}plugins: [{{name: misbehaving, library_path: {library}, init_config: fails}}]\n").as_bytes(),
    );
    let folder = place.path("").display().to_string();
    let rules = format!(
        "{RULES}
- rule: Started
  desc: A program of the test is started.
  condition: evt.type = execve and evt.res = SUCCESS and proc.args contains {folder}
  output: started %proc.args
  priority: NOTICE
{HARM}"
    );
    place.write("audit.yaml", rules.as_bytes());
    let daemon = Daemon::start(
        &place,
        &["-o", "engine.kind=modern_ebpf"],
        &["events are taken at", "Opening 'harm' source"],
    );
    // The kernel's events flow when the first program is seen.
    let probe = format!("{folder}/warm-up");
    let limit = Instant::now() + Duration::from_secs(60);
    while count(&place, "warm-up") == 0 {
        assert!(Instant::now() < limit, "the kernel's events never came");
        Command::new("/bin/true").arg(&probe).status().unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    let body = list();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..LISTS {
                    assert_eq!(daemon.post(&body), 200);
                }
            });
        }
        for n in 0..40 {
            let argument = format!("{folder}/number-{n}-");
            Command::new("/bin/true").arg(argument).status().unwrap();
        }
    });
    wait(&place, "audited mine", 2 * LIST * LISTS);
    wait(&place, "number-", 40);
    // The fault is told once more at the end.
    assert_eq!(daemon.end(), Some(1));
    for n in 0..40 {
        assert_eq!(count(&place, &format!("number-{n}-")), 1, "number {n}");
    }
    assert_eq!(count(&place, "audited mine"), 2 * LIST * LISTS);
    assert_eq!(count(&place, "harm 7"), 1, "the event before the fault");
}
