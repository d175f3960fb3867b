//! What orchestrators know of a container: Kubernetes' objects around its pod, Mesos' task and
//! Marathon's application.
//!
//! In container events these are the keys `kubernetes` and `mesos`. Mesos also leaves traces in a
//! container's environment, which old captures kept for this purpose.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::metadata::{Container, labels, list, text};

/// A named thing of an orchestrator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Name.
    pub name: Vec<u8>,
    /// Unique id.
    pub id: Vec<u8>,
    /// Labels.
    pub labels: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Objects of the API server that a pod belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kubernetes {
    /// Its namespace.
    pub namespace: Option<Object>,
    /// The deployment above its replica set.
    pub deployment: Option<Object>,
    /// The replica set that made it.
    pub replica_set: Option<Object>,
    /// The replication controller that made it.
    pub replication_controller: Option<Object>,
    /// Services that select it.
    pub services: Vec<Object>,
}

/// What Mesos and Marathon call it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mesos {
    /// The task.
    pub task: Option<Object>,
    /// The framework that started the task.
    pub framework: Option<Object>,
    /// Marathon's application.
    pub app: Option<Object>,
    /// The group that the application is in.
    pub group: Option<Object>,
}

impl Object {
    fn parse(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        let found = Self {
            name: text(object, "name"),
            id: text(object, "id"),
            labels: labels(object, "labels"),
        };
        (found != Self::default()).then_some(found)
    }

    fn json(&self) -> Value {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let labels: Map<String, Value> = self
            .labels
            .iter()
            .map(|(key, value)| (text(key), Value::String(text(value))))
            .collect();
        json!({"name": text(&self.name), "id": text(&self.id), "labels": labels})
    }
}

fn member(object: &Map<String, Value>, key: &str) -> Option<Object> {
    Object::parse(object.get(key)?)
}

fn put(out: &mut Map<String, Value>, key: &str, object: Option<&Object>) {
    if let Some(object) = object {
        out.insert(key.to_owned(), object.json());
    }
}

impl Kubernetes {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        let found = Self {
            namespace: member(object, "namespace"),
            deployment: member(object, "deployment"),
            replica_set: member(object, "replicaset"),
            replication_controller: member(object, "replicationcontroller"),
            services: list(object, "services").filter_map(Object::parse).collect(),
        };
        (found != Self::default()).then_some(found)
    }

    pub(super) fn json(&self) -> Value {
        let mut out = Map::new();
        put(&mut out, "namespace", self.namespace.as_ref());
        put(&mut out, "deployment", self.deployment.as_ref());
        put(&mut out, "replicaset", self.replica_set.as_ref());
        put(
            &mut out,
            "replicationcontroller",
            self.replication_controller.as_ref(),
        );
        if !self.services.is_empty() {
            let services = self.services.iter().map(Object::json).collect();
            out.insert("services".to_owned(), Value::Array(services));
        }
        Value::Object(out)
    }
}

/// Value of an environment variable of a container.
fn variable<'a>(env: &'a [Vec<u8>], names: &[&[u8]]) -> Option<&'a [u8]> {
    names.iter().find_map(|name| {
        env.iter().find_map(|entry| {
            let value = entry.strip_prefix(*name)?.strip_prefix(b"=")?;
            (!value.is_empty()).then_some(value)
        })
    })
}

fn named(name: &[u8], id: &[u8]) -> Object {
    Object {
        name: name.to_vec(),
        id: id.to_vec(),
        labels: BTreeMap::new(),
    }
}

impl Container {
    /// Takes what Mesos and Marathon left in the environment and the labels.
    pub fn find_mesos(&mut self) {
        let mut found = self.mesos.take().map(|found| *found).unwrap_or_default();
        found.complete(b"", &self.env, &self.labels);
        self.mesos = (found != Mesos::default()).then(|| Box::new(found));
    }
}

const APP_LABEL: &[u8] = b"MARATHON_APP_LABEL_";

impl Mesos {
    /// What the key `mesos` says, completed from the environment and the labels.
    pub(super) fn parse(
        value: Option<&Value>,
        task_id: &[u8],
        env: &[Vec<u8>],
        container_labels: &BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> Option<Self> {
        let mut found = Self::default();
        if let Some(object) = value.and_then(Value::as_object) {
            found.task = member(object, "task");
            found.framework = member(object, "framework");
            found.app = member(object, "app");
            found.group = member(object, "group");
        }
        found.complete(task_id, env, container_labels);
        (found != Self::default()).then_some(found)
    }

    fn complete(
        &mut self,
        task_id: &[u8],
        env: &[Vec<u8>],
        container_labels: &BTreeMap<Vec<u8>, Vec<u8>>,
    ) {
        let label = |name: &[u8]| container_labels.get(name).map(Vec::as_slice);
        let task_id = (!task_id.is_empty())
            .then_some(task_id)
            .or_else(|| variable(env, &[b"MESOS_TASK_ID", b"mesos_task_id"]))
            .or_else(|| label(b"MESOS_TASK_ID"));
        let app_id = variable(env, &[b"MARATHON_APP_ID"]).or_else(|| label(b"MARATHON_APP_ID"));
        if let (None, Some(app_id)) = (&self.app, app_id) {
            let mut app = named(
                app_id.rsplit(|&b| b == b'/').next().unwrap_or(app_id),
                app_id,
            );
            for entry in env {
                if let Some(rest) = entry.strip_prefix(APP_LABEL)
                    && let Some(at) = rest.iter().position(|&b| b == b'=')
                {
                    app.labels
                        .insert(rest[..at].to_vec(), rest[at + 1..].to_vec());
                }
            }
            self.app = Some(app);
        }
        if let (None, Some(app)) = (&self.group, &self.app)
            && let Some(at) = app.id.iter().rposition(|&b| b == b'/')
            && app.id.starts_with(b"/")
        {
            let id = if at == 0 { &b"/"[..] } else { &app.id[..at] };
            let name = id
                .rsplit(|&b| b == b'/')
                .next()
                .filter(|name| !name.is_empty());
            self.group = Some(named(name.unwrap_or(b"/"), id));
        }
        if let (None, Some(task_id)) = (&self.task, task_id) {
            // Marathon names a task after its application, the innermost group first.
            let name: Vec<u8> = match &self.app {
                Some(app) => {
                    let parts = app.id.split(|&b| b == b'/').filter(|part| !part.is_empty());
                    let mut parts: Vec<&[u8]> = parts.collect();
                    parts.reverse();
                    parts.join(&b'.')
                }
                None => Vec::new(),
            };
            self.task = Some(Object {
                labels: self
                    .app
                    .as_ref()
                    .map(|app| app.labels.clone())
                    .unwrap_or_default(),
                ..named(&name, task_id)
            });
        }
        if let (None, Some(id)) = (&self.framework, variable(env, &[b"MESOS_FRAMEWORK_ID"])) {
            self.framework = Some(named(b"", id));
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut out = Map::new();
        put(&mut out, "task", self.task.as_ref());
        put(&mut out, "framework", self.framework.as_ref());
        put(&mut out, "app", self.app.as_ref());
        put(&mut out, "group", self.group.as_ref());
        Value::Object(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_from_its_environment() {
        let env: Vec<Vec<u8>> = [
            &b"MESOS_TASK_ID=prod_web.0b1c"[..],
            b"MARATHON_APP_ID=/prod/web",
            b"MARATHON_APP_LABEL_TIER=front",
            b"MESOS_FRAMEWORK_ID=f-1",
        ]
        .iter()
        .map(|entry| entry.to_vec())
        .collect();
        let mesos = Mesos::parse(None, b"", &env, &BTreeMap::new()).unwrap();
        let task = mesos.task.clone().unwrap();
        assert_eq!(
            (&task.id[..], &task.name[..]),
            (&b"prod_web.0b1c"[..], &b"web.prod"[..])
        );
        assert_eq!(task.labels[&b"TIER"[..]], b"front");
        assert_eq!(mesos.app.as_ref().unwrap().name, b"web");
        assert_eq!(mesos.group.as_ref().unwrap().id, b"/prod");
        assert_eq!(mesos.framework.as_ref().unwrap().id, b"f-1");
        let again = Mesos::parse(Some(&mesos.json()), b"", &[], &BTreeMap::new());
        assert_eq!(again, Some(mesos));
        assert_eq!(
            Mesos::parse(None, b"", &[b"A=1".to_vec()], &BTreeMap::new()),
            None
        );
        let top = [b"MARATHON_APP_ID=/web".to_vec()];
        let mesos = Mesos::parse(None, b"", &top, &BTreeMap::new()).unwrap();
        assert_eq!(mesos.group.unwrap().name, b"/");
    }

    #[test]
    fn what_kubernetes_said_comes_back() {
        let object = |name: &[u8]| Object {
            labels: BTreeMap::from([(b"a".to_vec(), b"b".to_vec())]),
            ..named(name, b"1")
        };
        let k8s = Kubernetes {
            namespace: Some(object(b"ns")),
            deployment: Some(object(b"web")),
            replica_set: Some(object(b"web-1")),
            replication_controller: None,
            services: vec![object(b"s1"), object(b"s2")],
        };
        assert_eq!(Kubernetes::parse(&k8s.json()), Some(k8s));
        for odd in [
            json!(1),
            json!({}),
            json!({"namespace": 1, "services": [1, {}]}),
        ] {
            assert_eq!(Kubernetes::parse(&odd), None);
        }
    }
}
