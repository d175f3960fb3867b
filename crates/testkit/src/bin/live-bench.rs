//! What it costs to watch a machine: `live-bench PEREGRINE [seconds=S] RULES...`. Each rule file is
//! measured for itself, beside one rule on opened files. Writes a report in Markdown to standard
//! output; says on standard error what it does. Wants a quiet machine.

#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use testkit::load::{Done, Kind, Load, Pace};

type Failure = Box<dyn std::error::Error>;

const ONE_RULE: &str = "
- rule: One
  desc: A file that is never opened.
  condition: evt.type in (open, openat, openat2) and fd.name = /no/such/file/anywhere
  output: '%fd.name'
  priority: INFO
";

const MILESTONE: &str = "
- rule: Milestone
  desc: The benchmark looks how far the watcher is.
  condition: evt.type in (open, openat, openat2) and fd.name startswith /peregrine-bench/
  output: '%fd.name'
  priority: WARNING
";

/// A watcher that runs, and its alerts of the files the benchmark opens.
struct Watcher {
    child: Child,
    stderr: ChildStderr,
    lines: Receiver<(Instant, String)>,
    /// From its start to the first alert.
    start: Duration,
}

/// What a watcher says at its end.
struct Ended {
    events: u64,
    lost: u64,
    lost_processes: u64,
}

impl Watcher {
    fn start(peregrine: &Path, rules: &[PathBuf]) -> Result<Self, Failure> {
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
            let _ = std::fs::File::open("/peregrine-bench/start");
            if watcher.lines.recv_timeout(Duration::from_millis(5)).is_ok() {
                watcher.start = begun.elapsed();
                std::thread::sleep(Duration::from_millis(300));
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
    fn cpu(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        let per_second = rustix::param::clock_ticks_per_second();
        #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
        Ok(ticks as f64 / per_second as f64)
    }

    fn resident_mb(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find(|l| l.starts_with("VmHWM:"));
        let kb = line.and_then(|l| l.split_whitespace().nth(1));
        Ok(kb.ok_or("no memory")?.parse::<f64>()? / 1024.0)
    }

    /// Milliseconds from call to line, `times` times, in rising order.
    fn latencies(&self, times: u32) -> Result<Vec<f64>, Failure> {
        let mut all = Vec::new();
        for n in 0..times {
            let name = format!("/peregrine-bench/{n}");
            let begun = Instant::now();
            let _ = std::fs::File::open(&name);
            loop {
                let (came, line) = self.lines.recv_timeout(Duration::from_secs(5))?;
                if line.contains(&name) {
                    all.push(came.duration_since(begun).as_secs_f64() * 1e3);
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(7));
        }
        all.sort_by(f64::total_cmp);
        Ok(all)
    }

    fn stop(mut self) -> Result<Ended, Failure> {
        std::thread::sleep(Duration::from_millis(500));
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
        let mut ended = Ended {
            events: 0,
            lost: 0,
            lost_processes: 0,
        };
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

/// Loads at once, each on a thread.
fn together(kind: Kind, loops: usize, pace: Pace) -> Result<Done, Failure> {
    let done: Vec<Done> = std::thread::scope(|scope| {
        let loads: Vec<_> = (0..loops)
            .map(|_| scope.spawn(move || Load::new()?.work(kind, pace)))
            .collect();
        let join = loads
            .into_iter()
            .map(|load| load.join().expect("a load does not panic"));
        join.collect::<Result<_, _>>()
    })?;
    Ok(Done {
        turns: done.iter().map(|d| d.turns).sum(),
        elapsed: done.iter().map(|d| d.elapsed).max().unwrap_or_default(),
    })
}

/// Nanoseconds of a turn on one of `loops` threads.
#[allow(clippy::cast_precision_loss, reason = "a figure for people")]
fn turn_ns(done: Done, loops: usize) -> f64 {
    done.elapsed.as_secs_f64() * 1e9 * loops as f64 / done.turns as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

struct Bench {
    peregrine: PathBuf,
    time: Duration,
    dir: tempfile::TempDir,
    report: String,
}

impl Bench {
    fn pace(&self) -> Pace {
        Pace {
            time: Some(self.time),
            ..Pace::default()
        }
    }

    /// One line of the table of costs.
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    fn cost(
        &mut self,
        name: &str,
        rules: &[PathBuf],
        kind: Kind,
        loops: usize,
    ) -> Result<(), Failure> {
        eprintln!("{name}");
        let mut off = Vec::new();
        let mut on = Vec::new();
        let mut cpu = Vec::new();
        let (mut lost, mut lost_processes, mut events, mut memory) = (0, 0, 0, 0.0_f64);
        for _ in 0..3 {
            off.push(turn_ns(together(kind, loops, self.pace())?, loops));
            let watcher = Watcher::start(&self.peregrine, rules)?;
            let before = watcher.cpu()?;
            on.push(turn_ns(together(kind, loops, self.pace())?, loops));
            let used = watcher.cpu()? - before;
            memory = memory.max(watcher.resident_mb()?);
            let ended = watcher.stop()?;
            if ended.events > 100_000 {
                cpu.push(used / ended.events as f64 * 1e6);
            }
            lost += ended.lost;
            lost_processes += ended.lost_processes;
            events += ended.events;
        }
        let (off, on) = (median(off), median(on));
        let cpu = if cpu.is_empty() {
            "–".to_owned()
        } else {
            format!("{:.2}", median(cpu))
        };
        let share = lost as f64 / (lost + events).max(1) as f64 * 100.0;
        writeln!(
            self.report,
            "| {name} | {off:.0} | {on:.0} | ×{:.2} | {cpu} | {events} | {lost} ({share:.2} %) | \
             {lost_processes} | {memory:.0} |",
            on / off
        )?;
        Ok(())
    }

    fn latency(&mut self, rules: &[PathBuf]) -> Result<(), Failure> {
        eprintln!("latency and start");
        let mut starts = Vec::new();
        for _ in 0..5 {
            let watcher = Watcher::start(&self.peregrine, rules)?;
            starts.push(watcher.start.as_secs_f64() * 1e3);
            watcher.stop()?;
        }
        let watcher = Watcher::start(&self.peregrine, rules)?;
        let all = watcher.latencies(500)?;
        let idle_before = watcher.cpu()?;
        std::thread::sleep(Duration::from_secs(10));
        let idle = (watcher.cpu()? - idle_before) * 10.0;
        watcher.stop()?;
        writeln!(
            self.report,
            "\nFrom the call to its alert's line on a pipe: p50 {:.2} ms, p99 {:.2} ms (500 calls). \
             From the start of the program to the first alert: {:.0} ms (median of 5). On an idle \
             machine it uses {idle:.1} % of a core.",
            all[all.len() / 2],
            all[all.len() * 99 / 100],
            median(starts)
        )?;
        Ok(())
    }

    /// Loss against offered load.
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    fn curve(&mut self, rules: &[PathBuf]) -> Result<(), Failure> {
        writeln!(
            self.report,
            "\nLoss against offered load: two loops of open, read, close at a given pace.\n\n\
             | wanted turns/s | reached | events/s | lost | share |\n|---|---|---|---|---|"
        )?;
        for rate in [
            25_000.0,
            50_000.0,
            100_000.0,
            150_000.0,
            200_000.0,
            300_000.0,
            f64::INFINITY,
        ] {
            eprintln!("curve at {rate}");
            let pace = Pace {
                rate: rate.is_finite().then_some(rate / 2.0),
                ..self.pace()
            };
            let watcher = Watcher::start(&self.peregrine, rules)?;
            let done = together(Kind::Files, 2, pace)?;
            let ended = watcher.stop()?;
            let seconds = done.elapsed.as_secs_f64();
            let all = (ended.events + ended.lost) as f64;
            let wanted = if rate.is_finite() {
                format!("{rate:.0}")
            } else {
                "all".to_owned()
            };
            writeln!(
                self.report,
                "| {wanted} | {:.0} | {:.0} | {} | {:.2} % |",
                done.turns as f64 / seconds,
                all / seconds,
                ended.lost,
                ended.lost as f64 / all.max(1.0) * 100.0
            )?;
        }
        Ok(())
    }

    /// Storms of processes by stress-ng, where it is installed.
    fn storms(&mut self, rules: &[PathBuf]) -> Result<(), Failure> {
        for kind in ["--fork", "--exec", "--vfork", "--clone"] {
            eprintln!("stress-ng {kind}");
            let watcher = Watcher::start(&self.peregrine, rules)?;
            let seconds = format!("{}s", self.time.as_secs().max(1));
            let stress = Command::new("stress-ng")
                .args([kind, "2", "-t", &seconds, "--quiet"])
                .stdin(Stdio::null())
                .status();
            let ended = watcher.stop()?;
            let Ok(status) = stress else {
                writeln!(self.report, "\nstress-ng is not installed: no storms.")?;
                return Ok(());
            };
            writeln!(
                self.report,
                "\n`stress-ng {kind} 2` for {seconds} ({status}): {} events, {} lost, of those of \
                 processes {}.",
                ended.events, ended.lost, ended.lost_processes
            )?;
        }
        Ok(())
    }
}

/// Processor, kernel, cores, and what hashing a byte costs.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .unwrap_or("unknown");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let begun = Instant::now();
    let hashed = Command::new("sh")
        .args(["-c", "head -c 268435456 /dev/zero | sha256sum"])
        .stdout(Stdio::null())
        .status();
    let byte = match hashed {
        Ok(status) if status.success() => {
            format!(
                "{:.2} ns",
                begun.elapsed().as_secs_f64() * 1e9 / 268_435_456.0
            )
        }
        _ => "unknown".to_owned(),
    };
    format!(
        "{} · {cores} cores · Linux {} · hashing a byte (sha256sum) {byte}",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim()
    )
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1);
    let peregrine = arguments
        .next()
        .ok_or("usage: live-bench PEREGRINE [seconds=S] RULES...")?;
    let mut bench = Bench {
        peregrine: peregrine.into(),
        time: Duration::from_secs(5),
        dir: tempfile::tempdir()?,
        report: String::new(),
    };
    let mut files = Vec::new();
    for argument in arguments {
        match argument.to_str().and_then(|a| a.strip_prefix("seconds=")) {
            Some(seconds) => bench.time = Duration::from_secs_f64(seconds.parse()?),
            None => files.push(PathBuf::from(argument)),
        }
    }
    let milestone = bench.dir.path().join("milestone.yaml");
    std::fs::write(&milestone, MILESTONE)?;
    let one = bench.dir.path().join("one.yaml");
    std::fs::write(&one, ONE_RULE)?;
    writeln!(
        bench.report,
        "{}\n\n| load | turn, ns | watched | slower | CPU s per million events | events | lost | of \
         processes | MB |\n|---|---|---|---|---|---|---|---|---|",
        machine()
    )?;
    let one = [one, milestone.clone()];
    bench.cost("open, read, close; one rule on open", &one, Kind::Files, 1)?;
    bench.cost("getppid; one rule on open", &one, Kind::Getppid, 1)?;
    for file in &files {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let rules = [file.clone(), milestone.clone()];
        bench.cost(
            &format!("open, read, close; {name}"),
            &rules,
            Kind::Files,
            1,
        )?;
        bench.cost(&format!("two such loops; {name}"), &rules, Kind::Files, 2)?;
        bench.cost(&format!("children; {name}"), &rules, Kind::Exec, 1)?;
        bench.cost(&format!("getppid; {name}"), &rules, Kind::Getppid, 1)?;
    }
    let rules: Vec<PathBuf> = files.iter().take(1).cloned().chain([milestone]).collect();
    bench.latency(&rules)?;
    bench.curve(&rules)?;
    bench.storms(&rules)?;
    print!("{}", bench.report);
    Ok(())
}
