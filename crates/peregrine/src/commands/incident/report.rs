//! An incident: its alerts, the processes that they name and what belongs to them, files and connections.
//!
//! A process is a number and the time of its begin. It keeps the parent that it was first seen with: when that one ends and
//! it goes to another, it stays where it was in the tree. *Invariant:* bounded, and what there was no room for is counted.

use std::collections::{BTreeMap, HashMap, HashSet};

use store::{Alert, Incident, Process, Thing, Touched};

use crate::pipeline::incidents::ProcessKey;

/// Processes of a report.
pub(super) const PROCESSES: usize = 20_000;
/// Different things of a report.
const THINGS: usize = 20_000;
/// Programs of a process.
const IMAGES: usize = 16;

/// A process of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// When it began, if that is known, and its number.
    pub(super) key: ProcessKey,
    /// Who made it; `None`: nobody who is known.
    pub(super) parent: Option<ProcessKey>,
    /// What it ran, the last one last: name and command line.
    pub(super) images: Vec<(String, String)>,
    /// Path of the last program.
    pub(super) path: String,
    pub(super) uid: Option<u32>,
    /// Positions of its alerts.
    pub(super) alerts: Vec<usize>,
}

impl Node {
    /// Whether it was a program of this name once.
    pub(super) fn ran(&self, name: &str) -> bool {
        self.images.iter().any(|(known, _)| known == name)
    }
}

/// What was done with a thing, by one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Deed {
    pub(super) touched: Touched,
    pub(super) process: ProcessKey,
    pub(super) first: u64,
    pub(super) times: u64,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The incident.
    pub(super) id: String,
    /// In the order of their times.
    pub(super) alerts: Vec<Alert>,
    /// Alerts before these that are not shown.
    pub(super) left_out: u64,
    pub(super) processes: BTreeMap<ProcessKey, Node>,
    /// In the order of their first times.
    pub(super) deeds: Vec<Deed>,
    /// Where a deed lies.
    known: HashMap<(Touched, ProcessKey), usize>,
    /// Deeds and processes that there was no room for.
    pub(super) beyond: u64,
    /// Whether all events of the processes were looked at, not those of alerts alone.
    pub(super) complete: bool,
}

impl Report {
    /// From the incident's alerts.
    pub(super) fn of(id: &str, mut alerts: Vec<Alert>) -> Self {
        alerts.sort_by_key(|alert| (alert.time, alert.event.number));
        let mut report = Self {
            id: id.to_owned(),
            ..Self::default()
        };
        for (at, alert) in alerts.iter().enumerate() {
            let chain = &alert.processes;
            for (n, process) in chain.iter().enumerate() {
                let parent = chain.get(n + 1).map(key);
                report.process(key(process), parent, || process.clone());
            }
            let own = chain.first().map(key);
            if let Some(node) = own.and_then(|own| report.processes.get_mut(&own)) {
                node.alerts.push(at);
            }
            for touched in &alert.touched {
                report.deed(touched.clone(), own.unwrap_or_default(), alert.time);
            }
            for touched in remembered(alert) {
                report.deed(touched, own.unwrap_or_default(), alert.time);
            }
        }
        report.alerts = alerts;
        report.settle();
        report
    }

    /// Takes in what a process is, if that is new.
    pub(super) fn process(
        &mut self,
        key: ProcessKey,
        parent: Option<ProcessKey>,
        what: impl FnOnce() -> Process,
    ) {
        if !self.processes.contains_key(&key) && self.processes.len() >= PROCESSES {
            self.beyond += 1;
            return;
        }
        let node = self.processes.entry(key).or_insert_with(|| Node {
            key,
            ..Node::default()
        });
        if node.parent.is_none() && parent != Some(key) {
            node.parent = parent;
        }
        let what = what();
        let image = (what.name, what.command);
        if node.images.last() != Some(&image) && node.images.len() < IMAGES {
            node.images.push(image);
        }
        node.path = what.path;
        node.uid = what.uid.or(node.uid);
    }

    /// Takes in what was done.
    pub(super) fn deed(&mut self, touched: Touched, process: ProcessKey, time: u64) {
        let key = (touched, process);
        if let Some(&at) = self.known.get(&key) {
            let deed = &mut self.deeds[at];
            deed.times += 1;
            deed.first = deed.first.min(time);
            return;
        }
        if self.deeds.len() >= THINGS {
            self.beyond += 1;
            return;
        }
        self.known.insert(key.clone(), self.deeds.len());
        self.deeds.push(Deed {
            touched: key.0,
            process,
            first: time,
            times: 1,
        });
    }

    /// Forgets what was done in these ways: it is told anew, and completely.
    pub(super) fn forget(&mut self, ways: &[&str]) {
        self.deeds
            .retain(|deed| !ways.contains(&deed.touched.how.as_str()));
        self.settle();
    }

    /// Forgets what nobody asks for again once everything was taken in; puts the rest in order.
    pub(super) fn settle(&mut self) {
        // That a connection was open says nothing where it is told what was done with it.
        let done: HashSet<(Thing, String, ProcessKey)> = self
            .deeds
            .iter()
            .filter(|deed| deed.touched.how != "open")
            .map(|deed| {
                (
                    deed.touched.thing,
                    addresses(&deed.touched.name),
                    deed.process,
                )
            })
            .collect();
        self.deeds.retain(|deed| {
            let name = addresses(&deed.touched.name);
            deed.touched.how != "open" || !done.contains(&(deed.touched.thing, name, deed.process))
        });
        self.deeds.sort_by_key(|deed| deed.first);
        self.known.clear();
        for (at, deed) in self.deeds.iter().enumerate() {
            self.known.insert((deed.touched.clone(), deed.process), at);
        }
    }

    /// What was done with things of a kind.
    pub(super) fn of_kind(&self, thing: Thing) -> impl Iterator<Item = &Deed> {
        self.deeds
            .iter()
            .filter(move |deed| deed.touched.thing == thing)
    }

    /// Processes without a parent among them, and the children of each; in the order of their begins. Whoever follows the
    /// children meets each process once: a store that somebody wrote by hand may have ancestors in a circle.
    pub(super) fn tree(&self) -> (Vec<&Node>, HashMap<ProcessKey, Vec<&Node>>) {
        let mut order: Vec<&Node> = self.processes.values().collect();
        order.sort_by_key(|node| (node.key.1, node.key.0));
        let above = |node: &Node| {
            node.parent
                .filter(|above| self.processes.contains_key(above))
        };
        let mut all: HashMap<ProcessKey, Vec<&Node>> = HashMap::new();
        for node in &order {
            if let Some(above) = above(node) {
                all.entry(above).or_default().push(node);
            }
        }
        let (mut tops, mut children) = (Vec::new(), HashMap::new());
        let mut met: HashSet<ProcessKey> = HashSet::new();
        // Those without parents first; what they do not lead to goes in a circle.
        let first = order.iter().filter(|node| above(node).is_none());
        for top in first.chain(&order) {
            if !met.insert(top.key) {
                continue;
            }
            tops.push(*top);
            let mut next = vec![top.key];
            while let Some(key) = next.pop() {
                let mut below = all.remove(&key).unwrap_or_default();
                below.retain(|node| met.insert(node.key));
                next.extend(below.iter().map(|node| node.key));
                children.insert(key, below);
            }
        }
        (tops, children)
    }

    /// The most urgent priority.
    pub(super) fn priority(&self) -> Option<u8> {
        self.alerts.iter().map(|alert| alert.priority).min()
    }

    /// Containers in the order in which they come; the empty name is the host.
    pub(super) fn containers(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for alert in &self.alerts {
            if !all.contains(&alert.container.as_str()) {
                all.push(&alert.container);
            }
        }
        all
    }
}

/// A connection's name without its protocol.
fn addresses(name: &str) -> String {
    name.split(' ').next().unwrap_or_default().to_owned()
}

/// A process of an alert.
pub(super) fn key(process: &Process) -> ProcessKey {
    (process.pid, process.began)
}

/// Files and connections among what a rule kept of earlier events.
fn remembered(alert: &Alert) -> Vec<Touched> {
    let kept = alert.remembered.iter();
    let kept = kept.filter_map(|(name, value)| Some((name, value.as_str()?)));
    kept.filter_map(|(name, value)| {
        let (step, field) = name.split_once('.')?;
        if value.is_empty() || !(field == "fd.name" || field.starts_with("fs.path.")) {
            return None;
        }
        let thing = if value.contains("->") || value.rsplit(':').next().is_some_and(is_port) {
            Thing::Connection
        } else {
            Thing::File
        };
        Some(Touched {
            thing,
            how: step.to_owned(),
            name: value.to_owned(),
        })
    })
    .collect()
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// Alerts by incident, the latest first.
pub(super) fn incidents(alerts: &[Alert]) -> Vec<Incident> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<Incident> = Vec::new();
    for alert in alerts {
        let at = *places.entry(&alert.incident).or_insert_with(|| {
            all.push(Incident {
                id: alert.incident.clone(),
                first: alert.time,
                priority: u8::MAX,
                ..Incident::default()
            });
            all.len() - 1
        });
        let one = &mut all[at];
        one.alerts += 1;
        one.first = one.first.min(alert.time);
        one.last = one.last.max(alert.time);
        if alert.priority <= one.priority {
            one.priority = alert.priority;
            one.describe(alert);
        }
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.last));
    all
}
