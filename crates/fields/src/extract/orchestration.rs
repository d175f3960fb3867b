//! What orchestrators know around a container: `k8s.deployment.*` and its like, `mesos.*`,
//! `marathon.*`, and whether a process is a health check.
//!
//! Missing wherever nobody was asked: today's engine has no client for any of this.

use filter::Value;
use state::{Container, Kubernetes, Mesos, Object, Probe, ThreadIx};

use super::container::{label, labels};
use super::{Ask, bytes};
use crate::catalogue::Id;
use crate::render::Out;
use crate::view::EventView;

/// Which part of an object is meant.
#[derive(Clone, Copy)]
enum Part {
    Name,
    Id,
    Labels,
    Label,
}

fn part<'s>(object: &'s Object, part: Part, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    match part {
        Part::Name => bytes(&object.name),
        Part::Id => bytes(&object.id),
        Part::Labels => Some(ask.compose(|out| labels(&object.labels, out))),
        Part::Label => label(&object.labels, ask.arg),
    }
}

/// `k8s.rc.*`, `k8s.rs.*`, `k8s.deployment.*`, `k8s.svc.*` and the parts of `k8s.ns.*` that no
/// label of the container says.
pub(super) fn kubernetes<'s>(container: &'s Container, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let known: &Kubernetes = container.kubernetes.as_deref()?;
    let (object, wanted) = match ask.id {
        Id::K8sNsId => (&known.namespace, Part::Id),
        Id::K8sNsLabels => (&known.namespace, Part::Labels),
        Id::K8sNsLabel => (&known.namespace, Part::Label),
        Id::K8sDeploymentName => (&known.deployment, Part::Name),
        Id::K8sDeploymentId => (&known.deployment, Part::Id),
        Id::K8sDeploymentLabels => (&known.deployment, Part::Labels),
        Id::K8sDeploymentLabel => (&known.deployment, Part::Label),
        Id::K8sRsName => (&known.replica_set, Part::Name),
        Id::K8sRsId => (&known.replica_set, Part::Id),
        Id::K8sRsLabels => (&known.replica_set, Part::Labels),
        Id::K8sRsLabel => (&known.replica_set, Part::Label),
        Id::K8sRcName => (&known.replication_controller, Part::Name),
        Id::K8sRcId => (&known.replication_controller, Part::Id),
        Id::K8sRcLabels => (&known.replication_controller, Part::Labels),
        Id::K8sRcLabel => (&known.replication_controller, Part::Label),
        _ => return services(&known.services, ask),
    };
    part(object.as_ref()?, wanted, ask)
}

/// Several services may select a pod; their parts are joined.
fn services<'s>(services: &'s [Object], ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let joined = |of: fn(&Object, &mut Out<'s>)| {
        ask.compose(|out| {
            for (i, service) in services.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                of(service, out);
            }
        })
    };
    if services.is_empty() {
        return None;
    }
    match ask.id {
        Id::K8sSvcName => Some(joined(|service, out| out.extend_from_slice(&service.name))),
        Id::K8sSvcId => Some(joined(|service, out| out.extend_from_slice(&service.id))),
        Id::K8sSvcLabels => Some(ask.compose(|out| {
            // One list of all.
            services
                .iter()
                .for_each(|service| labels(&service.labels, out));
        })),
        Id::K8sSvcLabel => services
            .iter()
            .find_map(|service| label(&service.labels, ask.arg)),
        _ => None,
    }
}

/// `mesos.*` and `marathon.*`.
pub(super) fn mesos<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let known: &Mesos = view.container()?.mesos.as_deref()?;
    let (object, wanted) = match ask.id {
        Id::MesosTaskName => (&known.task, Part::Name),
        Id::MesosTaskId => (&known.task, Part::Id),
        Id::MesosTaskLabels => (&known.task, Part::Labels),
        Id::MesosTaskLabel => (&known.task, Part::Label),
        Id::MesosFrameworkName => (&known.framework, Part::Name),
        Id::MesosFrameworkId => (&known.framework, Part::Id),
        Id::MarathonAppName => (&known.app, Part::Name),
        Id::MarathonAppId => (&known.app, Part::Id),
        Id::MarathonAppLabels => (&known.app, Part::Labels),
        Id::MarathonAppLabel => (&known.app, Part::Label),
        Id::MarathonGroupName => (&known.group, Part::Name),
        Id::MarathonGroupId => (&known.group, Part::Id),
        _ => return None,
    };
    part(object.as_ref()?, wanted, ask)
}

/// A probe's command line; missing where the container has none.
pub(super) fn command<'s>(probe: Option<&'s Probe>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let probe = probe?;
    Some(ask.compose(|out| {
        out.extend_from_slice(&probe.exe);
        for arg in &probe.args {
            out.push(b' ');
            out.extend_from_slice(arg);
        }
    }))
}

/// Whether the event's process was started as a probe by the runtime, or by such a process. What the
/// container's own first process starts never is.
pub(super) fn is_probe<'s>(
    view: &EventView<'s>,
    container: &Container,
    probe: Option<&Probe>,
) -> Option<Value<'s>> {
    let probe = probe?;
    let ix = view.thread_ix()?;
    let begun_as_probe = |ix: ThreadIx| {
        let image = &view.state.thread(ix).image;
        image.exe() == probe.exe && image.args().eq(probe.args.iter().map(Vec::as_slice))
    };
    let mut found = false;
    for ix in std::iter::once(ix).chain(view.state.ancestors(ix)) {
        let thread = view.state.thread(ix);
        if thread.container_id() != container.id {
            break;
        }
        if thread.vpid == 1 {
            return Some(Value::Bool(false));
        }
        found |= begun_as_probe(ix);
    }
    Some(Value::Bool(found))
}
