//! A watcher that runs, and what it says of itself.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::Failure;

/// Files below it are opened to see how far a watcher is; none of them is there.
const MARK: &str = "/peregrine-bench";

/// The rule that tells of them.
pub(crate) const MILESTONE: &str = "
- rule: Milestone
  desc: The benchmark looks how far the watcher is.
  condition: evt.type in (open, openat, openat2) and fd.name startswith /peregrine-bench/
  output: '%fd.name'
  priority: WARNING
";

/// Time in which it comes to rest: after its first alert, and before its end.
const REST: Duration = Duration::from_millis(300);

/// A watcher that runs, and its alerts of the files the benchmark opens.
pub(crate) struct Watcher {
    child: Child,
    stderr: ChildStderr,
    lines: Receiver<(Instant, String)>,
    /// From its start to the first alert.
    pub(crate) start: Duration,
}

/// What a watcher says at its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) events: u64,
    pub(crate) lost: u64,
    /// Births, executions and ends among the lost.
    pub(crate) lost_processes: u64,
}

impl std::ops::AddAssign for Ended {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.lost += other.lost;
        self.lost_processes += other.lost_processes;
    }
}

impl Ended {
    /// Events that happened.
    pub(crate) fn all(self) -> u64 {
        self.events + self.lost
    }

    /// Percent of them that were lost.
    #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(crate) fn share(self) -> f64 {
        self.lost as f64 / self.all().max(1) as f64 * 100.0
    }
}

impl Watcher {
    pub(crate) fn start(peregrine: &Path, rules: &[PathBuf]) -> Result<Self, Failure> {
        let mut command = Command::new(peregrine);
        command.arg("run");
        for rules in rules {
            command.arg("-r").arg(rules);
        }
        let begun = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let stderr = child.stderr.take().ok_or("no errors")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        let mut watcher = Self {
            child,
            stderr,
            lines,
            start: Duration::ZERO,
        };
        while begun.elapsed() < Duration::from_secs(30) {
            let _ = std::fs::File::open(format!("{MARK}/start"));
            if watcher.lines.recv_timeout(Duration::from_millis(5)).is_ok() {
                watcher.start = begun.elapsed();
                std::thread::sleep(REST);
                while watcher.lines.try_recv().is_ok() {}
                return Ok(watcher);
            }
        }
        let _ = watcher.child.kill();
        let mut said = String::new();
        watcher.stderr.read_to_string(&mut said)?;
        Err(format!("the watcher does not see what happens: {said}").into())
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU seconds used so far.
    pub(crate) fn cpu(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        let per_second = rustix::param::clock_ticks_per_second();
        #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
        Ok(ticks as f64 / per_second as f64)
    }

    /// CPU seconds that its threads were scheduled for, to the nanosecond.
    pub(crate) fn cpu_exact(&self) -> Result<f64, Failure> {
        let mut total = 0.0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = text.split(' ').next().unwrap_or_default();
            total += first.parse::<f64>()? / 1e9;
        }
        Ok(total)
    }

    /// Times that its threads went to sleep.
    pub(crate) fn switches(&self) -> Result<u64, Failure> {
        let mut total = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            let text = std::fs::read_to_string(thread?.path().join("status"))?;
            let line = text.lines().find(|l| l.starts_with("voluntary_ctxt"));
            let count = line.and_then(|l| l.split_whitespace().nth(1));
            total += count.ok_or("no switches")?.parse::<u64>()?;
        }
        Ok(total)
    }

    /// A size in /proc's words (`VmRSS`, `VmHWM`, `RssAnon`), in megabytes.
    pub(crate) fn megabytes(&self, name: &str) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find(|l| l.starts_with(name));
        let kb = line.and_then(|l| l.split_whitespace().nth(1));
        Ok(kb.ok_or("no memory")?.parse::<f64>()? / 1024.0)
    }

    /// Milliseconds from call to line, `times` times, in rising order.
    pub(crate) fn latencies(&self, times: u32) -> Result<Vec<f64>, Failure> {
        let mut all = Vec::new();
        for n in 0..times {
            let name = format!("{MARK}/{n}");
            let begun = Instant::now();
            let _ = std::fs::File::open(&name);
            loop {
                let (came, line) = self.lines.recv_timeout(Duration::from_secs(5))?;
                if line.ends_with(&name) {
                    all.push(came.duration_since(begun).as_secs_f64() * 1e3);
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(7));
        }
        all.sort_by(f64::total_cmp);
        Ok(all)
    }

    /// Waits until it is done with what happened.
    pub(crate) fn rest(&self) {
        std::thread::sleep(REST);
    }

    pub(crate) fn stop(mut self) -> Result<Ended, Failure> {
        let kill = Command::new("kill")
            .args(["-INT", &self.pid().to_string()])
            .status()?;
        assert!(kill.success());
        let mut said = String::new();
        self.stderr.read_to_string(&mut said)?;
        self.child.wait()?;
        let number = |line: &str| -> u64 {
            let digits: String = line.trim().chars().take_while(|c| *c != ' ').collect();
            digits.replace(',', "").parse().unwrap_or(0)
        };
        let mut ended = Ended::default();
        for line in said.lines() {
            if line.contains(" events in ") {
                ended.events = number(line);
            } else if line.ends_with("events lost:") {
                ended.lost = number(line);
            } else if ["clone_fork_exit", "execve_exit", "proc_exit"]
                .iter()
                .any(|class| line.ends_with(class))
            {
                ended.lost_processes += number(line);
            }
        }
        Ok(ended)
    }
}
