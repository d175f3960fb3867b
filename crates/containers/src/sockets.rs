//! Where runtimes listen.
//!
//! Configured paths are taken as they are; otherwise all usual places are looked at, again and
//! again, for a runtime may be started, or a user may log in, at any time.

use std::path::{Path, PathBuf};

use crate::settings::{Settings, Sockets};

/// Who is expected behind a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Runtime {
    /// Docker's API.
    Docker,
    /// Podman's own API.
    Podman,
    /// The Container Runtime Interface.
    Cri,
    /// containerd's own API.
    Containerd,
}

impl Runtime {
    /// As the configuration calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Cri => "cri",
            Self::Containerd => "containerd",
        }
    }
}

/// A socket and who is behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) runtime: Runtime,
    pub(crate) path: PathBuf,
}

const DOCKER: &[&str] = &["/var/run/docker.sock", "/run/docker.sock"];
const PODMAN: &[&str] = &["/run/podman/podman.sock"];
/// containerd speaks both its own API and that of Kubernetes: plain, k3s and RKE2, microk8s, k0s,
/// Bottlerocket, and Docker's own daemon.
const CONTAINERD: &[&str] = &[
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
    "/run/k0s/containerd.sock",
    "/run/host-containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
];
const CRI_ONLY: &[&str] = &[
    "/run/crio/crio.sock",
    "/var/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/run/dockershim.sock",
];
/// Below `/run/user/UID`.
const USER_DOCKER: &str = "docker.sock";
const USER_PODMAN: &str = "podman/podman.sock";
const USER_CONTAINERD: &str = "containerd/containerd.sock";

/// Most users whose directories are looked at.
const USERS_MAX: usize = 256;

/// All sockets that exist now, each once although paths lead to the same one.
pub(crate) fn present(settings: &Settings) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    let users = users(settings);
    let all: [(Runtime, &Sockets, &[&[&str]], &str); 4] = [
        (Runtime::Docker, &settings.docker, &[DOCKER], USER_DOCKER),
        (Runtime::Podman, &settings.podman, &[PODMAN], USER_PODMAN),
        (Runtime::Cri, &settings.cri, &[CONTAINERD, CRI_ONLY], ""),
        (
            Runtime::Containerd,
            &settings.containerd,
            &[CONTAINERD],
            USER_CONTAINERD,
        ),
    ];
    for (runtime, sockets, usual, below_user) in all {
        if !sockets.enabled {
            continue;
        }
        let paths: Vec<PathBuf> = if sockets.paths.is_empty() {
            let usual = usual
                .iter()
                .copied()
                .flatten()
                .map(|path| settings.on_host(path));
            let own = users.iter().map(|dir| dir.join(below_user));
            usual
                .chain(own.filter(|_| !below_user.is_empty()))
                .collect()
        } else {
            sockets
                .paths
                .iter()
                .map(|path| settings.on_host(path))
                .collect()
        };
        for path in paths {
            let Some(path) = socket(&path) else { continue };
            let place = Place { runtime, path };
            if !found.contains(&place) {
                found.push(place);
            }
        }
    }
    found
}

/// The socket's path without links; `None` where there is none.
fn socket(path: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::FileTypeExt;
    let path = path.canonicalize().ok()?;
    let kind = path.metadata().ok()?.file_type();
    kind.is_socket().then_some(path)
}

fn users(settings: &Settings) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(settings.on_host("/run/user")) else {
        return Vec::new();
    };
    let is_number = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(is_number)
        .collect();
    found.sort();
    found.truncate(USERS_MAX);
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn usual_places_below_a_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let listen = |path: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            UnixListener::bind(path).unwrap()
        };
        let _kept = [
            listen("run/docker.sock"),
            listen("run/k3s/containerd/containerd.sock"),
            listen("run/user/1000/podman/podman.sock"),
            listen("run/user/nobody/podman/podman.sock"),
        ];
        std::fs::create_dir_all(root.join("var")).unwrap();
        std::os::unix::fs::symlink("../run", root.join("var/run")).unwrap();
        std::fs::create_dir_all(root.join("run/crio")).unwrap();
        std::fs::write(root.join("run/crio/crio.sock"), "no socket").unwrap();
        let mut settings = Settings {
            root: root.clone(),
            ..Settings::default()
        };
        let found = present(&settings);
        let short: Vec<_> = found
            .iter()
            .map(|p| {
                (
                    p.runtime,
                    p.path.strip_prefix(&root).unwrap().to_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            short,
            [
                (Runtime::Docker, "run/docker.sock"),
                (Runtime::Podman, "run/user/1000/podman/podman.sock"),
                (Runtime::Cri, "run/k3s/containerd/containerd.sock"),
                (Runtime::Containerd, "run/k3s/containerd/containerd.sock"),
            ]
        );
        settings.docker = Sockets::off();
        settings.podman = Sockets::at("/run/docker.sock");
        settings.cri.enabled = false;
        settings.containerd.enabled = false;
        let found = present(&settings);
        assert_eq!((found.len(), found[0].runtime), (1, Runtime::Podman));
    }
}
