//! What container events say of a container.
//!
//! The records come from captures and from the engine's own queue, as JSON
//! `{"container": {...}}`. Keys that are missing take their default; a value of the wrong kind is
//! like a missing one, so that one odd label does not lose the whole record.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::orchestration::{Kubernetes, Mesos};

/// A container. Empty texts are unknown.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names are those of the runtimes")]
pub struct Container {
    pub id: Vec<u8>,
    pub full_id: Vec<u8>,
    pub name: Vec<u8>,
    /// 0 docker, 1 lxc, 2 libvirt-lxc, 3 mesos, 4 rkt, 5 custom, 6 cri, 7 containerd, 8 cri-o,
    /// 9 bpm, 10 static, 11 podman, 12 systemd-nspawn, 0xfffe host, 0xffff unknown.
    pub kind: u32,
    /// As the user wrote it.
    pub image: Vec<u8>,
    pub image_id: Vec<u8>,
    pub image_repository: Vec<u8>,
    pub image_tag: Vec<u8>,
    pub image_digest: Vec<u8>,
    pub user: Vec<u8>,
    pub ip: Vec<u8>,
    pub cni_json: Vec<u8>,
    pub privileged: bool,
    pub host_pid: bool,
    pub host_network: bool,
    pub host_ipc: bool,
    pub is_pod_sandbox: bool,
    pub pod_sandbox_id: Vec<u8>,
    pub pod_sandbox_labels: BTreeMap<Vec<u8>, Vec<u8>>,
    pub labels: BTreeMap<Vec<u8>, Vec<u8>>,
    pub env: Vec<Vec<u8>>,
    pub mounts: Vec<Mount>,
    pub port_mappings: Vec<PortMapping>,
    /// Seconds since the epoch.
    pub created_time: i64,
    pub memory_limit: i64,
    pub swap_limit: i64,
    pub cpu_shares: i64,
    pub cpu_quota: i64,
    pub cpu_period: i64,
    pub cpuset_cpu_count: i64,
    /// Bytes of the writable layer; -1: unknown.
    pub size: i64,
    pub healthcheck: Option<Probe>,
    pub liveness_probe: Option<Probe>,
    pub readiness_probe: Option<Probe>,
    /// What the API server knows of the pod.
    pub kubernetes: Option<Box<Kubernetes>>,
    /// Task and application under Mesos.
    pub mesos: Option<Box<Mesos>>,
    /// What its runtime is still to say.
    pub pending: Pending,
}

/// What of a container is not known yet although there is a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pending {
    /// Nothing: this is all.
    #[default]
    Nothing,
    /// Its address, which it has once it runs.
    Address,
    /// Anything: somebody who knows more has been asked.
    More,
}

impl Pending {
    /// The word in the JSON; none where nothing is pending.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Address => Some("address"),
            Self::More => Some("more"),
        }
    }

    fn parse(word: &[u8]) -> Self {
        match word {
            b"address" => Self::Address,
            b"more" => Self::More,
            _ => Self::Nothing,
        }
    }
}

/// A directory of the host inside a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the runtimes")]
pub struct Mount {
    pub source: Vec<u8>,
    pub destination: Vec<u8>,
    pub mode: Vec<u8>,
    pub read_write: bool,
    pub propagation: Vec<u8>,
}

/// A port of the host that leads into a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the runtimes")]
pub struct PortMapping {
    /// First byte of the address in the highest bits.
    pub host_ip: u32,
    pub host_port: u16,
    pub container_port: i64,
}

/// A command that the runtime starts to ask whether all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the runtimes")]
pub struct Probe {
    pub exe: Vec<u8>,
    pub args: Vec<Vec<u8>>,
}

/// The type number of the host's own record.
pub(super) const HOST: u32 = 0xfffe;
pub(super) const UNKNOWN: u32 = 0xffff;

impl Container {
    /// The record that stands for the host.
    #[must_use]
    pub fn host() -> Self {
        Self {
            name: b"host".to_vec(),
            kind: HOST,
            size: -1,
            ..Self::default()
        }
    }

    /// `container.type`; empty for those without a word.
    #[must_use]
    pub const fn kind_name(&self) -> &'static str {
        match self.kind {
            0 => "docker",
            1 => "lxc",
            2 => "libvirt-lxc",
            3 => "mesos",
            4 => "rkt",
            6 => "cri",
            7 => "containerd",
            8 => "cri-o",
            9 => "bpm",
            11 => "podman",
            12 => "systemd-nspawn",
            HOST => "host",
            _ => "",
        }
    }
}

pub(super) fn text(object: &Map<String, Value>, key: &str) -> Vec<u8> {
    object
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .as_bytes()
        .to_vec()
}

fn number(object: &Map<String, Value>, key: &str, default: i64) -> i64 {
    object.get(key).and_then(Value::as_i64).unwrap_or(default)
}

fn flag(object: &Map<String, Value>, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn texts(object: &Map<String, Value>, key: &str) -> Vec<Vec<u8>> {
    list(object, key)
        .filter_map(|v| Some(v.as_str()?.as_bytes().to_vec()))
        .collect()
}

pub(super) fn list<'a>(
    object: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a Value> {
    object
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

pub(super) fn labels(object: &Map<String, Value>, key: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let entries = object
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    entries
        .filter_map(|(k, v)| Some((k.as_bytes().to_vec(), v.as_str()?.as_bytes().to_vec())))
        .collect()
}

fn probe(object: &Map<String, Value>, key: &str) -> Option<Probe> {
    let probe = object.get(key)?.as_object()?;
    let probe = Probe {
        exe: text(probe, "exe"),
        args: texts(probe, "args"),
    };
    (!probe.exe.is_empty()).then_some(probe)
}

fn mount(mount: &Value) -> Option<Mount> {
    let mount = mount.as_object()?;
    Some(Mount {
        source: text(mount, "Source"),
        destination: text(mount, "Destination"),
        mode: text(mount, "Mode"),
        read_write: flag(mount, "RW"),
        propagation: text(mount, "Propagation"),
    })
}

fn port(port: &Value) -> Option<PortMapping> {
    let port = port.as_object()?;
    Some(PortMapping {
        host_ip: u32::try_from(number(port, "HostIp", 0)).unwrap_or_default(),
        host_port: u16::try_from(number(port, "HostPort", 0)).unwrap_or_default(),
        container_port: number(port, "ContainerPort", 0),
    })
}

/// Reads the JSON of a container event; a NUL at its end is allowed. `None`: not such JSON.
pub(crate) fn parse(json: &[u8]) -> Option<Container> {
    let json = json.split(|&b| b == 0).next()?;
    let value: Value = serde_json::from_slice(json).ok()?;
    // The oldest events had four parameters, of which reading makes an object without the key around it.
    let bare = || Some(&value).filter(|value| value["id"].is_string());
    let object = value.get("container").or_else(bare)?.as_object()?;
    let mut container = Container {
        id: text(object, "id"),
        full_id: text(object, "full_id"),
        name: text(object, "name"),
        kind: u32::try_from(number(object, "type", i64::from(UNKNOWN))).unwrap_or(UNKNOWN),
        image: text(object, "image"),
        image_id: text(object, "imageid"),
        image_repository: text(object, "imagerepo"),
        image_tag: text(object, "imagetag"),
        image_digest: text(object, "imagedigest"),
        user: text(object, "User"),
        ip: text(object, "ip"),
        cni_json: text(object, "cni_json"),
        privileged: flag(object, "privileged"),
        host_pid: flag(object, "host_pid"),
        host_network: flag(object, "host_network"),
        host_ipc: flag(object, "host_ipc"),
        is_pod_sandbox: flag(object, "is_pod_sandbox"),
        pod_sandbox_id: text(object, "pod_sandbox_id"),
        pod_sandbox_labels: labels(object, "pod_sandbox_labels"),
        labels: labels(object, "labels"),
        env: texts(object, "env"),
        mounts: list(object, "Mounts").filter_map(mount).collect(),
        port_mappings: list(object, "port_mappings").filter_map(port).collect(),
        created_time: number(object, "created_time", 0),
        memory_limit: number(object, "memory_limit", 0),
        swap_limit: number(object, "swap_limit", 0),
        cpu_shares: number(object, "cpu_shares", 0),
        cpu_quota: number(object, "cpu_quota", 0),
        cpu_period: number(object, "cpu_period", 0),
        cpuset_cpu_count: number(object, "cpuset_cpu_count", 0),
        size: number(object, "size", -1),
        healthcheck: probe(object, "Healthcheck"),
        liveness_probe: probe(object, "LivenessProbe"),
        readiness_probe: probe(object, "ReadinessProbe"),
        kubernetes: object
            .get("kubernetes")
            .and_then(Kubernetes::parse)
            .map(Box::new),
        mesos: None,
        pending: Pending::parse(&text(object, "pending")),
    };
    container.mesos = Mesos::parse(
        object.get("mesos"),
        &text(object, "mesos_task_id"),
        &container.env,
        &container.labels,
    )
    .map(Box::new);
    Some(container)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_record() {
        let json = br#"{"container":{"type":0,"id":"3ad7b26ded6d","name":"web","image":"nginx:1",
            "imagerepo":"nginx","imagetag":"1","privileged":true,"labels":{"a":"b"},
            "Mounts":[{"Source":"/s","Destination":"/d","Mode":"ro","RW":false,"Propagation":"x"}],
            "port_mappings":[{"HostIp":2130706433,"HostPort":80,"ContainerPort":8080}],
            "env":["A=1"],"size":null,"Healthcheck":{"exe":"curl","args":["-f"]}}}"#;
        let c = parse(&[json, &b"\0"[..]].concat()).unwrap();
        assert_eq!(
            (c.id.as_slice(), c.kind_name()),
            (&b"3ad7b26ded6d"[..], "docker")
        );
        assert!(c.privileged);
        assert_eq!(c.labels[&b"a"[..]], b"b");
        assert_eq!(c.mounts[0].destination, b"/d");
        assert_eq!(c.port_mappings[0].host_ip, 0x7f00_0001);
        assert_eq!((c.size, c.env[0].as_slice()), (-1, &b"A=1"[..]));
        assert_eq!(c.healthcheck.unwrap().args[0], b"-f");
    }

    #[test]
    fn what_is_no_record() {
        for json in [
            "",
            "{}",
            "[]",
            "{\"container\":1}",
            "{\"container\":{}",
            "\0",
        ] {
            assert_eq!(parse(json.as_bytes()), None, "{json}");
        }
        assert_eq!(parse(b"{\"container\":{}}").unwrap().kind, UNKNOWN);
        let oldest = br#"{"id":"3ad7b26ded6d","type":0,"name":"web","image":"nginx:1"}"#;
        let oldest = parse(oldest).unwrap();
        assert_eq!(
            (oldest.kind_name(), &oldest.name[..]),
            ("docker", &b"web"[..])
        );
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(parse(&deep), None);
    }
}
