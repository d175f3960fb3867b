//! The shipped rules for Kubernetes audit events load, and say nothing of a quiet cluster. What makes each of them fire, and
//! what just misses it, is in the attack suite (`crates/attack/attacks/audit.cases`).

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};
use testkit::corpus::workspace_root;

/// An event of a person's that succeeded; `changes` are merged into it.
fn event(changes: &Value) -> Value {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "1", "stage": "ResponseComplete",
        "stageTimestamp": "2024-05-01T10:00:00Z", "verb": "create", "requestURI": "/api/v1/x",
        "user": {"username": "admin", "groups": ["system:authenticated"]},
        "objectRef": {"namespace": "shop", "name": "thing"},
        "responseStatus": {"code": 201},
        "annotations": {"authorization.k8s.io/decision": "allow"},
    });
    merge(&mut event, changes);
    event
}

fn merge(into: &mut Value, changes: &Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(into.entry(key.clone()).or_insert(Value::Null), change);
            }
        }
        (into, change) => *into = change.clone(),
    }
}

/// A pod with one container and what else is said of it.
fn pod(spec: &Value) -> Value {
    let mut all = json!({"containers": [{"name": "c", "image": "shop/web:1"}]});
    merge(&mut all, spec);
    json!({
        "objectRef": {"resource": "pods"},
        "requestObject": {"spec": all},
        "responseObject": {"metadata": {"name": "web-1"}},
    })
}

fn of(resource: &str, changes: &Value) -> Value {
    let mut all = json!({"objectRef": {"resource": resource}});
    merge(&mut all, changes);
    all
}

/// How often each rule fired on each of the events.
fn fired(events: &[Value]) -> Vec<BTreeMap<String, u64>> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut text = String::new();
    for (n, event) in events.iter().enumerate() {
        let mut event = event.clone();
        event["auditID"] = json!(n.to_string());
        text.push_str(&format!("{event}\n"));
    }
    std::fs::write(file.path(), text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args([
            "replay",
            "--json",
            "--all",
            "-q",
            "-r",
            "rules/k8s_audit_rules.yaml",
        ])
        .args([
            "-o",
            "append_output[]={match: {source: k8s_audit}, extra_fields: [ka.auditid]}",
        ])
        .arg(file.path())
        .current_dir(workspace_root())
        .output()
        .expect("the binary is built");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let mut counts = vec![BTreeMap::new(); events.len()];
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let alert: Value = serde_json::from_str(line).expect("a JSON line");
        let id = alert["output_fields"]["ka.auditid"]
            .as_str()
            .expect("an id");
        let rule = alert["rule"].as_str().expect("a rule").to_owned();
        *counts[id.parse::<usize>().expect("a number")]
            .entry(rule)
            .or_insert(0) += 1;
    }
    counts
}

#[test]
fn a_quiet_cluster_raises_nothing() {
    let quiet = [
        of(
            "pods",
            &json!({"verb": "list", "responseStatus": {"code": 200}}),
        ),
        of(
            "endpoints",
            &json!({"verb": "watch", "user": {"username": "system:kube-proxy"}, "responseStatus": {"code": 200}}),
        ),
        json!({"user": {"username": "system:anonymous"}, "requestURI": "/healthz", "verb": "get"}),
        of(
            "leases",
            &json!({"verb": "update", "user": {"username": "system:node:a"}, "responseStatus": {"code": 200}}),
        ),
        pod(&json!({})),
    ];
    let counts = fired(&quiet.iter().map(event).collect::<Vec<_>>());
    assert!(counts.iter().all(BTreeMap::is_empty), "{counts:?}");
}

#[test]
fn the_file_loads_without_a_finding() {
    let output = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(["check", "--strict", "rules/k8s_audit_rules.yaml"])
        .current_dir(workspace_root())
        .output()
        .expect("the binary is built");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
