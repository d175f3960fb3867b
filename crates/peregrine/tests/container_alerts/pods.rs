//! A pod with one container, made over the Container Runtime Interface as a kubelet makes it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use containers::grpc::Method;
use prost::Message;

type Texts = HashMap<String, String>;

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

#[derive(Clone, PartialEq, Message)]
struct Namespaces {
    #[prost(int32, tag = "1")]
    network: i32,
}

#[derive(Clone, PartialEq, Message)]
struct SecurityContext {
    #[prost(message, optional, tag = "1")]
    namespaces: Option<Namespaces>,
}

#[derive(Clone, PartialEq, Message)]
struct Linux {
    #[prost(message, optional, tag = "2")]
    security: Option<SecurityContext>,
}

#[derive(Clone, PartialEq, Message)]
struct PodConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
    #[prost(string, tag = "2")]
    hostname: String,
    #[prost(map = "string, string", tag = "6")]
    labels: Texts,
    #[prost(map = "string, string", tag = "7")]
    annotations: Texts,
    #[prost(message, optional, tag = "8")]
    linux: Option<Linux>,
}

#[derive(Clone, PartialEq, Message)]
struct RunPod {
    #[prost(message, optional, tag = "1")]
    config: Option<PodConfig>,
}

/// Requests and answers that are an id and nothing else.
#[derive(Clone, PartialEq, Message)]
struct Id {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct Name {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Mount {
    #[prost(string, tag = "1")]
    inside: String,
    #[prost(string, tag = "2")]
    outside: String,
    #[prost(bool, tag = "3")]
    readonly: bool,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Name>,
    #[prost(message, optional, tag = "2")]
    image: Option<Name>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    variables: Vec<Pair>,
    #[prost(message, repeated, tag = "7")]
    mounts: Vec<Mount>,
    #[prost(map = "string, string", tag = "9")]
    labels: Texts,
}

#[derive(Clone, PartialEq, Message)]
struct CreateContainer {
    #[prost(string, tag = "1")]
    pod: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    pod_config: Option<PodConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct Exec {
    #[prost(string, tag = "1")]
    container: String,
    #[prost(string, repeated, tag = "2")]
    command: Vec<String>,
    #[prost(int64, tag = "3")]
    seconds: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Stop {
    #[prost(string, tag = "1")]
    container: String,
    #[prost(int64, tag = "2")]
    seconds: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Nothing {}

/// A pod that runs.
pub(crate) struct Pod {
    socket: PathBuf,
    config: PodConfig,
    /// Full id of its sandbox.
    pub(crate) id: String,
}

fn call<A: Message + Default>(socket: &Path, method: &str, question: &impl Message) -> A {
    let path = format!("/runtime.v1.RuntimeService/{method}");
    let method = Method {
        socket,
        path: &path,
        namespace: "",
        limit: 1 << 20,
        time: Duration::from_secs(60),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answer = runtime.block_on(method.call(question));
    answer.unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn texts(pairs: &[(&str, &str)]) -> Texts {
    let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(text).collect()
}

/// How `kubectl apply` leaves a pod's probes to the runtime.
const APPLIED: &str = r#"{"spec":{"containers":[{"name":"web",
    "livenessProbe":{"exec":{"command":["cat","/etc/passwd"]}},
    "readinessProbe":{"exec":{"command":["cat","/etc/group"]}}}]}}"#;

fn identity(name: &str, uid: &str) -> [(String, String); 4] {
    [
        ("io.kubernetes.pod.name", name),
        ("io.kubernetes.pod.namespace", "shop"),
        ("io.kubernetes.pod.uid", uid),
        ("app", "web"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
}

impl Pod {
    /// Starts the pod `name` in the namespace `shop`, with a network of its own.
    pub(crate) fn start(socket: &Path, name: &str, uid: &str) -> Self {
        let config = PodConfig {
            metadata: Some(Metadata {
                name: name.into(),
                uid: uid.into(),
                namespace: "shop".into(),
            }),
            hostname: name.into(),
            labels: identity(name, uid).into(),
            annotations: texts(&[("kubectl.kubernetes.io/last-applied-configuration", APPLIED)]),
            linux: Some(Linux {
                security: Some(SecurityContext {
                    namespaces: Some(Namespaces { network: 0 }),
                }),
            }),
        };
        let run = RunPod {
            config: Some(config.clone()),
        };
        let pod: Id = call(socket, "RunPodSandbox", &run);
        Self {
            socket: socket.to_owned(),
            config,
            id: pod.id,
        }
    }

    /// Starts a container in it; its full id.
    pub(crate) fn run(&self, name: &str, image: &str, command: &[&str]) -> String {
        let named = |name: &str| Some(Name { name: name.into() });
        let own = self.config.metadata.clone().unwrap();
        let mut labels: Texts = identity(&own.name, &own.uid).into();
        labels.insert("io.kubernetes.container.name".into(), name.into());
        let create = CreateContainer {
            pod: self.id.clone(),
            config: Some(ContainerConfig {
                metadata: named(name),
                image: named(image),
                command: command.iter().map(|word| (*word).to_owned()).collect(),
                variables: vec![Pair {
                    key: "COLOUR".into(),
                    value: "blue".into(),
                }],
                mounts: vec![Mount {
                    inside: "/data".into(),
                    outside: "/var/tmp".into(),
                    readonly: true,
                }],
                labels,
            }),
            pod_config: Some(self.config.clone()),
        };
        let container: Id = call(&self.socket, "CreateContainer", &create);
        let _: Nothing = call(&self.socket, "StartContainer", &container);
        container.id
    }

    /// Runs a program in a container of the pod.
    pub(crate) fn exec(&self, container: &str, command: &[&str]) {
        let exec = Exec {
            container: container.to_owned(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            seconds: 30,
        };
        let _: Nothing = call(&self.socket, "ExecSync", &exec);
    }

    /// Ends a container of the pod.
    pub(crate) fn end(&self, container: &str) {
        let stop = Stop {
            container: container.to_owned(),
            seconds: 0,
        };
        let _: Nothing = call(&self.socket, "StopContainer", &stop);
        let container = Id {
            id: container.to_owned(),
        };
        let _: Nothing = call(&self.socket, "RemoveContainer", &container);
    }

    pub(crate) fn remove(&self) {
        let pod = Id {
            id: self.id.clone(),
        };
        let _: Nothing = call(&self.socket, "StopPodSandbox", &pod);
        let _: Nothing = call(&self.socket, "RemovePodSandbox", &pod);
    }
}
