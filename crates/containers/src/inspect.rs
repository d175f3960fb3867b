//! What Docker or Podman say of a container, as the record of it.

use serde_json::{Map, Value};
use state::{Container, Mount, Pending, PortMapping, Probe, split_image};

use crate::bounds::Budget;

/// Names of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageInfo {
    pub(crate) id: String,
    pub(crate) tags: Vec<String>,
    pub(crate) digests: Vec<String>,
}

/// Most names of an image that are looked at.
const NAMES_MAX: usize = 256;

fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(Value::as_str)
        .take(NAMES_MAX)
        .map(str::to_owned)
        .collect()
}

impl ImageInfo {
    pub(crate) fn of(answer: &Value) -> Self {
        Self {
            id: answer["Id"].as_str().unwrap_or_default().to_owned(),
            tags: texts(&answer["RepoTags"]),
            digests: texts(&answer["RepoDigests"]),
        }
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().unwrap_or_default().as_bytes().to_vec()
}

/// Address of a container.
pub(crate) fn address(answer: &Value) -> Vec<u8> {
    let settings = &answer["NetworkSettings"];
    let own = bytes(&settings["IPAddress"]);
    if !own.is_empty() {
        return own;
    }
    let networks = settings["Networks"].as_object().into_iter().flatten();
    let mut addresses = networks.map(|(_, network)| bytes(&network["IPAddress"]));
    addresses
        .find(|address| !address.is_empty())
        .unwrap_or_default()
}

/// Whether a container that does not run will have an address of its own when it does.
fn pending(answer: &Value) -> Pending {
    const BEFORE: [&str; 5] = ["created", "configured", "initialized", "exited", "stopped"];
    let is_before = BEFORE.contains(&answer["State"]["Status"].as_str().unwrap_or_default());
    let mode = answer["HostConfig"]["NetworkMode"]
        .as_str()
        .unwrap_or_default();
    let is_own = !matches!(mode, "none" | "host") && !mode.starts_with("container:");
    match is_before && is_own && address(answer).is_empty() {
        true => Pending::Address,
        false => Pending::Nothing,
    }
}

/// The container whose network this one shares.
pub(crate) fn shared_network(answer: &Value) -> Option<&str> {
    answer["HostConfig"]["NetworkMode"]
        .as_str()?
        .strip_prefix("container:")
}

/// Number of CPUs in a list such as `1-4,7`; 0 where it is no list.
pub(crate) fn cpu_count(list: &str) -> i64 {
    let mut count = 0i64;
    for part in list
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) else {
            return 0;
        };
        if last < first {
            return 0;
        }
        count += i64::from(last - first) + 1;
    }
    count
}

/// Seconds since the epoch of a time like `2025-11-06T11:46:17.5Z`; 0 where it is none.
pub(crate) fn seconds(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>()
        .map_or(0, jiff::Timestamp::as_second)
}

fn number(object: &Value, key: &str) -> i64 {
    object[key].as_i64().unwrap_or_default()
}

fn or(value: i64, default: i64) -> i64 {
    if value == 0 { default } else { value }
}

/// A health check's `Test`.
fn healthcheck(config: &Value) -> Option<Probe> {
    let test = texts(&config["Healthcheck"]["Test"]);
    let (kind, command) = test.split_first()?;
    match (kind.as_str(), command) {
        ("CMD", [exe, args @ ..]) => Some(probe(exe, args)),
        ("CMD-SHELL", [command, ..]) => Some(probe("/bin/sh", &["-c".to_owned(), command.clone()])),
        _ => None,
    }
}

fn probe(exe: &str, args: &[String]) -> Probe {
    Probe {
        exe: exe.as_bytes().to_vec(),
        args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
    }
}

/// Liveness and readiness probes of one container in a pod's configuration as `kubectl apply`
/// leaves it in an annotation.
pub(crate) fn applied_probes(applied: &str, name: &str) -> (Option<Probe>, Option<Probe>) {
    let Ok(applied) = serde_json::from_str::<Value>(applied) else {
        return (None, None);
    };
    let containers = applied["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten();
    let Some(own) = containers
        .into_iter()
        .find(|c| c["name"].as_str() == Some(name))
    else {
        return (None, None);
    };
    let of = |key: &str| {
        let command = texts(&own[key]["exec"]["command"]);
        command.split_first().map(|(exe, args)| probe(exe, args))
    };
    (of("livenessProbe"), of("readinessProbe"))
}

/// Annotation in which `kubectl apply` keeps what it applied.
pub(crate) const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn mounts(answer: &Value, budget: &mut Budget) -> Vec<Mount> {
    let all = answer["Mounts"].as_array().into_iter().flatten();
    let mounts = all.map(|mount| Mount {
        source: bytes(&mount["Source"]),
        destination: bytes(&mount["Destination"]),
        mode: bytes(&mount["Mode"]),
        read_write: mount["RW"].as_bool().unwrap_or_default(),
        propagation: bytes(&mount["Propagation"]),
    });
    budget.mounts(mounts)
}

/// `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}`
fn ports(answer: &Value) -> Vec<PortMapping> {
    const PORTS_MAX: usize = 1024;
    let all = answer["NetworkSettings"]["Ports"]
        .as_object()
        .into_iter()
        .flatten();
    let mut found = Vec::new();
    for (inside, outside) in all {
        let Some(port) = inside
            .strip_suffix("/tcp")
            .and_then(|p| p.parse::<u16>().ok())
        else {
            continue;
        };
        for one in outside.as_array().into_iter().flatten() {
            let host = one["HostIp"].as_str().unwrap_or_default();
            let host = if host.is_empty() { "0.0.0.0" } else { host };
            let (Ok(ip), Some(host_port)) = (
                host.parse::<std::net::Ipv4Addr>(),
                one["HostPort"].as_str().and_then(|p| p.parse().ok()),
            ) else {
                continue;
            };
            if found.len() < PORTS_MAX {
                found.push(PortMapping {
                    host_ip: u32::from(ip),
                    host_port,
                    container_port: i64::from(port),
                });
            }
        }
    }
    found
}

/// Repository, tag and digest, from the name in the configuration and the image's own names.
fn image_names(name: &str, info: &ImageInfo) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let id = info.id.strip_prefix("sha256:").unwrap_or(&info.id);
    let bare = name.strip_prefix("sha256:").unwrap_or(name);
    let by_id = name.starts_with("sha256:") || (bare.len() >= 12 && id.starts_with(bare));
    let named = if by_id {
        info.tags
            .first()
            .or(info.digests.first())
            .map_or("", String::as_str)
    } else {
        name
    };
    let (repository, tag, digest) = split_image(named.as_bytes());
    let (repository, mut tag, mut digest) = (repository.to_vec(), tag.to_vec(), digest.to_vec());
    if tag.is_empty() && digest.is_empty() {
        let own: Vec<_> = info
            .tags
            .iter()
            .map(|t| split_image(t.as_bytes()))
            .collect();
        let mut own = own
            .iter()
            .filter(|(r, ..)| *r == repository)
            .map(|(_, tag, _)| *tag);
        let found = own
            .clone()
            .find(|tag| *tag == b"latest")
            .or_else(|| own.next());
        tag = found.unwrap_or_default().to_vec();
    }
    if digest.is_empty() {
        let digests: Vec<_> = info
            .digests
            .iter()
            .map(|d| split_image(d.as_bytes()))
            .collect();
        let same = digests.iter().find(|(r, ..)| *r == repository);
        let only = digests.first().filter(|_| digests.len() == 1);
        digest = same.or(only).map(|(.., d)| d.to_vec()).unwrap_or_default();
    }
    (repository, tag, digest)
}

/// The record of an inspected container; `None` where the answer names none.
pub(crate) fn container(
    answer: &Value,
    info: &ImageInfo,
    podman: bool,
    label_max_len: usize,
) -> Option<Container> {
    let full_id = answer["Id"]
        .as_str()
        .filter(|id| crate::docker::is_id(id))?;
    let name = answer["Name"].as_str().unwrap_or_default();
    let name = name.strip_prefix('/').unwrap_or(name);
    let (config, host) = (&answer["Config"], &answer["HostConfig"]);
    let mut budget = Budget::new(label_max_len);
    let image_id = answer["Image"].as_str().unwrap_or_default();
    let image_id = image_id.strip_prefix("sha256:").unwrap_or(image_id);
    let (image, image_repository, image_tag, image_digest);
    if podman {
        image = bytes(&answer["ImageName"]);
        let (repository, tag, digest) = split_image(&image);
        image_repository = repository.to_vec();
        image_tag = tag.to_vec();
        let own = bytes(&answer["ImageDigest"]);
        image_digest = if own.is_empty() { digest.to_vec() } else { own };
    } else {
        image = bytes(&config["Image"]);
        let text = config["Image"].as_str().unwrap_or_default();
        (image_repository, image_tag, image_digest) = image_names(text, info);
    }
    let empty = Map::new();
    let labels = config["Labels"].as_object().unwrap_or(&empty);
    let applied = labels
        .get(&format!("annotation.{APPLIED}"))
        .and_then(Value::as_str);
    let inner_name = labels
        .get("io.kubernetes.container.name")
        .and_then(Value::as_str);
    let (liveness_probe, readiness_probe) = match (applied, inner_name) {
        (Some(applied), Some(name)) => applied_probes(applied, name),
        _ => (None, None),
    };
    let nano = number(host, "NanoCpus") / 10_000;
    let is = |key: &str| host[key].as_str() == Some("host");
    Some(Container {
        id: full_id.as_bytes()[..12].to_vec(),
        full_id: full_id.as_bytes().to_vec(),
        name: name.as_bytes().to_vec(),
        kind: if podman { 11 } else { 0 },
        image,
        image_id: image_id.as_bytes().to_vec(),
        image_repository,
        image_tag,
        image_digest,
        user: bytes(&config["User"]),
        ip: address(answer),
        privileged: host["Privileged"].as_bool().unwrap_or_default(),
        host_pid: is("PidMode"),
        host_network: is("NetworkMode"),
        host_ipc: is("IpcMode"),
        is_pod_sandbox: name.contains("k8s_POD"),
        labels: budget.labels(labels),
        env: budget.variables(texts_of(&config["Env"])),
        mounts: mounts(answer, &mut budget),
        port_mappings: ports(answer),
        created_time: seconds(answer["Created"].as_str().unwrap_or_default()),
        memory_limit: number(host, "Memory"),
        swap_limit: number(host, "MemorySwap"),
        cpu_shares: or(number(host, "CpuShares"), 1024),
        cpu_quota: number(host, "CpuQuota").max(nano),
        cpu_period: or(number(host, "CpuPeriod"), 100_000),
        cpuset_cpu_count: cpu_count(host["CpusetCpus"].as_str().unwrap_or_default()),
        size: answer["SizeRw"].as_i64().unwrap_or(-1),
        healthcheck: healthcheck(config),
        liveness_probe,
        readiness_probe,
        pending: pending(answer),
        ..Container::default()
    })
}

fn texts_of(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_container_of_docker_s() {
        let answer = json!({
            "Id": ID, "Name": "/web", "Created": "2025-11-06T11:46:17.123456789Z",
            "Image": "sha256:aa", "SizeRw": 12,
            "Config": {"Image": "nginx", "User": "www", "Env": ["A=1"],
                "Labels": {"a": "b", "long": "x".repeat(200), "odd": 1},
                "Healthcheck": {"Test": ["CMD-SHELL", "curl -f x"]}},
            "HostConfig": {"Privileged": true, "PidMode": "host", "NetworkMode": "bridge",
                "IpcMode": "private", "NanoCpus": 1_500_000_000, "CpusetCpus": "1-4,7",
                "Memory": 5},
            "NetworkSettings": {"IPAddress": "172.17.0.2", "Ports": {
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "::"}],
                "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "53"}]}},
            "Mounts": [{"Source": "/s", "Destination": "/d", "Mode": "rw", "RW": true,
                "Propagation": "rprivate"}]});
        let info = ImageInfo {
            id: "sha256:aa".into(),
            tags: vec!["x:1".into(), "nginx:2".into(), "nginx:latest".into()],
            digests: vec!["nginx@sha256:dd".into()],
        };
        let c = container(&answer, &info, false, 100).unwrap();
        assert_eq!((c.kind_name(), &c.name[..]), ("docker", &b"web"[..]));
        assert_eq!(c.id, &ID.as_bytes()[..12]);
        let names = (
            &c.image_repository[..],
            &c.image_tag[..],
            &c.image_digest[..],
        );
        assert_eq!(names, (&b"nginx"[..], &b"latest"[..], &b"sha256:dd"[..]));
        assert!(c.privileged && c.host_pid && !c.host_network);
        assert_eq!(c.labels.len(), 1);
        assert_eq!(
            (c.cpu_quota, c.cpuset_cpu_count, c.cpu_shares),
            (150_000, 5, 1024)
        );
        assert_eq!(c.port_mappings.len(), 1);
        assert_eq!(c.port_mappings[0].host_ip, 0x7f00_0001);
        assert_eq!(c.created_time, 1_762_429_577);
        assert_eq!(c.healthcheck.unwrap().args[1], b"curl -f x");
        assert_eq!(c.size, 12);
    }

    #[test]
    fn a_container_of_podman_s() {
        let answer = json!({"Id": ID, "Name": "web", "ImageName": "localhost/bb:1",
            "Image": "ff", "ImageDigest": "sha256:ee",
            "NetworkSettings": {"IPAddress": "", "Networks": {"podman": {"IPAddress": "10.88.0.2"}}}});
        let c = container(&answer, &ImageInfo::default(), true, 100).unwrap();
        assert_eq!((c.kind_name(), &c.ip[..]), ("podman", &b"10.88.0.2"[..]));
        assert_eq!(
            (&c.image_repository[..], &c.image_tag[..]),
            (&b"localhost/bb"[..], &b"1"[..])
        );
        assert_eq!(
            (&c.image_digest[..], &c.image_id[..]),
            (&b"sha256:ee"[..], &b"ff"[..])
        );
    }

    #[test]
    fn an_address_comes_when_it_starts() {
        let of = |status: &str, mode: &str, ip: &str| {
            let answer = json!({"Id": ID, "State": {"Status": status},
                "HostConfig": {"NetworkMode": mode}, "NetworkSettings": {"IPAddress": ip}});
            container(&answer, &ImageInfo::default(), false, 100)
                .unwrap()
                .pending
        };
        assert_eq!(of("created", "default", ""), Pending::Address);
        assert_eq!(of("initialized", "bridge", ""), Pending::Address);
        assert_eq!(of("exited", "default", ""), Pending::Address);
        for (status, mode, ip) in [
            ("created", "none", ""),
            ("created", "host", ""),
            ("created", "container:x", ""),
            ("created", "default", "10.0.0.2"),
            ("running", "default", ""),
        ] {
            assert_eq!(of(status, mode, ip), Pending::Nothing, "{status} {mode}");
        }
    }

    #[test]
    fn images_by_id() {
        let info = ImageInfo {
            id: format!("sha256:{ID}"),
            tags: vec!["app:3".into()],
            digests: vec![],
        };
        for name in [&ID[..12], &format!("sha256:{ID}")] {
            assert_eq!(
                image_names(name, &info),
                (b"app".to_vec(), b"3".to_vec(), vec![])
            );
        }
        let none = ImageInfo::default();
        assert_eq!(
            image_names("a:1", &none),
            (b"a".to_vec(), b"1".to_vec(), vec![])
        );
    }

    #[test]
    fn odd_values() {
        for (list, count) in [
            ("", 0),
            ("3", 1),
            ("0-1", 2),
            ("4-1", 0),
            ("x", 0),
            ("1,,2", 2),
        ] {
            assert_eq!(cpu_count(list), count, "{list}");
        }
        for odd in [
            json!(null),
            json!([]),
            json!({"Id": 1}),
            json!({"Id": "../x"}),
        ] {
            assert!(container(&odd, &ImageInfo::default(), false, 100).is_none());
        }
        let bare = container(&json!({"Id": ID}), &ImageInfo::default(), false, 100).unwrap();
        assert_eq!((bare.size, bare.cpu_period), (-1, 100_000));
    }

    #[test]
    fn probes_that_kubectl_applied() {
        let applied = r#"{"spec":{"containers":[{"name":"a","livenessProbe":{"exec":{
            "command":["cat","/x"]}}},{"name":"b"}]}}"#;
        let (live, ready) = applied_probes(applied, "a");
        assert_eq!((live.unwrap().exe, ready), (b"cat".to_vec(), None));
        assert_eq!(applied_probes(applied, "b"), (None, None));
        assert_eq!(applied_probes("{", "a"), (None, None));
    }
}
