//! How much of what strangers say of a container is kept.
//!
//! Whoever starts a container chooses its labels, variables and mounts; each kind has a budget of
//! bytes, and what does not fit is left out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use state::Mount;

/// Bytes of labels in one record.
const LABELS_MAX: usize = 64 << 10;
/// Start of the labels that name a pod.
const POD: &str = "io.kubernetes.";
/// Bytes of variables in one record.
const VARIABLES_MAX: usize = 64 << 10;
/// Most mounts in one record, and most bytes of theirs.
const MOUNTS_MAX: usize = 1024;
const MOUNT_BYTES_MAX: usize = 256 << 10;

/// What one record may still take.
#[derive(Debug)]
pub(crate) struct Budget {
    label_max_len: usize,
}

fn within<T>(limit: usize, items: impl Iterator<Item = T>, size: impl Fn(&T) -> usize) -> Vec<T> {
    let mut left = limit;
    let mut kept = Vec::new();
    for item in items {
        match left.checked_sub(size(&item)) {
            Some(rest) => left = rest,
            None => continue,
        }
        kept.push(item);
    }
    kept
}

impl Budget {
    pub(crate) const fn new(label_max_len: usize) -> Self {
        Self { label_max_len }
    }

    pub(crate) fn labels(&mut self, labels: &Map<String, Value>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let texts = labels
            .iter()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        self.pairs(texts)
    }

    pub(crate) fn pairs<'a>(
        &mut self,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let short = labels.filter(|(_, value)| value.len() <= self.label_max_len);
        // Those that say which pod it is come first, whatever others there are.
        let (pod, other): (Vec<_>, Vec<_>) = short.partition(|(key, _)| key.starts_with(POD));
        let all = pod.into_iter().chain(other);
        let kept = within(LABELS_MAX, all, |(key, value)| key.len() + value.len() + 64);
        let bytes =
            |(key, value): (&str, &str)| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        kept.into_iter().map(bytes).collect()
    }

    pub(crate) fn variables<'a>(&mut self, all: impl Iterator<Item = &'a str>) -> Vec<Vec<u8>> {
        let kept = within(VARIABLES_MAX, all, |entry| entry.len() + 32);
        kept.into_iter()
            .map(|entry| entry.as_bytes().to_vec())
            .collect()
    }

    pub(crate) fn mounts(&mut self, all: impl Iterator<Item = Mount>) -> Vec<Mount> {
        let size = |m: &Mount| m.source.len() + m.destination.len() + m.mode.len() + 128;
        within(MOUNT_BYTES_MAX, all.take(MOUNTS_MAX), size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_labels() {
        let labels: Vec<(String, String)> = (0..10_000)
            .map(|i| (format!("label-{i:05}"), "v".repeat(90)))
            .collect();
        let pairs = labels.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let kept = Budget::new(100).pairs(pairs);
        assert!(kept.len() > 300 && kept.len() < 700, "{}", kept.len());
        let all: Vec<String> = (0..10_000)
            .map(|i| format!("V{i}={}", "x".repeat(99)))
            .collect();
        let kept = Budget::new(100).variables(all.iter().map(String::as_str));
        assert!(kept.len() > 300 && kept.len() < 700);
    }

    #[test]
    fn long_values() {
        let long = "v".repeat(101);
        let kept = Budget::new(100).pairs([("a", "b"), ("long", &long)].into_iter());
        assert_eq!(kept.len(), 1);
    }
}
