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
        Self::with("")
    }

    /// With more in the configuration.
    fn with(more: &str) -> Self {
        let place = Place::new();
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(place.path(""), everybody).unwrap();
        let folder = place.path("").display().to_string();
        place.write(
            "rules.yaml",
            Self::rules(&folder, "open, openat", "fd.name").as_bytes(),
        );
        let head = "rules_files: [rules.yaml]\nengine: {kind: modern_ebpf}\nlog_stderr: true\nlog_syslog: false\n\
            file_output: {enabled: true, filename: alerts, keep_alive: true}\n\
            webserver: {enabled: true, listen_address: 127.0.0.1, listen_port: 0, prometheus_metrics_enabled: true, \
            health_patience: 1s}\n\
            metrics: {enabled: true, interval: 1h, kernel_event_counters_per_cpu_enabled: true}\n";
        place.write("falco.yaml", format!("{head}{more}").as_bytes());
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

    /// The web server's address, once it listens.
    fn address(&self) -> String {
        let line = self.until_line("web server listens on http://");
        line.rsplit_once("http://").unwrap().1.to_owned()
    }

    /// Waits until the service says that it is well, or not for this reason; gives the answer.
    fn until_health(&self, address: &str, reason: Option<&str>) -> String {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let health = ask(address, "/healthz");
            let found = match reason {
                None => health.starts_with("HTTP/1.1 200 "),
                Some(reason) => health.starts_with("HTTP/1.1 503 ") && health.contains(reason),
            };
            if found {
                return health;
            }
            assert!(Instant::now() < end, "never {reason:?}: {health}");
            std::thread::sleep(Duration::from_millis(100));
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
    let address = service.address();
    let health = service.until_health(&address, None);
    assert!(health.ends_with("{\"status\": \"ok\"}"), "{health}");
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
    let by_cpu: u64 = text
        .lines()
        .filter(|line| line.starts_with("falcosecurity_scap_n_evts_cpu_total{"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum();
    assert!(
        by_cpu > 0 && by_cpu <= value("falcosecurity_scap_n_evts_total "),
        "{by_cpu}"
    );
    let threads = value("falcosecurity_scap_n_added_threads_total ")
        - value("falcosecurity_scap_n_removed_threads_total ");
    assert_eq!(threads, value("falcosecurity_scap_n_threads_total "));
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

/// Every file is named once, while rules change below it: one alert for each, whatever is in force.
#[test]
fn two_hundred_reloads_of_a_running_machine_cost_no_alert() {
    if !live() {
        return;
    }
    let service = Service::with("watch_config_files: false\n");
    service.until_line("web server listens");
    let folder = service.place.path("").display().to_string();
    let rule = Service::rules(&folder, "open, openat", "fd.name");
    let other = "- rule: Made a folder\n  desc: d\n  condition: evt.type in (mkdir, mkdirat) and evt.arg.path = /never\n  \
        output: never\n  priority: WARNING\n";
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let opening = std::thread::spawn({
        let (over, folder) = (std::sync::Arc::clone(&over), folder.clone());
        move || {
            let mut number = 0;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let path = format!("{folder}/one-{number:06}-");
                std::fs::File::create(&path).unwrap();
                std::fs::remove_file(path).unwrap();
                number += 1;
                // Some thousands a second: that the ring overflows is another test's matter.
                std::thread::sleep(Duration::from_micros(300));
            }
            number
        }
    });
    service.until_alerts("one-", 1);
    for number in 0..200 {
        let rules = if number % 2 == 0 {
            format!("{other}{rule}")
        } else {
            rule.clone()
        };
        service.place.write("rules.yaml", rules.as_bytes());
        let status = Command::new("kill")
            .args(["-HUP", &service.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
        service.until_line("configuration and rules reloaded");
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    let made: usize = opening.join().unwrap();
    service.until_alerts(&format!("one-{:06}-", made - 1), 1);
    let text = std::fs::read_to_string(service.place.path("alerts")).unwrap();
    let mut times = vec![0; made];
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("/one-") {
            times[rest[..6].parse::<usize>().unwrap()] += 1;
        }
    }
    let wrong: Vec<(usize, &i32)> = times.iter().enumerate().filter(|(_, n)| **n != 1).collect();
    assert!(
        wrong.is_empty(),
        "of {made} these have not one alert: {wrong:?}"
    );
}

#[test]
fn an_event_loop_that_hangs_is_not_healthy() {
    if !live() {
        return;
    }
    let service = Service::start();
    let address = service.address();
    service.until_health(&address, None);
    // The loop's thread alone is held up, at its next system call.
    let Ok(mut strace) = Command::new("strace")
        .args([
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "inject=all:delay_enter=600000000",
        ])
        .args(["-p", &service.child.id().to_string()])
        .spawn()
    else {
        eprintln!("left out: no strace");
        return;
    };
    service.until_health(&address, Some("the event loop has not moved"));
    strace.kill().unwrap();
    strace.wait().unwrap();
    service.until_health(&address, None);
}

/// Takes a program's links from it, as somebody might who wants to be alone.
#[test]
fn a_probe_that_is_gone_is_not_healthy() {
    if !live() {
        return;
    }
    let service = Service::start();
    let address = service.address();
    service.until_health(&address, None);
    let folder = format!("/proc/{}/fd", service.child.id());
    let mut calls = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        let name = target.to_string_lossy().into_owned();
        if name.contains("bpf_link") || name.contains("bpf-link") || name.contains("perf_event") {
            let fd = entry.file_name().into_string().unwrap();
            calls.extend(["-ex".to_owned(), format!("call (int)close({fd})")]);
        }
    }
    assert!(!calls.is_empty(), "no links found");
    let gdb = Command::new("gdb")
        .args(["-batch", "-nx", "-p", &service.child.id().to_string()])
        .args(calls)
        .output();
    if !gdb.is_ok_and(|output| output.status.success()) {
        eprintln!("left out: no gdb");
        return;
    }
    service.until_health(&address, Some("the kernel"));
}

#[test]
fn an_output_that_is_stuck_is_not_healthy() {
    if !live() {
        return;
    }
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", receiver.local_addr().unwrap());
    let service = Service::with(&format!(
        "extra_outputs: [{{type: http, name: far away, url: '{url}', timeout: 1s}}]\n"
    ));
    let address = service.address();
    service.until_health(&address, None);
    // It takes connections, as any kernel does, and says nothing.
    service.place.write("file", b"x");
    service.until_health(&address, Some("output far away has "));
    std::thread::spawn(move || {
        for stream in receiver.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let mut bytes = [0; 4096];
            let _ = stream.read(&mut bytes);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    service.until_health(&address, None);
}

#[test]
fn what_is_not_needed_is_given_up() {
    if !live() {
        return;
    }
    let place = Place::new();
    place.write(
        "rules.yaml",
        Service::rules("/", "open", "fd.name").as_bytes(),
    );
    place.write(
        "falco.yaml",
        b"rules_files: [rules.yaml]\nstdout_output: {enabled: true}\n",
    );
    let nobody = place.run(&[
        "-c",
        "falco.yaml",
        "-o",
        "run_as=no-such-user",
        "-o",
        "engine.kind=modern_ebpf",
    ]);
    nobody.check(1, &[], &["run_as: there is no user 'no-such-user'"]);

    // The service's files lie where that user may write.
    let service = Service::with("run_as: nobody\n");
    let pid = service.child.id();
    service.until_line("run_as");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |key: &str| {
        status
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap()
            .to_owned()
    };
    assert!(
        line("Uid:")
            .split_whitespace()
            .skip(1)
            .all(|uid| uid == "65534"),
        "{status}"
    );
    // DAC_READ_SEARCH, SYS_PTRACE, SYS_RESOURCE, PERFMON, BPF; SYS_ADMIN where the kernel wants that.
    let mut mask = (1_u64 << 2) | (1 << 19) | (1 << 24) | (1 << 38) | (1 << 39);
    let paranoia = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap();
    if paranoia.trim().parse::<i32>().unwrap() > 2 {
        mask |= 1 << 21;
    }
    for key in ["CapPrm:", "CapEff:", "CapBnd:"] {
        let held = u64::from_str_radix(line(key).split_whitespace().nth(1).unwrap(), 16).unwrap();
        assert_eq!(held & !mask, 0, "{key} {held:x}");
    }
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(
            status.contains("Uid:\t65534\t65534\t65534\t65534"),
            "{status}"
        );
    }
    service.place.write("file", b"x");
    service.until_alerts("touched", 1);
    // And it still may load and attach.
    let folder = service.place.path("").display().to_string();
    let rules = Service::rules(&folder, "mkdir, mkdirat", "evt.arg.path");
    service.place.write("rules.yaml", rules.as_bytes());
    service.until_line("configuration and rules reloaded");
    service.until_line("watched from now on");
    std::fs::create_dir(service.place.path("folder")).unwrap();
    service.until_alerts("by mkdir", 1);
}

/// The local page of the real program: what just happened, with the processes behind it.
#[test]
fn the_page_shows_what_happened() {
    if !live() {
        return;
    }
    let service = Service::with(
        "page: {enabled: true, listen_port: 0, token_file: token}\nalert_store: {path: kept.sqlite}\n",
    );
    let line = service.until_line("local page at http://");
    let address = line
        .split("http://")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let token = service.place.read("token").trim().to_owned();
    let page = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!("Host: {address}\r\nCookie: peregrine={token}\r\nConnection: close\r\n");
        write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
        serde_json::from_str::<serde_json::Value>(body).unwrap()
    };
    let marked = service.place.path("marked <b>file");
    let status = Command::new("sh")
        .args(["-c", "exec sh -c 'echo x > \"$0\"; true' \"$0\""])
        .arg(&marked)
        .status();
    assert!(status.unwrap().success());
    service.until_alerts("marked", 1);
    let end = Instant::now() + Duration::from_secs(60);
    let found = loop {
        let all = page("/alerts");
        let found = all
            .as_array()
            .unwrap()
            .iter()
            .find(|a| a["text"].as_str().unwrap().contains("marked"));
        if let Some(found) = found {
            break found.clone();
        }
        assert!(Instant::now() < end, "{all}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let one = page(&format!("/alert?id={}", found["id"]));
    assert_eq!(
        (&one["rule"], &one["priority"]),
        (&"Touched \"it\"".into(), &4.into())
    );
    assert_eq!(one["event"]["name"], "openat");
    assert!(
        one["event"]["arguments"]
            .as_str()
            .unwrap()
            .contains("marked <b>file"),
        "{one}"
    );
    assert_eq!(one["fields"]["fd.name"], marked.to_str().unwrap());
    let processes = one["processes"].as_array().unwrap();
    assert!(
        processes.len() >= 3 && processes[0]["name"] == "sh",
        "{one}"
    );
    assert!(
        processes[0]["command"].as_str().unwrap().contains("echo x"),
        "{one}"
    );
    assert!(
        processes.iter().any(|p| p["pid"] == std::process::id()),
        "{one}"
    );
    // Numbers come within a second or two.
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let numbers = page("/numbers");
        let seconds = numbers["seconds"].as_array().unwrap().clone();
        if seconds
            .iter()
            .any(|second| second["events"].as_u64().unwrap() > 0)
        {
            assert_eq!(numbers["counts"]["rules"][0][0], "Touched \"it\"");
            break;
        }
        assert!(Instant::now() < end, "{numbers}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What waits for a slow receiver still arrives; one that takes nothing does not keep the program.
#[test]
fn an_end_delivers_what_waits_and_is_bounded() {
    if !live() {
        return;
    }
    for (answers, limit) in [(true, "60000"), (false, "500")] {
        let receiver = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", receiver.local_addr().unwrap());
        let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        std::thread::spawn({
            let taken = std::sync::Arc::clone(&taken);
            move || {
                let mut open = Vec::new();
                for mut stream in receiver.incoming().map_while(Result::ok) {
                    let mut bytes = [0; 65536];
                    let _ = stream.read(&mut bytes);
                    std::thread::sleep(Duration::from_millis(50));
                    if answers {
                        taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let head =
                            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                        let _ = stream.write_all(head.as_bytes());
                    } else {
                        open.push(stream);
                    }
                }
            }
        });
        let mut service = Service::with(&format!(
            "output_timeout: {limit}\n\
             extra_outputs: [{{type: http, name: far away, url: '{url}', timeout: 5s}}]\n"
        ));
        service.until_line("web server listens");
        for n in 0..20 {
            service.place.write(&format!("file{n}"), b"x");
        }
        service.until_alerts("touched", 20);
        let pid = service.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(status.unwrap().success());
        if !answers {
            service.until_line("discarding all remaining notifications");
        }
        assert!(service.child.wait().unwrap().success());
        if answers {
            let taken = taken.load(std::sync::atomic::Ordering::Relaxed);
            // One whose answer came too late came twice.
            let told = service.alerts("touched");
            assert!(taken >= told, "{taken} of {told}");
        }
    }
}

#[test]
fn what_a_service_cannot_open_ends_its_start() {
    if !live() {
        return;
    }
    let place = Place::new();
    let folder = place.path("").display().to_string();
    let rules = Service::rules(&folder, "open, openat", "fd.name");
    place.write("rules.yaml", rules.as_bytes());
    place.write("rubbish", "no database and no token".repeat(100).as_bytes());
    place.write("short", b"0123");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    place.write(
        "falco.yaml",
        format!(
            "rules_files: [rules.yaml]\nengine: {{kind: modern_ebpf}}\nstdout_output: {{enabled: true}}\n\
             webserver: {{enabled: false, listen_address: 127.0.0.1, listen_port: {port}}}\n\
             page: {{enabled: false, listen_port: {port}, token_file: token}}\n\
             alert_store: {{path: kept.sqlite}}\n"
        )
        .as_bytes(),
    );
    for (options, texts) in [
        (
            &["webserver.enabled=true"][..],
            &["cannot listen on 127.0.0.1:"][..],
        ),
        (
            &[
                "webserver.enabled=true",
                "webserver.listen_port=0",
                "webserver.ssl_enabled=true",
                "webserver.ssl_certificate=missing.pem",
            ],
            &["certificate missing.pem"],
        ),
        (&["page.enabled=true"], &["cannot listen on 127.0.0.1:"]),
        (
            &["page.enabled=true", "page.token_file=short"],
            &["page.token_file short", "too short"],
        ),
        (
            &["alert_store.enabled=true", "alert_store.path=rubbish"],
            &["alert_store.path", "rubbish", "not a database"],
        ),
        (
            &["alert_store.enabled=true", "alert_store.path=no/such/a"],
            &["alert_store.path", "no/such/a"],
        ),
    ] {
        let mut arguments = vec!["-c", "falco.yaml"];
        arguments.extend(options.iter().flat_map(|option| ["-o", *option]));
        let run = place.run(&arguments);
        run.check(1, &[], texts);
        assert!(!run.out().contains("Events detected"), "{options:?}");
    }
}
