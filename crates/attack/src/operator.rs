//! For whoever wants to know whether a monitor that runs as a service sees anything: what there is, in words, and whether an
//! alert came for what was done.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::RULE_TEXTS;
use crate::audit::AuditCase;
use crate::case::{ANY_RULE, Case};
use crate::coverage::{Rule, read};

/// The shipped rules.
#[must_use]
pub fn rules() -> Vec<Rule> {
    RULE_TEXTS.iter().flat_map(|text| read(text).0).collect()
}

/// A line for each rule, by file: how many attacks there are and how many near misses.
#[must_use]
pub fn summary(cases: &[Case], audit: &[AuditCase]) -> String {
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let own = cases.iter().map(|case| (case.rule.as_str(), case.fires));
    let events = audit.iter().map(|case| (case.rule.as_str(), case.fires));
    for (rule, fires) in own.chain(events) {
        counts.entry(rule).or_default()[usize::from(!fires)] += 1;
    }
    let mut text = String::new();
    let mut total = [0; 3];
    let mut last = String::new();
    for rule in rules() {
        let Some([attacks, misses]) = counts.remove(rule.name.as_str()) else {
            continue;
        };
        let group = if rule.source == "k8s_audit" {
            "Kubernetes audit events"
        } else {
            &rule.maturity
        };
        if group != last {
            let _ = writeln!(text, "{}{group}", if last.is_empty() { "" } else { "\n" });
            group.clone_into(&mut last);
        }
        let off = if rule.enabled {
            ""
        } else {
            "  (off by default)"
        };
        let _ = writeln!(
            text,
            "{attacks:6} attacks {misses:4} near misses  {}{off}",
            rule.name
        );
        total = [total[0] + 1, total[1] + attacks, total[2] + misses];
    }
    for (rule, [attacks, misses]) in counts {
        if rule != ANY_RULE {
            let _ = writeln!(text, "{attacks:6} attacks {misses:4} near misses  {rule}");
            total = [total[0] + 1, total[1] + attacks, total[2] + misses];
        }
    }
    let _ = writeln!(
        text,
        "\n{} rules, {} attacks, {} near misses. `list --rule NAME` tells each in words, `run --rule NAME` performs them.",
        total[0], total[1], total[2],
    );
    text
}

/// The rules that a name on the command line means: the one of that name, else all that have it in theirs.
///
/// # Errors
/// There is none.
pub fn meant(name: &str, known: &[String]) -> Result<Vec<String>> {
    let lower = name.to_lowercase();
    let exact: Vec<String> = known
        .iter()
        .filter(|rule| rule.to_lowercase() == lower)
        .cloned()
        .collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let some: Vec<String> = known
        .iter()
        .filter(|rule| rule.to_lowercase().contains(&lower))
        .cloned()
        .collect();
    if some.is_empty() {
        anyhow::bail!("no rule is called {name:?}; `peregrine-attack list` prints all");
    }
    Ok(some)
}

/// The alerts that a service writes as JSON, a line each: only those that come from now on.
pub struct Service {
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Service {
    /// Follows a file that the service writes to, or standard input (`-`).
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn follow(path: &Path) -> Result<Self> {
        let (send, lines) = channel();
        if path == Path::new("-") {
            std::thread::spawn(move || {
                for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
        } else {
            let mut file =
                File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            file.seek(SeekFrom::End(0)).context("cannot find its end")?;
            std::thread::spawn(move || {
                let mut reader = BufReader::new(file);
                let mut held = String::new();
                // A line that is not whole yet is held until it is.
                while let Ok(read) = reader.by_ref().read_line(&mut held) {
                    if read == 0 {
                        std::thread::sleep(Duration::from_millis(50));
                    } else if held.ends_with('\n') && send.send(std::mem::take(&mut held)).is_err()
                    {
                        return;
                    }
                }
            });
        }
        Ok(Self {
            lines,
            seen: Vec::new(),
        })
    }

    /// Forgets what came so far.
    pub fn forget(&mut self) {
        while self.lines.try_recv().is_ok() {}
        self.seen.clear();
    }

    /// True as soon as an alert of that rule came; gives up after so long.
    pub fn fired(&mut self, rule: &str, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        loop {
            if self.seen.iter().any(|seen| seen == rule) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                return false;
            };
            self.seen.extend(rule_of(&line));
        }
    }

    /// Other rules of which an alert came.
    #[must_use]
    pub fn others(&self, rule: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self.seen.iter().map(String::as_str).collect();
        names.retain(|name| *name != rule);
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The rule of an alert as Falco and Peregrine write it, behind whatever a log puts in front.
fn rule_of(line: &str) -> Option<String> {
    let json: Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
    json["rule"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn only_what_comes_later_counts() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{{\"rule\":\"Early\"}}").unwrap();
        let mut service = Service::follow(file.path()).unwrap();
        write!(file, "Nov 1 host falco[1]: {{\"rule\":").unwrap();
        writeln!(file, "\"Late\"}}\n{{\"rule\":\"Other\"}}\nno alert").unwrap();
        assert!(service.fired("Late", Duration::from_secs(20)));
        assert!(service.fired("Other", Duration::from_secs(20)));
        assert!(!service.fired("Early", Duration::from_millis(10)));
        assert_eq!(service.others("Late"), ["Other"]);
        service.forget();
        assert!(!service.fired("Late", Duration::from_millis(10)));
    }

    #[test]
    fn a_part_of_a_name_is_enough() {
        let known = ["Run shell untrusted", "Terminal shell in container"].map(str::to_owned);
        assert_eq!(meant("run SHELL untrusted", &known).unwrap(), known[..1]);
        assert_eq!(meant("shell", &known).unwrap(), known);
        assert!(meant("shall", &known).is_err());
    }
}
