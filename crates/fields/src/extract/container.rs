//! `container.*`, `k8s.*` and the probes of `proc.is_container_*`.
//!
//! The record is the one that the event itself brings, else that of the thread's container, else the
//! host's: on the host texts are empty and truths are false, not missing.

use std::collections::BTreeMap;

use filter::{Argument, Value};
use regex::bytes::Regex;
use state::{Container, Metadata, Mount, Pending};

use super::{Ask, bytes, orchestration};
use crate::catalogue::Id;
use crate::render::Out;
use crate::view::EventView;

/// Characters of a short id.
const SHORT: usize = 12;
/// Labels that describe the pod to the runtime, not the workload to people.
const INTERNAL_LABELS: [&[u8]; 2] = [b"io.kubernetes.", b"annotation."];

/// `container.id`: known as soon as the thread's control groups are.
#[inline]
pub(super) fn id<'s>(view: &EventView<'s>) -> Option<Value<'s>> {
    if let Some(container) = &view.context.container {
        return Some(Value::Bytes(&container.id));
    }
    let id = view.thread()?.container_id();
    Some(Value::Bytes(if id.is_empty() { b"host" } else { id }))
}

pub(super) fn value<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    match ask.id {
        Id::ContainerId => return id(view),
        Id::ContainerMetadata => return metadata(view),
        Id::ContainerStartTs => return start(view).map(Value::Unsigned),
        Id::ContainerDuration => {
            return start(view).map(|start| Value::Unsigned(view.record.ts.saturating_sub(start)));
        }
        _ => {}
    }
    let container = view.container()?;
    let on_host = container.id.is_empty();
    match ask.id {
        Id::ContainerFullId if on_host => bytes("host"),
        Id::ContainerFullId => bytes(&container.full_id),
        Id::ContainerName => bytes(&container.name),
        Id::ContainerType => bytes(container.kind_name()),
        Id::ContainerImage => bytes(&container.image),
        Id::ContainerImageId => bytes(&container.image_id),
        Id::ContainerImageRepository => bytes(&container.image_repository),
        Id::ContainerImageTag => bytes(&container.image_tag),
        Id::ContainerImageDigest => bytes(&container.image_digest),
        Id::ContainerIp => {
            view.await_address(container);
            bytes(&container.ip)
        }
        Id::ContainerCniJson => bytes(&container.cni_json),
        Id::ContainerPrivileged => Some(Value::Bool(container.privileged)),
        Id::ContainerHostPid => Some(Value::Bool(container.host_pid)),
        Id::ContainerHostNetwork => Some(Value::Bool(container.host_network)),
        Id::ContainerHostIpc => Some(Value::Bool(container.host_ipc)),
        Id::ContainerMounts => Some(ask.compose(|out| mounts(container, out))),
        Id::ContainerMount => {
            let mount = find_mount(container, ask.arg, |m| &m.source)?;
            Some(ask.compose(|out| mount_line(mount, out)))
        }
        Id::ContainerMountSource => {
            bytes(&find_mount(container, ask.arg, |m| &m.destination)?.source)
        }
        Id::ContainerMountDest => {
            bytes(&find_mount(container, ask.arg, |m| &m.source)?.destination)
        }
        Id::ContainerMountMode => bytes(&find_mount(container, ask.arg, |m| &m.source)?.mode),
        Id::ContainerMountRdwr => bytes(truth(
            find_mount(container, ask.arg, |m| &m.source)?.read_write,
        )),
        Id::ContainerMountPropagation => {
            bytes(&find_mount(container, ask.arg, |m| &m.source)?.propagation)
        }
        Id::ContainerLabel => label(&container.labels, ask.arg),
        Id::ContainerLabels => Some(ask.compose(|out| labels(&container.labels, out))),
        Id::K8sNsName => bytes(container.labels.get(&b"io.kubernetes.pod.namespace"[..])?),
        Id::K8sPodName => bytes(container.labels.get(&b"io.kubernetes.pod.name"[..])?),
        Id::K8sPodUid | Id::K8sPodId => bytes(container.labels.get(&b"io.kubernetes.pod.uid"[..])?),
        Id::K8sPodFullSandboxId => bytes(&container.pod_sandbox_id),
        Id::K8sPodSandboxId => bytes(short(&container.pod_sandbox_id)),
        Id::K8sPodIp | Id::K8sPodCniJson | Id::K8sPodLabel | Id::K8sPodLabels => {
            pod(view, ask, container)
        }
        Id::ContainerHealthcheck => orchestration::command(container.healthcheck.as_ref(), ask),
        Id::ContainerLivenessProbe => {
            orchestration::command(container.liveness_probe.as_ref(), ask)
        }
        Id::ContainerReadinessProbe => {
            orchestration::command(container.readiness_probe.as_ref(), ask)
        }
        Id::ProcIsContainerHealthcheck => {
            orchestration::is_probe(view, container, container.healthcheck.as_ref())
        }
        Id::ProcIsContainerLivenessProbe => {
            orchestration::is_probe(view, container, container.liveness_probe.as_ref())
        }
        Id::ProcIsContainerReadinessProbe => {
            orchestration::is_probe(view, container, container.readiness_probe.as_ref())
        }
        _ => orchestration::kubernetes(container, ask),
    }
}

/// How much is known of the container.
fn metadata<'s>(view: &EventView<'s>) -> Option<Value<'s>> {
    if let Some(container) = view.container() {
        view.await_address(container);
        let known = match container.pending {
            Pending::Nothing => Metadata::Complete,
            Pending::Address | Pending::More => Metadata::Pending,
        };
        return bytes(known.name());
    }
    bytes(
        view.state
            .container_metadata(view.thread()?.container_id())
            .name(),
    )
}

/// Start of the first process in the thread's pid namespace.
fn start(view: &EventView<'_>) -> Option<u64> {
    Some(view.thread()?.pidns_init_start_ts).filter(|&start| start != 0)
}

fn short(id: &[u8]) -> &[u8] {
    &id[..id.len().min(SHORT)]
}

const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// What the record of the pod's sandbox says, unless the container's own says it.
fn pod<'s>(
    view: &'s EventView<'s>,
    ask: &Ask<'_, 's>,
    container: &'s Container,
) -> Option<Value<'s>> {
    let own = !container.cni_json.is_empty();
    // A container without a pod has no sandbox; its look-up would find the host.
    let sandbox = match own || container.pod_sandbox_id.is_empty() {
        true => None,
        false => view.state.container(short(&container.pod_sandbox_id)),
    };
    let on_host = container.id.is_empty();
    match ask.id {
        Id::K8sPodIp if own || on_host => {
            view.await_address(container);
            bytes(&container.ip)
        }
        Id::K8sPodIp => bytes(&sandbox?.ip),
        Id::K8sPodCniJson if own || on_host => bytes(&container.cni_json),
        Id::K8sPodCniJson => bytes(&sandbox?.cni_json),
        Id::K8sPodLabel => sandbox
            .and_then(|s| label(&s.pod_sandbox_labels, ask.arg))
            .or_else(|| label(&container.pod_sandbox_labels, ask.arg)),
        _ => {
            let found = sandbox
                .map(|s| &s.pod_sandbox_labels)
                .filter(|l| !l.is_empty());
            let all = found.unwrap_or(&container.pod_sandbox_labels);
            Some(ask.compose(|out| labels(all, out)))
        }
    }
}

pub(super) fn label<'s>(
    labels: &'s BTreeMap<Vec<u8>, Vec<u8>>,
    arg: &Argument,
) -> Option<Value<'s>> {
    match arg {
        Argument::Key(key) => bytes(labels.get(key.as_bytes())?),
        _ => None,
    }
}

pub(super) fn labels(labels: &BTreeMap<Vec<u8>, Vec<u8>>, out: &mut Out<'_>) {
    for (key, value) in labels {
        if INTERNAL_LABELS.iter().any(|prefix| key.starts_with(prefix)) {
            continue;
        }
        if !out.is_empty() {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(key);
        if !value.is_empty() {
            out.push(b':');
            out.extend_from_slice(value);
        }
    }
}

fn mounts(container: &Container, out: &mut Out<'_>) {
    for (i, mount) in container.mounts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        mount_line(mount, out);
    }
}

fn mount_line(mount: &Mount, out: &mut Out<'_>) {
    for part in [&mount.source[..], &mount.destination, &mount.mode] {
        out.extend_from_slice(part);
        out.push(b':');
    }
    out.extend_from_slice(truth(mount.read_write).as_bytes());
    out.push(b':');
    out.extend_from_slice(&mount.propagation);
}

/// A mount by position, or the first in whose `side` the pattern is found.
fn find_mount<'s>(
    container: &'s Container,
    arg: &Argument,
    side: fn(&Mount) -> &Vec<u8>,
) -> Option<&'s Mount> {
    match arg {
        Argument::Index(position) => container.mounts.get(*position as usize),
        Argument::Key(_) if container.mounts.is_empty() => None,
        Argument::Key(pattern) => with_pattern(pattern, |pattern| {
            container.mounts.iter().find(|m| pattern.is_match(side(m)))
        }),
        Argument::None => None,
    }
}

/// Runs `use_it` with the compiled pattern; `None` where it is no regular expression.
///
/// Patterns are compiled once per thread: the argument of a field is text, and compiling takes longer than
/// all other fields of an event together.
fn with_pattern<T>(pattern: &str, use_it: impl FnOnce(&Regex) -> Option<T>) -> Option<T> {
    use std::cell::RefCell;
    use std::collections::HashMap;
    thread_local! {
        static COMPILED: RefCell<HashMap<Box<str>, Option<Regex>>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        if !compiled.contains_key(pattern) {
            compiled.insert(pattern.into(), Regex::new(pattern).ok());
        }
        compiled.get(pattern)?.as_ref().and_then(use_it)
    })
}
