//! containerd's own API: containers of any namespace, Kubernetes or not.
//!
//! Docker's containers are in its namespace `moby`; Docker knows more of them. Those of Kubernetes
//! are in `k8s.io`; the Container Runtime Interface knows more of them, but old versions of it have
//! no events, and it knows a pod only once it runs: what containerd says comes first.

mod messages;
mod record;

use std::path::PathBuf;
use std::time::Duration;

use prost::Message;
use state::Container;

use crate::docker::{Change, What};
use crate::error::Error;
use crate::grpc::{Answers, Method};
use crate::listing::List;
use crate::settings::Settings;
use messages as v1;

/// Longest answer about one container.
const ONE_MAX: usize = 4 << 20;
/// Longest list.
const LIST_MAX: usize = 64 << 20;
/// Most namespaces that are asked.
const NAMESPACES_MAX: usize = 32;
/// Docker's.
const MOBY: &str = "moby";
/// containerd behind a socket.
#[derive(Clone, Debug)]
pub(crate) struct Containerd {
    socket: PathBuf,
    with_size: bool,
    label_max_len: usize,
    time: Duration,
}

fn is_name(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !id.is_empty() && id.len() <= 76 && id.bytes().all(plain)
}

impl Containerd {
    pub(crate) fn new(socket: PathBuf, settings: &Settings) -> Self {
        Self {
            socket,
            with_size: settings.with_size,
            label_max_len: settings.label_max_len,
            time: settings.time_limit,
        }
    }

    fn method<'a>(&'a self, path: &'a str, namespace: &'a str, limit: usize) -> Method<'a> {
        Method {
            socket: &self.socket,
            path,
            namespace,
            limit,
            time: self.time,
        }
    }

    async fn namespaces(&self) -> Result<Vec<String>, Error> {
        let path = "/containerd.services.namespaces.v1.Namespaces/List";
        let list: v1::ListNamespacesResponse = self
            .method(path, "", ONE_MAX)
            .call(&v1::ListNamespacesRequest::default())
            .await?;
        let names = list.namespaces.into_iter().map(|namespace| namespace.name);
        Ok(names
            .filter(|name| is_name(name) && name != MOBY)
            .take(NAMESPACES_MAX)
            .collect())
    }

    /// All containers outside `moby`.
    pub(crate) async fn list(&self) -> Result<Vec<String>, Error> {
        let mut ids = Vec::new();
        for namespace in self.namespaces().await? {
            let path = "/containerd.services.containers.v1.Containers/List";
            let list: List = self
                .method(path, &namespace, LIST_MAX)
                .call(&v1::ListContainersRequest::default())
                .await?;
            ids.extend(list.ids().filter(|id| is_name(id)));
        }
        Ok(ids)
    }

    /// All of a container, whatever namespace it is in.
    pub(crate) async fn inspect(&self, id: &str) -> Result<Container, Error> {
        if !is_name(id) {
            return Err(Error::NotFound);
        }
        for namespace in self.namespaces().await? {
            match self.inspect_in(&namespace, id).await {
                Err(Error::NotFound) => {}
                other => return other,
            }
        }
        Err(Error::NotFound)
    }

    async fn inspect_in(&self, namespace: &str, id: &str) -> Result<Container, Error> {
        let path = "/containerd.services.containers.v1.Containers/Get";
        let answer: v1::GetContainerResponse = self
            .method(path, namespace, ONE_MAX)
            .call(&v1::GetContainerRequest { id: id.to_owned() })
            .await?;
        let found = answer.container.ok_or(Error::NotFound)?;
        let image = self
            .image(namespace, &found.image)
            .await
            .unwrap_or_default();
        let mut container = record::container(&found, &image, self.label_max_len)
            .filter(|c| c.full_id == id.as_bytes())
            .ok_or(Error::NotFound)?;
        if !self.with_size {
            container.size = -1;
        }
        Ok(container)
    }

    async fn image(&self, namespace: &str, name: &str) -> Result<v1::Image, Error> {
        if name.is_empty() {
            return Err(Error::NotFound);
        }
        let path = "/containerd.services.images.v1.Images/Get";
        let answer: v1::GetImageResponse = self
            .method(path, namespace, ONE_MAX)
            .call(&v1::GetImageRequest {
                name: name.to_owned(),
            })
            .await?;
        answer.image.ok_or(Error::NotFound)
    }

    /// The stream of events.
    pub(crate) async fn events(&self) -> Result<Events, Error> {
        let path = "/containerd.services.events.v1.Events/Subscribe";
        let topics = ["/containers/create", "/containers/delete", "/tasks/start"];
        let filters = topics.map(|topic| format!("topic==\"{topic}\""));
        let question = v1::SubscribeRequest {
            filters: filters.to_vec(),
        };
        let answers = self.method(path, "", ONE_MAX).stream(&question).await?;
        Ok(Events { answers })
    }
}

/// A stream of events.
pub(crate) struct Events {
    answers: Answers,
}

impl Events {
    /// The next one that matters; `None` where the stream ends.
    pub(crate) async fn next(&mut self) -> Result<Option<Change>, Error> {
        while let Some(envelope) = self.answers.next::<v1::Envelope>().await? {
            if envelope.namespace != MOBY
                && let Some(change) = change(&envelope)
            {
                return Ok(Some(change));
            }
        }
        Ok(None)
    }
}

fn change(envelope: &v1::Envelope) -> Option<Change> {
    let event = v1::ContainerEvent::decode(envelope.event.as_ref()?.value.as_slice()).ok()?;
    let what = match envelope.topic.as_str() {
        "/containers/create" => What::Created,
        "/containers/delete" => What::Removed,
        "/tasks/start" => What::Started,
        _ => return None,
    };
    if !is_name(&event.id) {
        return None;
    }
    let image = match what {
        What::Created => event.image.as_slice(),
        _ => b"",
    };
    Some(Change {
        what,
        reduced: record::reduced(&event.id, image),
        full_id: event.id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events() {
        let event = v1::ContainerEvent {
            id: "my-test".into(),
            image: b"docker.io/a:1".to_vec(),
        };
        let envelope = |topic: &str, namespace: &str| v1::Envelope {
            namespace: namespace.into(),
            topic: topic.into(),
            event: Some(v1::Any {
                value: event.encode_to_vec(),
            }),
        };
        let found = change(&envelope("/containers/create", "default")).unwrap();
        assert_eq!(
            (found.what, &found.reduced.id[..]),
            (What::Created, &b"my-test"[..])
        );
        assert_eq!(found.reduced.image_tag, b"1");
        assert!(change(&envelope("/tasks/exit", "default")).is_none());
        let odd = v1::Envelope {
            event: Some(v1::Any {
                value: vec![0xff; 9],
            }),
            ..envelope("/tasks/start", "x")
        };
        assert!(change(&odd).is_none());
    }
}
