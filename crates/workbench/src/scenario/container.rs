//! The container that an event's process runs in: its control group, and what a runtime would say of it.

use serde_json::{Map, Value, json};

use super::spec::{EventSpec, Read};

/// The id of containers that are only spoken of.
const SOME: &str = "3ad7b26ded6d";
/// What makes a short id a long one.
const REST: &str = "8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e";

/// A container.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    /// Its id, twelve digits; empty on the host.
    pub(super) id: String,
    /// The record of it, where anything is said.
    pub(super) json: Option<Vec<u8>>,
}

/// Fields with the key of the record that holds them.
const TEXTS: [(&str, &str); 8] = [
    ("container.name", "name"),
    ("container.image", "image"),
    ("container.image.repository", "imagerepo"),
    ("container.image.tag", "imagetag"),
    ("container.image.digest", "imagedigest"),
    ("container.image.id", "imageid"),
    ("container.ip", "ip"),
    ("container.cni.json", "cni_json"),
];

/// Fields with the label that a node's runtime knows them by.
const LABELS: [(&str, &str); 5] = [
    ("k8s.pod.name", "io.kubernetes.pod.name"),
    ("k8s.ns.name", "io.kubernetes.pod.namespace"),
    ("k8s.pod.uid", "io.kubernetes.pod.uid"),
    ("k8s.pod.sandbox_id", "io.kubernetes.sandbox.id"),
    ("k8s.container.name", "io.kubernetes.container.name"),
];

impl Inside {
    /// The container that an event speaks of.
    pub(super) fn of(spec: &EventSpec) -> Read<Self> {
        let speaks = |name: &str| {
            name == "container" || name.starts_with("container.") || name.starts_with("k8s.")
        };
        let id = spec.text(&["container.id"]);
        let spoken = spec.fields.iter().any(|given| speaks(&given.name));
        let id = match (id.as_deref(), spoken) {
            (Some("host" | ""), _) | (None, false) => {
                return Ok(Self {
                    id: String::new(),
                    json: None,
                });
            }
            (Some(id), _) => id.to_owned(),
            (None, true) => SOME.to_owned(),
        };
        let hex = id
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if id.len() != 12 || !hex {
            return Err(spec.fault(format!(
                "a container's id has twelve hexadecimal digits, such as {SOME}, or is `host`; `{id}` is neither"
            )));
        }
        let json = Self::record(spec, &id)?;
        Ok(Self { id, json })
    }

    fn record(spec: &EventSpec, id: &str) -> Read<Option<Vec<u8>>> {
        let mut members = Map::new();
        for (field, key) in TEXTS {
            if let Some(text) = spec.text(&[field]) {
                members.insert(key.to_owned(), Value::String(text));
            }
        }
        for (field, key) in [
            ("container.privileged", "privileged"),
            ("container.host_pid", "host_pid"),
            ("container.host_network", "host_network"),
            ("container.host_ipc", "host_ipc"),
        ] {
            if let Some(truth) = spec.truth(field)? {
                members.insert(key.to_owned(), Value::Bool(truth));
            }
        }
        let mut labels = Map::new();
        for (field, label) in LABELS {
            if let Some(text) = spec.text(&[field]) {
                labels.insert(label.to_owned(), Value::String(text));
            }
        }
        let mut sandbox = Map::new();
        for given in &spec.fields {
            let text = || Value::String(given.text().unwrap_or_default());
            if let Some(key) = argument(&given.name, "container.label") {
                labels.insert(key.to_owned(), text());
            } else if let Some(key) = argument(&given.name, "k8s.pod.label") {
                sandbox.insert(key.to_owned(), text());
            } else if given.name == "container" {
                let Some(all) = given.value.as_object() else {
                    return Err(
                        given.fault("`container` is a mapping, as the record of a container event")
                    );
                };
                for (key, value) in all {
                    members.insert(key.clone(), typed(value));
                }
            }
        }
        if members.is_empty() && labels.is_empty() && sandbox.is_empty() {
            return Ok(None);
        }
        if let (Some(Value::String(repository)), Some(Value::String(tag))) =
            (members.get("imagerepo"), members.get("imagetag"))
        {
            let image = format!("{repository}:{tag}");
            members.entry("image").or_insert(Value::String(image));
        }
        if !sandbox.is_empty() {
            members.insert("pod_sandbox_labels".to_owned(), Value::Object(sandbox));
        }
        if !labels.is_empty() {
            members.insert("labels".to_owned(), Value::Object(labels));
        }
        for (key, value) in [
            ("type", json!(0)),
            ("id", json!(id)),
            ("full_id", json!(format!("{id}{REST}"))),
            ("name", json!("test")),
            ("size", json!(-1)),
        ] {
            members.entry(key).or_insert(value);
        }
        let mut bytes = json!({ "container": members }).to_string().into_bytes();
        bytes.push(0);
        Ok(Some(bytes))
    }

    /// The control groups of a process in it.
    pub(super) fn cgroups(&self) -> Vec<u8> {
        let path = if self.id.is_empty() {
            "/user.slice".to_owned()
        } else {
            format!("/system.slice/docker-{}{REST}.scope", self.id)
        };
        ["cpuset", "cpu", "memory", "pids"]
            .iter()
            .flat_map(|name| format!("{name}={path}\0").into_bytes())
            .collect()
    }
}

/// `KEY` of `field[KEY]` or `field.KEY`.
fn argument<'n>(name: &'n str, field: &str) -> Option<&'n str> {
    let rest = name.strip_prefix(field)?;
    rest.strip_prefix('.')
        .or_else(|| rest.strip_prefix('[')?.strip_suffix(']'))
}

/// Numbers and truth values of a record, which are texts where fields are written.
fn typed(value: &Value) -> Value {
    match value {
        Value::String(text) if text == "true" => Value::Bool(true),
        Value::String(text) if text == "false" => Value::Bool(false),
        Value::Array(all) => Value::Array(all.iter().map(typed).collect()),
        Value::Object(all) => Value::Object(
            all.iter()
                .map(|(key, value)| (key.clone(), typed(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}
