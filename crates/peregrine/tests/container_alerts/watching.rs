//! A watching Peregrine, and what it tells.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::runtimes::Bench;

/// Longest time until an expected alert is there: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Lines of its log that are kept.
const LOG_LINES: usize = 200;

/// What runs in containers, and what is told of them.
pub(crate) const RULES: &str = "
- rule: Ran
  desc: A program runs in a container.
  condition: evt.type in (execve, execveat) and evt.res = SUCCESS and container.id != host
  output: >
    ran %proc.args %container.id %container.full_id %container.name %container.image.repository
    %container.image.tag %container.type %user.name %container.metadata %k8s.ns.name %k8s.pod.name
    %k8s.pod.uid %container.privileged %proc.name
  priority: NOTICE

- rule: Ran nowhere
  desc: A program runs in a pid namespace of its own and in no container. Nobody waits for it; what is missing may be here.
  condition: >
    evt.type in (execve, execveat) and evt.res = SUCCESS and container.id = host and proc.vpid != val(proc.pid)
  output: >
    nowhere %proc.args %proc.name %proc.pid %proc.vpid %proc.ppid %proc.aname[1] %proc.aname[2] %proc.aname[3]
    %proc.aname[4] %thread.cgroup.cpuset
  priority: INFO

- rule: Container event
  desc: Something is told of a container.
  condition: evt.type in (container, container_updated, container_removed)
  output: told %evt.type %container.id %container.name %container.type
  priority: INFO
";

/// Who is asked.
pub(crate) struct Asked<'a> {
    /// Names of the engines, all of them at one socket.
    pub(crate) engines: &'a [&'a str],
    pub(crate) socket: &'a std::path::Path,
    /// More of the configuration; `container_metadata` is written here if nowhere else.
    pub(crate) more: &'a str,
}

/// The configuration under which these are asked.
pub(crate) fn configuration(asked: &Asked<'_>) -> String {
    let engines = ["docker", "podman", "cri", "containerd"].map(|name| {
        let (on, socket) = if asked.engines.contains(&name) {
            (true, asked.socket.display().to_string())
        } else {
            (false, "/nowhere".to_owned())
        };
        format!("{name}: {{enabled: {on}, sockets: ['{socket}']}}")
    });
    let wait = match asked.more.contains("container_metadata") {
        true => "",
        // Longer than any answer takes on a busy machine: what is pending then is a fault.
        false => "container_metadata: {wait_ms: 10000}\n",
    };
    format!(
        "engine: {{kind: modern_ebpf}}\nstdout_output: {{enabled: true}}\njson_output: true\n\
         log_stderr: true\nlog_syslog: false\nlog_level: debug\nwatch_config_files: false\n{wait}\
         plugins:\n  - name: container\n    library_path: libcontainer.so\n    init_config: \
         {{engines: {{{}, lxc: {{enabled: true}}, libvirt_lxc: {{enabled: true}}, \
         bpm: {{enabled: true}}}}}}\n{}",
        engines.join(", "),
        asked.more
    )
}

/// A watching Peregrine and what it has told.
pub(crate) struct Watch {
    child: Child,
    alerts: Arc<Mutex<Vec<Alert>>>,
    log: Arc<Mutex<Log>>,
}

/// What it said besides.
#[derive(Default)]
struct Log {
    /// The last of it.
    lines: VecDeque<String>,
    ended: bool,
}

/// An alert.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    pub(crate) rule: String,
    fields: Value,
    /// The line that was printed.
    pub(crate) line: String,
}

impl Alert {
    pub(crate) fn read(line: String) -> Option<Self> {
        let value: Value = serde_json::from_str(&line).ok()?;
        Some(Self {
            rule: value["rule"].as_str()?.to_owned(),
            fields: value["output_fields"].clone(),
            line,
        })
    }

    /// A field as text; `<NA>` where it has no value.
    pub(crate) fn field(&self, name: &str) -> String {
        match &self.fields[name] {
            Value::Null => "<NA>".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// Name, image and type are right, and nothing is missing.
    pub(crate) fn is_whole(&self, kind: &str, name: &str) {
        let of = |field: &str| self.field(field);
        let seen = (
            of("container.type"),
            of("container.name"),
            of("container.metadata"),
        );
        let wanted = (kind.to_owned(), name.to_owned(), "complete".to_owned());
        assert_eq!(seen, wanted, "{}", self.line);
        assert!(
            of("container.image.repository").ends_with("bb"),
            "{}",
            self.line
        );
        assert_eq!(of("container.image.tag"), "test", "{}", self.line);
        for field in [
            "container.id",
            "container.full_id",
            "user.name",
            "container.privileged",
        ] {
            assert!(
                !["<NA>", ""].contains(&of(field).as_str()),
                "{field} in {}",
                self.line
            );
        }
    }

    /// That it was this container.
    pub(crate) fn is_of(&self, full_id: &str) {
        assert_eq!(self.field("container.id"), full_id[..12], "{}", self.line);
        assert_eq!(self.field("container.full_id"), full_id, "{}", self.line);
    }
}

impl Watch {
    /// Watches with these rules until it is dropped.
    pub(crate) fn start(bench: &Bench, asked: &Asked<'_>, rules: &str) -> Self {
        std::fs::write(bench.path("falco.yaml"), configuration(asked)).unwrap();
        std::fs::write(bench.path("rules.yaml"), rules).unwrap();
        let args = ["-c", "falco.yaml", "-r", "rules.yaml", "-v", "-U"];
        Self::with(bench, &args)
    }

    /// The same with arguments of the test's own.
    pub(crate) fn with(bench: &Bench, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peregrine"))
            .args(args)
            .current_dir(bench.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let alerts = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&alerts);
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                kept.lock().unwrap().extend(Alert::read(line));
            }
        });
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("watching after") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended early");
        }
        // The log is read on, or a full pipe would hold it up.
        let log = Arc::<Mutex<Log>>::default();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                if log.lines.len() >= LOG_LINES {
                    log.lines.pop_front();
                }
                log.lines.push_back(line);
            }
            kept.lock().unwrap().ended = true;
        });
        Self { child, alerts, log }
    }

    /// All that came so far.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        self.alerts.lock().unwrap().clone()
    }

    /// Waits for what must come.
    pub(crate) fn until<T>(&self, what: &str, found: impl Fn(&[Alert]) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = found(&self.alerts.lock().unwrap()) {
                return found;
            }
            if begin.elapsed() > PATIENCE {
                self.tell_all(what);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the test with all that may say why something did not come: the last alerts, and the log to
    /// its end, where the losses are.
    fn tell_all(&self, what: &str) -> ! {
        self.ask_to_end();
        let begin = Instant::now();
        while !self.log.lock().unwrap().ended && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        let alerts = self.alerts.lock().unwrap();
        let last = alerts.iter().rev().take(60).map(|alert| &alert.line[..]);
        let last: Vec<&str> = last.collect();
        let log = self.log.lock().unwrap();
        let log: Vec<&str> = log.lines.iter().map(String::as_str).collect();
        panic!(
            "{what} does not come; the last that came:\n{}\nand was said:\n{}",
            last.join("\n"),
            log.join("\n")
        );
    }

    /// The alert of a program with these arguments.
    pub(crate) fn ran_with(&self, args: &str) -> Alert {
        self.until(args, |alerts| {
            let ran = |alert: &&Alert| alert.rule == "Ran" && alert.field("proc.args") == args;
            alerts.iter().find(ran).cloned()
        })
    }

    /// Waits for an event of a container.
    pub(crate) fn told(&self, event: &str, name: &str) -> Alert {
        self.until(&format!("{event} of {name}"), |alerts| {
            let told = |alert: &&Alert| {
                alert.rule == "Container event"
                    && alert.field("evt.type") == event
                    && alert.field("container.name") == name
            };
            alerts.iter().find(told).cloned()
        })
    }

    /// Kilobytes of memory in use.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Ends it, and waits until all is written.
    pub(crate) fn end(mut self) {
        self.stop();
    }

    fn ask_to_end(&self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
    }

    fn stop(&mut self) {
        // Asked a second time, it would end without its last words.
        if !self.log.lock().unwrap().ended {
            self.ask_to_end();
        }
        let _ = self.child.wait();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}
