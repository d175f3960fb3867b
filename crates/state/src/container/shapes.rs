//! The shapes in which control groups' paths hold an id, one function each.
//!
//! None of them knows which of them are wanted; [`super::matchers`] asks them in order.

/// Who writes a full id like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Podman,
    /// Docker's, and just the id, which is anybody's.
    Docker,
    Cri,
    Unknown,
}

/// Texts before and after a full id inside one component.
const SHAPES: &[(Shape, &[u8], &[u8])] = &[
    (Shape::Docker, b"", b""),
    (Shape::Docker, b"docker-", b".scope"),
    (Shape::Podman, b"libpod-", b".scope"),
    (Shape::Podman, b"libpod-", b""),
    (Shape::Podman, b"libpod-payload-", b".scope"),
    (Shape::Podman, b"libpod-payload-", b""),
    (Shape::Cri, b"cri-containerd-", b".scope"),
    (Shape::Cri, b"crio-", b".scope"),
    (Shape::Cri, b"crio-", b""),
    (Shape::Cri, b"nerdctl-", b".scope"),
];
const CRI_COLON: &[u8] = b":cri-containerd:";
/// Helpers on the host whose group is named after the container they serve.
const HELPER: &[u8] = b"conmon";

const FULL_ID: usize = 64;

pub(super) fn rfind(text: &[u8], what: &[u8]) -> Option<usize> {
    (0..=text.len().checked_sub(what.len())?)
        .rev()
        .find(|&at| text[at..].starts_with(what))
}

pub(super) fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    (0..=text.len().checked_sub(what.len())?).find(|&at| text[at..].starts_with(what))
}

/// Components of a path with their ends in it.
fn components(path: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut at = 0;
    path.split(|&b| b == b'/').map(move |part| {
        let end = at + part.len();
        at = end + 1;
        (part, end)
    })
}

/// Full ids of a path with their shapes and where their component ends, outermost first.
///
/// The original checks the digits only as far as byte 64 of the path, so that in a longer path any
/// 64 bytes pass for an id, and looks at the last component alone, so that what a container nests
/// below its own group is the host to it. Here all must be hex digits, in any component.
pub(super) fn full_ids(path: &[u8]) -> impl Iterator<Item = (Shape, &[u8], usize)> {
    components(path)
        .filter(|(part, _)| part.len() >= FULL_ID)
        .filter_map(|(part, end)| full_id(part).map(|(shape, id)| (shape, id, end)))
}

fn is_full_id(text: &[u8]) -> bool {
    text.len() == FULL_ID && text.iter().all(u8::is_ascii_hexdigit)
}

fn full_id(part: &[u8]) -> Option<(Shape, &[u8])> {
    for &(shape, before, after) in SHAPES {
        if let Some(id) = part
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            && is_full_id(id)
        {
            return Some((shape, id));
        }
    }
    if let Some(at) = rfind(part, CRI_COLON) {
        let id = &part[at + CRI_COLON.len()..];
        return is_full_id(id).then_some((Shape::Cri, id));
    }
    if find(part, HELPER).is_some() {
        return None;
    }
    let mut words = part.split(|b| !b.is_ascii_alphanumeric());
    words
        .find(|word| is_full_id(word))
        .map(|id| (Shape::Unknown, id))
}

fn is_unit(name: &[u8]) -> bool {
    [&b".service"[..], b".slice", b".scope"]
        .iter()
        .any(|end| name.ends_with(end))
}

fn is_namespace(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .split(|b| b"._-".contains(b))
            .all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_alphanumeric))
}

/// `/NAMESPACE/ID`; the id is whatever the user called it.
///
/// The original takes a systemd unit for a namespace too, so that `/system.slice/x.service/y` is a
/// container of its; no containerd makes such groups.
pub(super) fn namespaced(path: &[u8]) -> Option<(&[u8], usize)> {
    let rest = path.strip_prefix(b"/")?;
    let (namespace, id) = rest.split_at(rest.iter().position(|&b| b == b'/')?);
    let id = &id[1..];
    let is_id = !id.is_empty() && id.len() <= FULL_ID && !is_unit(path);
    (is_namespace(namespace) && !is_unit(namespace) && !is_host(namespace) && is_id)
        .then_some((id, path.len()))
}

/// First components that belong to a host's own groups of other runtimes.
fn is_host(namespace: &[u8]) -> bool {
    namespace.starts_with(b"lxc.monitor")
}

fn nonempty(name: &[u8], end: usize) -> Option<(Vec<u8>, usize)> {
    (!name.is_empty()).then(|| (name.to_vec(), end))
}

pub(super) fn lxc(path: &[u8]) -> Option<(Vec<u8>, usize)> {
    if find(path, b"/libvirt/lxc/").is_some() {
        return None;
    }
    [&b"/lxc/"[..], b"/lxc.payload/", b"/lxc.payload."]
        .iter()
        .find_map(|prefix| {
            let start = find(path, prefix)? + prefix.len();
            let name = path[start..].split(|&b| b == b'/').next()?;
            nonempty(name, start + name.len())
        })
}

pub(super) fn libvirt(path: &[u8]) -> Option<(Vec<u8>, usize)> {
    for (part, end) in components(path) {
        if let Some(name) = part.strip_suffix(b".libvirt-lxc") {
            return nonempty(name, end);
        }
        if let Some(at) = find(part, b"-lxc\\x2d")
            && let Some(name) = part[at + 8..].strip_suffix(b".scope")
        {
            return nonempty(name, end);
        }
    }
    let start = find(path, b"/libvirt/lxc/")? + 13;
    let name = path[start..].split(|&b| b == b'/').next()?;
    nonempty(name, start + name.len())
}

/// `machine-NAME.scope` or `systemd-nspawn@NAME.service` in systemd's slice of machines, in which
/// virtual machines and libvirt's containers are too.
pub(super) fn nspawn(path: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut in_slice = false;
    for (part, end) in components(path) {
        if part == b"machine.slice" {
            in_slice = true;
            continue;
        }
        if !in_slice {
            continue;
        }
        let machine = part
            .strip_prefix(b"machine-")
            .and_then(|rest| rest.strip_suffix(b".scope"))
            .or_else(|| {
                part.strip_prefix(b"systemd-nspawn@")?
                    .strip_suffix(b".service")
            })?;
        if machine.starts_with(b"qemu\\x2d") || machine.starts_with(b"lxc\\x2d") {
            return None;
        }
        return nonempty(&unescaped(machine), end);
    }
    None
}

/// A name as systemd writes it into units: `\x2d` is a dash.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, tail)) = rest.split_first() {
        let code = tail
            .strip_prefix(b"x")
            .filter(|_| byte == b'\\')
            .and_then(|digits| std::str::from_utf8(digits.get(..2)?).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(code.unwrap_or(byte));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    out
}

pub(super) fn bpm(path: &[u8]) -> Option<(Vec<u8>, usize)> {
    let start = find(path, b"bpm-")? + 4;
    let rest = &path[start..];
    let name = &rest[..find(rest, b".scope").unwrap_or(rest.len())];
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
    nonempty(name, path.len()).filter(|_| name.iter().all(plain))
}

/// `/mesos/` and a task's container: 36 hex digits and dashes.
pub(super) fn mesos(path: &[u8]) -> Option<(Vec<u8>, usize)> {
    let start = find(path, b"/mesos/")? + 7;
    let name = path[start..].split(|&b| b == b'/').next()?;
    let digits = |b: &u8| b.is_ascii_hexdigit() || *b == b'-';
    (name.len() == 36 && name.iter().all(digits))
        .then(|| nonempty(name, start + name.len()))
        .flatten()
}
