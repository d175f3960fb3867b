//! What becomes of the values of Falco's chart.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use config::Node;
use config::tree::Value;
use diag::SourceMap;

use super::keys;
use super::report::{Fate, Item, Report};
use super::rewrite::Rewrite;

/// Our chart's own values.
const OURS: &str = include_str!("../../../../../packaging/kubernetes/chart/values.yaml");

/// Values that only Falco's chart has.
const THEIRS: &[(&str, Known)] = &[
    (
        "driver.loader",
        Known::Needless("no driver is built or downloaded"),
    ),
    (
        "driver.kmod",
        Known::Needless("there is no kernel module; driver.modernEbpf has the buffers"),
    ),
    (
        "driver.ebpf",
        Known::Needless("the probe is part of the program; driver.modernEbpf has the buffers"),
    ),
    (
        "driver.sysfsMountPath",
        Known::Needless("nothing of /sys needs to be mounted"),
    ),
    (
        "mounts.enforceProcMount",
        Known::Needless("the node's /proc is mounted wherever system calls are watched"),
    ),
    (
        "driver.gvisor",
        Known::Unsupported("sandboxes of gVisor are not watched"),
    ),
    (
        "gvisor",
        Known::Unsupported("sandboxes of gVisor are not watched"),
    ),
    (
        "collectors.containerEngine.engines.docker",
        Known::Translated("collectors.docker"),
    ),
    (
        "collectors.containerEngine.engines.podman",
        Known::Translated("collectors.podman"),
    ),
    (
        "collectors.containerEngine.engines.containerd",
        Known::Translated("collectors.containerd"),
    ),
    (
        "collectors.containerEngine.engines.cri",
        Known::Translated("collectors.containerd and collectors.crio"),
    ),
    (
        "collectors.containerEngine",
        Known::Needless("the container engines are part of the program"),
    ),
    (
        "collectors.kubernetes",
        Known::Needless("owners and services come from the API server, without a collector"),
    ),
    (
        "k8s-metacollector",
        Known::Needless("collectors.kubernetes.enabled asks the API server itself"),
    ),
    (
        "falcoctl",
        Known::Unsupported(
            "rules and plugins are not downloaded: the shipped rules are in the image, further ones go into customRules",
        ),
    ),
    (
        "falcosidekick",
        Known::Unsupported(
            "install its own chart, and set falco.http_output.url to its service; many of its receivers are outputs of the program too (docs/outputs.md)",
        ),
    ),
    (
        "falco-talon",
        Known::Unsupported("install its own chart, and set falco.http_output.url to its service"),
    ),
    (
        "responseActions",
        Known::Unsupported(
            "install Talon's own chart, and set falco.http_output.url to its service",
        ),
    ),
    (
        "certs.client",
        Known::Unsupported(
            "mount a Secret of yours with mounts.volumes, and name its files in falco.http_output",
        ),
    ),
    (
        "certs.ca",
        Known::Unsupported(
            "mount a Secret of yours with mounts.volumes, and name its file in falco.http_output",
        ),
    ),
    (
        "fakeEventGenerator",
        Known::Needless("`peregrine replay` of a capture tests the way of an alert"),
    ),
];

#[derive(Clone, Copy)]
enum Known {
    Translated(&'static str),
    Needless(&'static str),
    Unsupported(&'static str),
}

/// Tells what becomes of each value; writes `values.yaml` into `to`.
///
/// # Errors
/// A file that cannot be read or written, or is no map.
pub(super) fn migrate(values: &Path, to: Option<&Path>) -> Result<Report> {
    let text = std::fs::read_to_string(values)
        .with_context(|| format!("cannot read the values {}", values.display()))?;
    let mut sources = SourceMap::new();
    let id = sources.add(values.display().to_string(), text.clone());
    let tree = Node::parse(&text, Some(id)).map_err(|error| {
        let line = error.at.map_or(1, |at| sources.place(id, at.start).line);
        anyhow!("{}:{line}: {}", values.display(), error.message)
    })?;
    let Value::Map(entries) = &tree.value else {
        bail!(
            "{}: a map of values is expected, not {}",
            values.display(),
            tree.shape()
        );
    };
    let ours = Node::parse(OURS, None).map_err(|error| anyhow!("our own values: {error}"))?;
    let mut report = Report::default();
    let mut rewrite = Rewrite::of(&text);
    for entry in entries {
        let before = report.keys.len();
        if entry.key == "driver" {
            kind(&entry.value, &sources, &mut report.keys);
        }
        if entry.key == "falco" {
            report
                .keys
                .extend(keys::judge(&entry.value, "falco.", &sources));
            paths(&entry.value, &mut rewrite);
        } else {
            walk(&entry.value, &entry.key, &ours, &sources, &mut report.keys);
        }
        let judged = &report.keys[before..];
        let useless = |item: &Item| matches!(item.fate, Fate::Needless(_) | Fate::Unsupported(_));
        if let Some(first) = judged.first().filter(|_| judged.iter().all(useless)) {
            let (Fate::Needless(reason) | Fate::Unsupported(reason)) = &first.fate else {
                continue;
            };
            rewrite.comment_out(entry, &format!("Has no use: {reason}"), "");
        }
    }
    if let Some(to) = to {
        let path = to.join("values.yaml");
        if path.exists() {
            bail!(
                "{} exists already; name another folder with --to",
                path.display()
            );
        }
        std::fs::create_dir_all(to)
            .and_then(|()| std::fs::write(&path, rewrite.finish()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        report.written.push(path.display().to_string());
        report.next.push(format!(
            "helm install peregrine packaging/kubernetes/chart -f {}",
            path.display()
        ));
    } else {
        report.next.push(format!(
            "peregrine migrate --helm {} --to DIR    # writes the values",
            values.display()
        ));
    }
    Ok(report)
}

/// Our image has its rules elsewhere.
fn paths(falco: &Node, rewrite: &mut Rewrite<'_>) {
    for key in ["rules_files", "rules_file", "config_files"] {
        for item in falco.get(key).and_then(Node::items).unwrap_or_default() {
            let Some(path) = item.text().filter(|path| path.starts_with("/etc/falco")) else {
                continue;
            };
            let path = path.replacen("/etc/falco/falco", "/etc/peregrine/peregrine", 1);
            let path = path.replacen("/etc/falco", "/etc/peregrine", 1);
            rewrite.replace(item.at, path);
        }
    }
}

/// Kinds of drivers that there are no more.
fn kind(driver: &Node, sources: &SourceMap, items: &mut Vec<Item>) {
    let Some(node) = driver.get("kind") else {
        return;
    };
    let fate = match node.text() {
        Some("kmod" | "module" | "ebpf") => Fate::Translated(
            "modern_ebpf: the probe is part of the program, without a module to build".to_owned(),
        ),
        Some("gvisor") => Fate::Unsupported("sandboxes of gVisor are not watched".to_owned()),
        _ => Fate::Same,
    };
    items.push(Item {
        name: "driver.kind".to_owned(),
        place: keys::place(node, sources),
        fate,
    });
}

fn walk(node: &Node, path: &str, ours: &Node, sources: &SourceMap, items: &mut Vec<Item>) {
    let fate = fate(path, ours);
    match &node.value {
        Value::Map(entries) if !entries.is_empty() && fate.is_none() => {
            for entry in entries {
                let path = format!("{path}.{}", entry.key);
                // Judged by its value, above.
                if path != "driver.kind" {
                    walk(&entry.value, &path, ours, sources, items);
                }
            }
        }
        _ => items.push(Item {
            name: path.to_owned(),
            place: keys::place(node, sources),
            fate: fate.unwrap_or_else(|| {
                Fate::Unsupported(
                    "the chart has no such value; falco.* holds every key of the configuration"
                        .to_owned(),
                )
            }),
        }),
    }
}

/// What is known of a value; `None` where that depends on what lies below it, or nothing is.
fn fate(path: &str, ours: &Node) -> Option<Fate> {
    let mut node = Some(ours);
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        node = node.and_then(|node| node.get(part));
        match node.map(|node| &node.value) {
            // Free to be filled.
            Some(Value::Map(entries)) if entries.is_empty() => return Some(Fate::Same),
            Some(Value::Map(_)) => {}
            Some(_) if parts.peek().is_none() => return Some(Fate::Same),
            _ => {
                node = None;
                break;
            }
        }
    }
    if node.is_some() {
        return None;
    }
    let below = |key: &str| {
        path.strip_prefix(key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let (_, known) = THEIRS.iter().find(|(key, _)| below(key))?;
    Some(match known {
        Known::Translated(now) => Fate::Translated((*now).to_owned()),
        Known::Needless(why) => Fate::Needless((*why).to_owned()),
        Known::Unsupported(instead) => Fate::Unsupported((*instead).to_owned()),
    })
}
