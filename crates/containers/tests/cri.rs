//! A runtime of Kubernetes' as a server of the test's own: one that has events, as CRI-O and newer
//! containerds do, and some that misbehave. Debian's containerd, which has none, is tested live.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod server;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use containers::{Containers, Message as Told, Settings, Sockets};
use hyper::{HeaderMap, Request, Response};
use prost::Message;
use serde_json::{Value, json};
use server::{ID, OTHER, named, settings, sighting, until};
use tokio::sync::mpsc;

#[derive(Clone, PartialEq, Message)]
struct Version {
    #[prost(string, tag = "2")]
    name: String,
}

/// Questions and parts of answers that begin with an id or a name.
#[derive(Clone, PartialEq, Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Text>,
}

#[derive(Clone, PartialEq, Message)]
struct Container {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, optional, tag = "2")]
    name: Option<Text>,
    #[prost(message, optional, tag = "8")]
    image: Option<Text>,
    #[prost(map = "string, string", tag = "12")]
    labels: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerStatus {
    #[prost(message, optional, tag = "1")]
    status: Option<Container>,
    #[prost(map = "string, string", tag = "2")]
    info: HashMap<String, String>,
}

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
struct Pod {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, optional, tag = "2")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "5")]
    network: Option<Text>,
}

#[derive(Clone, PartialEq, Message)]
struct PodStatus {
    #[prost(message, optional, tag = "1")]
    status: Option<Pod>,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int32, tag = "2")]
    kind: i32,
}

/// What the server does with a question.
enum Reply {
    /// A message.
    Message(Vec<u8>),
    /// Events as they are sent, for ever.
    Events,
    /// A status other than 0.
    Status(&'static str),
    /// Bytes that are no message.
    Bytes(Vec<u8>),
    /// Nothing, for ever.
    Hang,
}

/// Answers by method and the id in the question.
type Answer = Arc<dyn Fn(&str, &str) -> Reply + Send + Sync>;

type Events = Arc<Mutex<Option<mpsc::UnboundedReceiver<Event>>>>;

fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).unwrap());
    out.put_slice(message);
    out.freeze()
}

/// Listens until the test ends; what is sent comes as events.
fn listen(socket: &Path, answer: Answer) -> mpsc::UnboundedSender<Event> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let events: Events = Arc::new(Mutex::new(Some(receiver)));
    let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, events) = (Arc::clone(&answer), Arc::clone(&events));
                tokio::spawn(async move {
                    let Ok(mut connection) = h2::server::handshake(stream).await else {
                        return;
                    };
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        let (answer, events) = (Arc::clone(&answer), Arc::clone(&events));
                        tokio::spawn(reply(request, respond, answer, events));
                    }
                });
            }
        });
    });
    sender
}

async fn reply(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    answer: Answer,
    events: Events,
) {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    let mut question = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        question.extend_from_slice(&data);
    }
    let id = Text::decode(&question[5..]).unwrap_or_default().text;
    let method = path.rsplit('/').next().unwrap();
    let head = Response::builder().header("content-type", "application/grpc");
    let mut out = respond
        .send_response(head.body(()).unwrap(), false)
        .unwrap();
    let mut status = "0";
    match answer(method, &id) {
        Reply::Message(message) => out.send_data(framed(&message), false).unwrap(),
        Reply::Bytes(bytes) => out.send_data(bytes.into(), false).unwrap(),
        Reply::Status(code) => status = code,
        Reply::Hang => std::future::pending().await,
        Reply::Events => {
            let receiver = events.lock().unwrap().take();
            let Some(mut receiver) = receiver else {
                std::future::pending().await
            };
            while let Some(event) = receiver.recv().await {
                let _ = out.send_data(framed(&event.encode_to_vec()), false);
            }
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    // The asker may have gone.
    let _ = out.send_trailers(trailers);
}

fn asked(socket: &Path) -> Settings {
    Settings {
        docker: Sockets::off(),
        cri: Sockets::at(&socket.display().to_string()),
        ..settings(socket)
    }
}

/// A container in a pod, as CRI-O tells of it.
fn cri_o(method: &str, id: &str) -> Reply {
    let text = |text: &str| Some(Text { text: text.into() });
    let message = match method {
        "Version" => Version {
            name: "cri-o".into(),
        }
        .encode_to_vec(),
        "ListContainers" | "ListPodSandbox" => List::default().encode_to_vec(),
        "GetContainerEvents" => return Reply::Events,
        "ContainerStatus" if id == ID || id == &ID[..12] => {
            let info = json!({"runtimeSpec": {
                "annotations": {"io.kubernetes.cri-o.SandboxID": OTHER}}});
            ContainerStatus {
                status: Some(Container {
                    id: ID.into(),
                    name: text("web"),
                    image: text("quay.io/app:7"),
                    labels: HashMap::from([("app".into(), "web".into())]),
                }),
                info: HashMap::from([("info".into(), info.to_string())]),
            }
            .encode_to_vec()
        }
        "PodSandboxStatus" if id == OTHER => PodStatus {
            status: Some(Pod {
                id: OTHER.into(),
                metadata: Some(Metadata {
                    name: "web-1".into(),
                    uid: "u-1".into(),
                    namespace: "shop".into(),
                }),
                network: text("10.0.0.9"),
            }),
        }
        .encode_to_vec(),
        _ => return Reply::Status("5"),
    };
    Reply::Message(message)
}

#[test]
fn a_runtime_with_events() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("crio.sock");
    let events = listen(&socket, Arc::new(cri_o));
    let containers = Containers::start(asked(&socket)).unwrap();
    let tell = |id: &str, kind| {
        let id = id.to_owned();
        assert!(events.send(Event { id, kind }).is_ok(), "nobody listens");
    };
    // Created; one of which nothing can be said is told of by its id.
    tell(ID, 0);
    tell(&"9".repeat(64), 0);
    let record = until(&containers, "the container", |told| named(told, "web"));
    let record: Value = serde_json::from_str(&record).unwrap();
    let container = &record["container"];
    assert_eq!(container["type"], 8);
    assert_eq!(container["imagerepo"], "quay.io/app");
    assert_eq!(container["ip"], "10.0.0.9");
    assert_eq!(container["pod_sandbox_id"], OTHER);
    assert_eq!(container["labels"]["app"], "web");
    assert_eq!(container["labels"]["io.kubernetes.pod.namespace"], "shop");
    until(&containers, "the other one", |told| match told {
        Told::Container { id, json, .. } => (**id == *b"999999999999").then(|| json.clone()),
        _ => None,
    });
    // Removed.
    tell(ID, 3);
    until(&containers, "its end", |told| match told {
        Told::Container { name, .. } => (*name == "container_removed").then_some(()),
        _ => None,
    });
    assert!(containers.counters().events >= 3);
}

#[test]
fn runtimes_that_misbehave() {
    type Odd = fn(&str) -> Reply;
    let cases: [(&str, Odd); 5] = [
        ("hangs", |_| Reply::Hang),
        ("refuses", |_| Reply::Status("14")),
        ("garbage", |_| {
            Reply::Bytes(b"\0\0\0\0\x04\xff\xff\xff\xff".to_vec())
        }),
        ("cut", |_| Reply::Bytes(b"\0\0\0\0\x09half".to_vec())),
        ("long", |_| {
            let size = 50u32 << 20;
            let head = [&[0][..], &size.to_be_bytes()].concat();
            Reply::Bytes([head, vec![b'a'; 1 << 20]].concat())
        }),
    ];
    for (name, odd) in cases {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("cri.sock");
        let _events = listen(
            &socket,
            Arc::new(move |method, id| match method {
                "ContainerStatus" => odd(id),
                _ => cri_o(method, id),
            }),
        );
        let containers = Containers::start(asked(&socket)).unwrap();
        containers.look_up(sighting(ID));
        until(&containers, name, |told| {
            matches!(told, Told::Unknown { .. }).then_some(())
        });
        let counters = containers.counters();
        let counted = match name {
            "hangs" => counters.timeouts,
            "garbage" => counters.malformed,
            "long" => counters.too_large,
            _ => counters.broken,
        };
        assert!(counted > 0, "{name}: {counters:?}");
    }
}
