//! What Mesos' master and Marathon know of tasks: names, labels, frameworks.
//!
//! Both are asked now and then; neither has a stream worth keeping open. Ids come from the
//! container's environment; what is asked for here completes them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use state::{Container, Mesos, Object};
use tokio::time::sleep;

use crate::error::{Error, cut};
use crate::http::{Get, Peer};
use crate::hub::Hub;
use crate::settings;

/// Longest answer.
const ANSWER_MAX: usize = 32 << 20;
/// Most tasks, and most applications, that are kept.
const TASKS_MAX: usize = 50_000;
/// Most bytes of labels of one of them.
const LABELS_MAX: usize = 16 << 10;
const PERIOD: Duration = Duration::from_secs(10);

/// Tasks by id, with their framework; applications by id.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Mutex<Tables>);

#[derive(Debug, Default, PartialEq)]
struct Tables {
    tasks: HashMap<Vec<u8>, (Object, Object)>,
    /// The executor's container by the task's: what Mesos' own control groups are called after.
    containers: HashMap<Vec<u8>, Vec<u8>>,
    apps: HashMap<Vec<u8>, Object>,
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().unwrap_or_default().as_bytes().to_vec()
}

fn bounded(pairs: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut left = LABELS_MAX;
    pairs
        .filter(|(key, value)| {
            let size = key.len() + value.len() + 64;
            let fits = size <= left;
            left -= if fits { size } else { 0 };
            fits
        })
        .collect()
}

fn all(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

impl Tables {
    /// `/state` of a master.
    fn take_state(&mut self, state: &Value) {
        self.tasks.clear();
        self.containers.clear();
        for framework in all(&state["frameworks"]) {
            let owner = Object {
                name: bytes(&framework["name"]),
                id: bytes(&framework["id"]),
                labels: BTreeMap::new(),
            };
            for task in all(&framework["tasks"]).take(TASKS_MAX) {
                if self.tasks.len() >= TASKS_MAX {
                    return;
                }
                let labels = all(&task["labels"]).map(|l| (bytes(&l["key"]), bytes(&l["value"])));
                let object = Object {
                    name: bytes(&task["name"]),
                    id: bytes(&task["id"]),
                    labels: bounded(labels),
                };
                for status in all(&task["statuses"]) {
                    let container = bytes(&status["container_status"]["container_id"]["value"]);
                    if !container.is_empty() {
                        self.containers.insert(container, object.id.clone());
                    }
                }
                self.tasks
                    .insert(object.id.clone(), (object, owner.clone()));
            }
        }
    }

    /// `/v2/apps` of Marathon.
    fn take_apps(&mut self, answer: &Value) {
        self.apps.clear();
        for app in all(&answer["apps"]).take(TASKS_MAX) {
            let id = bytes(&app["id"]);
            let labels = app["labels"].as_object().into_iter().flatten();
            let object = Object {
                name: id.rsplit(|&b| b == b'/').next().unwrap_or(&id).to_vec(),
                labels: bounded(labels.map(|(key, value)| (key.as_bytes().to_vec(), bytes(value)))),
                id: id.clone(),
            };
            self.apps.insert(id, object);
        }
    }
}

impl Tasks {
    /// Completes what the container's environment says.
    pub(crate) fn complete(&self, container: &mut Container) {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.tasks.is_empty() && tables.apps.is_empty() {
            return;
        }
        let mut mesos = container.mesos.as_deref().cloned().unwrap_or_default();
        let own = tables.containers.get(&container.full_id);
        let id = mesos.task.as_ref().map(|task| &task.id).or(own);
        if let Some((task, framework)) = id.and_then(|id| tables.tasks.get(id)) {
            mesos.task = Some(task.clone());
            mesos.framework = Some(framework.clone());
        }
        if let Some(app) = mesos.app.as_ref().and_then(|app| tables.apps.get(&app.id)) {
            mesos.app = Some(app.clone());
        }
        container.mesos = (mesos != Mesos::default()).then(|| Box::new(mesos));
    }
}

async fn ask(hub: &Hub, url: &str, below: &str) -> Result<Value, Error> {
    let (peer, base) = Peer::parse(url, None)?;
    let path = format!("{base}{below}");
    let get = Get {
        peer: &peer,
        path: &path,
        token: None,
        limit: ANSWER_MAX,
        time: hub.settings.time_limit,
    };
    let body = get.fetch().await?;
    serde_json::from_slice(&body).map_err(|e| Error::Malformed(cut(&e.to_string())))
}

/// Asks for ever.
pub(crate) async fn watch(hub: Arc<Hub>, settings: settings::Mesos) {
    loop {
        let mut changed = false;
        for (url, below) in [
            (&settings.master, "/state"),
            (&settings.marathon, "/v2/apps"),
        ] {
            if url.is_empty() {
                continue;
            }
            match ask(&hub, url, below).await {
                Ok(answer) => {
                    let mut tables = hub.tasks.0.lock().unwrap_or_else(PoisonError::into_inner);
                    if below == "/state" {
                        tables.take_state(&answer);
                    } else {
                        tables.take_apps(&answer);
                    }
                    changed = true;
                }
                Err(error) => hub.tally.fault(&error),
            }
        }
        if changed {
            hub.complete_all();
        }
        sleep(PERIOD.min(hub.settings.retry)).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_by_its_id() {
        let tasks = Tasks::default();
        {
            let mut tables = tasks.0.lock().unwrap();
            tables.take_state(
                &json!({"frameworks": [{"id": "f", "name": "marathon", "tasks": [
                {"id": "t1", "name": "web.prod", "labels": [{"key": "a", "value": "b"}],
                 "statuses": [{"container_status": {"container_id": {"value": "c-1"}}}]}]}]}),
            );
            tables.take_apps(&json!({"apps": [{"id": "/prod/web", "labels": {"TIER": "front"}}]}));
        }
        let named = |id: &[u8]| {
            Some(Object {
                id: id.to_vec(),
                ..Object::default()
            })
        };
        let mut container = Container {
            mesos: Some(Box::new(Mesos {
                task: named(b"t1"),
                app: named(b"/prod/web"),
                ..Mesos::default()
            })),
            ..Container::default()
        };
        tasks.complete(&mut container);
        let mesos = container.mesos.unwrap();
        assert_eq!(mesos.task.unwrap().labels[&b"a"[..]], b"b");
        assert_eq!(mesos.framework.unwrap().name, b"marathon");
        let app = mesos.app.unwrap();
        assert_eq!(
            (&app.name[..], &app.labels[&b"TIER"[..]][..]),
            (&b"web"[..], &b"front"[..])
        );
        let mut own = Container {
            full_id: b"c-1".to_vec(),
            ..Container::default()
        };
        tasks.complete(&mut own);
        assert_eq!(own.mesos.unwrap().task.unwrap().id, b"t1");
    }
}
