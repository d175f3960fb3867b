//! A container as the JSON of a container event.
//!
//! The keys and their order are those that readers of such captures know; see [`super::metadata`]
//! for the way back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::metadata::{Container, Mount, PortMapping, Probe};

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

fn map(labels: &BTreeMap<Vec<u8>, Vec<u8>>) -> Value {
    let entry = |(key, value): (&Vec<u8>, &Vec<u8>)| {
        (String::from_utf8_lossy(key).into_owned(), text(value))
    };
    Value::Object(labels.iter().map(entry).collect())
}

fn mount(mount: &Mount) -> Value {
    json!({
        "Source": text(&mount.source),
        "Destination": text(&mount.destination),
        "Mode": text(&mount.mode),
        "RW": mount.read_write,
        "Propagation": text(&mount.propagation),
    })
}

fn port(port: &PortMapping) -> Value {
    json!({
        "HostIp": port.host_ip,
        "HostPort": port.host_port,
        "ContainerPort": port.container_port,
    })
}

fn probe(probe: &Probe) -> Value {
    let args: Vec<Value> = probe.args.iter().map(|arg| text(arg)).collect();
    json!({"exe": text(&probe.exe), "args": args})
}

impl Container {
    fn members(&self) -> Vec<(&'static str, Value)> {
        let mut members = vec![
            ("type", json!(self.kind)),
            ("id", text(&self.id)),
            ("name", text(&self.name)),
            ("image", text(&self.image)),
            ("imagedigest", text(&self.image_digest)),
            ("imageid", text(&self.image_id)),
            ("imagerepo", text(&self.image_repository)),
            ("imagetag", text(&self.image_tag)),
            ("User", text(&self.user)),
            ("cni_json", text(&self.cni_json)),
            ("cpu_period", json!(self.cpu_period)),
            ("cpu_quota", json!(self.cpu_quota)),
            ("cpu_shares", json!(self.cpu_shares)),
            ("cpuset_cpu_count", json!(self.cpuset_cpu_count)),
            ("created_time", json!(self.created_time)),
            (
                "env",
                Value::Array(self.env.iter().map(|v| text(v)).collect()),
            ),
            ("full_id", text(&self.full_id)),
            ("host_ipc", json!(self.host_ipc)),
            ("host_network", json!(self.host_network)),
            ("host_pid", json!(self.host_pid)),
            ("ip", text(&self.ip)),
            ("size", json!(self.size)),
            ("is_pod_sandbox", json!(self.is_pod_sandbox)),
            ("labels", map(&self.labels)),
            ("memory_limit", json!(self.memory_limit)),
            ("swap_limit", json!(self.swap_limit)),
            ("pod_sandbox_id", text(&self.pod_sandbox_id)),
            ("privileged", json!(self.privileged)),
            ("pod_sandbox_labels", map(&self.pod_sandbox_labels)),
            (
                "port_mappings",
                Value::Array(self.port_mappings.iter().map(port).collect()),
            ),
            (
                "Mounts",
                Value::Array(self.mounts.iter().map(mount).collect()),
            ),
        ];
        let probes = [
            ("Healthcheck", &self.healthcheck),
            ("LivenessProbe", &self.liveness_probe),
            ("ReadinessProbe", &self.readiness_probe),
        ];
        for (key, found) in probes {
            members.extend(found.as_ref().map(|found| (key, probe(found))));
        }
        members.extend(
            self.kubernetes
                .as_ref()
                .map(|k8s| ("kubernetes", k8s.json())),
        );
        members.extend(self.mesos.as_ref().map(|mesos| ("mesos", mesos.json())));
        members.extend(self.pending.word().map(|word| ("pending", json!(word))));
        members
    }

    /// `{"container": {...}}`, without a final NUL. Bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"container\":{");
        for (i, (key, value)) in self.members().into_iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            out.push('"');
            out.push_str(key);
            out.push_str("\":");
            out.push_str(&value.to_string());
        }
        out.push_str("}}");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Pending, parse};
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let labels = BTreeMap::from([(b"a\"b\n".to_vec(), b"\x01<".to_vec())]);
        let container = Container {
            id: b"0123456789ab".to_vec(),
            full_id: b"0123456789abcdef".to_vec(),
            name: b"web \"x\" \n".to_vec(),
            kind: 11,
            image: b"nginx:1".to_vec(),
            privileged: true,
            size: -1,
            pending: Pending::Address,
            labels: labels.clone(),
            pod_sandbox_labels: labels,
            env: vec![b"A=1".to_vec()],
            mounts: vec![Mount {
                source: b"/s".to_vec(),
                read_write: true,
                ..Mount::default()
            }],
            port_mappings: vec![PortMapping {
                host_ip: 0x7f00_0001,
                host_port: 80,
                container_port: 8080,
            }],
            healthcheck: Some(Probe {
                exe: b"curl".to_vec(),
                args: vec![b"-f".to_vec()],
            }),
            ..Container::default()
        };
        assert_eq!(parse(container.to_json().as_bytes()), Some(container));
    }
}
