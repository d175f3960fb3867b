//! The Container Runtime Interface, version 1: what Kubernetes' runtimes say of pods' containers.

mod messages;
mod record;

use std::path::PathBuf;
use std::time::Duration;

use state::Container;

use crate::docker::{Change, What, is_id};
use crate::error::Error;
use crate::grpc::{Answers, Method};
use crate::listing::List;
use crate::settings::Settings;

use messages as v1;

/// Longest answer about one container.
const ONE_MAX: usize = 4 << 20;
/// Longest list.
const LIST_MAX: usize = 32 << 20;
/// Time after which a stream of events that has not been refused is taken for one.
const REFUSAL_TIME: Duration = Duration::from_millis(10);

/// A runtime of Kubernetes' behind a socket.
#[derive(Clone, Debug)]
pub(crate) struct Cri {
    socket: PathBuf,
    with_size: bool,
    label_max_len: usize,
    time: Duration,
}

impl Cri {
    pub(crate) fn new(socket: PathBuf, settings: &Settings) -> Self {
        Self {
            socket,
            with_size: settings.with_size,
            label_max_len: settings.label_max_len,
            time: settings.time_limit,
        }
    }

    fn method<'a>(&'a self, path: &'a str, limit: usize) -> Method<'a> {
        Method {
            socket: &self.socket,
            path,
            namespace: "",
            limit,
            time: self.time,
        }
    }

    /// The runtime's name; an error where nobody speaks this protocol.
    pub(crate) async fn runtime(&self) -> Result<String, Error> {
        let version: v1::VersionResponse = self
            .method("/runtime.v1.RuntimeService/Version", ONE_MAX)
            .call(&v1::VersionRequest {
                version: "v1".to_owned(),
            })
            .await?;
        Ok(version.runtime_name)
    }

    /// Full ids of all containers.
    pub(crate) async fn list(&self) -> Result<Vec<String>, Error> {
        let containers: List = self
            .method("/runtime.v1.RuntimeService/ListContainers", LIST_MAX)
            .call(&v1::ListContainersRequest { filter: None })
            .await?;
        let pods: List = self
            .method("/runtime.v1.RuntimeService/ListPodSandbox", LIST_MAX)
            .call(&v1::ListPodSandboxRequest {})
            .await?;
        let ids = containers.ids().chain(pods.ids());
        Ok(ids.filter(|id| is_id(id)).collect())
    }

    /// All of a container, or of a pod's sandbox.
    pub(crate) async fn inspect(&self, id: &str) -> Result<Container, Error> {
        if !is_id(id) {
            return Err(Error::NotFound);
        }
        let runtime = self.runtime().await?;
        let path = "/runtime.v1.RuntimeService/ContainerStatus";
        let status: Result<v1::ContainerStatusResponse, Error> = self
            .method(path, ONE_MAX)
            .call(&v1::ContainerStatusRequest {
                container_id: id.to_owned(),
                verbose: true,
            })
            .await;
        let status = match status {
            Ok(status) => status,
            Err(Error::NotFound) => {
                let sandbox = self.sandbox(id).await?;
                return record::sandbox(&sandbox, &runtime, self.label_max_len)
                    .filter(|c| c.full_id.starts_with(id.as_bytes()))
                    .ok_or(Error::NotFound);
            }
            Err(error) => return Err(error),
        };
        let sandbox = match record::sandbox_id(&status) {
            Some(sandbox) if is_id(&sandbox) => self.sandbox(&sandbox).await.ok(),
            _ => None,
        };
        let mut container =
            record::container(&status, sandbox.as_ref(), &runtime, self.label_max_len)
                .filter(|c| c.full_id.starts_with(id.as_bytes()))
                .ok_or(Error::NotFound)?;
        if self.with_size {
            container.size = self.size(id).await.unwrap_or(-1);
        }
        Ok(container)
    }

    async fn sandbox(&self, id: &str) -> Result<v1::PodSandboxStatusResponse, Error> {
        self.method("/runtime.v1.RuntimeService/PodSandboxStatus", ONE_MAX)
            .call(&v1::PodSandboxStatusRequest {
                pod_sandbox_id: id.to_owned(),
                verbose: true,
            })
            .await
    }

    async fn size(&self, id: &str) -> Result<i64, Error> {
        let stats: v1::ContainerStatsResponse = self
            .method("/runtime.v1.RuntimeService/ContainerStats", ONE_MAX)
            .call(&v1::ContainerStatsRequest {
                container_id: id.to_owned(),
            })
            .await?;
        let used = stats
            .stats
            .and_then(|s| s.writable_layer)
            .and_then(|l| l.used_bytes);
        Ok(used.map_or(-1, |used| i64::try_from(used.value).unwrap_or(-1)))
    }

    /// The stream of events; `None` where the runtime has none.
    pub(crate) async fn events(&self) -> Result<Option<Events>, Error> {
        let path = "/runtime.v1.RuntimeService/GetContainerEvents";
        match self
            .method(path, ONE_MAX)
            .stream(&v1::GetEventsRequest {})
            .await
        {
            Ok(mut answers) => {
                // A refusal can come behind an empty body.
                let next = answers.next::<v1::ContainerEventResponse>();
                match tokio::time::timeout(REFUSAL_TIME, next).await {
                    Ok(Err(Error::Refused { .. })) => Ok(None),
                    Ok(Err(error)) => Err(error),
                    Ok(Ok(first)) => Ok(Some(Events { answers, first })),
                    Err(_) => Ok(Some(Events {
                        answers,
                        first: None,
                    })),
                }
            }
            Err(Error::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A stream of events.
pub(crate) struct Events {
    answers: Answers,
    first: Option<v1::ContainerEventResponse>,
}

impl Events {
    /// The next one that matters; `None` where the stream ends.
    pub(crate) async fn next(&mut self) -> Result<Option<Change>, Error> {
        loop {
            let event = match self.first.take() {
                Some(event) => event,
                None => match self.answers.next::<v1::ContainerEventResponse>().await? {
                    Some(event) => event,
                    None => return Ok(None),
                },
            };
            let what = match event.container_event_type {
                0 => What::Created,
                1 => What::Started,
                3 => What::Removed,
                _ => continue,
            };
            if !is_id(&event.container_id) {
                continue;
            }
            let id = event.container_id.as_bytes();
            let reduced = Container {
                id: id[..12].to_vec(),
                full_id: id.to_vec(),
                kind: 6,
                created_time: event.created_at / 1_000_000_000,
                size: -1,
                ..Container::default()
            };
            return Ok(Some(Change {
                what,
                full_id: event.container_id,
                reduced,
            }));
        }
    }
}
