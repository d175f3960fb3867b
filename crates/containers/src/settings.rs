//! What is asked, where, and for how long.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Docker's sockets.
    pub docker: Sockets,
    /// Podman's sockets.
    pub podman: Sockets,
    /// Sockets that speak the Container Runtime Interface.
    pub cri: Sockets,
    /// containerd's own sockets.
    pub containerd: Sockets,
    /// A label whose value is longer is left out.
    pub label_max_len: usize,
    /// Asks for the size of the writable layer, which is slow.
    pub with_size: bool,
    /// When a `container` event is sent.
    pub hooks: Hooks,
    /// Put before every path of this machine.
    pub root: PathBuf,
    /// Longest time for one answer.
    pub time_limit: Duration,
    /// Longest time between two attempts to reach a socket.
    pub retry: Duration,
    /// Users and groups are read from the containers' own files.
    pub accounts: bool,
    /// The API server to ask for what is around a pod.
    pub kubernetes: Option<Kubernetes>,
    /// Mesos' master, and Marathon.
    pub mesos: Option<Mesos>,
}

/// One runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sockets {
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Where it listens; empty: all places that are usual.
    pub paths: Vec<String>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            enabled: true,
            paths: Vec::new(),
        }
    }
}

impl Sockets {
    /// A runtime that is not asked.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            enabled: false,
            paths: Vec::new(),
        }
    }

    /// Only this one.
    #[must_use]
    pub fn at(path: &str) -> Self {
        Self {
            enabled: true,
            paths: vec![path.to_owned()],
        }
    }
}

/// What of a container's life is told as `container` event. Without `create` nothing is known
/// before the first process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hooks {
    /// It was created.
    pub create: bool,
    /// It was started.
    pub start: bool,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            create: true,
            start: false,
        }
    }
}

/// How the API server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kubernetes {
    /// `https://HOST:PORT`.
    pub url: String,
    /// File with a bearer token; empty: none.
    pub token_file: String,
    /// File with the certificates of whoever signed the server's; empty: the pod's own, if there.
    pub ca_file: String,
    /// Files of a client's certificate and its key; empty: none.
    pub client_certificate: String,
    /// See [`Kubernetes::client_certificate`].
    pub client_key: String,
    /// Only pods of this node are watched; empty: all.
    pub node: String,
    /// The server's certificate is not looked at.
    pub insecure: bool,
}

/// How Mesos is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mesos {
    /// `http://HOST:5050` of a master; empty: none.
    pub master: String,
    /// `http://HOST:8080` of Marathon; empty: none.
    pub marathon: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            docker: Sockets::default(),
            podman: Sockets::default(),
            cri: Sockets::default(),
            containerd: Sockets::default(),
            label_max_len: 100,
            with_size: false,
            hooks: Hooks::default(),
            root: PathBuf::from("/"),
            time_limit: Duration::from_secs(5),
            retry: Duration::from_secs(5),
            accounts: true,
            kubernetes: None,
            mesos: None,
        }
    }
}

impl Settings {
    /// A path of the machine that is watched.
    pub(crate) fn on_host(&self, path: &str) -> PathBuf {
        let below = Path::new(path);
        self.root.join(below.strip_prefix("/").unwrap_or(below))
    }
}
