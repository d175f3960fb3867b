//! Every shipped rule for Kubernetes audit events: an event that it is for, and one that just misses it.

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

fn role(rules: &Value) -> Value {
    json!({"objectRef": {"resource": "clusterroles"}, "requestObject": {"rules": [rules]}})
}

fn of(resource: &str, changes: &Value) -> Value {
    let mut all = json!({"objectRef": {"resource": resource}});
    merge(&mut all, changes);
    all
}

/// Rule, changes that make it fire, changes on top of those that it must not fire for.
#[allow(clippy::too_many_lines, reason = "it is a table")]
fn cases() -> Vec<(&'static str, Value, Value)> {
    let security = |context: &Value| {
        pod(&json!({"containers": [{"image": "shop/web", "securityContext": context}]}))
    };
    let exec = json!({
        "stage": "ResponseStarted", "verb": "get", "responseStatus": {"code": 101},
        "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh&container=c",
        "objectRef": {"resource": "pods", "subresource": "exec"},
    });
    let forward = json!({
        "stage": "ResponseStarted", "objectRef": {"resource": "pods", "subresource": "portforward"},
    });
    let debug = json!({
        "verb": "patch", "responseStatus": {"code": 200},
        "objectRef": {"resource": "pods", "subresource": "ephemeralcontainers"},
        "requestObject": {"spec": {"ephemeralContainers": [{"name": "d", "image": "busybox"}]}},
    });
    let delete = |resource: &str| {
        of(
            resource,
            &json!({"verb": "delete", "responseStatus": {"code": 200}}),
        )
    };
    let failed = json!({"responseStatus": {"code": 403}});
    let listed = json!({"verb": "list"});
    let system = json!({"user": {"username": "system:serviceaccount:x:y"}});
    vec![
        (
            "Disallowed K8s User",
            json!({"user": {"username": "eve"}}),
            system.clone(),
        ),
        (
            "Anonymous Request Allowed",
            json!({"user": {"username": "system:anonymous"}}),
            json!({"requestURI": "/livez?verbose"}),
        ),
        (
            "Full K8s Administrative Access",
            json!({"user": {"username": "eve", "groups": ["system:masters"]}}),
            listed.clone(),
        ),
        (
            "K8s User Impersonated",
            json!({"impersonatedUser": {"username": "boss"}}),
            json!({"impersonatedUser": null}),
        ),
        (
            "Create Privileged Pod",
            security(&json!({"privileged": true})),
            security(&json!({"privileged": false})),
        ),
        (
            "Create Privileged Pod",
            pod(
                &json!({"initContainers": [{"image": "x", "securityContext": {"privileged": true}}]}),
            ),
            listed.clone(),
        ),
        (
            "Create Pod With Dangerous Capabilities",
            security(&json!({"capabilities": {"add": ["CHOWN", "SYS_ADMIN"]}})),
            security(&json!({"capabilities": {"add": ["CHOWN"]}})),
        ),
        (
            "Create Sensitive Mount Pod",
            pod(&json!({"volumes": [{"hostPath": {"path": "/etc"}}]})),
            pod(&json!({"volumes": [{"hostPath": {"path": "/data/etc"}}]})),
        ),
        (
            "Create Sensitive Mount Pod",
            pod(&json!({"volumes": [{"hostPath": {"path": "/proc/1/ns"}}]})),
            json!({"objectRef": {"subresource": "status"}}),
        ),
        (
            "Create HostNetwork Pod",
            pod(&json!({"hostNetwork": true})),
            pod(&json!({"hostNetwork": false})),
        ),
        (
            "Create HostPid Pod",
            pod(&json!({"hostPID": true})),
            pod(&json!({"hostPID": false})),
        ),
        (
            "Create HostIPC Pod",
            pod(&json!({"hostIPC": true})),
            pod(&json!({"hostIPC": false})),
        ),
        (
            "Pod Created in Kube Namespace",
            {
                let mut all = pod(&json!({}));
                merge(
                    &mut all,
                    &json!({"objectRef": {"namespace": "kube-system"}}),
                );
                all
            },
            pod(&json!({"containers": [{"image": "registry.k8s.io/kube-proxy:v1"}]})),
        ),
        (
            "Attach/Exec Pod",
            exec,
            json!({"stage": "ResponseComplete"}),
        ),
        (
            "port-forward",
            forward,
            json!({"objectRef": {"subresource": "log"}}),
        ),
        ("EphemeralContainers Created", debug, failed.clone()),
        (
            "Create NodePort Service",
            of(
                "services",
                &json!({"requestObject": {"spec": {"type": "NodePort"}}}),
            ),
            json!({"requestObject": {"spec": {"type": "ClusterIP"}}}),
        ),
        (
            "Create Disallowed Namespace",
            of("namespaces", &json!({"objectRef": {"name": "mine"}})),
            json!({"objectRef": {"name": "default"}}),
        ),
        (
            "Create/Modify Configmap With Private Credentials",
            of(
                "configmaps",
                &json!({"verb": "patch", "requestObject": {"data": {"DB_PASSWORD": "x"}}}),
            ),
            json!({"requestObject": {"data": {"DB_PASSWORD": null, "DB_NAME": "x"}}, "objectRef": {"resource": "secrets"}}),
        ),
        (
            "Ingress Object Without TLS Certificate Created",
            of(
                "ingresses",
                &json!({"requestObject": {"spec": {"rules": []}}}),
            ),
            json!({"requestObject": {"spec": {"tls": [{"hosts": ["a"]}]}}}),
        ),
        (
            "Admission Webhook Changed",
            of("mutatingwebhookconfigurations", &json!({"verb": "update"})),
            system.clone(),
        ),
        (
            "Service Account Created in Kube Namespace",
            of(
                "serviceaccounts",
                &json!({"objectRef": {"namespace": "kube-system"}}),
            ),
            json!({"objectRef": {"name": "coredns"}}),
        ),
        (
            "Service Account Token Requested",
            of(
                "serviceaccounts",
                &json!({"objectRef": {"subresource": "token"}}),
            ),
            system.clone(),
        ),
        (
            "System ClusterRole Modified/Deleted",
            of(
                "clusterroles",
                &json!({"verb": "delete", "objectRef": {"name": "system:node"}}),
            ),
            json!({"objectRef": {"name": "system:coredns"}}),
        ),
        (
            "Attach to cluster-admin Role",
            of(
                "clusterrolebindings",
                &json!({"requestObject": {"roleRef": {"name": "cluster-admin"}}}),
            ),
            json!({"requestObject": {"roleRef": {"name": "view"}}}),
        ),
        (
            "Binding to Anonymous or All Users",
            of(
                "rolebindings",
                &json!({"requestObject": {"roleRef": {"name": "view"},
                "subjects": [{"kind": "Group", "name": "system:unauthenticated"}]}}),
            ),
            json!({"requestObject": {"subjects": [{"kind": "Group", "name": "dev"}]}}),
        ),
        (
            "ClusterRole With Wildcard Created",
            role(&json!({"verbs": ["get"], "resources": ["*"]})),
            role(&json!({"verbs": ["get"], "resources": ["pods"]})),
        ),
        (
            "ClusterRole With Pod Exec Created",
            role(&json!({"verbs": ["get"], "resources": ["pods", "pods/exec"]})),
            role(&json!({"verbs": ["get"], "resources": ["pods/log"]})),
        ),
        (
            "ClusterRole With Write Privileges Created",
            role(&json!({"verbs": ["get", "patch"], "resources": ["pods"]})),
            role(&json!({"verbs": ["get", "list"], "resources": ["pods"]})),
        ),
        (
            "Role That Can Escalate Created",
            role(&json!({"verbs": ["impersonate"], "resources": ["users"]})),
            role(&json!({"verbs": ["get"], "resources": ["users"]})),
        ),
        (
            "K8s Deployment Created",
            of("deployments", &json!({})),
            failed.clone(),
        ),
        (
            "K8s Deployment Deleted",
            delete("deployments"),
            failed.clone(),
        ),
        (
            "K8s Service Created",
            of("services", &json!({})),
            failed.clone(),
        ),
        ("K8s Service Deleted", delete("services"), listed.clone()),
        (
            "K8s ConfigMap Created",
            of("configmaps", &json!({})),
            listed.clone(),
        ),
        (
            "K8s ConfigMap Deleted",
            delete("configmaps"),
            listed.clone(),
        ),
        (
            "K8s Namespace Created",
            of("namespaces", &json!({"objectRef": {"name": "default"}})),
            failed.clone(),
        ),
        (
            "K8s Namespace Deleted",
            delete("namespaces"),
            system.clone(),
        ),
        (
            "K8s Serviceaccount Created",
            of("serviceaccounts", &json!({})),
            failed.clone(),
        ),
        (
            "K8s Serviceaccount Deleted",
            delete("serviceaccounts"),
            listed.clone(),
        ),
        (
            "K8s Role/Clusterrole Created",
            of("roles", &json!({})),
            failed.clone(),
        ),
        (
            "K8s Role/Clusterrole Deleted",
            delete("roles"),
            listed.clone(),
        ),
        (
            "K8s Role/Clusterrolebinding Created",
            of("rolebindings", &json!({})),
            failed.clone(),
        ),
        (
            "K8s Role/Clusterrolebinding Deleted",
            delete("clusterrolebindings"),
            listed.clone(),
        ),
        (
            "K8s Secret Created",
            of("secrets", &json!({})),
            json!({"objectRef": {"namespace": "kube-system"}}),
        ),
        ("K8s Secret Deleted", delete("secrets"), system.clone()),
        (
            "K8s Secret Get Successfully",
            of(
                "secrets",
                &json!({"verb": "get", "responseStatus": {"code": 200}}),
            ),
            system,
        ),
        (
            "K8s Secret Get Unsuccessfully Tried",
            of(
                "secrets",
                &json!({"verb": "get", "responseStatus": {"code": 404}}),
            ),
            json!({"responseStatus": {"code": 200}}),
        ),
        (
            "Resource Collection Deleted",
            of(
                "pods",
                &json!({"verb": "deletecollection", "responseStatus": {"code": 200}}),
            ),
            json!({"verb": "delete"}),
        ),
    ]
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
fn each_rule_fires_and_just_does_not() {
    let cases = cases();
    let mut events = Vec::new();
    for (_, hit, miss) in &cases {
        let hit = event(hit);
        let mut missed = hit.clone();
        merge(&mut missed, miss);
        events.extend([hit, missed]);
    }
    let counts = fired(&events);
    let mut faults = Vec::new();
    for (n, (rule, ..)) in cases.iter().enumerate() {
        if counts[2 * n].get(*rule) != Some(&1) {
            faults.push(format!("{rule} does not fire on {}", events[2 * n]));
        }
        if counts[2 * n + 1].contains_key(*rule) {
            faults.push(format!("{rule} fires on {}", events[2 * n + 1]));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_rule_that_is_on_has_a_case() {
    let file =
        std::fs::read_to_string(workspace_root().join("rules/k8s_audit_rules.yaml")).expect("read");
    // Off until someone fills a list or a macro.
    let idle = [
        "Create Disallowed Pod",
        "All K8s Audit Events",
        "Untrusted Node Successfully Joined the Cluster",
        "Untrusted Node Unsuccessfully Tried to Join the Cluster",
    ];
    for rule in file
        .lines()
        .filter_map(|line| line.strip_prefix("- rule: "))
    {
        let known = idle.contains(&rule) || cases().iter().any(|(name, ..)| *name == rule);
        assert!(known, "{rule} has no case");
    }
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
