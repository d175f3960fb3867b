//! Docker's and Podman's APIs: list, inspect, events.
//!
//! Both answer with nearly the same JSON; [`inspect`](crate::inspect) reads either. Podman is asked
//! over its own API, as its imitation of Docker's says less of images.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use state::Container;

use crate::error::{Error, cut};
use crate::http::{Get, Lines, Peer};
use crate::inspect::{self, ImageInfo};
use crate::settings::Settings;
use crate::sockets::Runtime;

/// Longest answer about one container or image.
const ONE_MAX: usize = 4 << 20;
/// Longest list.
const LIST_MAX: usize = 32 << 20;
/// Longest line of an event stream.
const EVENT_MAX: usize = 1 << 20;

/// Filters of Docker's event stream, in percent encoding.
const DOCKER_EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22\
    %3A%5B%22create%22%2C%22start%22%2C%22die%22%2C%22rename%22%2C%22update%22%2C%22destroy%22%5D%7D";
const PODMAN_EVENTS: &str =
    "/v4.0.0/libpod/events?stream=true&filters=%7B%22type%22%3A%5B%22container%22%5D%7D";

/// Docker or Podman behind a socket.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    peer: Peer,
    podman: bool,
    with_size: bool,
    label_max_len: usize,
    time: Duration,
}

/// What happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Created,
    Started,
    /// Its first process has ended; it may be started again.
    Ended,
    /// Its name or its limits are others.
    Changed,
    Removed,
}

/// An event of a runtime.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) what: What,
    pub(crate) full_id: String,
    /// What the event itself says, for a container that has gone before it could be asked about.
    pub(crate) reduced: Container,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Id")]
    id: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "status", default)]
    status: String,
    #[serde(rename = "Actor", default)]
    actor: Actor,
}

#[derive(Default, Deserialize)]
struct Actor {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: serde_json::Map<String, Value>,
}

/// Whether a text may stand in a path of the API: ids only, no names.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() >= 12 && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Docker {
    pub(crate) fn new(peer: Peer, runtime: Runtime, settings: &Settings) -> Self {
        Self {
            peer,
            podman: runtime == Runtime::Podman,
            with_size: settings.with_size,
            label_max_len: settings.label_max_len,
            time: settings.time_limit,
        }
    }

    fn get<'a>(&'a self, path: &'a str, limit: usize) -> Get<'a> {
        Get {
            peer: &self.peer,
            path,
            token: None,
            limit,
            time: self.time,
        }
    }

    fn prefix(&self) -> &'static str {
        if self.podman { "/v4.0.0/libpod" } else { "" }
    }

    async fn json(&self, path: &str) -> Result<Value, Error> {
        let body = self.get(path, ONE_MAX).fetch().await?;
        serde_json::from_slice(&body).map_err(|e| Error::Malformed(cut(&e.to_string())))
    }

    /// Full ids of all containers, stopped ones too.
    pub(crate) async fn list(&self) -> Result<Vec<String>, Error> {
        let path = format!("{}/containers/json?all=true", self.prefix());
        let body = self.get(&path, LIST_MAX).fetch().await?;
        // Podman says `null` where it has none.
        let listed: Option<Vec<Listed>> =
            serde_json::from_slice(&body).map_err(|e| Error::Malformed(cut(&e.to_string())))?;
        let ids = listed.unwrap_or_default().into_iter().map(|one| one.id);
        Ok(ids.filter(|id| is_id(id)).collect())
    }

    /// All of a container.
    ///
    /// The API takes names too, and a container may be called like another one's id: an answer
    /// about somebody else is no answer.
    pub(crate) async fn inspect(&self, id: &str) -> Result<Container, Error> {
        if !is_id(id) {
            return Err(Error::NotFound);
        }
        let size = if self.with_size { "?size=true" } else { "" };
        let path = format!("{}/containers/{id}/json{size}", self.prefix());
        let answer = self.json(&path).await?;
        if !answer["Id"]
            .as_str()
            .is_some_and(|full| full.starts_with(id))
        {
            return Err(Error::NotFound);
        }
        let image = match self.podman {
            true => ImageInfo::default(),
            false => self.image(&answer).await,
        };
        let mut container = inspect::container(&answer, &image, self.podman, self.label_max_len)
            .ok_or_else(|| Error::Malformed("no container".to_owned()))?;
        if container.ip.is_empty()
            && let Some(other) = inspect::shared_network(&answer)
            && is_id(other)
        {
            let path = format!("{}/containers/{other}/json", self.prefix());
            if let Ok(answer) = self.json(&path).await {
                container.ip = inspect::address(&answer);
            }
        }
        Ok(container)
    }

    /// Names of the container's image; none where the image has gone.
    async fn image(&self, container: &Value) -> ImageInfo {
        let id = container["Image"].as_str().unwrap_or_default();
        let hex = id.strip_prefix("sha256:").unwrap_or(id);
        if !is_id(hex) {
            return ImageInfo::default();
        }
        match self.json(&format!("/images/{hex}/json")).await {
            Ok(answer) => ImageInfo::of(&answer),
            Err(_) => ImageInfo::default(),
        }
    }

    /// The stream of events. It begins with what happens from now on.
    pub(crate) async fn events(&self) -> Result<Events, Error> {
        let path = if self.podman {
            PODMAN_EVENTS
        } else {
            DOCKER_EVENTS
        };
        Ok(Events {
            lines: self.get(path, EVENT_MAX).lines().await?,
            podman: self.podman,
        })
    }
}

/// A stream of events.
pub(crate) struct Events {
    lines: Lines,
    podman: bool,
}

impl Events {
    /// The next one that matters; `None` where the stream ends.
    pub(crate) async fn next(&mut self) -> Result<Option<Change>, Error> {
        while let Some(line) = self.lines.next().await? {
            let event: Event =
                serde_json::from_slice(&line).map_err(|e| Error::Malformed(cut(&e.to_string())))?;
            if let Some(change) = change(&event, self.podman) {
                return Ok(Some(change));
            }
        }
        Ok(None)
    }
}

fn change(event: &Event, podman: bool) -> Option<Change> {
    let action = if event.action.is_empty() {
        &event.status
    } else {
        &event.action
    };
    let what = match action.as_str() {
        "create" => What::Created,
        "start" | "restart" => What::Started,
        "die" | "died" => What::Ended,
        "rename" | "update" => What::Changed,
        "destroy" | "remove" => What::Removed,
        _ => return None,
    };
    let id = &event.actor.id;
    if !is_id(id) {
        return None;
    }
    let attribute = |name: &str| {
        let value = event.actor.attributes.get(name);
        value
            .and_then(Value::as_str)
            .unwrap_or_default()
            .as_bytes()
            .to_vec()
    };
    let image = attribute("image");
    let (repository, tag, digest) = state::split_image(&image);
    Some(Change {
        what,
        full_id: id.clone(),
        reduced: Container {
            id: id.as_bytes()[..12].to_vec(),
            full_id: id.as_bytes().to_vec(),
            kind: if podman { 11 } else { 0 },
            name: attribute("name"),
            image_repository: repository.to_vec(),
            image_tag: tag.to_vec(),
            image_digest: digest.to_vec(),
            image,
            size: -1,
            ..Container::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_both() {
        let docker = r#"{"status":"create","id":"0123456789abcdef","Type":"container",
            "Action":"create","Actor":{"ID":"0123456789abcdef",
            "Attributes":{"image":"a/b:1","name":"web","label":"x"}}}"#;
        let found = change(&serde_json::from_str(docker).unwrap(), false).unwrap();
        assert_eq!((found.what, found.reduced.kind), (What::Created, 0));
        assert_eq!(found.reduced.name, b"web");
        assert_eq!(found.reduced.image_tag, b"1");
        let podman = r#"{"status":"remove","Actor":{"ID":"0123456789abcdef"}}"#;
        let found = change(&serde_json::from_str(podman).unwrap(), true).unwrap();
        assert_eq!((found.what, found.reduced.kind), (What::Removed, 11));
        for odd in [
            r"{}",
            r#"{"Action":"exec_create: sh","Actor":{"ID":"0123456789abcdef"}}"#,
            r#"{"Action":"start","Actor":{"ID":"../../images"}}"#,
        ] {
            assert!(change(&serde_json::from_str(odd).unwrap(), false).is_none());
        }
    }
}
