//! A pod with one container, made over the Container Runtime Interface as a kubelet makes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use containers::grpc::Method;
use prost::Message;

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
    #[prost(map = "string, string", tag = "6")]
    labels: std::collections::HashMap<String, String>,
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
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Name>,
    #[prost(message, optional, tag = "2")]
    image: Option<Name>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(map = "string, string", tag = "9")]
    labels: std::collections::HashMap<String, String>,
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
struct Nothing {}

/// A pod that runs.
pub(crate) struct Pod {
    socket: PathBuf,
    id: String,
    /// Full id of its container.
    pub(crate) container: String,
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

impl Pod {
    /// Runs `echo in-pod` in a container `web` of the pod `web-1` in the namespace `shop`.
    pub(crate) fn start(socket: &Path, image: &str) -> Self {
        let labels = [
            ("io.kubernetes.pod.name", "web-1"),
            ("io.kubernetes.pod.namespace", "shop"),
            ("io.kubernetes.pod.uid", "0a1b2c3d"),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let config = PodConfig {
            metadata: Some(Metadata {
                name: "web-1".into(),
                uid: "0a1b2c3d".into(),
                namespace: "shop".into(),
            }),
            labels: labels.clone().into(),
            // On the node's network there is none to be set up.
            linux: Some(Linux {
                security: Some(SecurityContext {
                    namespaces: Some(Namespaces { network: 2 }),
                }),
            }),
        };
        let run = RunPod {
            config: Some(config.clone()),
        };
        let pod: Id = call(socket, "RunPodSandbox", &run);
        let named = |name: &str| Some(Name { name: name.into() });
        let create = CreateContainer {
            pod: pod.id.clone(),
            config: Some(ContainerConfig {
                metadata: named("web"),
                image: named(image),
                command: ["echo", "in-pod"].map(str::to_owned).to_vec(),
                labels: labels.into(),
            }),
            pod_config: Some(config),
        };
        let container: Id = call(socket, "CreateContainer", &create);
        let _: Nothing = call(socket, "StartContainer", &container);
        Self {
            socket: socket.to_owned(),
            id: pod.id,
            container: container.id,
        }
    }

    pub(crate) fn remove(&self) {
        let pod = Id {
            id: self.id.clone(),
        };
        let _: Nothing = call(&self.socket, "StopPodSandbox", &pod);
        let _: Nothing = call(&self.socket, "RemovePodSandbox", &pod);
    }
}
