//! Peregrine from outside: started over the running machine or over a capture, its alerts sorted by case.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::CASE_VARIABLE;
use crate::performance::SENTINEL;

/// The rules that fired, by token.
pub type Alerts = BTreeMap<String, BTreeSet<String>>;

/// Which program, with which rules.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Peregrine.
    pub program: PathBuf,
    /// Rule files, in their order.
    pub rules: Vec<PathBuf>,
    /// The suite's own rules, loaded after them: they fill the shipped rules' empty lists.
    pub tuning: &'static str,
}

/// A monitor that runs.
pub struct Monitor {
    child: Child,
    lines: Receiver<String>,
    alerts: Alerts,
    _files: tempfile::TempDir,
}

/// Large enough for what a whole suite does at once while the monitor has to wait for its turn: 64 MiB for each processor.
pub const BUFFERS: u8 = 7;

/// How long alerts may wait for what is not known yet, in milliseconds: the longest that there is.
pub const WAIT: u32 = 10_000;

/// Every rule is on, all that match fire, and each alert carries its case's token.
fn prepare(plan: &Plan, folder: &Path) -> Result<Vec<PathBuf>> {
    let configuration = format!(
        "rules_files: []\nstateful: {{first_seen_file: ''}}\ncontainer_metadata: {{wait_ms: {WAIT}}}\njson_output: true\nrule_matching: all\npriority: debug\nbuffered_outputs: false\n\
         engine:\n  kind: modern_ebpf\n  modern_ebpf:\n    buf_size_preset: {BUFFERS}\nstdout_output:\n  enabled: true\nsyslog_output:\n  enabled: false\n\
         rules:\n  - enable:\n      rule: \"*\"\n\
         append_output:\n  - match:\n      source: syscall\n    extra_fields:\n      - case: \"%proc.env[{CASE_VARIABLE}]\"\n  \
         - match:\n      source: k8s_audit\n    extra_fields:\n      - case: \"%ka.auditid\"\n"
    );
    fs::write(folder.join("peregrine.yaml"), configuration)?;
    let sentinel = format!(
        "- rule: Attack suite\n  desc: The suite begins or ends.\n  condition: evt.type = execve and proc.exe = {SENTINEL}\n  \
         output: The suite begins or ends\n  priority: DEBUG\n"
    );
    let tuning = folder.join("suite.yaml");
    fs::write(&tuning, format!("{}\n{sentinel}", plan.tuning))?;
    let mut files = plan.rules.clone();
    files.push(tuning);
    Ok(files)
}

fn command(plan: &Plan, folder: &Path, files: &[PathBuf]) -> Command {
    let mut command = Command::new(&plan.program);
    command.args(["-c".as_ref(), folder.join("peregrine.yaml").as_os_str()]);
    for file in files {
        command.args(["-r".as_ref(), file.as_os_str()]);
    }
    command.env("TZ", "UTC").env("NO_COLOR", "1");
    command
}

impl Monitor {
    /// Starts to watch this machine; a container runtime may be asked at that socket.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(plan: &Plan, runtime: Option<&Path>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let files = prepare(plan, folder.path())?;
        if let Some(socket) = runtime {
            let asked = format!(
                "plugins:\n  - name: container\n    library_path: libcontainer.so\n    init_config:\n      engines:\n        \
                 docker: {{enabled: true, sockets: [{}]}}\n",
                socket.display()
            );
            let configuration = folder.path().join("peregrine.yaml");
            let text = fs::read_to_string(&configuration)? + &asked;
            fs::write(&configuration, text)?;
        }
        let mut first = Command::new(&plan.program);
        first.arg("run");
        let rest = command(plan, folder.path(), &files);
        let mut child = first
            .args(rest.get_args())
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", plan.program.display()))?;
        let output = child.stdout.take().context("no output")?;
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if send
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            lines,
            alerts: Alerts::new(),
            _files: folder,
        })
    }

    /// Reads until that token was seen, for so long at most; true if it was.
    ///
    /// # Errors
    /// The monitor ended.
    pub fn until(&mut self, token: &str, patience: Duration) -> Result<bool> {
        let end = Instant::now() + patience;
        loop {
            if self.alerts.contains_key(token) {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    note(&line, &mut self.alerts);
                }
                Err(RecvTimeoutError::Timeout) => return Ok(false),
                Err(RecvTimeoutError::Disconnected) => {
                    let mut why = String::new();
                    if let Some(errors) = &mut self.child.stderr {
                        let _ = errors.read_to_string(&mut why);
                    }
                    bail!("the monitor ended: {}", why.trim());
                }
            }
        }
    }

    /// Reads until it said enough, or as long as alerts wait and a little longer.
    ///
    /// # Errors
    /// The monitor ended.
    pub fn until_fired(&mut self, enough: impl Fn(&Alerts) -> bool) -> Result<()> {
        let end = Instant::now() + Duration::from_millis(u64::from(WAIT) + 2000);
        while !enough(&self.alerts) && Instant::now() < end {
            self.until("", Duration::from_millis(100))?;
        }
        Ok(())
    }

    /// What it said so far, and its end.
    #[must_use]
    pub fn stop(mut self) -> Alerts {
        if let Some(id) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(10)) {
            note(&line, &mut self.alerts);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::mem::take(&mut self.alerts)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The alerts of a capture.
///
/// # Errors
/// The program cannot be started, or refuses the rules or the file.
pub fn replay(plan: &Plan, capture: &Path) -> Result<Alerts> {
    let folder = tempfile::tempdir()?;
    let files = prepare(plan, folder.path())?;
    let rest = command(plan, folder.path(), &files);
    let output = Command::new(&plan.program)
        .arg("replay")
        .arg(capture)
        .args(rest.get_args())
        .env("TZ", "UTC")
        .env("NO_COLOR", "1")
        .output()
        .with_context(|| format!("cannot start {}", plan.program.display()))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut alerts = Alerts::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        note(line, &mut alerts);
    }
    Ok(alerts)
}

fn note(line: &str, alerts: &mut Alerts) {
    let Ok(alert) = serde_json::from_str::<Value>(line) else {
        return;
    };
    let rule = alert["rule"].as_str().unwrap_or_default();
    let token = alert["output_fields"]["case"].as_str().unwrap_or_default();
    if !token.is_empty() {
        let fired = alerts.entry(token.to_owned()).or_default();
        fired.insert(rule.to_owned());
    }
}
