//! From a control group's path to the identity of a container.
//!
//! Runtimes put their containers' processes in control groups whose paths hold the id in a shape
//! of their own:
//!
//! ```text
//! /system.slice/docker-ID.scope/init.scope        systemd's driver, something nested below
//! /kubepods/burstable/podUID/ID                   cgroupfs' driver
//! /machine.slice/libpod-ID.scope/container        Podman
//! /lxc.payload.NAME/...   /machine.slice/machine-NAME.scope/payload   /mesos/UUID   ...
//! ```
//!
//! A path is looked at component by component. What a container makes below its own group is its
//! own doing: it can call a group like another container. So of several ids in one path the
//! outermost wins where its container is known; else the innermost does, as that of a pod in a
//! machine that is a container itself.

use super::shapes::{self, Shape};

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
    /// Mesos' own containers.
    pub mesos: bool,
    /// systemd-nspawn.
    pub nspawn: bool,
    /// Every process is said to be in this container; no shape is looked at.
    pub fixed: Option<Fixed>,
}

/// The container that every process is said to be in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// Its id.
    pub id: Vec<u8>,
    /// Its name.
    pub name: Vec<u8>,
    /// Its image.
    pub image: Vec<u8>,
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
            mesos: true,
            nspawn: true,
            fixed: None,
        }
    }
}

/// Whose shape a path has. Whose container it is, only the runtime that answers can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// A full id in a shape of Podman's, Docker's, containerd's or CRI-O's: a runtime knows more.
    #[default]
    Runtime,
    /// `/NAMESPACE/ID` and nothing more: perhaps containerd's, perhaps somebody's own group.
    Namespaced,
    /// LXC.
    Lxc,
    /// LXC through libvirt.
    LibvirtLxc,
    /// BOSH process manager.
    Bpm,
    /// Mesos.
    Mesos,
    /// systemd-nspawn.
    Nspawn,
    /// The configured container.
    Fixed,
    /// A full id in a shape of nobody's.
    Unknown,
}

impl Family {
    /// The type number of containers that no runtime is asked about.
    #[must_use]
    pub const fn own_kind(self) -> Option<u32> {
        Some(match self {
            Self::Lxc => 1,
            Self::LibvirtLxc => 2,
            Self::Mesos => 3,
            Self::Bpm => 9,
            Self::Fixed => 10,
            Self::Nspawn => 12,
            Self::Runtime | Self::Namespaced | Self::Unknown => return None,
        })
    }
}

/// A container as a path names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What fields show: 12 digits, or a whole name.
    pub id: Box<[u8]>,
    /// All that the path says.
    pub full_id: Box<[u8]>,
    /// Whose shape it is.
    pub family: Family,
    /// Where in the path the container's own group ends.
    pub end: usize,
}

const SHORT_ID: usize = 12;

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
            mesos: false,
            nspawn: false,
            fixed: None,
        }
    }

    /// First container found in `paths`. `known` says whether a container with this id exists.
    pub(crate) fn identify<'a>(
        &self,
        paths: impl Iterator<Item = &'a [u8]>,
        known: &dyn Fn(&[u8]) -> bool,
    ) -> Option<(Identity, &'a [u8])> {
        if let Some(fixed) = &self.fixed {
            let identity = Identity {
                id: fixed.id.as_slice().into(),
                full_id: fixed.id.as_slice().into(),
                family: Family::Fixed,
                end: 0,
            };
            return Some((identity, b""));
        }
        for path in paths {
            // "/" and the empty path are in no shape; most kernels have a dozen such lines.
            if path.len() > 1
                && let Some(found) = self.of_path(path, known)
            {
                return Some((found, path));
            }
        }
        None
    }

    /// The container that one path names.
    #[must_use]
    pub fn of_path(&self, path: &[u8], known: &dyn Fn(&[u8]) -> bool) -> Option<Identity> {
        self.hashed(path, known).or_else(|| self.named(path))
    }

    /// Full ids: the outermost that is known, else the innermost.
    fn hashed(&self, path: &[u8], known: &dyn Fn(&[u8]) -> bool) -> Option<Identity> {
        let mut innermost = None;
        for (shape, full, end) in shapes::full_ids(path) {
            let family = match shape {
                Shape::Podman if self.podman => Family::Runtime,
                Shape::Docker if self.docker || self.cri => Family::Runtime,
                Shape::Cri if self.cri => Family::Runtime,
                Shape::Unknown if self.is_any() => Family::Unknown,
                _ => continue,
            };
            let id = &full[..SHORT_ID];
            let identity = Identity {
                id: id.into(),
                full_id: full.into(),
                family,
                end,
            };
            if known(id) {
                return Some(identity);
            }
            // A shape of nobody's below one that is a runtime's says less.
            if innermost.is_none() || family != Family::Unknown {
                innermost = Some(identity);
            }
        }
        innermost
    }

    fn is_any(&self) -> bool {
        self.podman || self.docker || self.cri || self.containerd
    }

    /// Containers that their owner named.
    fn named(&self, path: &[u8]) -> Option<Identity> {
        let whole = |(name, end): (Vec<u8>, usize), family| Identity {
            id: name.as_slice().into(),
            full_id: name.into(),
            family,
            end,
        };
        None.or_else(|| {
            self.lxc
                .then(|| shapes::lxc(path))
                .flatten()
                .map(|n| whole(n, Family::Lxc))
        })
        .or_else(|| {
            let found = self.libvirt_lxc.then(|| shapes::libvirt(path)).flatten();
            found.map(|n| whole(n, Family::LibvirtLxc))
        })
        .or_else(|| {
            let found = self.nspawn.then(|| shapes::nspawn(path)).flatten();
            found.map(|n| whole(n, Family::Nspawn))
        })
        .or_else(|| {
            self.bpm
                .then(|| shapes::bpm(path))
                .flatten()
                .map(|n| whole(n, Family::Bpm))
        })
        .or_else(|| {
            let found = self.mesos.then(|| shapes::mesos(path)).flatten();
            found.map(|n| whole(n, Family::Mesos))
        })
        .or_else(|| {
            let (full, end) = self
                .containerd
                .then(|| shapes::namespaced(path))
                .flatten()?;
            Some(Identity {
                id: full[..full.len().min(SHORT_ID)].into(),
                full_id: full.into(),
                family: Family::Namespaced,
                end,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

    fn find(path: &str, known: &[&str]) -> Option<Identity> {
        let path = path.replace("ID", ID).replace("OTHER", OTHER);
        let known = |id: &[u8]| known.iter().any(|k| k.as_bytes() == id);
        Engines::default().of_path(path.as_bytes(), &known)
    }

    fn id(path: &str) -> String {
        let id = find(path, &[]).map(|identity| identity.id);
        String::from_utf8(id.unwrap_or_default().into()).unwrap()
    }

    #[test]
    fn full_ids_in_every_shape() {
        for path in [
            "/ID",
            "/docker/ID",
            "/docker-ID.scope",
            "/system.slice/docker-ID.scope",
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
            "/kubepods/burstable/pod1/ID",
            "/kubepods/burstable/pod1/crio-ID",
            "/kubepods.slice/cri-containerd-ID.scope",
            "/kubepods.slice/crio-ID.scope",
            "/kubepods.slice/crio-ID.scope/container",
            "/kubepods.slice/nerdctl-ID.scope",
            "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:ID",
            "/libpod_parent/libpod-ID",
            "/machine.slice/libpod-ID.scope",
            "/machine.slice/libpod-ID.scope/container",
            "/machine.slice/libpod-payload-ID.scope",
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
            "/user.slice/user-1000.slice/session-1.scope/podman-12.scope/ID",
            "/k8s.io/ID",
            "/../docker-ID.scope",
        ] {
            let found = find(path, &[]).unwrap();
            assert_eq!(&*found.id, b"0123456789ab", "{path}");
            assert_eq!(&*found.full_id, ID.as_bytes(), "{path}");
            assert_eq!(found.family, Family::Runtime, "{path}");
        }
    }

    #[test]
    fn below_a_container_s_group() {
        for path in [
            "/system.slice/docker-ID.scope/init.scope",
            "/docker/ID/x",
            "/docker/ID/system.slice/sshd.service",
            "/machine.slice/libpod-ID.scope/container/init.scope",
        ] {
            assert_eq!(id(path), "0123456789ab", "{path}");
        }
        let found = find("/docker/ID/x", &[]).unwrap();
        assert_eq!(found.end, "/docker/".len() + 64);
    }

    #[test]
    fn of_two_ids_the_outer_wins_where_it_is_known() {
        let nested = "/docker/ID/kubelet/kubepods/pod1/OTHER";
        assert_eq!(id(nested), "fedcba987654");
        for known in [&["0123456789ab"][..], &["0123456789ab", "fedcba987654"]] {
            assert_eq!(&*find(nested, known).unwrap().id, b"0123456789ab");
        }
        assert_eq!(
            &*find(nested, &["fedcba987654"]).unwrap().id,
            b"fedcba987654"
        );
    }

    #[test]
    fn names() {
        assert_eq!(id("/default/test_container"), "test_contain");
        assert_eq!(id("/user/bencer/0"), "bencer/0");
        assert_eq!(id("/lxc.payload.web"), "web");
        assert_eq!(id("/lxc.payload.web/init"), "web");
        assert_eq!(
            id("/lxc/a-container-of-some-length"),
            "a-container-of-some-length"
        );
        assert_eq!(id("/a/lxc.payload.web"), "web");
        assert_eq!(id("/machine.slice/machine-lxc\\x2dweb.scope"), "web");
        assert_eq!(id("/x.slice/machine-lxc\\x2dweb.scope/libvirt"), "web");
        assert_eq!(id("/machine/web.libvirt-lxc"), "web");
        assert_eq!(id("/libvirt/lxc/web"), "web");
        assert_eq!(id("/system.slice/runc-bpm-nats.scope"), "nats");
        assert_eq!(id("/machine.slice/machine-web.scope/payload"), "web");
        assert_eq!(id("/machine.slice/machine-we\\x2db.scope"), "we-b");
        assert_eq!(
            id("/machine.slice/systemd-nspawn@web.service/payload/init.scope"),
            "web"
        );
        let task = "01234567-89ab-cdef-0123-456789abcdef";
        let found = find(&format!("/mesos/{task}/mesos/x"), &[]).unwrap();
        assert_eq!((&*found.id, found.family), (task.as_bytes(), Family::Mesos));
    }

    #[test]
    fn shapes_of_nobody() {
        for path in ["/garden/x-ID.y", "/a/b_ID/c"] {
            let found = find(path, &[]).unwrap();
            assert_eq!(
                (&*found.id, found.family),
                (&b"0123456789ab"[..], Family::Unknown)
            );
        }
    }

    #[test]
    fn the_host() {
        for path in [
            "/",
            "",
            "/init.scope",
            "/user.slice/user-1000.slice/session-1.scope",
            "/system.slice/sshd.service",
            "/system.slice/systemd-udevd.service/udev",
            "/system.slice/foo.service/payload",
            "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator",
            "/machine.slice/libpod-conmon-ID.scope",
            "/kubepods.slice/crio-conmon-ID.scope",
            "/lxc.monitor.web",
            "/zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(id(path), "", "{path}");
        }
    }

    #[test]
    fn only_what_is_enabled() {
        let path = format!("/docker/{ID}");
        let nobody = |_: &[u8]| false;
        let paths = || [path.as_bytes()].into_iter();
        assert_eq!(Engines::none().identify(paths(), &nobody), None);
        let fixed = Engines {
            fixed: Some(Fixed {
                id: b"here".to_vec(),
                ..Fixed::default()
            }),
            ..Engines::default()
        };
        assert_eq!(*fixed.identify(paths(), &nobody).unwrap().0.id, *b"here");
        assert_eq!(
            *fixed.identify([].into_iter(), &nobody).unwrap().0.id,
            *b"here"
        );
    }

    #[test]
    fn any_bytes() {
        let pieces: [&[u8]; 9] = [
            b"/",
            b"lxc",
            b"machine-",
            b"libpod-",
            ID.as_bytes(),
            b".scope",
            b"\xff",
            b"\\x2",
            b"bpm-",
        ];
        let mut seed = 1u64;
        for _ in 0..20_000 {
            let mut path = Vec::new();
            for _ in 0..8 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                path.extend_from_slice(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            if let Some(found) = Engines::default().of_path(&path, &|_| false) {
                assert!(!found.id.is_empty() && found.end <= path.len());
            }
        }
    }
}
