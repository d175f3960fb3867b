//! Measures the webhook for Kubernetes audit events: `audit-load PEREGRINE [EVENTS]` starts the program with the shipped rules,
//! posts events in lists as an API server does, and prints how many a second came through to the rules.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::corpus::workspace_root;

/// Events in one request, and requests at a time.
const LIST: usize = 100;
const SENDERS: usize = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let program = args.next().ok_or("usage: audit-load PEREGRINE [EVENTS]")?;
    let events: usize = args.next().map_or(Ok(100_000), |text| text.parse())?;
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let dir = tempfile::tempdir()?;
    let config = dir.path().join("falco.yaml");
    let alerts = dir.path().join("alerts");
    std::fs::write(
        &config,
        format!(
            "engine: {{kind: nodriver}}\nlog_stderr: true\nlog_syslog: false\n\
             file_output: {{enabled: true, keep_alive: \"true\", filename: {}}}\n\
             webserver: {{listen_port: {port}, listen_address: 127.0.0.1, k8s_audit_endpoint: /k8s-audit}}\n",
            alerts.display()
        ),
    )?;
    let mut child = Command::new(program)
        .args([
            "-c",
            &config.display().to_string(),
            "-r",
            "rules/k8s_audit_rules.yaml",
        ])
        .current_dir(workspace_root())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut log = BufReader::new(child.stderr.take().ok_or("no log")?);
    let mut line = String::new();
    while log.read_line(&mut line)? > 0 && !line.contains("are taken at") {}
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));

    let body = list();
    let start = Instant::now();
    let lists = events.div_ceil(LIST * SENDERS);
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
                for _ in 0..lists {
                    post(&mut stream, &body);
                }
            });
        }
    });
    let mut last = TcpStream::connect(("127.0.0.1", port))?;
    let marker = audit_event(&json!({"user": {"username": "the-last-one"}}));
    post(&mut last, marker.to_string().as_bytes());
    let limit = Instant::now() + Duration::from_secs(300);
    while !std::fs::read_to_string(&alerts)
        .unwrap_or_default()
        .contains("the-last-one")
    {
        if Instant::now() > limit {
            return Err("the last event never came through".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let seconds = start.elapsed().as_secs_f64();
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let memory = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("")
        .to_owned();
    let sent = lists * LIST * SENDERS;
    println!(
        "{sent} events of {} bytes each in {seconds:.2} s: {:.0} events/s; {}",
        body.len() / LIST,
        sent as f64 / seconds,
        memory.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn post(stream: &mut TcpStream, body: &[u8]) {
    let head = format!(
        "POST /k8s-audit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .expect("taken");
    let mut answer = Vec::new();
    let mut byte = [0];
    // The answer has a short body of known length.
    while !answer.ends_with(b"</html>") {
        assert_eq!(
            stream.read(&mut byte).expect("answered"),
            1,
            "{}",
            String::from_utf8_lossy(&answer)
        );
        answer.push(byte[0]);
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

fn audit_event(changes: &Value) -> Value {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": "1354641c-135e-4adb-8052-43e125ea8690",
        "stage": "ResponseComplete", "stageTimestamp": "2024-05-01T10:00:00.123456Z", "verb": "list",
        "requestURI": "/api/v1/namespaces/shop/pods?limit=500", "userAgent": "kubectl/v1.30.0 (linux/amd64) kubernetes/7c48c2b",
        "user": {"username": "system:serviceaccount:shop:web", "groups": ["system:serviceaccounts", "system:authenticated"]},
        "sourceIPs": ["192.168.99.1"],
        "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed by RoleBinding"},
    });
    if let (Value::Object(event), Value::Object(changes)) = (&mut event, changes) {
        for (key, change) in changes {
            event.insert(key.clone(), change.clone());
        }
    }
    event
}

/// A list as a busy cluster sends it: mostly reading, some pods.
fn list() -> Vec<u8> {
    let container = json!({"name": "web", "image": "shop/web:1.2.3", "command": ["/server", "--port", "80"],
        "ports": [{"containerPort": 80, "protocol": "TCP"}], "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "securityContext": {"runAsUser": 1000, "allowPrivilegeEscalation": false}, "terminationMessagePolicy": "File",
        "volumeMounts": [{"mountPath": "/data", "name": "data"}], "imagePullPolicy": "IfNotPresent"});
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"generateName": "web-", "labels": {"app": "web"}},
        "spec": {"containers": [container.clone(), container], "volumes": [{"name": "data", "emptyDir": {}}],
            "restartPolicy": "Always", "serviceAccountName": "web", "schedulerName": "default-scheduler"}});
    let mut items = String::new();
    for n in 0..LIST {
        let event = match n % 5 {
            0 => audit_event(
                &json!({"verb": "create", "requestObject": pod, "responseObject": pod, "responseStatus": {"code": 201}}),
            ),
            1 => audit_event(
                &json!({"verb": "get", "objectRef": {"resource": "configmaps", "namespace": "shop", "name": "c"}}),
            ),
            2 => audit_event(
                &json!({"verb": "watch", "user": {"username": "system:node:a", "groups": ["system:nodes"]}}),
            ),
            3 => audit_event(
                &json!({"verb": "patch", "objectRef": {"resource": "nodes", "subresource": "status", "name": "a"}}),
            ),
            _ => audit_event(&json!({})),
        };
        let _ = write!(items, "{}{event}", if n > 0 { "," } else { "" });
    }
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{items}]}}"#
    )
    .into_bytes()
}
