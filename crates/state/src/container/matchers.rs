//! From a control group's path to a container id.
//!
//! Runtimes put their containers' processes in control groups whose paths hold the id in a shape
//! of their own. The matchers are tried in a fixed order, the first id wins.

/// Which runtimes' shapes are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engines {
    /// Podman, as root or not.
    pub podman: bool,
    /// Docker.
    pub docker: bool,
    /// Kubernetes' runtimes: containerd, CRI-O.
    pub cri: bool,
    /// Plain containerd, with its namespaces.
    pub containerd: bool,
    /// LXC.
    pub lxc: bool,
    /// LXC through libvirt.
    pub libvirt_lxc: bool,
    /// BOSH process manager.
    pub bpm: bool,
    /// Every process is said to be in this container; no shape is looked at.
    pub fixed: Option<Vec<u8>>,
}

impl Default for Engines {
    fn default() -> Self {
        Self {
            podman: true,
            docker: true,
            cri: true,
            containerd: true,
            lxc: true,
            libvirt_lxc: true,
            bpm: true,
            fixed: None,
        }
    }
}

impl Engines {
    /// Every process is on the host.
    #[must_use]
    pub fn none() -> Self {
        Self {
            podman: false,
            docker: false,
            cri: false,
            containerd: false,
            lxc: false,
            libvirt_lxc: false,
            bpm: false,
            fixed: None,
        }
    }

    /// First id found in `paths`; empty: none.
    pub(crate) fn container_id<'a>(&self, paths: impl Iterator<Item = &'a [u8]>) -> Box<[u8]> {
        if let Some(fixed) = &self.fixed {
            return fixed.as_slice().into();
        }
        for path in paths {
            // "/" and the empty path are in no shape; most kernels have a dozen such lines.
            if path.len() > 1
                && let Some(id) = self.of_path(path)
            {
                return id.into();
            }
        }
        Box::default()
    }

    fn of_path<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        None.or_else(|| self.podman.then(|| hashed(path, PODMAN)).flatten())
            .or_else(|| self.docker.then(|| hashed(path, DOCKER)).flatten())
            .or_else(|| self.cri.then(|| hashed(path, CRI)).flatten())
            .or_else(|| self.containerd.then(|| containerd(path)).flatten())
            .or_else(|| self.lxc.then(|| lxc(path)).flatten())
            .or_else(|| self.libvirt_lxc.then(|| libvirt(path)).flatten())
            .or_else(|| self.bpm.then(|| bpm(path)).flatten())
    }
}

/// Texts before and after a full id of 64 hex digits.
type Shape = (&'static [u8], &'static [u8]);

const PODMAN: &[Shape] = &[
    (b"/libpod-", b".scope"),
    (b"/libpod-", b".scope/container"),
    (b"/libpod-", b""),
    (b"/libpod-payload-", b".scope"),
    (b"/libpod-payload-", b".scope/container"),
    (b"/libpod-payload-", b""),
];
const DOCKER: &[Shape] = &[(b"/", b""), (b"/docker-", b".scope")];
const CRI: &[Shape] = &[
    (b"/", b""),
    (b"/crio-", b""),
    (b"/cri-containerd-", b".scope"),
    (b"/crio-", b".scope"),
    (b":cri-containerd:", b""),
    (b"/docker-", b".scope"),
    (b"/nerdctl-", b".scope"),
];

const FULL_ID: usize = 64;
const SHORT_ID: usize = 12;

fn rfind(text: &[u8], what: &[u8]) -> Option<usize> {
    if what.is_empty() {
        return Some(text.len());
    }
    (0..=text.len().checked_sub(what.len())?)
        .rev()
        .find(|&at| text[at..].starts_with(what))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    (0..=text.len().checked_sub(what.len())?).find(|&at| text[at..].starts_with(what))
}

/// What stands between the last prefix and the last suffix, if it is a full id.
///
/// The original checks the digits only as far as byte 64 of the path, so that in a longer path any
/// 64 bytes pass for an id. Here all must be hex digits.
fn hashed<'a>(path: &'a [u8], shapes: &[Shape]) -> Option<&'a [u8]> {
    shapes.iter().find_map(|(prefix, suffix)| {
        let start = rfind(path, prefix)? + prefix.len();
        let id = path.get(start..rfind(path, suffix)?)?;
        (id.len() == FULL_ID && id.iter().all(u8::is_ascii_hexdigit)).then(|| &id[..SHORT_ID])
    })
}

fn is_unit(path: &[u8]) -> bool {
    [&b".service"[..], b".slice", b".scope"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn is_namespace(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .split(|b| b"._-".contains(b))
            .all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_alphanumeric))
}

/// `/NAMESPACE/ID`; the id is whatever the user called it.
fn containerd(path: &[u8]) -> Option<&[u8]> {
    let rest = path.strip_prefix(b"/")?;
    let (namespace, id) = rest.split_at(rest.iter().position(|&b| b == b'/')?);
    let id = &id[1..];
    if !is_namespace(namespace) || id.is_empty() || id.len() > FULL_ID || is_unit(path) {
        return None;
    }
    Some(&id[..id.len().min(SHORT_ID)])
}

fn nonempty(id: &[u8]) -> Option<&[u8]> {
    (!id.is_empty()).then_some(id)
}

fn lxc(path: &[u8]) -> Option<&[u8]> {
    [&b"/lxc/"[..], b"/lxc.payload/", b"/lxc.payload."]
        .iter()
        .find_map(|prefix| {
            let rest = &path[find(path, prefix)? + prefix.len()..];
            nonempty(rest.split(|&b| b == b'/').next()?)
        })
}

fn libvirt(path: &[u8]) -> Option<&[u8]> {
    if let Some(body) = path.strip_suffix(b".libvirt-lxc") {
        return nonempty(&body[rfind(body, b"/")? + 1..]);
    }
    if let Some(at) = find(path, b"-lxc\\x2d") {
        let rest = &path[at + 8..];
        let rest = rest.strip_suffix(b"/libvirt").unwrap_or(rest);
        if let Some(name) = rest.strip_suffix(b".scope") {
            return nonempty(name);
        }
    }
    nonempty(&path[find(path, b"/libvirt/lxc/")? + 13..])
}

fn bpm(path: &[u8]) -> Option<&[u8]> {
    let rest = &path[find(path, b"bpm-")? + 4..];
    let name = &rest[..find(rest, b".scope").unwrap_or(rest.len())];
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
    nonempty(name).filter(|name| name.iter().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn id(path: &str) -> String {
        let path = path.replace("ID", ID);
        let id = Engines::default().container_id([path.as_bytes()].into_iter());
        String::from_utf8(id.into()).unwrap()
    }

    #[test]
    fn full_ids_in_every_shape() {
        for path in [
            "/ID",
            "/docker/ID",
            "/docker-ID.scope",
            "/system.slice/docker-ID.scope",
            "/kubepods/burstable/pod1/ID",
            "/kubepods/burstable/pod1/crio-ID",
            "/kubepods.slice/cri-containerd-ID.scope",
            "/kubepods.slice/crio-ID.scope",
            "/kubepods.slice/nerdctl-ID.scope",
            "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:ID",
            "/libpod_parent/libpod-ID",
            "/machine.slice/libpod-ID.scope",
            "/machine.slice/libpod-ID.scope/container",
            "/machine.slice/libpod-payload-ID.scope",
        ] {
            assert_eq!(id(path), "0123456789ab", "{path}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(id("/default/test_container"), "test_contain");
        assert_eq!(id("/k8s.io/ID"), "0123456789ab");
        assert_eq!(id("/system.slice/foo.service/payload"), "foo.service/");
        assert_eq!(id("/lxc.payload.web"), "web");
        assert_eq!(id("/lxc.payload.web/init"), "init");
        assert_eq!(id("/a/lxc.payload.web"), "lxc.payload.");
        assert_eq!(id("/machine.slice/machine-lxc\\x2dweb.scope"), "web");
        assert_eq!(
            id("/x.slice/machine-lxc\\x2dweb.scope/libvirt"),
            "machine-lxc\\"
        );
        assert_eq!(id("/system.slice/runc-bpm-nats.scope"), "nats");
    }

    #[test]
    fn the_host() {
        for path in [
            "/",
            "",
            "/init.scope",
            "/user.slice/user-1000.slice/session-1.scope",
            "/system.slice/docker-ID.scope/init.scope",
            "/docker/ID/x",
            "/system.slice/sshd.service",
            "/zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(id(path), "", "{path}");
        }
    }

    #[test]
    fn only_what_is_enabled() {
        let path = format!("/docker/{ID}");
        let none = Engines::none();
        assert_eq!(*none.container_id([path.as_bytes()].into_iter()), *b"");
        let fixed = Engines {
            fixed: Some(b"here".to_vec()),
            ..Engines::default()
        };
        assert_eq!(*fixed.container_id([path.as_bytes()].into_iter()), *b"here");
        assert_eq!(*fixed.container_id([].into_iter()), *b"here");
    }
}
