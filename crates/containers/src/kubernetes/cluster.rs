//! The cluster as far as it concerns this node's pods.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use state::{Container, Kubernetes, Object};

use super::Kind;
use super::objects::Entry;

/// Most objects of each kind. Pods are this node's, of which there are hundreds; a large cluster
/// has a few ten thousand of the others.
const OBJECTS_MAX: usize = 50_000;
/// Most services of one pod.
const SERVICES_MAX: usize = 64;

const POD_UID: &[u8] = b"io.kubernetes.pod.uid";
const POD_NAME: &[u8] = b"io.kubernetes.pod.name";
const POD_NAMESPACE: &[u8] = b"io.kubernetes.pod.namespace";

type Objects = HashMap<String, Entry>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    kinds: Mutex<HashMap<Kind, Objects>>,
    version: AtomicU64,
    dropped: AtomicU64,
}

fn object(uid: &str, entry: &Entry) -> Object {
    let bytes = |text: &String| text.clone().into_bytes();
    Object {
        name: bytes(&entry.name),
        id: uid.as_bytes().to_vec(),
        labels: entry
            .labels
            .iter()
            .map(|(key, value)| (bytes(key), bytes(value)))
            .collect(),
    }
}

impl Cluster {
    /// Changes whenever an object does.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<Kind, Objects>) -> bool) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if change(&mut kinds) {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// An object is new, or another than before.
    pub(super) fn put(&self, kind: Kind, uid: String, entry: Entry) {
        self.change(|kinds| {
            let objects = kinds.entry(kind).or_default();
            if objects.len() >= OBJECTS_MAX && !objects.contains_key(&uid) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            let same = objects.get(&uid) == Some(&entry);
            objects.insert(uid, entry);
            !same
        });
    }

    pub(super) fn remove(&self, kind: Kind, uid: &str) {
        self.change(|kinds| {
            kinds
                .get_mut(&kind)
                .is_some_and(|all| all.remove(uid).is_some())
        });
    }

    /// A list is complete: what it lacks is gone.
    pub(super) fn keep_only(&self, kind: Kind, uids: &std::collections::HashSet<String>) {
        self.change(|kinds| {
            let Some(objects) = kinds.get_mut(&kind) else {
                return false;
            };
            let before = objects.len();
            objects.retain(|uid, _| uids.contains(uid));
            objects.len() != before
        });
    }

    /// Adds to a container what is around its pod.
    pub(crate) fn complete(&self, container: &mut Container) {
        if self.version() == 0 {
            return;
        }
        let text = |key: &[u8]| {
            let value = container.labels.get(key);
            value.map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let (uid, name, namespace) = (text(POD_UID), text(POD_NAME), text(POD_NAMESPACE));
        let Some(namespace) = namespace else { return };
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = Objects::new();
        let of = |kind: Kind| kinds.get(&kind).unwrap_or(&empty);
        let by_name = || {
            let pods = of(Kind::Pod).values();
            pods.clone()
                .find(|pod| Some(&pod.name) == name.as_ref() && pod.namespace == namespace)
        };
        let pod = uid.and_then(|uid| of(Kind::Pod).get(&uid)).or_else(by_name);
        let mut found = Kubernetes {
            namespace: of(Kind::Namespace)
                .iter()
                .find(|(_, entry)| entry.name == namespace)
                .map(|(uid, entry)| object(uid, entry)),
            ..Kubernetes::default()
        };
        if let Some(pod) = pod {
            let owned = |entry: &Entry, kind: Kind| {
                let owners = entry.owners.iter();
                owners.clone().find_map(|uid| {
                    of(kind)
                        .get_key_value(uid)
                        .map(|(u, e)| (u.clone(), e.clone()))
                })
            };
            if let Some((uid, set)) = owned(pod, Kind::ReplicaSet) {
                found.replica_set = Some(object(&uid, &set));
                if let Some((uid, deployment)) = owned(&set, Kind::Deployment) {
                    found.deployment = Some(object(&uid, &deployment));
                }
            }
            found.replication_controller =
                owned(pod, Kind::ReplicationController).map(|(uid, entry)| object(&uid, &entry));
            let selects = |entry: &Entry| {
                entry.namespace == namespace
                    && !entry.selector.is_empty()
                    && entry
                        .selector
                        .iter()
                        .all(|(k, v)| pod.labels.get(k) == Some(v))
            };
            let services = of(Kind::Service).iter().filter(|(_, entry)| selects(entry));
            found.services = services
                .map(|(uid, entry)| object(uid, entry))
                .take(SERVICES_MAX)
                .collect();
            found.services.sort_by(|a, b| a.name.cmp(&b.name));
        }
        container.kubernetes = (found != Kubernetes::default()).then(|| Box::new(found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(
        name: &str,
        owners: &[&str],
        labels: &[(&str, &str)],
        selector: &[(&str, &str)],
    ) -> Entry {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        Entry {
            name: name.into(),
            namespace: if owners == ["-"] {
                String::new()
            } else {
                "prod".into()
            },
            labels: map(labels),
            owners: owners.iter().map(|o| (*o).to_owned()).collect(),
            selector: map(selector),
        }
    }

    fn pod() -> Container {
        let labels = [
            (POD_UID, &b"p"[..]),
            (POD_NAME, b"web-1"),
            (POD_NAMESPACE, b"prod"),
        ];
        Container {
            labels: labels
                .iter()
                .map(|(k, v)| (k.to_vec(), v.to_vec()))
                .collect(),
            ..Container::default()
        }
    }

    #[test]
    fn around_a_pod() {
        let cluster = Cluster::default();
        let mut container = pod();
        cluster.complete(&mut container);
        assert_eq!(container.kubernetes, None);
        cluster.put(
            Kind::Namespace,
            "n".into(),
            entry("prod", &["-"], &[("team", "a")], &[]),
        );
        cluster.put(
            Kind::Pod,
            "p".into(),
            entry("web-1", &["r"], &[("app", "web")], &[]),
        );
        cluster.put(Kind::ReplicaSet, "r".into(), entry("web", &["d"], &[], &[]));
        cluster.put(Kind::Deployment, "d".into(), entry("web", &[], &[], &[]));
        cluster.put(
            Kind::Service,
            "s2".into(),
            entry("b", &[], &[], &[("app", "web")]),
        );
        cluster.put(
            Kind::Service,
            "s1".into(),
            entry("a", &[], &[], &[("app", "web")]),
        );
        cluster.put(
            Kind::Service,
            "s3".into(),
            entry("c", &[], &[], &[("app", "other")]),
        );
        cluster.put(Kind::Service, "s4".into(), entry("d", &[], &[], &[]));
        cluster.complete(&mut container);
        let found = container.kubernetes.clone().unwrap();
        assert_eq!(found.namespace.unwrap().labels[&b"team"[..]], b"a");
        assert_eq!(found.deployment.unwrap().id, b"d");
        assert_eq!(found.replica_set.unwrap().id, b"r");
        let services: Vec<_> = found.services.iter().map(|s| s.name.clone()).collect();
        assert_eq!(services, [b"a", b"b"]);

        let before = cluster.version();
        cluster.put(Kind::Deployment, "d".into(), entry("web", &[], &[], &[]));
        assert_eq!(cluster.version(), before);
        cluster.remove(Kind::ReplicaSet, "r");
        cluster.keep_only(Kind::Service, &["s1".to_owned()].into());
        assert_eq!(cluster.version(), before + 2);
        cluster.complete(&mut container);
        let found = container.kubernetes.unwrap();
        assert_eq!((found.deployment, found.services.len()), (None, 1));
    }
}
