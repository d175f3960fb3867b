//! The service on the running kernel: health, versions, metrics against what happened, reload. Needs
//! root and BPF: `PEREGRINE_REQUIRE_LIVE=1` makes their absence a failure.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use support::Place;

fn live() -> bool {
    let run = Place::new().run(&["doctor"]);
    let required = std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_some_and(|v| v == "1");
    assert!(
        run.code() == 0 || !required,
        "the kernel cannot be watched:\n{}{}",
        run.out(),
        run.err()
    );
    if run.code() != 0 {
        eprintln!("left out: the kernel cannot be watched from here");
    }
    run.code() == 0
}

struct Service {
    place: Place,
    child: Child,
    lines: Receiver<String>,
}

impl Service {
    fn start() -> Self {
        let place = Place::new();
        let folder = place.path("").display().to_string();
        place.write(
            "rules.yaml",
            Self::rules(&folder, "open, openat", "fd.name").as_bytes(),
        );
        place.write(
            "falco.yaml",
            b"rules_files: [rules.yaml]\nengine: {kind: modern_ebpf}\nlog_stderr: true\nlog_syslog: false\n\
            file_output: {enabled: true, filename: alerts, keep_alive: true}\n\
            webserver: {enabled: true, listen_address: 127.0.0.1, listen_port: 0, prometheus_metrics_enabled: true}\n\
            metrics: {enabled: true, interval: 1h}\n",
        );
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("peregrine"))
            .args(["-c", "falco.yaml"])
            .current_dir(place.path("."))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .all(|line| sender.send(line).is_ok());
        });
        Self {
            place,
            child,
            lines,
        }
    }

    fn rules(folder: &str, calls: &str, path: &str) -> String {
        format!(
            "- rule: Touched \"it\"\n  desc: d\n  condition: evt.type in ({calls}) and {path} startswith \
             {folder}\n  output: touched %{path} by %evt.type\n  priority: WARNING\n  tags: [a-tag]\n"
        )
    }

    fn until_line(&self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(120);
        let mut seen = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no {text:?} in {seen:#?}"));
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
    }

    fn alerts(&self, what: &str) -> usize {
        let text = std::fs::read_to_string(self.place.path("alerts")).unwrap_or_default();
        text.lines().filter(|line| line.contains(what)).count()
    }

    fn until_alerts(&self, what: &str, least: usize) {
        let end = Instant::now() + Duration::from_secs(120);
        while self.alerts(what) < least {
            assert!(Instant::now() < end, "no alert {what:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// What promtool thinks of it: lints of Falco's own names are no matter, anything else is.
fn judged(text: &str) {
    let mut command = Command::new("promtool");
    command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("left out: no promtool");
        return;
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for line in said.lines() {
        let lint =
            line.contains("use base unit") || line.contains("should not have \"_total\" suffix");
        assert!(
            line.starts_with("falcosecurity_") && lint,
            "promtool: {line}"
        );
    }
}

#[test]
fn health_versions_metrics_and_reload_of_a_running_machine() {
    if !live() {
        return;
    }
    let service = Service::start();
    let line = service.until_line("web server listens on http://");
    let address = line.rsplit_once("http://").unwrap().1.to_owned();
    let health = ask(&address, "/healthz");
    assert!(
        health.starts_with("HTTP/1.1 200 ") && health.ends_with("{\"status\": \"ok\"}"),
        "{health}"
    );
    let versions = ask(&address, "/versions");
    let json: serde_json::Value =
        serde_json::from_str(versions.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(json["falco_version"], "0.44.1");
    assert!(ask(&address, "/").starts_with("HTTP/1.1 404 "));

    for n in 0..10 {
        service.place.write(&format!("file{n}"), b"x");
    }
    service.until_alerts("by openat", 10);
    let metrics = ask(&address, "/metrics");
    let (head, text) = metrics.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    judged(text);
    let value = |begin: &str| -> u64 {
        let line = text
            .lines()
            .find(|line| line.starts_with(begin))
            .unwrap_or_else(|| panic!("{begin}: {text}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let matches = value(
        "falcosecurity_falco_rules_matches_total{rule_name=\"Touched \\\"it\\\"\",priority=\"4\",source=\"syscall\",tag_a_tag=\"true\"}",
    );
    assert!(matches >= 10, "{matches}");
    assert!(value("peregrine_alerts_total") >= matches);
    assert!(value("falcosecurity_scap_n_evts_total ") > 0);
    assert!(value("peregrine_output_delivered_total{output=\"file\"}") <= matches + 1);
    assert_eq!(value("peregrine_output_dropped_total{output=\"file\"}"), 0);

    // A rule on a call that nothing asked for before.
    let folder = service.place.path("").display().to_string();
    service.place.write(
        "rules.yaml",
        Service::rules(&folder, "mkdir, mkdirat", "evt.arg.path").as_bytes(),
    );
    service.until_line("configuration and rules reloaded");
    // The kernel side learns of it a moment later.
    let end = Instant::now() + Duration::from_secs(60);
    let mut n = 0;
    while service.alerts("by mkdir") == 0 {
        assert!(Instant::now() < end, "the new rule never fires");
        std::fs::create_dir(service.place.path(&format!("folder{n}"))).unwrap();
        n += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    let metrics = ask(&address, "/metrics");
    assert!(metrics.contains("peregrine_reloads_total 1\n"), "{metrics}");
    assert!(metrics.contains("peregrine_reload_failures_total 0\n"));
}
