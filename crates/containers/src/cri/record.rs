//! What a runtime of Kubernetes' says of a container, as the record of it.
//!
//! The protocol itself says little; most is in `info`, JSON of the runtime's own, which containerd
//! and CRI-O fill alike but not the same.

use std::collections::HashMap;

use serde_json::Value;
use state::{Container, Mount, split_image};

use super::messages as v1;
use crate::bounds::Budget;
use crate::inspect::{APPLIED, applied_probes, cpu_count};

const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const POD_UID: &str = "io.kubernetes.pod.uid";
const SANDBOX_ID: &str = "io.kubernetes.sandbox.id";
/// Annotations with the image's name.
const IMAGE_NAMES: [&str; 3] = [
    "io.kubernetes.cri.image-name",
    "io.kubernetes.cri-o.Image",
    "io.kubernetes.cri-o.ImageName",
];
const CNI_RESULT: &str = "io.kubernetes.cri-o.CNIResult";
/// Longest network result that is kept.
const CNI_MAX: usize = 4096;
/// The node's namespace.
const NODE: i32 = 2;

/// Type number of a runtime.
pub(super) fn kind(runtime: &str) -> u32 {
    match runtime {
        "containerd" => 7,
        "cri-o" => 8,
        _ => 6,
    }
}

fn info(map: &HashMap<String, String>) -> Value {
    let text = map.get("info").map_or("", String::as_str);
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn annotation<'a>(info: &'a Value, name: &str) -> Option<&'a str> {
    info["runtimeSpec"]["annotations"][name].as_str()
}

/// The sandbox that a container lives in.
pub(super) fn sandbox_id(status: &v1::ContainerStatusResponse) -> Option<String> {
    let info = info(&status.info);
    let own = info["sandboxID"].as_str();
    let own = own.or_else(|| annotation(&info, "io.kubernetes.cri.sandbox-id"));
    own.or_else(|| annotation(&info, "io.kubernetes.cri-o.SandboxID"))
        .map(str::to_owned)
}

/// Image as the user wrote it, id, repository, tag, digest.
struct Names {
    image: String,
    id: String,
    repository: String,
    tag: String,
    digest: String,
}

/// Pieces a name together from the two that the protocol has and the runtime's annotations.
fn names(status: &v1::ContainerStatus, info: &Value) -> Names {
    let spoken = status
        .image
        .as_ref()
        .map_or("", |image| image.image.as_str());
    let reference = status.image_ref.as_str();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (spoken_name, spoken_tag, _) = split_image(spoken.as_bytes());
    let (mut image, mut digest) = (String::new(), String::new());
    if let Some(at) = reference.find("sha256:") {
        reference[at..].clone_into(&mut digest);
        if at > 0 {
            let (name, ..) = split_image(reference.as_bytes());
            image = text(name);
            if !spoken.starts_with("sha256:") && !spoken_tag.is_empty() {
                image = format!("{image}:{}", text(spoken_tag));
            }
        }
    }
    if image.is_empty() && !spoken_name.is_empty() {
        spoken.clone_into(&mut image);
    }
    if image.is_empty() || image.starts_with("sha256:") {
        let from = |name: &str| {
            let of =
                annotation(info, name).or_else(|| status.annotations.get(name).map(String::as_str));
            of.filter(|image| !image.is_empty() && !image.starts_with("sha256:"))
        };
        if let Some(found) = IMAGE_NAMES.iter().find_map(|name| from(name)) {
            found.clone_into(&mut image);
        }
    }
    let configured = info["config"]["image"]["image"]
        .as_str()
        .unwrap_or_default();
    let id = configured.strip_prefix("sha256:").map_or_else(
        || {
            let id = if status.image_id.is_empty() {
                reference
            } else {
                &status.image_id
            };
            id.rsplit("sha256:").next().unwrap_or_default().to_owned()
        },
        str::to_owned,
    );
    let (repository, tag, own) = split_image(image.as_bytes());
    let (repository, tag, own) = (text(repository), text(tag), text(own));
    let digest = if digest.is_empty() { own } else { digest };
    Names {
        image,
        id,
        repository,
        tag,
        digest,
    }
}

fn privileged(info: &Value) -> bool {
    let places = [
        &info["runtimeSpec"]["linux"]["security_context"]["privileged"],
        &info["config"]["linux"]["security_context"]["privileged"],
        &info["privileged"],
    ];
    places
        .iter()
        .find_map(|place| place.as_bool())
        .unwrap_or(false)
}

fn mounts(status: &v1::ContainerStatus, budget: &mut Budget) -> Vec<Mount> {
    budget.mounts(status.mounts.iter().map(|mount| {
        Mount {
            source: mount.host_path.as_bytes().to_vec(),
            destination: mount.container_path.as_bytes().to_vec(),
            mode: Vec::new(),
            read_write: !mount.readonly,
            propagation: match mount.propagation {
                0 => &b"private"[..],
                1 => b"rslave",
                2 => b"rshared",
                _ => b"unknown",
            }
            .to_vec(),
        }
    }))
}

/// `config.envs` of containerd, else the process's environment.
fn variables(info: &Value, budget: &mut Budget) -> Vec<Vec<u8>> {
    let configured: Vec<String> = info["config"]["envs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| {
            Some(format!(
                "{}={}",
                one["key"].as_str()?,
                one["value"].as_str()?
            ))
        })
        .collect();
    if !configured.is_empty() {
        return budget.variables(configured.iter().map(String::as_str));
    }
    let env = info["runtimeSpec"]["process"]["env"]
        .as_array()
        .into_iter()
        .flatten();
    budget.variables(env.filter_map(Value::as_str))
}

fn network_result(info: &Value) -> Vec<u8> {
    let mut json = match annotation(info, CNI_RESULT) {
        Some(result) => result.to_owned(),
        None => match &info["cniResult"]["Interfaces"] {
            Value::Object(all) => {
                let own = all
                    .iter()
                    .filter(|(name, _)| *name != "lo" && !name.starts_with("veth"));
                let own: serde_json::Map<_, _> = own.map(|(k, v)| (k.clone(), v.clone())).collect();
                if own.is_empty() {
                    String::new()
                } else {
                    Value::Object(own).to_string()
                }
            }
            _ => String::new(),
        },
    };
    let mut end = json.len().min(CNI_MAX);
    while !json.is_char_boundary(end) {
        end -= 1;
    }
    json.truncate(end);
    json.into_bytes()
}

/// What a pod's sandbox adds to its containers.
fn add_sandbox(
    container: &mut Container,
    sandbox: &v1::PodSandboxStatusResponse,
    budget: &mut Budget,
) {
    let Some(status) = &sandbox.status else {
        return;
    };
    let info = info(&sandbox.info);
    container.pod_sandbox_id = status.id.as_bytes().to_vec();
    container.pod_sandbox_labels =
        budget.pairs(status.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    if let Some(network) = &status.network {
        container.ip = network.ip.as_bytes().to_vec();
    }
    container.cni_json = network_result(&info);
    let options = status
        .linux
        .as_ref()
        .and_then(|linux| linux.namespaces.as_ref());
    if let Some(options) = options.and_then(|namespaces| namespaces.options.as_ref()) {
        container.host_network = options.network == NODE;
        container.host_pid = options.pid == NODE;
        container.host_ipc = options.ipc == NODE;
    }
    let metadata = status.metadata.clone().unwrap_or_default();
    let pod = [
        (POD_NAME, &metadata.name),
        (POD_NAMESPACE, &metadata.namespace),
        (POD_UID, &metadata.uid),
        (SANDBOX_ID, &status.id),
    ];
    for (key, value) in pod {
        if !value.is_empty() {
            container
                .labels
                .insert(key.as_bytes().to_vec(), value.as_bytes().to_vec());
        }
    }
}

fn identified(id: &str, runtime: &str) -> Option<Container> {
    crate::docker::is_id(id).then(|| Container {
        id: id.as_bytes()[..12].to_vec(),
        full_id: id.as_bytes().to_vec(),
        kind: kind(runtime),
        size: -1,
        cpu_shares: 1024,
        cpu_period: 100_000,
        ..Container::default()
    })
}

/// The record of a container.
pub(super) fn container(
    answer: &v1::ContainerStatusResponse,
    sandbox: Option<&v1::PodSandboxStatusResponse>,
    runtime: &str,
    label_max_len: usize,
) -> Option<Container> {
    let status = answer.status.as_ref()?;
    let mut container = identified(&status.id, runtime)?;
    let info = info(&answer.info);
    let mut budget = Budget::new(label_max_len);
    let names = names(status, &info);
    let name = status
        .metadata
        .as_ref()
        .map_or("", |metadata| metadata.name.as_str());
    container.name = name.as_bytes().to_vec();
    container.image = names.image.into_bytes();
    container.image_id = names.id.into_bytes();
    container.image_repository = names.repository.into_bytes();
    container.image_tag = names.tag.into_bytes();
    container.image_digest = names.digest.into_bytes();
    let process = &info["runtimeSpec"]["process"];
    container.user = process["user"]["uid"]
        .as_u64()
        .unwrap_or_default()
        .to_string()
        .into_bytes();
    container.privileged = privileged(&info);
    container.labels = budget.pairs(status.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    container.env = variables(&info, &mut budget);
    container.mounts = mounts(status, &mut budget);
    container.created_time = status.created_at / 1_000_000_000;
    let resources = &info["runtimeSpec"]["linux"]["resources"];
    let (memory, cpu) = (&resources["memory"], &resources["cpu"]);
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    container.memory_limit = number(&memory["limit"]);
    container.swap_limit = number(&memory["swap"]);
    container.cpu_quota = number(&cpu["quota"]);
    for (own, found) in [
        (&mut container.cpu_shares, number(&cpu["shares"])),
        (&mut container.cpu_period, number(&cpu["period"])),
    ] {
        if found != 0 {
            *own = found;
        }
    }
    container.cpuset_cpu_count = cpu_count(cpu["cpus"].as_str().unwrap_or_default());
    if let Some(sandbox) = sandbox {
        add_sandbox(&mut container, sandbox, &mut budget);
        let applied = sandbox
            .status
            .as_ref()
            .and_then(|s| s.annotations.get(APPLIED));
        if let Some(applied) = applied {
            (container.liveness_probe, container.readiness_probe) = applied_probes(applied, name);
        }
    }
    Some(container)
}

/// The record of a pod's sandbox, which is a container too.
pub(super) fn sandbox(
    answer: &v1::PodSandboxStatusResponse,
    runtime: &str,
    label_max_len: usize,
) -> Option<Container> {
    let status = answer.status.as_ref()?;
    let mut container = identified(&status.id, runtime)?;
    let mut budget = Budget::new(label_max_len);
    let info = info(&answer.info);
    let metadata = status.metadata.clone().unwrap_or_default();
    container.name = metadata.name.into_bytes();
    container.is_pod_sandbox = true;
    container.created_time = status.created_at / 1_000_000_000;
    container.labels = budget.pairs(status.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let image = info["image"].as_str().unwrap_or_default();
    if !image.starts_with("sha256:") {
        let (repository, tag, digest) = split_image(image.as_bytes());
        container.image_repository = repository.to_vec();
        container.image_tag = tag.to_vec();
        container.image_digest = digest.to_vec();
    }
    container.image = image.as_bytes().to_vec();
    container.privileged = info["config"]["linux"]["security_context"]["privileged"]
        .as_bool()
        .unwrap_or(false);
    add_sandbox(&mut container, answer, &mut budget);
    Some(container)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const POD: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

    fn answers() -> (v1::ContainerStatusResponse, v1::PodSandboxStatusResponse) {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        let info = format!(
            r#"{{"sandboxID":"{POD}","config":{{"envs":[{{"key":"A","value":"1"}}],
            "linux":{{"security_context":{{"privileged":true}}}}}},
            "runtimeSpec":{{"process":{{"user":{{"uid":7}}}},"linux":{{"resources":{{
            "cpu":{{"shares":2,"cpus":"0-1"}},"memory":{{"limit":9}}}}}}}}}}"#
        );
        let status = v1::ContainerStatus {
            id: ID.into(),
            metadata: Some(v1::ContainerMetadata { name: "web".into() }),
            created_at: 5_000_000_000,
            image: Some(v1::ImageSpec {
                image: "docker.io/library/nginx:1.2".into(),
            }),
            image_ref: "docker.io/library/nginx@sha256:dd".into(),
            labels: map(&[("app", "x")]),
            mounts: vec![v1::Mount {
                container_path: "/d".into(),
                host_path: "/s".into(),
                readonly: true,
                propagation: 1,
            }],
            ..v1::ContainerStatus::default()
        };
        let sandbox = v1::PodSandboxStatus {
            id: POD.into(),
            metadata: Some(v1::PodSandboxMetadata {
                name: "web-1".into(),
                uid: "u-1".into(),
                namespace: "prod".into(),
                attempt: 0,
            }),
            network: Some(v1::PodSandboxNetworkStatus {
                ip: "10.0.0.9".into(),
            }),
            linux: Some(v1::LinuxPodSandboxStatus {
                namespaces: Some(v1::Namespaces {
                    options: Some(v1::NamespaceOption {
                        network: 0,
                        pid: NODE,
                        ipc: 0,
                    }),
                }),
            }),
            labels: map(&[("tier", "front")]),
            ..v1::PodSandboxStatus::default()
        };
        (
            v1::ContainerStatusResponse {
                status: Some(status),
                info: map(&[("info", &info)]),
            },
            v1::PodSandboxStatusResponse {
                status: Some(sandbox),
                info: map(&[(
                    "info",
                    r#"{"cniResult":{"Interfaces":{"lo":{},"eth0":{"a":1}}}}"#,
                )]),
            },
        )
    }

    #[test]
    fn a_container_in_a_pod() {
        let (status, pod) = answers();
        assert_eq!(sandbox_id(&status).as_deref(), Some(POD));
        let c = container(&status, Some(&pod), "containerd", 100).unwrap();
        assert_eq!((c.kind_name(), &c.name[..]), ("containerd", &b"web"[..]));
        assert_eq!(c.image, b"docker.io/library/nginx:1.2");
        assert_eq!(
            (&c.image_tag[..], &c.image_digest[..]),
            (&b"1.2"[..], &b"sha256:dd"[..])
        );
        assert_eq!((&c.user[..], &c.ip[..]), (&b"7"[..], &b"10.0.0.9"[..]));
        assert!(c.privileged && c.host_pid && !c.host_network);
        assert_eq!(c.labels[POD_NAME.as_bytes()], b"web-1");
        assert_eq!(c.labels[POD_NAMESPACE.as_bytes()], b"prod");
        assert_eq!(c.pod_sandbox_labels[&b"tier"[..]], b"front");
        assert_eq!(c.env, [b"A=1"]);
        assert_eq!(
            (&c.mounts[0].propagation[..], c.mounts[0].read_write),
            (&b"rslave"[..], false)
        );
        assert_eq!(
            (c.cpu_shares, c.cpuset_cpu_count, c.memory_limit),
            (2, 2, 9)
        );
        assert_eq!(c.cni_json, br#"{"eth0":{"a":1}}"#);
        assert_eq!(c.created_time, 5);
        let c = sandbox(&pod, "cri-o", 100).unwrap();
        assert!(c.is_pod_sandbox);
        assert_eq!(
            (c.kind_name(), &c.pod_sandbox_id[..]),
            ("cri-o", POD.as_bytes())
        );
    }

    #[test]
    fn as_cri_o_says_it() {
        let (mut status, mut pod) = answers();
        let info = serde_json::json!({"pid": 9, "privileged": true, "runtimeSpec": {
            "annotations": {"io.kubernetes.cri-o.SandboxID": POD,
                "io.kubernetes.cri-o.ImageName": "quay.io/app:7"},
            "process": {"user": {"uid": 1001}, "env": ["A=1", "B=2"]}}});
        status.info.insert("info".into(), info.to_string());
        let inner = status.status.as_mut().unwrap();
        inner.image = Some(v1::ImageSpec {
            image: "sha256:ee".into(),
        });
        inner.image_ref = "sha256:ee".into();
        let result = r#"{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.9/24"}]}"#;
        let info = serde_json::json!({"runtimeSpec": {"annotations": {CNI_RESULT: result}}});
        pod.info.insert("info".into(), info.to_string());
        assert_eq!(sandbox_id(&status).as_deref(), Some(POD));
        let c = container(&status, Some(&pod), "cri-o", 100).unwrap();
        assert_eq!((c.kind_name(), &c.user[..]), ("cri-o", &b"1001"[..]));
        assert_eq!(
            (&c.image_repository[..], &c.image_tag[..]),
            (&b"quay.io/app"[..], &b"7"[..])
        );
        assert_eq!((&c.cni_json[..], c.privileged), (result.as_bytes(), true));
        assert_eq!(c.env, [b"A=1", b"B=2"]);
        assert_eq!(c.pod_sandbox_id, POD.as_bytes());
    }

    #[test]
    fn images_by_digest() {
        let (mut status, _) = answers();
        let inner = status.status.as_mut().unwrap();
        inner.image = Some(v1::ImageSpec {
            image: "sha256:ee".into(),
        });
        inner.image_ref = "sha256:ee".into();
        inner
            .annotations
            .insert(IMAGE_NAMES[0].into(), "r.io/app:5".into());
        let c = container(&status, None, "x", 100).unwrap();
        assert_eq!((&c.image[..], c.kind), (&b"r.io/app:5"[..], 6));
        assert_eq!(
            (&c.image_repository[..], &c.image_tag[..]),
            (&b"r.io/app"[..], &b"5"[..])
        );
    }

    #[test]
    fn odd_answers() {
        let empty = v1::ContainerStatusResponse::default();
        assert!(container(&empty, None, "x", 100).is_none());
        let mut odd = answers().0;
        odd.info.insert("info".into(), "[[[".into());
        assert!(container(&odd, None, "x", 100).is_some());
        odd.status.as_mut().unwrap().id = "short".into();
        assert!(container(&odd, None, "x", 100).is_none());
    }
}
