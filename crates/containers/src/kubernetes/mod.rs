//! What Kubernetes' API server knows of the pods of this node: namespaces, deployments, replica
//! sets, replication controllers, services.
//!
//! Each kind is listed in pages and then watched, as the server wants it: bookmarks move the place
//! from which a broken watch goes on, and a place that is too old (410) means a new list. Pods are
//! limited to this node where its name is known; of the others only the metadata is kept, and the
//! whole is bounded.

mod cluster;
mod credentials;
mod objects;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use cluster::Cluster;

use crate::hub::Hub;
use crate::settings;

/// What is watched, with the paths of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Namespace,
    Pod,
    ReplicationController,
    Service,
    ReplicaSet,
    Deployment,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Namespace,
        Self::Pod,
        Self::ReplicationController,
        Self::Service,
        Self::ReplicaSet,
        Self::Deployment,
    ];

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Namespace => "/api/v1/namespaces",
            Self::Pod => "/api/v1/pods",
            Self::ReplicationController => "/api/v1/replicationcontrollers",
            Self::Service => "/api/v1/services",
            Self::ReplicaSet => "/apis/apps/v1/replicasets",
            Self::Deployment => "/apis/apps/v1/deployments",
        }
    }
}

/// Between changes of the cluster and a new look at all containers.
const SETTLE: Duration = Duration::from_millis(200);

/// Follows the cluster for ever.
pub(crate) async fn watch(hub: Arc<Hub>, settings: settings::Kubernetes) {
    let server = loop {
        match credentials::server(&settings, hub.settings.time_limit) {
            Ok(server) => break Arc::new(server),
            Err(error) => {
                hub.tally.fault(&error);
                tokio::time::sleep(hub.settings.retry).await;
            }
        }
    };
    for kind in Kind::ALL {
        tokio::spawn(watch::kind(Arc::clone(&hub), Arc::clone(&server), kind));
    }
    let mut seen = 0;
    loop {
        tokio::time::sleep(SETTLE).await;
        let now = hub.cluster.version();
        if now != seen {
            seen = now;
            hub.complete_all();
        }
    }
}
