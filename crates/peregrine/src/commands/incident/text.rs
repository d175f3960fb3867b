//! An incident on a terminal. Names come from whoever is watched: none of them can steer the terminal or forge a line.

use std::collections::HashSet;

use filter::render::sanitize;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use outputs::time::span;
use rules::Priority;
use store::{Alert, Incident, Thing};

use super::folding::{Tree, alike, runs};
use super::report::{Deed, Node, Report};
use crate::pipeline::incidents::ProcessKey;
use crate::pipeline::summary::{grouped, plural};
use crate::terminal;

/// Lines of processes, of things of a kind, and of alerts.
const PROCESSES: usize = 120;
const THINGS: usize = 40;
const ALERTS: usize = 60;
/// Letters of a command, of a thing's name, of a message.
const COMMAND: usize = 90;
const NAME: usize = 110;
const MESSAGE: usize = 500;
/// Deeper processes are drawn as if they were no deeper.
const DEPTH: usize = 24;
const DAY: u64 = 86_400_000_000_000;

/// The incident.
pub(super) fn report(report: &Report) -> String {
    let times = (report.alerts.first(), report.alerts.last());
    let (first, last) = (times.0.map_or(0, |a| a.time), times.1.map_or(0, |a| a.time));
    let mut page = Page::new(last.saturating_sub(first) >= DAY);
    page.head(report, first, last);
    page.processes(report);
    page.things(report, Thing::File, "Files");
    page.things(report, Thing::Connection, "Connections");
    page.alerts(report);
    if report.beyond > 0 {
        let beyond = grouped(report.beyond);
        page.note(&format!(
            "{beyond} further deeds and processes are left out: there are too many."
        ));
    }
    if !report.complete {
        page.note(
            "Files and connections are those that the alerts speak of; a capture of that time (-e FILE) shows \
             what the processes did besides.",
        );
    }
    page.out
}

/// The list.
pub(super) fn list(all: &[Incident]) -> String {
    let mut page = Page::new(true);
    let head = format!(
        "{:16}  {:19}  {:>8}  {:>6}  {:13}  {:12}  WHAT",
        "INCIDENT", "LAST ALERT", "WITHIN", "ALERTS", "MOST URGENT", "WHERE"
    );
    page.line(&page.bold(&head));
    for one in all {
        let place = match one.container.as_str() {
            "" => "host",
            id => id,
        };
        let process = match one.process.as_str() {
            "" => String::new(),
            name => format!(" ({})", clean(name, 32)),
        };
        let priority = page.priority(one.priority, 13);
        page.line(&format!(
            "{:16}  {}  {:>8}  {:>6}  {priority}  {:12}  {}{process}",
            clean(&one.id, 16),
            page.moment(one.last, "%Y-%m-%d %H:%M:%S"),
            span(one.last.saturating_sub(one.first)),
            grouped(one.alerts),
            clean(place, 12),
            clean(&one.rule, 80),
        ));
    }
    page.out
}

struct Page {
    out: String,
    zone: TimeZone,
    colour: bool,
    /// It takes more than a day.
    days: bool,
}

impl Page {
    fn new(days: bool) -> Self {
        Self {
            out: String::new(),
            zone: TimeZone::system(),
            colour: terminal::colour_stdout(),
            days,
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn title(&mut self, text: &str) {
        let text = self.bold(text);
        self.out.push('\n');
        self.line(&text);
    }

    fn note(&mut self, text: &str) {
        let text = self.painted("2", text);
        self.out.push('\n');
        self.line(&text);
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(&self, text: &str) -> String {
        self.painted("1", text)
    }

    fn priority(&self, priority: u8, width: usize) -> String {
        let name = Priority::ALL.get(usize::from(priority));
        let name = name.map_or("?", |priority| priority.name());
        let code = match priority {
            0..=3 => "31",
            4 => "33",
            5 => "36",
            _ => "2",
        };
        self.painted(code, &format!("{name:width$}"))
    }

    fn moment(&self, time: u64, form: &str) -> String {
        Timestamp::from_nanosecond(i128::from(time)).map_or_else(
            |_| "?".to_owned(),
            |at| at.to_zoned(self.zone.clone()).strftime(form).to_string(),
        )
    }

    fn time(&self, time: u64) -> String {
        let form = if self.days {
            "%m-%d %H:%M:%S"
        } else {
            "%H:%M:%S.%3f"
        };
        self.moment(time, form)
    }

    fn head(&mut self, report: &Report, first: u64, last: u64) {
        let title = format!("Incident {}", clean(&report.id, 16));
        self.line(&self.bold(&title));
        let count = report.alerts.len() as u64 + report.left_out;
        let worst = report.priority().unwrap_or(u8::MAX);
        let worst = self.priority(worst, 0);
        let within = if count > 1 {
            format!(" within {}", span(last.saturating_sub(first)))
        } else {
            String::new()
        };
        self.line(&format!(
            "{} alert{}{within}, the most urgent {worst}",
            grouped(count),
            plural(count)
        ));
        let begin = self.moment(first, "%Y-%m-%d %H:%M:%S.%3f");
        let end = if self.days {
            self.moment(last, "%Y-%m-%d %H:%M:%S.%3f %Z")
        } else {
            self.moment(last, "%H:%M:%S.%3f %Z")
        };
        self.line(&format!("{begin} to {end}"));
        let places = report.containers();
        let shown: Vec<String> = places
            .iter()
            .take(8)
            .map(|id| match *id {
                "" => "on the host".to_owned(),
                id => format!("in container {}", clean(id, 64)),
            })
            .collect();
        let more = places.len().saturating_sub(shown.len());
        let more = if more > 0 {
            format!(" and in {more} more")
        } else {
            String::new()
        };
        self.line(&format!("{}{more}", shown.join(", ")));
    }

    fn processes(&mut self, report: &Report) {
        if report.processes.is_empty() {
            return;
        }
        self.title("Processes");
        let tree = Tree::of(report);
        let mut drawn = 0;
        // Prefix of its line, prefix of those below, and the processes that are one line.
        let mut next: Vec<(String, String, Vec<&Node>)> = Vec::new();
        for alike in tree.folded(&tree.tops).into_iter().rev() {
            next.push(("  ".to_owned(), "  ".to_owned(), alike));
        }
        while let Some((own, below, alike)) = next.pop() {
            if drawn >= PROCESSES {
                self.line(&format!(
                    "  … {} more lines",
                    grouped(next.len() as u64 + 1)
                ));
                break;
            }
            drawn += 1;
            let text = self.process(report, &alike);
            self.line(&format!("{own}{text}"));
            let inside = alike.first().and_then(|node| tree.children.get(&node.key));
            let inside = tree.folded(inside.map(Vec::as_slice).unwrap_or_default());
            let last = inside.len();
            for (n, alike) in inside.into_iter().enumerate().rev() {
                let deep = below.chars().count() > 3 * DEPTH;
                let (branch, stem) = match (deep, n + 1 == last) {
                    (true, _) => ("", ""),
                    (false, true) => ("└─ ", "   "),
                    (false, false) => ("├─ ", "│  "),
                };
                let lines = (format!("{below}{branch}"), format!("{below}{stem}"));
                next.push((lines.0, lines.1, alike));
            }
        }
    }

    /// Processes that are one line; the first of them stands for all.
    fn process(&self, report: &Report, alike: &[&Node]) -> String {
        let [node, ..] = alike else {
            return String::new();
        };
        let (name, command) = node.images.last().map_or(("?", ""), |(n, c)| (n, c));
        let mut text = self.bold(&clean(name, 64));
        text.push_str(&format!(" ({})", node.key.0));
        let program = if command.is_empty() {
            &node.path
        } else {
            command
        };
        if !program.is_empty() && program != name {
            text.push_str(&format!("  {}", clean(program, COMMAND)));
        }
        let above = node.parent.and_then(|parent| report.processes.get(&parent));
        if node.uid != above.and_then(|above| above.uid)
            && let Some(uid) = node.uid
        {
            text.push_str(&self.painted("2", &format!("  uid {uid}")));
        }
        let before: Vec<String> = node
            .images
            .iter()
            .rev()
            .skip(1)
            // That a child is its parent until it runs something goes without saying.
            .filter(|(before, _)| before != name && !above.is_some_and(|above| above.ran(before)))
            .map(|(before, _)| clean(before, 32))
            .take(3)
            .collect();
        if !before.is_empty() {
            text.push_str(&self.painted("2", &format!("  before: {}", before.join(", "))));
        }
        if alike.len() > 1 {
            text.push_str(&format!(
                "  and {} more like it",
                grouped(alike.len() as u64 - 1)
            ));
        }
        let of = alike.iter().flat_map(|node| &node.alerts);
        let of: Vec<u8> = of
            .filter_map(|at| report.alerts.get(*at))
            .map(|alert| alert.priority)
            .collect();
        if let Some(worst) = of.iter().min() {
            let count = of.len() as u64;
            text.push_str(&format!(
                "  ◄ {} alert{}, {}",
                grouped(count),
                plural(count),
                self.priority(*worst, 0)
            ));
        }
        text
    }

    fn things(&mut self, report: &Report, thing: Thing, title: &str) {
        let mut all: Vec<(&Deed, u64, u64)> = report
            .of_kind(thing)
            .map(|deed| (deed, deed.times, 1))
            .collect();
        // Where there are few, each has its own time.
        if all.len() > THINGS {
            all = alike(report, report.of_kind(thing));
        }
        if all.is_empty() {
            return;
        }
        self.title(title);
        for (deed, times, processes) in all.iter().take(THINGS) {
            let times = match *times {
                1 => String::new(),
                times => format!(", {} times", grouped(times)),
            };
            let who = among(report, deed.process, *processes);
            self.line(&format!(
                "  {}  {:9}  {}  {}",
                self.time(deed.first),
                clean(&deed.touched.how, 24),
                clean(&deed.touched.name, NAME),
                self.painted("2", &format!("{who}{times}")),
            ));
        }
        let more = all.len().saturating_sub(THINGS) as u64;
        if more > 0 {
            self.line(&format!("  … {} more", grouped(more)));
        }
    }

    fn alerts(&mut self, report: &Report) {
        self.title("Alerts");
        if report.left_out > 0 {
            let line = format!("  … {} before these", grouped(report.left_out));
            self.line(&line);
        }
        let runs = runs(&report.alerts);
        let half = ALERTS / 2;
        for (n, run) in runs.iter().enumerate() {
            let gap = runs.len().saturating_sub(ALERTS);
            if gap > 0 && n == half {
                let hidden: usize = runs[half..half + gap].iter().map(|run| run.len()).sum();
                self.line(&format!(
                    "  … {} more; --json has them all",
                    grouped(hidden as u64)
                ));
            }
            if gap > 0 && (half..half + gap).contains(&n) {
                continue;
            }
            self.alert(report, run);
        }
    }

    fn alert(&mut self, report: &Report, run: &[Alert]) {
        let [first, ..] = run else { return };
        let many = match run {
            [_] => String::new(),
            [.., last] => format!(
                "  {} times until {}",
                grouped(run.len() as u64),
                self.time(last.time)
            ),
            [] => return,
        };
        let head = format!(
            "  {}  {}  {}{many}",
            self.time(first.time),
            self.priority(first.priority, 13),
            self.bold(&clean(&first.rule, 120))
        );
        self.line(&head);
        let processes: HashSet<ProcessKey> = run
            .iter()
            .filter_map(|alert| alert.processes.first())
            .map(super::report::key)
            .collect();
        let who = first.processes.first().map(super::report::key);
        let who = who.map_or_else(
            || clean(&first.source, 32),
            |who| among(report, who, processes.len() as u64),
        );
        self.line(&format!("      {}", clean(&first.text, MESSAGE)));
        let id = format!("      {who}, alert {}", clean(&first.alert_id, 16));
        let id = self.painted("2", &id);
        self.line(&id);
        for (name, value) in &first.remembered {
            let value = match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let line = format!("      {}: {}", clean(name, 64), clean(&value, NAME));
            let line = self.painted("2", &line);
            self.line(&line);
        }
        let mut captures: Vec<&str> = run.iter().map(|alert| &*alert.capture).collect();
        captures.retain(|file| !file.is_empty());
        captures.dedup();
        if let Some((first, more)) = captures.split_first() {
            let more = match more.len() {
                0 => String::new(),
                more => format!(" and {} more", grouped(more as u64)),
            };
            let line = format!("      events around it: {}{more}", clean(first, NAME));
            let line = self.painted("2", &line);
            self.line(&line);
        }
    }
}

fn among(report: &Report, first: ProcessKey, processes: u64) -> String {
    let who = who(report, first);
    match processes {
        0 | 1 => who,
        more => format!("{who} and {} more", grouped(more - 1)),
    }
}

fn who(report: &Report, key: ProcessKey) -> String {
    let name = report
        .processes
        .get(&key)
        .and_then(|node| node.images.last());
    match name {
        Some((name, _)) => format!("{} ({})", clean(name, 32), key.0),
        None => format!("({})", key.0),
    }
}

/// A text without anything that steers a terminal, at most so many letters of it.
fn clean(text: &str, most: usize) -> String {
    let mut bytes = Vec::new();
    sanitize(text.as_bytes(), &mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
