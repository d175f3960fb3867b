//! Objects of the API server, as much of them as is kept.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Most bytes of labels of one object.
const LABELS_MAX: usize = 16 << 10;
/// Most owners of one object that are looked at.
const OWNERS_MAX: usize = 16;

/// Name, namespace, labels and owners of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
    /// Unique ids of those that made it.
    pub(super) owners: Vec<String>,
    /// Labels that a service, or a replication controller, wants of its pods.
    pub(super) selector: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Raw {
    #[serde(default)]
    pub(super) metadata: RawMetadata,
    #[serde(default)]
    spec: Option<RawSpec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawMetadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pub(super) uid: String,
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    owner_references: Option<Vec<RawOwner>>,
}

#[derive(Debug, Default, Deserialize)]
struct RawOwner {
    #[serde(default)]
    uid: String,
}

#[derive(Debug, Default, Deserialize)]
struct RawSpec {
    /// Of a service: a map. Of sets: an object of another shape, which is not read.
    #[serde(default)]
    selector: Option<serde_json::Value>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    #[serde(default)]
    pub(super) metadata: ListMetadata,
    #[serde(default)]
    pub(super) items: Option<Vec<Raw>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMetadata {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(super) next: Option<String>,
}

/// A line of a watch.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`, `ERROR`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) object: serde_json::Value,
}

fn bounded(labels: Option<BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut left = LABELS_MAX;
    let fits = |(key, value): &(String, String)| {
        let size = key.len() + value.len() + 64;
        let fits = size <= left;
        left -= if fits { size } else { 0 };
        fits
    };
    labels
        .unwrap_or_default()
        .into_iter()
        .filter(fits)
        .collect()
}

impl Raw {
    /// What is kept, under its unique id; `None` without one.
    pub(super) fn entry(self) -> Option<(String, Entry)> {
        let (metadata, spec) = (self.metadata, self.spec.unwrap_or_default());
        if metadata.uid.is_empty() || metadata.uid.len() > 128 {
            return None;
        }
        let selector = spec
            .selector
            .and_then(|selector| serde_json::from_value(selector).ok())
            .unwrap_or_default();
        let owners = metadata.owner_references.unwrap_or_default().into_iter();
        let entry = Entry {
            name: metadata.name,
            namespace: metadata.namespace,
            labels: bounded(metadata.labels),
            owners: owners.map(|owner| owner.uid).take(OWNERS_MAX).collect(),
            selector: bounded(Some(selector)),
        };
        Some((metadata.uid, entry))
    }
}
