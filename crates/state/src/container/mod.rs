//! Containers: which one a thread is in, and what is known of it.
//!
//! The identity comes from a thread's control groups alone ([`matchers`]); everything else from
//! container events ([`metadata`]). No runtime is ever asked from here: [`sightings`] keeps what
//! somebody else should ask for.

mod json;
pub(crate) mod matchers;
mod metadata;
mod orchestration;
mod shapes;
pub(crate) mod sightings;

pub use matchers::{Engines, Family, Fixed, Identity};
pub(crate) use metadata::parse;
pub use metadata::{Container, Mount, Pending, PortMapping, Probe};
pub use orchestration::{Kubernetes, Mesos, Object};
pub use sightings::{Metadata, Sighting};

/// Control groups of a thread, and the container that they name.
#[derive(Debug, Default)]
pub struct Cgroups {
    raw: Box<[u8]>,
    identity: Option<Identity>,
    /// Who they would name, were there a reason to think that it is a container.
    doubtful: Option<Identity>,
}

/// Longest list of control groups that is kept.
const CGROUPS_MAX: usize = 65_536;

impl Cgroups {
    /// Takes `SUBSYSTEM=PATH` entries, each ending in NUL. They name no container yet.
    pub(crate) fn new(raw: &[u8]) -> Self {
        Self {
            raw: cut(raw).into(),
            identity: None,
            doubtful: None,
        }
    }

    /// The same groups in another container, or in none.
    pub(crate) fn with(&self, identity: Option<Identity>) -> Self {
        Self {
            raw: self.raw.clone(),
            identity,
            doubtful: None,
        }
    }

    /// The same groups on the host, although they look like those of a container.
    pub(crate) fn doubting(&self, identity: Identity) -> Self {
        Self {
            raw: self.raw.clone(),
            identity: None,
            doubtful: Some(identity),
        }
    }

    /// The container that they may name, of which nothing but the path speaks.
    pub(crate) fn doubtful(&self) -> Option<&Identity> {
        self.doubtful.as_ref()
    }

    pub(crate) fn has(&self, raw: &[u8]) -> bool {
        *self.raw == *cut(raw)
    }

    /// Controller and path, in the order of the kernel.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        crate::image::items(&self.raw).map_while(|entry| {
            let at = entry.iter().position(|&b| b == b'=')?;
            Some((controller(&entry[..at]), &entry[at + 1..]))
        })
    }

    /// Path of one controller.
    #[must_use]
    pub fn path(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter()
            .find(|(controller, _)| *controller == name)
            .map(|(_, path)| path)
    }

    /// The entries as they came.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Id of the container; empty on the host.
    #[must_use]
    pub fn container_id(&self) -> &[u8] {
        self.identity.as_ref().map_or(&[], |found| &found.id)
    }

    /// All that the groups say of the container; `None` on the host.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }
}

fn cut(raw: &[u8]) -> &[u8] {
    &raw[..raw.len().min(CGROUPS_MAX)]
}

/// Whether every entry of a list can be read; one that cannot leaves the old list in place.
pub(crate) fn is_list(raw: &[u8]) -> bool {
    crate::image::items(raw).all(|entry| entry.contains(&b'='))
}

/// Old kernels and drivers named some controllers otherwise.
fn controller(name: &[u8]) -> &[u8] {
    match name.strip_suffix(b"_cgroup").unwrap_or(name) {
        b"perf" => b"perf_event",
        b"mem" => b"memory",
        b"io" => b"blkio",
        other => other,
    }
}
