//! Every family of fields on events that have what it asks for, and on events that lack it.

#![allow(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

use audit::{Body, Catalogue, Limits, View};
use bumpalo::Bump;
use filter::{FieldSource, Filter, Memo, Purpose, Schema, Value};

const POD: &str = r#"{
  "kind": "Event", "auditID": "a1", "stage": "ResponseComplete", "verb": "create",
  "stageTimestamp": "2024-05-01T10:00:00.000000007Z",
  "requestURI": "/api/v1/namespaces/shop/pods?dryRun=a%20b&x=1", "userAgent": "kubectl/v1",
  "sourceIPs": ["10.0.0.1", "::1"],
  "user": {"username": "ann", "groups": ["system:masters", "dev"]},
  "objectRef": {"resource": "pods", "namespace": "shop", "name": "web"},
  "annotations": {"authorization.k8s.io/decision": "allow", "cluster_name": "c1"},
  "requestObject": {"spec": {
    "hostNetwork": true,
    "securityContext": {"runAsUser": 7, "supplementalGroups": [1, 2]},
    "volumes": [{"name": "a", "hostPath": {"path": "/proc/x"}}, {"name": "b", "emptyDir": {}}],
    "containers": [
      {"name": "c0", "image": "reg:5000/web/app:1", "command": ["sh", "-c"],
       "ports": [{"containerPort": 80}, {"hostPort": 81, "containerPort": 82}],
       "securityContext": {"privileged": true, "capabilities": {"add": ["NET_ADMIN", "SYS_ADMIN"]}}},
      {"name": "c1", "image": "docker.io/web/side@sha256:0", "securityContext": {"runAsUser": 0}}],
    "initContainers": [{"name": "i0"}]}},
  "responseObject": {"metadata": {"name": "web-1"}},
  "responseStatus": {"code": 201, "reason": "Created \"x\""}
}"#;

const ROLE: &str = r#"{
  "kind": "Event", "auditID": "a2", "stageTimestamp": "2024-05-01T10:00:00Z",
  "requestObject": {
    "roleRef": {"name": "cluster-admin"},
    "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
                 {"kind": "ServiceAccount", "name": "t"}, {"kind": "Group", "name": "g"}],
    "rules": [{"verbs": ["get", "list"], "resources": ["pods/exec"]}, {"verbs": ["*"], "apiGroups": [""]}],
    "data": {"k": "password=1", "n": 1.50}}
}"#;

/// The field as text; several values as JSON prints a list.
fn field(event: &str, name: &str) -> Option<String> {
    let body = Body::parse(event.as_bytes(), &Limits::default()).unwrap();
    let first = body.events().next().unwrap();
    let view = View::new(first.node, first.time);
    let def = Catalogue::new().resolve(name).unwrap();
    let scratch = Bump::new();
    let show = |value: &Value<'_>| match value {
        Value::Bytes(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    match view.extract(&def.field, Purpose::Text, &scratch)? {
        Value::List(all) => Some(all.iter().map(show).collect::<Vec<_>>().join("|")),
        one => Some(show(&one)),
    }
}

#[test]
fn values() {
    for (event, name, wanted) in [
        (POD, "ka.auditid", "a1"),
        (POD, "ka.verb", "create"),
        (POD, "ka.uri.param[dryRun]", "a b"),
        (POD, "ka.useragent", "kubectl/v1"),
        (POD, "ka.sourceips", "10.0.0.1|::1"),
        (POD, "ka.sourceips[1]", "::1"),
        (POD, "ka.user.groups", "system:masters|dev"),
        (POD, "ka.auth.decision", "allow"),
        (POD, "ka.cluster.name", "c1"),
        (POD, "ka.target.pod.name", "web-1"),
        (POD, "ka.resp.name", "web-1"),
        (POD, "ka.response.code", "201"),
        (POD, "ka.response.reason", "Created \"x\""),
        (POD, "ka.req.pod.host_network", "true"),
        (POD, "ka.req.pod.run_as_user", "7"),
        (POD, "ka.req.pod.supplemental_groups", "1|2"),
        (POD, "ka.req.pod.volumes.hostpath", "/proc/x"),
        (POD, "ka.req.pod.volumes.volume_type", "hostPath|emptyDir"),
        (POD, "ka.req.pod.volumes.volume_type[1]", "emptyDir"),
        (POD, "ka.req.pod.containers.name", "c0|c1"),
        (POD, "ka.req.pod.containers.name[1]", "c1"),
        (
            POD,
            "ka.req.pod.containers.image.repository",
            "reg:5000/web/app|docker.io/web/side",
        ),
        (POD, "ka.req.pod.containers.command", "sh -c"),
        (POD, "ka.req.pod.containers.host_port", "80|81"),
        (POD, "ka.req.pod.containers.privileged", "true"),
        (POD, "ka.req.pod.containers.run_as_user", "0"),
        (POD, "ka.req.pod.containers.eff_run_as_user", "7|0"),
        (POD, "ka.req.pod.containers.eff_run_as_group", "0|0"),
        (
            POD,
            "ka.req.pod.containers.add_capabilities",
            "NET_ADMIN|SYS_ADMIN",
        ),
        (POD, "ka.req.pod.initContainers.name", "i0"),
        (POD, "ka.req.container.image", "reg:5000/web/app:1"),
        (
            POD,
            "ka.req.container.image[1]",
            "docker.io/web/side@sha256:0",
        ),
        (POD, "ka.req.container.image.repository[1]", "web/side"),
        (POD, "ka.req.container.privileged", "true"),
        (POD, "ka.req.container.privileged[1]", "false"),
        (POD, "ka.req.volume.hostpath[/proc*]", "true"),
        (POD, "ka.req.volume.hostpath[/proc]", "false"),
        (POD, "jevt.value[/user/groups/1]", "dev"),
        (
            POD,
            "jevt.value[user/groups]",
            r#"["system:masters","dev"]"#,
        ),
        (
            POD,
            "json.value[/annotations/authorization.k8s.io~1decision]",
            "allow",
        ),
        (POD, "jevt.rawtime", "1714557600000000007"),
        (POD, "jevt.time", "10:00:00.000000007"),
        (POD, "jevt.time.iso8601", "2024-05-01T10:00:00.000000007Z"),
        (ROLE, "ka.req.binding.role", "cluster-admin"),
        (ROLE, "ka.req.binding.subjects[0]", ""),
        (ROLE, "ka.req.binding.subjects.user_names", "u"),
        (ROLE, "ka.req.binding.subjects.serviceaccount_names", "s|t"),
        (
            ROLE,
            "ka.req.binding.subjects.serviceaccount_ns_names",
            "n:s",
        ),
        (ROLE, "ka.req.binding.subjects.group_names", "g"),
        (ROLE, "ka.req.binding.subject.has_name[u]", "true"),
        (ROLE, "ka.req.role.rules.verbs", "get|list|*"),
        (ROLE, "ka.req.role.rules.verbs[1]", "*"),
        (ROLE, "ka.req.role.rules.apiGroups", ""),
        (
            ROLE,
            "ka.req.configmap.obj",
            r#"{"k":"password=1","n":1.50}"#,
        ),
    ] {
        if Catalogue::new().resolve(name).is_err() {
            assert_eq!(
                name, "ka.req.binding.subjects[0]",
                "only this takes no index"
            );
            continue;
        }
        assert_eq!(field(event, name).as_deref(), Some(wanted), "{name}");
    }
}

#[test]
fn missing_values() {
    for (event, name) in [
        (POD, "ka.impuser.name"),
        (POD, "ka.target.subresource"),
        (POD, "ka.uri.param[none]"),
        (POD, "ka.sourceips[2]"),
        (POD, "ka.req.pod.containers.name[2]"),
        (POD, "ka.req.pod.initContainers.image"),
        (POD, "ka.req.pod.ephemeralContainers.name"),
        (POD, "ka.req.container.privileged[9]"),
        (POD, "jevt.value[/user/groups/2]"),
        (ROLE, "ka.req.container.privileged"),
        (ROLE, "ka.req.volume.hostpath[/]"),
        (ROLE, "ka.req.volume.hostpath[]"),
        (ROLE, "ka.req.role.rules.nonResourceURLs"),
        (ROLE, "ka.req.role.rules.verbs[2]"),
    ] {
        assert_eq!(field(event, name), None, "{name}");
    }
    let without_id = POD.replacen("auditID", "id", 1);
    assert_eq!(field(&without_id, "ka.verb"), None);
    assert!(field(&without_id, "jevt.value[/verb]").is_some());
}

#[test]
fn conditions_of_all_generations() {
    let matches = |event: &str, condition: &str| {
        let body = Body::parse(event.as_bytes(), &Limits::default()).unwrap();
        let first = body.events().next().unwrap();
        let filter = Filter::compile(condition, &Catalogue::new())
            .unwrap_or_else(|e| panic!("{condition}: {e}"));
        filter.matches(&View::new(first.node, first.time), &mut Memo::new())
    };
    for (event, condition, wanted) in [
        (ROLE, r#"ka.req.role.rules.verbs contains '"*"'"#, true),
        (ROLE, r#"ka.req.role.rules.resources contains '"*"'"#, false),
        (ROLE, "ka.req.role.rules.verbs contains delete", false),
        (ROLE, "ka.req.role.rules.resources contains pods/exec", true),
        (
            ROLE,
            "ka.req.role.rules.resources intersects (pods/exec)",
            true,
        ),
        (ROLE, "ka.req.role.rules.verbs in (get, list, *)", true),
        (ROLE, "ka.req.role.rules.verbs in (get, list)", false),
        (ROLE, "ka.req.binding.subjects contains cluster", false),
        (POD, "ka.user.groups contains system:masters", true),
        (POD, "ka.req.pod.containers.image contains web/side", true),
        (POD, "ka.req.pod.host_network intersects (true)", true),
        (
            POD,
            "ka.req.pod.volumes.hostpath pmatch (/proc, /etc)",
            true,
        ),
        (POD, "ka.req.pod.volumes.hostpath pmatch (/etc)", false),
        (POD, "ka.response.code startswith 2", true),
        (POD, "ka.auth.decision!=reject", true),
        (POD, "jevt.rawtime exists and not jevt.rawtime=0", true),
        (POD, "ka.target.subresource exists", false),
    ] {
        assert_eq!(matches(event, condition), wanted, "{condition}");
    }
}
