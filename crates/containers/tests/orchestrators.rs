//! Kubernetes' API server, Mesos and Marathon, as servers of the test's own: lists in pages, watches
//! with bookmarks, places that are too old, connections that end.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod server;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use containers::settings::{Kubernetes, Mesos};
use containers::{Containers, Settings};
use serde_json::{Value, json};
use server::{Answer, Shared, docker, named, settings, tcp, unix, until, until_so};

const PODS: &str = "/api/v1/pods";
const SETS: &str = "/apis/apps/v1/replicasets";
const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";

#[allow(clippy::needless_pass_by_value, reason = "callers write it in place")]
fn object(name: &str, uid: &str, version: u64, more: Value) -> Value {
    let mut object = json!({"metadata": {"name": name, "uid": uid, "namespace": "prod",
        "resourceVersion": version.to_string()}});
    for (key, value) in more.as_object().into_iter().flatten() {
        if key == "spec" {
            object["spec"] = value.clone();
        } else {
            object["metadata"][key] = value.clone();
        }
    }
    object
}

/// Objects of one kind at version 100.
fn objects(path: &str) -> Vec<Value> {
    match path {
        "/api/v1/namespaces" => vec![object("prod", "n-1", 5, json!({"labels": {"team": "a"}}))],
        PODS => {
            let owner = json!([{"uid": "r-1"}]);
            vec![object(
                "web-1",
                "p-1",
                6,
                json!({"labels": {"app": "web"}, "ownerReferences": owner}),
            )]
        }
        SETS => {
            // Several pages; the one that matters is on the last.
            let mut all: Vec<Value> = (0..1200)
                .map(|i| object(&format!("x-{i}"), &format!("x-{i}"), 7, json!({})))
                .collect();
            let owner = json!([{"uid": "d-1"}]);
            all.push(object(
                "web-5d",
                "r-1",
                8,
                json!({"ownerReferences": owner}),
            ));
            all
        }
        DEPLOYMENTS => vec![object("web", "d-1", 9, json!({"labels": {"v": "1"}}))],
        "/api/v1/services" => {
            vec![object(
                "front",
                "s-1",
                10,
                json!({"spec": {"selector": {"app": "web"}}}),
            )]
        }
        _ => Vec::new(),
    }
}

fn query<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    let pairs = path.split_once('?')?.1.split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(k, _)| *k == key)
        .map(|(_, v)| v)
}

struct Cluster {
    requests: Shared<String>,
    /// Lines for the next watch of deployments; then it ends.
    lines: Mutex<Vec<Vec<String>>>,
    too_old: AtomicBool,
}

fn api(cluster: &Arc<Cluster>) -> Answer {
    let cluster = Arc::clone(cluster);
    Arc::new(move |path, out| {
        cluster.requests.lock().unwrap().push(path.to_owned());
        let kind = path.split('?').next().unwrap();
        if query(path, "watch") == Some("true") {
            if kind == DEPLOYMENTS {
                if cluster.too_old.swap(false, Ordering::SeqCst) {
                    server::stream(out);
                    let gone =
                        json!({"type": "ERROR", "object": {"code": 410, "message": "too old"}});
                    let _ = writeln!(out, "{gone}");
                    return;
                }
                let next = cluster.lines.lock().unwrap().pop();
                if let Some(lines) = next {
                    server::stream(out);
                    for line in lines {
                        let _ = writeln!(out, "{line}");
                    }
                    let _ = out.flush();
                    return;
                }
            }
            server::stream(out);
            server::hang();
            return;
        }
        let all = objects(kind);
        let limit: usize = query(path, "limit").unwrap().parse().unwrap();
        let from: usize = query(path, "continue").map_or(0, |token| token.parse().unwrap());
        let page = &all[from..all.len().min(from + limit)];
        let mut metadata = json!({"resourceVersion": "100"});
        if from + page.len() < all.len() {
            metadata["continue"] = json!((from + page.len()).to_string());
        }
        server::json(
            out,
            &json!({"metadata": metadata, "items": page}).to_string(),
        );
    })
}

fn pod_labels() -> Value {
    json!({"io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "prod",
        "io.kubernetes.pod.uid": "p-1"})
}

#[test]
fn around_a_pod() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    unix(&socket, &docker(&pod_labels()));
    let modified = json!({"type": "MODIFIED",
        "object": object("web", "d-1", 120, json!({"labels": {"v": "2"}}))});
    let bookmark = json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "150"}}});
    let cluster = Arc::new(Cluster {
        requests: Arc::default(),
        lines: Mutex::new(vec![vec![modified.to_string(), bookmark.to_string()]]),
        too_old: AtomicBool::new(false),
    });
    let url = tcp(&api(&cluster));
    let kubernetes = Kubernetes {
        url,
        node: "node-7".into(),
        ..Kubernetes::default()
    };
    let containers = Containers::start(Settings {
        kubernetes: Some(kubernetes),
        ..settings(&socket)
    })
    .unwrap();
    // Every object, over three pages, and the change that the watch told.
    until(&containers, "the whole surroundings", |message| {
        let record = named(message, "web")?;
        let record: Value = serde_json::from_str(&record).unwrap();
        let around = &record["container"]["kubernetes"];
        (around["namespace"]["labels"]["team"] == "a"
            && around["replicaset"]["name"] == "web-5d"
            && around["deployment"]["labels"]["v"] == "2"
            && around["services"][0]["name"] == "front")
            .then_some(())
    });
    let asked = |part: &[&str]| {
        let requests = cluster.requests.lock().unwrap();
        requests
            .iter()
            .filter(|path| part.iter().all(|p| path.contains(p)))
            .count()
    };
    assert_eq!(asked(&[SETS, "continue=500"]), 1);
    assert_eq!(asked(&[SETS, "continue=1000"]), 1);
    assert!(asked(&[PODS, "fieldSelector=spec.nodeName%3Dnode-7"]) > 0);
    assert_eq!(asked(&[SETS, "nodeName"]), 0);

    // The watch ended: it goes on from the bookmark, without a list.
    until_so("the watch to go on", || {
        asked(&[DEPLOYMENTS, "watch=true", "resourceVersion=150"]) > 0
    });
    assert_eq!(asked(&[DEPLOYMENTS, "limit="]), 1);
    assert!(containers.counters().connections >= 6);
}

#[test]
fn a_place_that_is_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    unix(&socket, &docker(&pod_labels()));
    let cluster = Arc::new(Cluster {
        requests: Arc::default(),
        lines: Mutex::default(),
        too_old: AtomicBool::new(true),
    });
    let kubernetes = Kubernetes {
        url: tcp(&api(&cluster)),
        ..Kubernetes::default()
    };
    let containers = Containers::start(Settings {
        kubernetes: Some(kubernetes),
        ..settings(&socket)
    })
    .unwrap();
    until_so("a second list", || {
        let requests = cluster.requests.lock().unwrap();
        let lists = requests
            .iter()
            .filter(|p| p.starts_with(DEPLOYMENTS) && p.contains("limit="));
        lists.count() >= 2
    });
    drop(containers);
}

#[test]
fn pages_that_expire_and_connections_that_break() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    unix(&socket, &docker(&pod_labels()));
    let deleted = json!({"type": "DELETED", "object": object("web", "d-1", 130, json!({}))});
    let cluster = Arc::new(Cluster {
        requests: Arc::default(),
        lines: Mutex::new(vec![vec![deleted.to_string()]]),
        too_old: AtomicBool::new(false),
    });
    let (inner, own) = (api(&cluster), Arc::clone(&cluster));
    let (expired, cut) = (AtomicBool::new(false), AtomicBool::new(false));
    let answer: Answer = Arc::new(move |path, out| {
        let first = |done: &AtomicBool| !done.swap(true, Ordering::SeqCst);
        let watches = path.starts_with(DEPLOYMENTS) && path.contains("watch=true");
        if path.contains("continue=500") && first(&expired) {
            own.requests.lock().unwrap().push(path.to_owned());
            let _ = out.write_all(b"HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}");
        } else if watches && first(&cut) {
            own.requests.lock().unwrap().push(path.to_owned());
            server::stream(out);
            let _ = out.write_all(b"{\"type\": \"MODI");
        } else {
            inner(path, out);
        }
    });
    let containers = Containers::start(Settings {
        kubernetes: Some(Kubernetes {
            url: tcp(&answer),
            ..Kubernetes::default()
        }),
        ..settings(&socket)
    })
    .unwrap();
    let whole = |message: &containers::Message, has_deployment: bool| {
        let record: Value = serde_json::from_str(&named(message, "web")?).unwrap();
        let around = &record["container"]["kubernetes"];
        (around["replicaset"]["name"] == "web-5d"
            && around["deployment"].is_object() == has_deployment)
            .then_some(())
    };
    until(&containers, "the end of the deployment", |message| {
        whole(message, false)
    });
    let requests = cluster.requests.lock().unwrap();
    let count = |part: &[&str]| {
        let has_all = |path: &&String| part.iter().all(|p| path.contains(p));
        requests.iter().filter(has_all).count()
    };
    assert_eq!(count(&[SETS, "continue=500"]), 2);
    // A connection that broke is taken up where it was.
    assert_eq!(count(&[DEPLOYMENTS, "limit="]), 1);
    assert_eq!(
        count(&[DEPLOYMENTS, "watch=true", "resourceVersion=100"]),
        2
    );
}

#[test]
fn a_server_that_answers_nonsense() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    unix(&socket, &docker(&pod_labels()));
    let answer: Answer = Arc::new(|_, out| server::json(out, "{\"items\": 7}"));
    let containers = Containers::start(Settings {
        kubernetes: Some(Kubernetes {
            url: tcp(&answer),
            ..Kubernetes::default()
        }),
        ..settings(&socket)
    })
    .unwrap();
    until(&containers, "the container all the same", |message| {
        named(message, "web")
    });
    until_so("the fault to be counted", || {
        containers.counters().malformed > 0
    });
}

#[test]
fn a_task_of_marathon_s() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let answer: Answer = Arc::new(|path, out| {
        if path.starts_with("/events") {
            server::stream(out);
            server::hang();
        } else if path.starts_with("/containers/json") {
            server::json(out, &json!([{"Id": server::ID}]).to_string());
        } else if path.starts_with("/containers/") {
            let env = json!(["MESOS_TASK_ID=prod_web.1", "MARATHON_APP_ID=/prod/web"]);
            let answer = json!({"Id": server::ID, "Name": "/web", "Config": {"Env": env}});
            server::json(out, &answer.to_string());
        } else {
            server::missing(out);
        }
    });
    unix(&socket, &answer);
    let mesos: Answer = Arc::new(|path, out| {
        let answer = match path {
            "/state" => json!({"frameworks": [{"id": "f-1", "name": "marathon", "tasks": [
                {"id": "prod_web.1", "name": "web.prod", "labels": [{"key": "a", "value": "b"}]}]}]}),
            "/v2/apps" => json!({"apps": [{"id": "/prod/web", "labels": {"TIER": "front"}}]}),
            _ => return server::missing(out),
        };
        server::json(out, &answer.to_string());
    });
    let url = tcp(&mesos);
    let containers = Containers::start(Settings {
        mesos: Some(Mesos {
            master: url.clone(),
            marathon: url,
        }),
        retry: Duration::from_millis(100),
        ..settings(&socket)
    })
    .unwrap();
    until(&containers, "what Mesos knows", |message| {
        let record: Value = serde_json::from_str(&named(message, "web")?).unwrap();
        let mesos = &record["container"]["mesos"];
        (mesos["framework"]["name"] == "marathon"
            && mesos["task"]["labels"]["a"] == "b"
            && mesos["app"]["labels"]["TIER"] == "front"
            && mesos["group"]["id"] == "/prod")
            .then_some(())
    });
}
