//! The service from outside: reloads under load, faulty reloads, metrics against what happened.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use capture::{Compression, Writer};
use event::snapshot::{MachineInfo, Process};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use support::{Place, START};

/// Every so manieth event is one that a rule looks for.
const EVERY: u64 = 50;

/// One rule that fires; a second, in front of it, that never does and moves it by one place.
fn rules(second: bool) -> String {
    let shadow = "- rule: Shadow\n  desc: d\n  condition: evt.type = openat and fd.name = /etc/shadow\n  \
        output: shadow %evt.num\n  priority: WARNING\n";
    let other = "- rule: Never\n  desc: d\n  condition: evt.type = openat and fd.name = /never\n  \
        output: never\n  priority: WARNING\n";
    if second {
        format!("{other}{shadow}")
    } else {
        shadow.to_owned()
    }
}

/// The program on an endless capture that a thread writes.
struct Service {
    place: Place,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    stop: Arc<AtomicBool>,
    events: Arc<AtomicU64>,
    writer: Option<JoinHandle<()>>,
}

fn write_events(input: ChildStdin, stop: &AtomicBool, events: &AtomicU64) {
    let mut writer =
        Writer::new(BufWriter::with_capacity(1 << 20, input), Compression::None).unwrap();
    writer.machine(&MachineInfo::default()).unwrap();
    let cat = Process {
        tid: 7,
        pid: 7,
        ptid: 1,
        comm: b"cat",
        cwd: b"/",
        ..Process::default()
    };
    writer.process(&cat).unwrap();
    let open = EventCode::new(codes::SYSCALL_OPENAT_2_X);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..EVERY {
            number += 1;
            let path = if number % EVERY == 0 {
                "/etc/shadow"
            } else {
                "/tmp/x"
            };
            let bytes = RecordBuilder::new(open, START + number * 1000, 7)
                .i64(3)
                .i64(-100)
                .text(path)
                .u32(1)
                .u32(0)
                .u32(0)
                .u64(42)
                .finish();
            let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
            writer.event(&record).unwrap();
        }
        events.store(number, Ordering::Relaxed);
    }
    writer.finish().unwrap().flush().unwrap();
}

impl Service {
    fn start(config: &str) -> Self {
        let place = Place::new();
        place.write("rules.yaml", rules(false).as_bytes());
        let head = "log_stderr: true\nlog_syslog: false\nrules_files: [rules.yaml]\n\
            engine: {kind: replay, replay: {capture_file: '-'}}\n\
            file_output: {enabled: true, filename: alerts, keep_alive: true}\n";
        place.write("falco.yaml", format!("{head}{config}").as_bytes());
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("peregrine"))
            .args(["-c", "falco.yaml"])
            .current_dir(place.path("."))
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let (stop, events) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let input = child.stdin.take().unwrap();
        let writer = std::thread::spawn({
            let (stop, events) = (Arc::clone(&stop), Arc::clone(&events));
            move || write_events(input, &stop, &events)
        });
        let mut service = Self {
            place,
            child,
            lines,
            seen: Vec::new(),
            stop,
            events,
            writer: Some(writer),
        };
        service.until_alerts(1);
        service
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    fn until_line(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no {text:?} in {:#?}", self.seen));
            let found = line.contains(text);
            self.seen.push(line);
            if found {
                return;
            }
        }
    }

    fn alerts(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.place.path("alerts")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn until_alerts(&mut self, least: usize) {
        let end = Instant::now() + Duration::from_secs(120);
        while self.alerts().len() < least {
            assert!(
                Instant::now() < end,
                "no alerts; {:?}",
                self.lines.try_iter().collect::<Vec<_>>()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the capture, and checks that every event that a rule looks for is an alert, once.
    fn finish(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.writer.take().unwrap().join().unwrap();
        assert!(self.child.wait().unwrap().success());
        let events = self.events.load(Ordering::Relaxed);
        let alerts = self.alerts();
        let numbers: Vec<u64> = alerts
            .iter()
            .filter_map(|line| line.split("shadow ").nth(1))
            .map(|number| number.parse().unwrap())
            .collect();
        let expected: Vec<u64> = (1..=events / EVERY).map(|n| n * EVERY).collect();
        assert!(
            numbers == expected,
            "{} alerts instead of {}",
            numbers.len(),
            expected.len()
        );
        alerts
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_hundred_reloads_cost_no_alert() {
    let mut service = Service::start("watch_config_files: false\n");
    for number in 0..200 {
        service
            .place
            .write("rules.yaml", rules(number % 2 == 0).as_bytes());
        service.signal("HUP");
        service.until_line("configuration and rules reloaded");
    }
    service.finish();
}

#[test]
fn a_faulty_file_changes_nothing_and_says_why() {
    let mut service = Service::start("");
    service
        .place
        .write("rules.yaml", b"- rule: Half\n  desc: d\n");
    service.until_line("nothing is reloaded");
    service.place.write("falco.yaml", b"priority: loud\n");
    service.until_line("loud");
    let alerts = service.finish();
    let told: Vec<&String> = alerts
        .iter()
        .filter(|line| line.contains("Falco internal: hot restart failure"))
        .collect();
    assert!(
        told.len() >= 2 && told[0].contains("Critical") && told[0].contains("rules.yaml"),
        "{told:?}"
    );
}

#[test]
fn files_are_watched() {
    let mut service = Service::start("");
    service.place.write("rules.new", rules(true).as_bytes());
    std::fs::rename(
        service.place.path("rules.new"),
        service.place.path("rules.yaml"),
    )
    .unwrap();
    service.until_line("reloaded: 2 rules");
    service.finish();
}

#[test]
fn metrics_are_what_happened() {
    let mut service = Service::start(
        "metrics: {enabled: true, interval: 100ms, output_rule: true, output_file: metrics}\n",
    );
    let end = Instant::now() + Duration::from_secs(120);
    let samples = Arc::new(Mutex::new(Vec::new()));
    while samples.lock().unwrap().len() < 3 {
        assert!(Instant::now() < end, "no metrics");
        std::thread::sleep(Duration::from_millis(50));
        let text = std::fs::read_to_string(service.place.path("metrics")).unwrap_or_default();
        let whole = text
            .rsplit_once('\n')
            .map_or("", |(whole, _)| whole)
            .to_owned();
        *samples.lock().unwrap() = whole.lines().map(str::to_owned).collect();
    }
    service.until_alerts(10);
    let mut before = 0;
    for (n, line) in samples.lock().unwrap().iter().enumerate() {
        let sample: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(sample["sample"], n + 1);
        let fields = &sample["output_fields"];
        let number = |key: &str| fields[key].as_u64().unwrap_or(0);
        let events = number("falco.num_evts");
        assert_eq!(number("falco.num_evts_prev"), before);
        before = events;
        assert_eq!(number("falco.rules.Shadow"), events / EVERY, "{line}");
        assert_eq!(number("falco.rules.matches_total"), events / EVERY);
        assert_eq!(
            (number("scap.n_evts"), number("falco.n_threads")),
            (events, 1)
        );
        assert!(
            fields["falco.sha256_rules_file.rules"]
                .as_str()
                .unwrap()
                .len()
                == 64
        );
        assert_eq!(fields["scap.engine_name"], "savefile");
    }
    let alerts = service.finish();
    assert!(
        alerts
            .iter()
            .any(|line| line.contains("Informational Falco metrics snapshot ("))
    );
}
