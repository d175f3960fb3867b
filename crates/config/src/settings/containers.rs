//! Which container runtimes and orchestrators are asked.
//!
//! `container_engines` is the key of older releases; today's are the settings of the container
//! plugin, which go first where both stand. `container_metadata` is our own.

use crate::read::Reader;
use crate::tree::Node;

/// A runtime in `container_engines`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEngine {
    /// Its key.
    pub name: &'static str,
    /// Whether it is looked for.
    pub enabled: bool,
    /// Sockets; empty: the usual ones.
    pub sockets: Vec<String>,
}

/// What is asked and how long alerts wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerMetadata {
    /// Milliseconds that an alert waits for what its container's runtime has not said yet.
    pub wait_ms: u64,
    /// Engines of `container_engines`.
    pub engines: Vec<ContainerEngine>,
    /// Alerts of containers wait as long as it takes, within ten seconds.
    pub disable_async: bool,
    /// The API server.
    pub kubernetes: KubernetesServer,
    /// Mesos' master; empty: none.
    pub mesos_master: String,
    /// Marathon; empty: none.
    pub marathon: String,
}

/// How Kubernetes' API server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesServer {
    /// `https://HOST:PORT`; empty: it is not asked.
    pub url: String,
    /// File with a bearer token.
    pub token_file: String,
    /// File with the certificates of who signed the server's.
    pub ca_file: String,
    /// File with a client's certificate.
    pub client_certificate: String,
    /// File with its key.
    pub client_key: String,
    /// This node's name in the cluster; empty: pods of all nodes are watched.
    pub node: String,
    /// The server's certificate is not looked at.
    pub insecure: bool,
}

/// Longest wait of an alert.
const WAIT_MAX_MS: u64 = 10_000;
const ENGINES: [&str; 7] = [
    "docker",
    "podman",
    "cri",
    "containerd",
    "lxc",
    "libvirt_lxc",
    "bpm",
];

impl ContainerMetadata {
    pub(crate) fn read(tree: &Node, reader: &mut Reader) -> Self {
        let mut engines = Vec::new();
        for name in ENGINES {
            let key = format!("container_engines.{name}");
            if tree.path(&key).is_none() {
                continue;
            }
            let sockets = reader.texts(tree.path(&format!("{key}.sockets")));
            engines.push(ContainerEngine {
                name,
                enabled: reader.truth(tree, &format!("{key}.enabled"), true),
                sockets,
            });
        }
        let own = |key: &str| format!("container_metadata.{key}");
        let mut text = |key: &str| reader.text(tree, &own(key), "");
        let kubernetes = KubernetesServer {
            url: text("kubernetes.url"),
            token_file: text("kubernetes.token_file"),
            ca_file: text("kubernetes.ca_file"),
            client_certificate: text("kubernetes.client_certificate"),
            client_key: text("kubernetes.client_key"),
            node: text("kubernetes.node"),
            insecure: false,
        };
        let (mesos_master, marathon) = (text("mesos.master"), text("mesos.marathon"));
        Self {
            wait_ms: reader
                .number(tree, &own("wait_ms"), 500u64)
                .min(WAIT_MAX_MS),
            engines,
            disable_async: reader.truth(tree, "container_engines.cri.disable_async", false),
            kubernetes: KubernetesServer {
                insecure: reader.truth(tree, &own("kubernetes.insecure"), false),
                ..kubernetes
            },
            mesos_master,
            marathon,
        }
    }
}

impl Default for ContainerMetadata {
    fn default() -> Self {
        Self::read(&Node::null(), &mut Reader::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_keys() {
        let tree = Node::parse(
            "container_engines: {docker: {enabled: false}, cri: {enabled: true, disable_async: true,
             sockets: [/run/x.sock]}}
container_metadata: {wait_ms: 250, kubernetes: {url: 'https://k', insecure: true}}",
            None,
        )
        .unwrap();
        let found = ContainerMetadata::read(&tree, &mut Reader::default());
        assert_eq!((found.wait_ms, found.disable_async), (250, true));
        assert_eq!(found.engines.len(), 2);
        assert!(!found.engines[0].enabled);
        assert_eq!(found.engines[1].sockets, ["/run/x.sock"]);
        assert_eq!(found.kubernetes.url, "https://k");
        assert!(found.kubernetes.insecure);
        assert_eq!(ContainerMetadata::default().wait_ms, 500);
    }
}
