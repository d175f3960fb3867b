//! A runtime behind a socket, whichever it is.

use state::Container;

use crate::containerd::{self, Containerd};
use crate::cri::{self, Cri};
use crate::docker::{self, Change, Docker};
use crate::error::Error;
use crate::http::Peer;
use crate::settings::Settings;
use crate::sockets::{Place, Runtime};

/// Asks one socket.
#[derive(Clone, Debug)]
pub(crate) enum Client {
    Docker(Docker),
    Cri(Cri),
    Containerd(Containerd),
}

/// Events of one socket.
pub(crate) enum Events {
    Docker(docker::Events),
    Cri(cri::Events),
    Containerd(containerd::Events),
    /// The runtime has none: it only answers.
    None,
}

impl Client {
    pub(crate) fn new(place: &Place, settings: &Settings) -> Self {
        let socket = place.path.clone();
        match place.runtime {
            Runtime::Docker | Runtime::Podman => {
                Self::Docker(Docker::new(Peer::Unix(socket), place.runtime, settings))
            }
            Runtime::Cri => Self::Cri(Cri::new(socket, settings)),
            Runtime::Containerd => Self::Containerd(Containerd::new(socket, settings)),
        }
    }

    pub(crate) async fn list(&self) -> Result<Vec<String>, Error> {
        match self {
            Self::Docker(docker) => docker.list().await,
            Self::Cri(cri) => cri.list().await,
            Self::Containerd(containerd) => containerd.list().await,
        }
    }

    pub(crate) async fn inspect(&self, id: &str) -> Result<Container, Error> {
        match self {
            Self::Docker(docker) => docker.inspect(id).await,
            Self::Cri(cri) => cri.inspect(id).await,
            Self::Containerd(containerd) => containerd.inspect(id).await,
        }
    }

    pub(crate) async fn events(&self) -> Result<Events, Error> {
        Ok(match self {
            Self::Docker(docker) => Events::Docker(docker.events().await?),
            Self::Cri(cri) => {
                cri.runtime().await?;
                match cri.events().await? {
                    Some(events) => Events::Cri(events),
                    None => Events::None,
                }
            }
            Self::Containerd(containerd) => Events::Containerd(containerd.events().await?),
        })
    }

    /// Of two answers about one container the higher one counts: containerd's own API knows least.
    pub(crate) const fn rank(&self) -> u8 {
        match self {
            Self::Docker(_) => 3,
            Self::Cri(_) => 2,
            Self::Containerd(_) => 1,
        }
    }
}

impl Events {
    /// The next event; `None` where the stream ends. Never, where there is no stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Change>, Error> {
        match self {
            Self::Docker(events) => events.next().await,
            Self::Cri(events) => events.next().await,
            Self::Containerd(events) => events.next().await,
            Self::None => std::future::pending().await,
        }
    }
}
