//! What of an incident is one line: alerts, deeds and processes that differ in nothing but the number of the process.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use store::{Alert, Touched};

use super::report::{Deed, Node, Report};
use crate::pipeline::incidents::ProcessKey;

/// Neighbours of the same rule, by programs of the same name.
pub(super) fn runs(alerts: &[Alert]) -> Vec<&[Alert]> {
    let name = |alert: &Alert| alert.processes.first().map(|process| process.name.clone());
    alerts
        .chunk_by(|a, b| a.rule == b.rule && name(a) == name(b))
        .collect()
}

/// Deeds that differ in the process alone, where programs of the same name did them: the first, how often, and how many
/// processes.
pub(super) fn alike<'r>(
    report: &Report,
    deeds: impl Iterator<Item = &'r Deed>,
) -> Vec<(&'r Deed, u64, u64)> {
    let mut places: HashMap<(&Touched, Option<&str>), usize> = HashMap::new();
    let mut all: Vec<(&Deed, u64, u64)> = Vec::new();
    for deed in deeds {
        let node = report.processes.get(&deed.process);
        let name = node.and_then(|node| node.images.last());
        let key = (&deed.touched, name.map(|(name, _)| name.as_str()));
        if let Some(&at) = places.get(&key) {
            let (_, times, processes) = &mut all[at];
            *times += deed.times;
            *processes += 1;
        } else {
            places.insert(key, all.len());
            all.push((deed, deed.times, 1));
        }
    }
    all
}

/// The tree as it is drawn.
pub(super) struct Tree<'r> {
    pub(super) tops: Vec<&'r Node>,
    pub(super) children: HashMap<ProcessKey, Vec<&'r Node>>,
    /// What those have in common that are one line: programs, rules, and those of all below.
    looks: HashMap<ProcessKey, u64>,
}

impl<'r> Tree<'r> {
    pub(super) fn of(report: &'r Report) -> Self {
        let (tops, children) = report.tree();
        let mut order = tops.clone();
        let mut at = 0;
        while let Some(node) = order.get(at) {
            order.extend(children.get(&node.key).into_iter().flatten());
            at += 1;
        }
        let mut looks: HashMap<ProcessKey, u64> = HashMap::new();
        // Children come behind their parents.
        for node in order.iter().rev() {
            let alerts = node.alerts.iter().filter_map(|at| report.alerts.get(*at));
            let rules: BTreeSet<&str> = alerts.map(|alert| alert.rule.as_str()).collect();
            let below = children.get(&node.key).into_iter().flatten();
            let below: BTreeSet<u64> = below
                .filter_map(|child| looks.get(&child.key).copied())
                .collect();
            let mut hasher = DefaultHasher::new();
            (&node.images, rules, below).hash(&mut hasher);
            looks.insert(node.key, hasher.finish());
        }
        Self {
            tops,
            children,
            looks,
        }
    }

    /// Those that look the same together, where the first of them is.
    pub(super) fn folded(&self, nodes: &[&'r Node]) -> Vec<Vec<&'r Node>> {
        let mut places: HashMap<u64, usize> = HashMap::new();
        let mut all: Vec<Vec<&Node>> = Vec::new();
        for node in nodes {
            let look = self.looks.get(&node.key).copied().unwrap_or_default();
            let at = *places.entry(look).or_insert_with(|| {
                all.push(Vec::new());
                all.len() - 1
            });
            all[at].push(node);
        }
        all
    }
}
