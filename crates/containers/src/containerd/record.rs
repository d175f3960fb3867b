//! What containerd says of a container, as the record of it: its labels and its runtime
//! specification.

use serde_json::Value;
use state::{Container, Mount, split_image};

use super::messages as v1;
use crate::bounds::Budget;
use crate::inspect::cpu_count;

const CONTAINERD: u32 = 7;
const SHORT: usize = 12;
const KIND: &str = "io.cri-containerd.kind";
/// Labels of a pod's containers, and the annotations that say the same.
const POD: [(&str, &str); 3] = [
    ("io.kubernetes.pod.name", "io.kubernetes.cri.sandbox-name"),
    (
        "io.kubernetes.pod.namespace",
        "io.kubernetes.cri.sandbox-namespace",
    ),
    ("io.kubernetes.pod.uid", "io.kubernetes.cri.sandbox-uid"),
];
const SANDBOX_ID: &str = "io.kubernetes.cri.sandbox-id";

/// What is known of a container by its id alone.
pub(super) fn reduced(id: &str, image: &[u8]) -> Container {
    let short = &id.as_bytes()[..id.len().min(SHORT)];
    let (repository, tag, digest) = split_image(image);
    Container {
        id: short.to_vec(),
        full_id: id.as_bytes().to_vec(),
        name: short.to_vec(),
        kind: CONTAINERD,
        image_repository: repository.to_vec(),
        image_tag: tag.to_vec(),
        image_digest: digest.to_vec(),
        image: image.to_vec(),
        size: -1,
        ..Container::default()
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Nothing is hidden, nothing is confined, and `/sys` can be written.
fn privileged(spec: &Value) -> bool {
    let linux = &spec["linux"];
    let profile = spec["process"]["apparmorProfile"]
        .as_str()
        .unwrap_or_default();
    let open = is_empty(&linux["maskedPaths"])
        && is_empty(&linux["readonlyPaths"])
        && is_empty(&linux["seccomp"])
        && is_empty(&spec["process"]["selinuxLabel"])
        && matches!(profile, "" | "unconfined");
    open && !spec["linux"].is_null()
        && !mounts_of(spec).any(|mount| {
            let kind = mount["type"].as_str().unwrap_or_default();
            matches!(kind, "sysfs" | "cgroup") && options(mount).any(|option| option == "ro")
        })
}

fn mounts_of(spec: &Value) -> impl Iterator<Item = &Value> {
    spec["mounts"].as_array().into_iter().flatten()
}

fn options(mount: &Value) -> impl Iterator<Item = &str> {
    let all = mount["options"].as_array().into_iter().flatten();
    all.filter_map(Value::as_str)
}

/// Whether the container lives in the host's namespace of that kind.
fn shares(spec: &Value, kind: &str) -> bool {
    let Some(all) = spec["linux"]["namespaces"].as_array() else {
        return false;
    };
    !all.iter()
        .any(|namespace| namespace["type"].as_str() == Some(kind))
}

/// The record of a container.
pub(super) fn container(
    found: &v1::ContainerdContainer,
    image: &v1::Image,
    label_max_len: usize,
) -> Option<Container> {
    if found.id.is_empty() {
        return None;
    }
    let bytes = found.spec.as_ref().map_or(&[][..], |spec| &spec.value);
    let spec: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let mut budget = Budget::new(label_max_len);
    let mut container = reduced(&found.id, found.image.as_bytes());
    let target = image.target.clone().unwrap_or_default();
    if !target.digest.is_empty() {
        container.image_digest = target.digest.into_bytes();
    }
    container.size = if target.size > 0 { target.size } else { -1 };
    container.labels = budget.pairs(found.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let annotation = |name: &str| spec["annotations"][name].as_str().unwrap_or_default();
    let sandbox = match found.sandbox.as_str() {
        "" => annotation(SANDBOX_ID),
        sandbox => sandbox,
    };
    container.pod_sandbox_id = sandbox.as_bytes().to_vec();
    container.is_pod_sandbox = found.labels.get(KIND).is_some_and(|kind| kind == "sandbox");
    // What the user of nerdctl or Kubernetes calls it.
    let label = |key: &str| found.labels.get(key).map_or("", String::as_str);
    let names = [
        label("nerdctl/name"),
        label("io.kubernetes.container.name"),
        annotation("io.kubernetes.cri.container-name"),
    ];
    if let Some(name) = names.iter().find(|name| !name.is_empty()) {
        container.name = name.as_bytes().to_vec();
    }
    for (key, name) in POD {
        let value = annotation(name).as_bytes();
        if !value.is_empty() {
            container
                .labels
                .entry(key.as_bytes().to_vec())
                .or_insert_with(|| value.to_vec());
        }
    }
    let named = annotation("io.kubernetes.cri.image-name");
    if (found.image.is_empty() || found.image.starts_with("sha256:")) && !named.is_empty() {
        let (repository, tag, _) = split_image(named.as_bytes());
        container.image_repository = repository.to_vec();
        container.image_tag = tag.to_vec();
        container.image = named.as_bytes().to_vec();
    }
    let process = &spec["process"];
    let env = process["env"].as_array().into_iter().flatten();
    container.env = budget.variables(env.filter_map(Value::as_str));
    let uid = process["user"]["uid"].as_u64().unwrap_or_default();
    container.user = uid.to_string().into_bytes();
    container.privileged = privileged(&spec);
    container.host_pid = shares(&spec, "pid");
    container.host_network = shares(&spec, "network");
    container.host_ipc = shares(&spec, "ipc");
    let propagation = spec["linux"]["rootfsPropagation"]
        .as_str()
        .unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
    container.mounts = budget.mounts(mounts_of(&spec).map(|mount| {
        Mount {
            source: text(&mount["source"]),
            destination: text(&mount["destination"]),
            mode: options(mount)
                .find_map(|option| option.strip_prefix("mode="))
                .unwrap_or_default()
                .as_bytes()
                .to_vec(),
            read_write: !options(mount).any(|option| option == "ro"),
            propagation: propagation.as_bytes().to_vec(),
        }
    }));
    let resources = &spec["linux"]["resources"];
    let number = |value: &Value, default: i64| match value.as_i64() {
        None | Some(0) => default,
        Some(number) => number,
    };
    container.memory_limit = number(&resources["memory"]["limit"], 0);
    container.swap_limit = number(&resources["memory"]["swap"], 0);
    container.cpu_shares = number(&resources["cpu"]["shares"], 1024);
    container.cpu_quota = number(&resources["cpu"]["quota"], 0);
    container.cpu_period = number(&resources["cpu"]["period"], 100_000);
    container.cpuset_cpu_count = cpu_count(resources["cpu"]["cpus"].as_str().unwrap_or_default());
    container.created_time = found.created_at.as_ref().map_or(0, |time| time.seconds);
    Some(container)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(spec: &Value) -> v1::ContainerdContainer {
        v1::ContainerdContainer {
            id: "my-container-1".into(),
            image: "docker.io/library/bb:1".into(),
            labels: [("a".to_owned(), "b".to_owned())].into(),
            spec: Some(v1::Any {
                value: spec.to_string().into_bytes(),
            }),
            created_at: Some(v1::Timestamp { seconds: 9 }),
            ..v1::ContainerdContainer::default()
        }
    }

    #[test]
    fn a_container() {
        let spec = json!({
            "process": {"env": ["A=1"], "user": {"uid": 3}, "apparmorProfile": "x"},
            "mounts": [{"source": "/s", "destination": "/d", "options": ["ro", "mode=755"]}],
            "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}],
                "rootfsPropagation": "rslave", "resources": {"cpu": {"shares": 5}}}});
        let image = v1::Image {
            target: Some(v1::Descriptor {
                digest: "sha256:d".into(),
                size: 77,
            }),
        };
        let c = container(&found(&spec), &image, 100).unwrap();
        assert_eq!(
            (&c.id[..], &c.name[..]),
            (&b"my-container"[..], &b"my-container"[..])
        );
        assert_eq!((c.kind_name(), &c.image_tag[..]), ("containerd", &b"1"[..]));
        assert_eq!((&c.image_digest[..], c.size), (&b"sha256:d"[..], 77));
        assert_eq!(
            (&c.user[..], c.created_time, c.cpu_shares),
            (&b"3"[..], 9, 5)
        );
        assert!(c.host_network && !c.host_pid && !c.host_ipc && !c.privileged);
        let mount = &c.mounts[0];
        assert_eq!((&mount.mode[..], mount.read_write), (&b"755"[..], false));
        assert_eq!(mount.propagation, b"rslave");
    }

    #[test]
    fn privilege_is_the_absence_of_fences() {
        assert!(privileged(&json!({"linux": {}})));
        for fenced in [
            json!({}),
            json!({"linux": {"maskedPaths": ["/proc/kcore"]}}),
            json!({"linux": {"seccomp": {"a": 1}}}),
            json!({"linux": {}, "process": {"apparmorProfile": "cri"}}),
            json!({"linux": {}, "mounts": [{"type": "sysfs", "options": ["ro"]}]}),
        ] {
            assert!(!privileged(&fenced), "{fenced}");
        }
    }

    #[test]
    fn a_specification_that_is_none() {
        let mut odd = found(&json!(null));
        odd.spec = Some(v1::Any {
            value: b"{{{".to_vec(),
        });
        assert!(container(&odd, &v1::Image::default(), 100).is_some());
        odd.id.clear();
        assert!(container(&odd, &v1::Image::default(), 100).is_none());
    }
}
