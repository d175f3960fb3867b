//! The parts of the benchmark.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::crowd::Crowd;
use testkit::load::{Done, Kind, Load, Pace};

use crate::watcher::{Ended, MILESTONE, Watcher};
use crate::{Failure, say};

const ONE_RULE: &str = "
- rule: One
  desc: A file that is never opened.
  condition: evt.type in (open, openat, openat2) and fd.name = /no/such/file/anywhere
  output: '%fd.name'
  priority: INFO
";

/// Processes and descriptors of the crowd.
const CROWD: (usize, usize) = (2000, 25);

/// Something to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Files are opened, read and closed; one rule.
    One,
    /// The same with the rules.
    Files,
    /// Two such loops.
    Two,
    /// Children that run a program.
    Children,
    /// A call that nobody watches.
    Unwatched,
    /// From the start of the program to its first alert.
    Start,
    /// The same among many processes and descriptors.
    Crowd,
    /// From a call to its line; memory; what it does when nothing happens.
    Latency,
    /// Loss against offered load.
    Curve,
    /// stress-ng's storms of processes, beside a loop on files.
    Storms,
}

impl Part {
    /// All, in order, with their names.
    pub(crate) const ALL: [(Self, &'static str); 10] = [
        (Self::One, "one"),
        (Self::Files, "files"),
        (Self::Two, "two"),
        (Self::Children, "children"),
        (Self::Unwatched, "unwatched"),
        (Self::Start, "start"),
        (Self::Crowd, "crowd"),
        (Self::Latency, "latency"),
        (Self::Curve, "curve"),
        (Self::Storms, "storms"),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, n)| *n == name);
        found.map(|(part, _)| *part)
    }

    /// What is watched under load, as rows of one table: its name, its work, how often at once.
    fn load(self) -> Option<(&'static str, Kind, usize)> {
        Some(match self {
            Self::One => ("open, read, close; one rule on open", Kind::Files, 1),
            Self::Files => ("open, read, close", Kind::Files, 1),
            Self::Two => ("two such loops", Kind::Files, 2),
            Self::Children => ("children", Kind::Exec, 1),
            Self::Unwatched => ("getppid", Kind::Getppid, 1),
            _ => return None,
        })
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

pub(crate) struct Bench {
    peregrine: PathBuf,
    time: Duration,
    /// Runs of which the median counts.
    runs: usize,
    /// The rules, and the one that tells how far the watcher is.
    rules: Vec<PathBuf>,
    one: Vec<PathBuf>,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new(
        peregrine: PathBuf,
        time: Duration,
        runs: usize,
        rules: &[PathBuf],
    ) -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let milestone = dir.path().join("milestone.yaml");
        std::fs::write(&milestone, MILESTONE)?;
        let one = dir.path().join("one.yaml");
        std::fs::write(&one, ONE_RULE)?;
        Ok(Self {
            peregrine,
            time,
            runs,
            rules: rules.iter().cloned().chain([milestone.clone()]).collect(),
            one: vec![one, milestone],
            _dir: dir,
        })
    }

    fn watch(&self, rules: &[PathBuf]) -> Result<Watcher, Failure> {
        Watcher::start(&self.peregrine, rules)
    }

    fn pace(&self) -> Pace {
        Pace {
            time: Some(self.time),
            ..Pace::default()
        }
    }

    /// Measures one part; `last` came before it.
    pub(crate) fn measure(&self, part: Part, last: Option<Part>) -> Result<(), Failure> {
        if let Some((name, kind, loops)) = part.load() {
            if last.and_then(Part::load).is_none() {
                say(
                    "\n| load | turn, ns | watched | slower | CPU s per million events | events | \
                     lost | of processes | MB |\n|---|---|---|---|---|---|---|---|---|",
                )?;
            }
            let rules = match part {
                Part::One => &self.one,
                _ => &self.rules,
            };
            return self.cost(name, rules, kind, loops);
        }
        match part {
            Part::Start => self.start(),
            Part::Crowd => self.crowd(),
            Part::Curve => self.curve(),
            Part::Storms => self.storms(),
            _ => self.latency(),
        }
    }

    /// One line of the table of costs.
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    fn cost(&self, name: &str, rules: &[PathBuf], kind: Kind, loops: usize) -> Result<(), Failure> {
        let (mut off, mut on, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
        let (mut sum, mut memory) = (Ended::default(), 0.0_f64);
        for _ in 0..self.runs {
            off.push(turn_ns(together(kind, loops, self.pace())?, loops));
            let watcher = self.watch(rules)?;
            let before = watcher.cpu()?;
            on.push(turn_ns(together(kind, loops, self.pace())?, loops));
            watcher.rest();
            let used = watcher.cpu()? - before;
            memory = memory.max(watcher.megabytes("VmRSS:")?);
            let ended = watcher.stop()?;
            if ended.events > 100_000 {
                cpu.push(used / ended.events as f64 * 1e6);
            }
            sum += ended;
        }
        let (off, on) = (median(off), median(on));
        let cpu = if cpu.is_empty() {
            "–".to_owned()
        } else {
            format!("{:.2}", median(cpu))
        };
        say(&format!(
            "| {name} | {off:.0} | {on:.0} | ×{:.2} | {cpu} | {} | {} ({:.2} %) | {} | {memory:.0} |",
            on / off,
            sum.events,
            sum.lost,
            sum.share(),
            sum.lost_processes
        ))
    }

    fn start(&self) -> Result<(), Failure> {
        let mut starts = Vec::new();
        for _ in 0..5 {
            let watcher = self.watch(&self.rules)?;
            starts.push(watcher.start.as_secs_f64() * 1e3);
            watcher.stop()?;
        }
        say(&format!(
            "\nFrom the start of the program to the first alert: {:.0} ms (median of 5).",
            median(starts)
        ))?;
        self.examine()
    }

    /// What the program itself says of its start.
    fn examine(&self) -> Result<(), Failure> {
        let mut doctor = Command::new(&self.peregrine);
        doctor.arg("doctor");
        for rules in &self.rules {
            doctor.arg("-r").arg(rules);
        }
        let output = doctor.stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = |name: &str| {
            let line = said.lines().find_map(|line| line.split_once(name));
            line.map_or("nothing", |(_, rest)| rest).to_owned()
        };
        say(&format!(
            "In its own words: {}; /proc: {}.",
            told(" watching: "),
            told(" reading /proc: ")
        ))
    }

    fn crowd(&self) -> Result<(), Failure> {
        let (processes, descriptors) = CROWD;
        say(&format!(
            "\nAmong {processes} more processes with {} descriptors:",
            processes * descriptors
        ))?;
        let _crowd = Crowd::start(processes, descriptors)?;
        self.start()
    }

    fn latency(&self) -> Result<(), Failure> {
        let watcher = self.watch(&self.rules)?;
        let all = watcher.latencies(500)?;
        say(&format!(
            "\nFrom the call to its alert's line on a pipe: p50 {:.2} ms, p99 {:.2} ms (500 calls). \
             Memory: {:.1} MB resident, {:.1} MB of it its own, {:.1} MB at most.",
            all[all.len() / 2],
            all[all.len() * 99 / 100],
            watcher.megabytes("VmRSS:")?,
            watcher.megabytes("RssAnon:")?,
            watcher.megabytes("VmHWM:")?,
        ))?;
        watcher.rest();
        let (cpu, switches) = (watcher.cpu_exact()?, watcher.switches()?);
        let silence = Duration::from_secs(10);
        std::thread::sleep(silence);
        let seconds = silence.as_secs_f64();
        let used = (watcher.cpu_exact()? - cpu) / seconds * 100.0;
        #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
        let wakes = (watcher.switches()? - switches) as f64 / seconds;
        let events = watcher.stop()?.events;
        say(&format!(
            "While the benchmark does nothing: {used:.2} % of a core, {wakes:.0} wake-ups a second \
             (in all {events} events came, from whatever else runs here)."
        ))
    }

    /// Loss against offered load.
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    fn curve(&self) -> Result<(), Failure> {
        say(
            "\nLoss against offered load: two loops of open, read, close at a given pace.\n\n\
             | wanted turns/s | reached | events/s | lost | share |\n|---|---|---|---|---|",
        )?;
        for rate in [
            25_000.0,
            50_000.0,
            100_000.0,
            200_000.0,
            300_000.0,
            f64::INFINITY,
        ] {
            let pace = Pace {
                rate: rate.is_finite().then_some(rate / 2.0),
                ..self.pace()
            };
            let watcher = self.watch(&self.rules)?;
            let done = together(Kind::Files, 2, pace)?;
            watcher.rest();
            let ended = watcher.stop()?;
            let seconds = done.elapsed.as_secs_f64();
            let wanted = if rate.is_finite() {
                format!("{rate:.0}")
            } else {
                "all".to_owned()
            };
            say(&format!(
                "| {wanted} | {:.0} | {:.0} | {} | {:.2} % |",
                done.turns as f64 / seconds,
                ended.all() as f64 / seconds,
                ended.lost,
                ended.share()
            ))?;
        }
        Ok(())
    }

    /// Storms of processes by stress-ng, where it is installed, each beside a loop on files at full
    /// speed.
    fn storms(&self) -> Result<(), Failure> {
        say(
            "\nStorms of processes beside open, read, close at full speed.\n\n\
             | storm | events | lost | of processes |\n|---|---|---|---|",
        )?;
        // It counts in whole seconds.
        let time = Duration::from_secs((2 * self.time).as_secs().max(1));
        for kind in ["--fork", "--exec", "--vfork", "--clone"] {
            let watcher = self.watch(&self.rules)?;
            let seconds = format!("{}s", time.as_secs());
            let storm = Command::new("stress-ng")
                .args([kind, "1", "-t", &seconds, "--quiet"])
                .stdin(Stdio::null())
                .spawn();
            let Ok(mut storm) = storm else {
                watcher.stop()?;
                return say("\nstress-ng is not installed: no storms.");
            };
            let pace = Pace {
                time: Some(time),
                ..Pace::default()
            };
            together(Kind::Files, 1, pace)?;
            let status = storm.wait()?;
            watcher.rest();
            let ended = watcher.stop()?;
            let fault = if status.success() { "" } else { " (failed)" };
            say(&format!(
                "| `stress-ng {kind} 1`, {seconds}{fault} | {} | {} ({:.2} %) | {} |",
                ended.events,
                ended.lost,
                ended.share(),
                ended.lost_processes
            ))?;
        }
        Ok(())
    }
}
