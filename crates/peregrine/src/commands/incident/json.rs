//! An incident for other programs, complete.

use outputs::time::iso8601;
use rules::Priority;
use serde_json::{Value, json};
use store::{Alert, Incident, Thing};

use super::report::{Deed, Node, Report};
use crate::pipeline::incidents::ProcessKey;

/// The list.
pub(super) fn list(all: &[Incident]) -> Value {
    let all = all.iter().map(|one| {
        json!({
            "incident": one.id,
            "alerts": one.alerts,
            "first": time(one.first),
            "last": time(one.last),
            "priority": priority(one.priority),
            "container": one.container,
            "rule": one.rule,
            "process": one.process,
        })
    });
    all.collect()
}

/// All of an incident.
pub(super) fn report(report: &Report) -> Value {
    let first = report.alerts.first().map(|alert| time(alert.time));
    let last = report.alerts.last().map(|alert| time(alert.time));
    let of = |thing| report.of_kind(thing).map(deed).collect::<Vec<_>>();
    json!({
        "incident": report.id,
        "count": report.alerts.len() as u64 + report.left_out,
        "first": first,
        "last": last,
        "priority": report.priority().map(priority),
        "containers": report.containers(),
        "complete": report.complete,
        "left_out": report.beyond,
        "processes": report.processes.values().map(|node| process(report, node)).collect::<Vec<_>>(),
        "files": of(Thing::File),
        "connections": of(Thing::Connection),
        "alerts": report.alerts.iter().map(alert).collect::<Vec<_>>(),
    })
}

fn process(report: &Report, node: &Node) -> Value {
    let (name, command) = node.images.last().cloned().unwrap_or_default();
    let before: Vec<Value> = node
        .images
        .iter()
        .rev()
        .skip(1)
        .rev()
        .map(|(name, command)| json!({"name": name, "command": command}))
        .collect();
    let alerts = node.alerts.iter().filter_map(|at| report.alerts.get(*at));
    json!({
        "id": key(node.key),
        "pid": node.key.0,
        "began": (node.key.1 != 0).then(|| time(node.key.1)),
        "parent": node.parent.map(key),
        "name": name,
        "path": node.path,
        "command": command,
        "uid": node.uid,
        "before": before,
        "alerts": alerts.map(|alert| &alert.alert_id).collect::<Vec<_>>(),
    })
}

fn deed(deed: &Deed) -> Value {
    json!({
        "time": time(deed.first),
        "how": deed.touched.how,
        "name": deed.touched.name,
        "times": deed.times,
        "process": key(deed.process),
    })
}

fn alert(alert: &Alert) -> Value {
    json!({
        "id": alert.alert_id,
        "time": time(alert.time),
        "priority": priority(alert.priority),
        "rule": alert.rule,
        "source": alert.source,
        "tags": alert.tags,
        "container": alert.container,
        "text": alert.text,
        "event": alert.event,
        "process": alert.processes.first().map(|process| key(super::report::key(process))),
        "earlier": alert.earlier,
        "remembered": alert.remembered,
        "capture": alert.capture,
        "fields": alert.fields,
    })
}

/// A process for good: its number, and when it began.
fn key((pid, began): ProcessKey) -> String {
    format!("{pid}@{began}")
}

fn time(time: u64) -> String {
    let mut text = Vec::new();
    iso8601(time, "Z", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn priority(priority: u8) -> &'static str {
    let known = Priority::ALL.get(usize::from(priority));
    known.map_or("Debug", |priority| priority.name())
}
