//! Every field of the classes `container` and `k8s` has a value where a runtime, or the test's API
//! server, has one to give. [`DOCKER`], [`POD`] and [`SURROUNDINGS`] are the table of which test
//! gives which.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::life::{IMAGE, containerd_with_image};
use crate::pods::Pod;
use crate::servers;
use crate::watching::{Alert, Asked, Watch, configuration};
use crate::{docker_here, stage};

/// A field and its value; `*` any but an empty one, `A*` any that begins so.
type Table = &'static [(&'static str, &'static str)];

/// A container of Docker's with everything.
const DOCKER: Table = &[
    ("container.id", "*"),
    ("container.full_id", "*"),
    ("container.name", "all"),
    ("container.type", "docker"),
    ("container.image", "bb:test"),
    ("container.image.id", "*"),
    ("container.image.repository", "bb"),
    ("container.image.tag", "test"),
    ("container.privileged", "false"),
    ("container.host_pid", "true"),
    ("container.host_network", "false"),
    ("container.host_ipc", "true"),
    ("container.ip", "10.213.8.*"),
    ("container.mounts", "/var/tmp:/data:ro:false:*"),
    ("container.mount[0]", "/var/tmp:/data:ro:false:*"),
    ("container.mount[/var/t]", "/var/tmp:/data:ro:false:*"),
    ("container.mount.source[/data]", "/var/tmp"),
    ("container.mount.dest[/var/tmp]", "/data"),
    ("container.mount.mode[/var/tmp]", "ro"),
    ("container.mount.rdwr[/var/tmp]", "false"),
    ("container.mount.propagation[/var/tmp]", "rprivate"),
    ("container.label[colour]", "blue"),
    ("container.labels", "colour:blue"),
    ("container.start_ts", "*"),
    ("container.duration", "*"),
    ("container.metadata", "complete"),
    ("container.healthcheck", "/bin/sh -c cat /etc/passwd"),
    ("user.name", "root"),
    ("mesos.task.name", "web.prod"),
    ("mesos.task.id", "prod_web.1"),
    ("mesos.task.labels", "a:b"),
    ("mesos.task.label.a", "b"),
    ("mesos.framework.name", "marathon"),
    ("mesos.framework.id", "f-1"),
    ("marathon.app.name", "web"),
    ("marathon.app.id", "/prod/web"),
    ("marathon.app.labels", "TIER:front"),
    ("marathon.app.label.TIER", "front"),
    ("marathon.group.name", "prod"),
    ("marathon.group.id", "/prod"),
];

/// A container in a pod, by what its runtime says.
const POD: Table = &[
    ("container.type", "containerd"),
    ("container.name", "web"),
    ("container.image.digest", "sha256:*"),
    ("container.privileged", "false"),
    ("container.ip", "10.213.7.*"),
    ("container.cni.json", "{*"),
    ("container.mounts", "/var/tmp:/data::false:*"),
    ("container.liveness_probe", "cat /etc/passwd"),
    ("container.readiness_probe", "cat /etc/group"),
    ("container.label[app]", "web"),
    ("container.duration", "*"),
    ("k8s.ns.name", "shop"),
    ("k8s.pod.name", "web-1"),
    ("k8s.pod.uid", "0a1b2c3d"),
    ("k8s.pod.id", "0a1b2c3d"),
    ("k8s.pod.sandbox_id", "*"),
    ("k8s.pod.full_sandbox_id", "*"),
    ("k8s.pod.label[app]", "web"),
    ("k8s.pod.labels", "app:web"),
    ("k8s.pod.ip", "10.213.7.*"),
    ("k8s.pod.cni.json", "{*"),
];

/// The same container, by what the API server says of its pod.
const SURROUNDINGS: Table = &[
    ("k8s.ns.id", "n-1"),
    ("k8s.ns.label[team]", "a"),
    ("k8s.ns.labels", "team:a"),
    ("k8s.rs.name", "web-5d"),
    ("k8s.rs.id", "r-1"),
    ("k8s.rs.label[app]", "web"),
    ("k8s.rs.labels", "app:web"),
    ("k8s.rc.name", "old-web"),
    ("k8s.rc.id", "c-1"),
    ("k8s.rc.label[app]", "web"),
    ("k8s.rc.labels", "app:web"),
    ("k8s.deployment.name", "web"),
    ("k8s.deployment.id", "d-1"),
    ("k8s.deployment.label[v]", "1"),
    ("k8s.deployment.labels", "v:1"),
    ("k8s.svc.name", "front"),
    ("k8s.svc.id", "s-1"),
    ("k8s.svc.label[l]", "x"),
    ("k8s.svc.labels", "l:x"),
];

/// Whether the program is the runtime's own question; looked at where it asks.
const PROBES: [&str; 3] = [
    "proc.is_container_healthcheck",
    "proc.is_container_liveness_probe",
    "proc.is_container_readiness_probe",
];

/// A rule that shows these fields of every program in a container.
fn rules(tables: &[Table]) -> String {
    let fields = tables.iter().flat_map(|table| table.iter());
    let fields: Vec<String> = fields.map(|(field, _)| format!("%{field}")).collect();
    let probes = PROBES.map(|field| format!("%{field}")).join(" ");
    format!(
        "- rule: Ran\n  desc: All fields.\n  condition: evt.type in (execve, execveat) and evt.res = \
         SUCCESS and container.id != host\n  output: ran %proc.args {} {probes}\n  priority: NOTICE\n",
        fields.join(" ")
    )
}

fn is_mesos(field: &str) -> bool {
    field.starts_with("mesos.") || field.starts_with("marathon.")
}

fn check(alert: &Alert, table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(field, wanted)| {
            let found = alert.field(field);
            let right = match wanted.strip_suffix('*') {
                Some(start) => found.starts_with(start) && !["", "<NA>"].contains(&&found[..]),
                None => found == *wanted,
            };
            (!right).then(|| format!("{field} is {found:?}, not {wanted:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), alert.line);
}

#[test]
fn every_field_is_in_the_table() {
    let listed = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(["--list", "-N"])
        .output()
        .unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let is_one = |name: &&str| {
        name.starts_with("container.") || name.starts_with("k8s.") || PROBES.contains(name)
    };
    let names: BTreeSet<&str> = text.split_whitespace().filter(is_one).collect();
    assert!(names.len() > 50, "{names:?}");
    let tables = [DOCKER, POD, SURROUNDINGS].into_iter().flatten();
    let tested = tables.map(|(field, _)| field.split('[').next().unwrap_or(field));
    let tested: BTreeSet<&str> = tested.chain(PROBES).collect();
    let missing: Vec<_> = names.difference(&tested).collect();
    assert!(missing.is_empty(), "no test gives {missing:?} a value");
}

/// Mesos' master and Marathon, which know one task.
fn mesos() -> String {
    servers::http(|path| {
        let answer = match path {
            "/state" => json!({"frameworks": [{"id": "f-1", "name": "marathon", "tasks": [
                {"id": "prod_web.1", "name": "web.prod",
                 "labels": [{"key": "a", "value": "b"}]}]}]}),
            "/v2/apps" => json!({"apps": [{"id": "/prod/web", "labels": {"TIER": "front"}}]}),
            _ => json!({}),
        };
        Some(answer.to_string())
    })
}

#[test]
fn of_a_container_of_docker_s() {
    let Some((_alone, bench, docker)) = docker_here() else {
        return;
    };
    let bridge = format!("com.docker.network.bridge.name={}", bench.bridge());
    let network = [
        "network",
        "create",
        "-d",
        "bridge",
        "-o",
        &bridge,
        "--subnet=10.213.8.0/24",
        "own",
    ];
    docker.done(&network);
    let url = mesos();
    let asked = Asked {
        engines: &["docker"],
        socket: &docker.socket,
        more: &format!(
            "container_metadata: {{wait_ms: 10000, mesos: {{master: '{url}', marathon: '{url}'}}}}\n"
        ),
    };
    let watch = Watch::start(&bench, &asked, &rules(&[DOCKER]));
    let run = [
        "run",
        "-d",
        "--name=all",
        "--network=own",
        "--pid=host",
        "--ipc=host",
        "--label=colour=blue",
        "-v=/var/tmp:/data:ro",
        "--health-cmd=cat /etc/passwd",
        "--health-interval=1s",
        "-e=MESOS_TASK_ID=prod_web.1",
        "-e=MARATHON_APP_ID=/prod/web",
        "bb:test",
        "sleep",
        "3001",
    ];
    docker.done(&run);
    // The first process had to wait for the address, which Docker tells when all is done.
    let first = watch.until("the first process", |alerts| {
        let is = |alert: &&Alert| alert.field("proc.args") == "3001";
        alerts.iter().find(is).cloned()
    });
    let own = DOCKER.iter().filter(|(field, _)| !is_mesos(field));
    check(&first, &own.copied().collect::<Vec<_>>());
    // Mesos' API may come a moment after the rest.
    watch.until("every field", |alerts| {
        let whole = |alert: &&Alert| alert.field("container.name") == "all";
        let complete = |alert: &&Alert| alert.field("mesos.framework.name") != "<NA>";
        alerts
            .iter()
            .filter(whole)
            .find(complete)
            .map(|alert| check(alert, DOCKER))
    });
    watch.until("the health check", |alerts| {
        let is = |alert: &&Alert| alert.field(PROBES[0]) == "true";
        let asks = |alert: &Alert| assert!(alert.field("proc.args").contains("/etc/passwd"));
        alerts.iter().find(is).map(asks)
    });
    // Started again it may have another address: what it had before is not enough.
    docker.done(&["restart", "-t", "0", "all"]);
    let second = watch.until("the first process after a restart", |alerts| {
        let is = |alert: &&Alert| alert.field("proc.args") == "3001";
        alerts.iter().filter(is).nth(1).cloned()
    });
    let own = DOCKER.iter().filter(|(field, _)| !is_mesos(field));
    check(&second, &own.copied().collect::<Vec<_>>());
    docker.done(&["rm", "-f", "all"]);
    docker.done(&["network", "rm", "own"]);
}

#[allow(clippy::needless_pass_by_value, reason = "callers write it in place")]
fn list(items: Value) -> Option<String> {
    Some(json!({"metadata": {"resourceVersion": "9"}, "items": items}).to_string())
}

/// An API server that knows what is around one pod.
fn cluster() -> String {
    servers::http(|path| {
        if path.contains("watch=true") {
            return None;
        }
        let labels = json!({"app": "web"});
        match path.split('?').next().unwrap() {
            "/api/v1/namespaces" => {
                list(json!([{"metadata": {"name": "shop", "uid": "n-1", "labels": {"team": "a"}}}]))
            }
            "/api/v1/pods" => list(json!([{"metadata": {"name": "web-1", "uid": "0a1b2c3d",
                "namespace": "shop", "labels": labels,
                "ownerReferences": [{"uid": "r-1"}, {"uid": "c-1"}]}}])),
            "/apis/apps/v1/replicasets" => {
                list(json!([{"metadata": {"name": "web-5d", "uid": "r-1",
                "namespace": "shop", "labels": labels, "ownerReferences": [{"uid": "d-1"}]}}]))
            }
            "/api/v1/replicationcontrollers" => list(json!([{"metadata": {"name": "old-web",
                "uid": "c-1", "namespace": "shop", "labels": labels}}])),
            "/apis/apps/v1/deployments" => list(json!([{"metadata": {"name": "web", "uid": "d-1",
                "namespace": "shop", "labels": {"v": "1"}}}])),
            "/api/v1/services" => list(json!([{"metadata": {"name": "front", "uid": "s-1",
                "namespace": "shop", "labels": {"l": "x"}}, "spec": {"selector": labels}}])),
            _ => list(json!([])),
        }
    })
}

#[test]
fn of_a_pod_s_container() {
    let Some((_alone, bench)) = stage() else {
        return;
    };
    let Some(containerd) = containerd_with_image(&bench) else {
        return;
    };
    let url = cluster();
    let asked = Asked {
        engines: &["containerd"],
        socket: &containerd.socket,
        more: &format!("container_metadata: {{kubernetes: {{url: '{url}', node: here}}}}\n"),
    };
    std::fs::write(bench.path("falco.yaml"), configuration(&asked)).unwrap();
    std::fs::write(bench.path("rules.yaml"), rules(&[POD, SURROUNDINGS])).unwrap();
    // Kubernetes' side as older releases were told of it.
    let socket = containerd.socket.display().to_string();
    let flags = ["--cri", &socket, "--disable-cri-async", "-pk"];
    let args = [
        &["-c", "falco.yaml", "-r", "rules.yaml", "-v", "-U"][..],
        &flags,
    ]
    .concat();
    let watch = Watch::with(&bench, &args);
    let pod = Pod::start(&containerd.socket, "web-1", "0a1b2c3d");
    let container = pod.run("web", IMAGE, &["sleep", "3001"]);
    // As a kubelet asks for the pod's health, again and again.
    for probe in [&["cat", "/etc/passwd"], &["cat", "/etc/group"]] {
        pod.exec(&container, probe);
    }
    let with = |args: &str| {
        watch.until(args, |alerts| {
            alerts
                .iter()
                .find(|alert| alert.field("proc.args") == args)
                .cloned()
        })
    };
    let (live, ready) = (with("/etc/passwd"), with("/etc/group"));
    check(&live, POD);
    check(&live, SURROUNDINGS);
    assert_eq!(live.field("k8s.pod.full_sandbox_id"), pod.id);
    assert_eq!(live.field("k8s.pod.sandbox_id"), pod.id[..12]);
    let probes = |alert: &Alert| PROBES.map(|field| alert.field(field));
    assert_eq!(probes(&live), ["<NA>", "true", "false"], "{}", live.line);
    assert_eq!(probes(&ready), ["<NA>", "false", "true"], "{}", ready.line);
    pod.remove();
}
