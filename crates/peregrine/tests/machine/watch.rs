//! A running `peregrine run` and what it says.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for something that must happen: only a hang makes it that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// One watcher at a time: they see each other's work.
static ONE: Mutex<()> = Mutex::new(());

/// The right to watch; `None` where the kernel cannot be watched, which is said.
pub fn live() -> Option<MutexGuard<'static, ()>> {
    if let Err(error) = probe::support().check() {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
            "live tests are required, but {error}"
        );
        eprintln!("left out: {error}");
        return None;
    }
    Some(
        ONE.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner),
    )
}

/// A folder whose name no other program has in its arguments.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("peregrine-live-").tempdir();
        Self { dir: dir.unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What stands in paths and command lines of this test only.
    pub fn mark(&self) -> &str {
        self.dir.path().file_name().unwrap().to_str().unwrap()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// A script that `sh` runs.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, text.as_bytes());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

/// The binary.
pub fn peregrine() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peregrine"));
    command
        .env("TZ", "UTC")
        .env("FALCO_HOSTNAME", "here")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

#[derive(Default)]
struct Lines {
    alerts: Vec<Value>,
    ended: bool,
}

/// The watcher.
pub struct Watch {
    child: Child,
    stderr: Option<ChildStderr>,
    lines: Arc<(Mutex<Lines>, Condvar)>,
    reader: Option<std::thread::JoinHandle<()>>,
    place: PathBuf,
}

/// By this rule the test sees how far the watcher is.
fn milestone_rule(mark: &str) -> String {
    format!(
        r#"
- rule: Milestone
  desc: The test has come to a point that it wants to see.
  condition: evt.type in (openat, openat2, open) and fd.name contains "{mark}/milestone-"
  output: "%fd.name"
  priority: DEBUG
"#
    )
}

static MILESTONES: AtomicU32 = AtomicU32::new(0);

impl Watch {
    /// Starts `run` with these rules and waits until it sees what happens.
    pub fn start(place: &Place, rules: &str, options: &[&str]) -> Self {
        let mut command = peregrine();
        command.args(["run", "--json", "-o", "priority=debug"]);
        command.args(options);
        Self::of(place, rules, &mut command)
    }

    /// The same with a command line that alerts as JSON on standard output; the rules are added to it.
    pub fn of(place: &Place, rules: &str, command: &mut Command) -> Self {
        let all = milestone_rule(place.mark()) + rules;
        let rules = place.write("live-rules.yaml", all.as_bytes());
        let mut child = command
            .arg("-r")
            .arg(rules)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let is_falco = command.get_args().any(|arg| arg == "-c");
        let lines: Arc<(Mutex<Lines>, Condvar)> = Arc::default();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let shared = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { break };
                // Falco's form ends with its counts.
                if !line.starts_with('{') && is_falco {
                    continue;
                }
                let alert: Value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("{error} in {line:?}"));
                shared.0.lock().unwrap().alerts.push(alert);
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().ended = true;
            shared.1.notify_all();
        });
        let mut watch = Self {
            stderr: child.stderr.take(),
            child,
            lines,
            reader: Some(reader),
            place: place.dir().to_owned(),
        };
        watch.milestone();
        watch
    }

    /// The watcher's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until all that happened so far has been seen and told.
    pub fn milestone(&mut self) {
        let begun = Instant::now();
        loop {
            let n = MILESTONES.fetch_add(1, Ordering::Relaxed);
            let name = format!("milestone-{n}");
            let _ = std::fs::File::open(self.place.join(&name));
            let told = |alert: &Value| {
                alert["rule"] == "Milestone" && alert["output"].as_str().unwrap().ends_with(&name)
            };
            // While it starts, nothing is seen yet: the next one then.
            if self.wait_for(Duration::from_millis(300), told) {
                return;
            }
            if begun.elapsed() > PATIENCE || self.lines.0.lock().unwrap().ended {
                let _ = self.child.kill();
                let mut said = String::new();
                let _ = self.stderr.take().unwrap().read_to_string(&mut said);
                panic!("the watcher does not see what happens:\n{said}");
            }
        }
    }

    fn wait_for(&self, time: Duration, is: impl Fn(&Value) -> bool) -> bool {
        let (lines, changed) = &*self.lines;
        let until = Instant::now() + time;
        let mut lines = lines.lock().unwrap();
        let mut seen = 0;
        loop {
            if lines.alerts[seen..].iter().any(&is) {
                return true;
            }
            seen = lines.alerts.len();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.ended {
                return false;
            }
            lines = changed.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Waits for an alert.
    #[track_caller]
    pub fn expect(&self, is: impl Fn(&Value) -> bool) -> Value {
        assert!(self.wait_for(PATIENCE, &is), "no such alert came");
        let all = self.alerts();
        all.into_iter().find(|alert| is(alert)).unwrap()
    }

    /// The alerts so far, milestones left out.
    pub fn alerts(&self) -> Vec<Value> {
        let lines = self.lines.0.lock().unwrap();
        let alerts = lines.alerts.iter().filter(|a| a["rule"] != "Milestone");
        alerts.cloned().collect()
    }

    /// Kilobytes of memory of its own, from /proc. (Pages of the kernel's buffers count as ours once they
    /// were read for the first time, and never again less.)
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|l| l.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Open descriptors, from /proc.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .unwrap()
            .count()
    }

    /// Ends it as a user would; gives its alerts, what it said, and how it ended.
    pub fn stop(mut self) -> (Vec<Value>, String, ExitStatus) {
        self.milestone();
        signal(self.pid(), "INT");
        self.join()
    }

    /// Waits for its end, whatever brings it about.
    pub fn join(mut self) -> (Vec<Value>, String, ExitStatus) {
        let mut said = String::new();
        self.stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (self.alerts(), said, status)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status();
    assert!(status.unwrap().success());
}

/// Runs a command line with `sh`, which must succeed.
#[track_caller]
pub fn sh(text: &str) -> String {
    let output = Command::new("sh").args(["-c", text]).output().unwrap();
    assert!(
        output.status.success(),
        "{text}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A field of an alert as text; numbers too.
pub fn field(alert: &Value, name: &str) -> String {
    match &alert["output_fields"][name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
