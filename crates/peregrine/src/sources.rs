//! Event sources: which there are, and which fields the rules of each may use.
//!
//! System calls come first; Kubernetes audit events and plugins' sources stand beside them. Each has rules, an engine
//! and counts of its own, so that a flood or fault of one is no other's.

mod audit_file;
pub(crate) mod choice;
mod documents;
mod followed_file;
pub(crate) mod listing;
mod open;
pub(crate) mod plugin;
mod ring;
pub(crate) mod running;
mod schema;
mod sessions;
mod view;
mod webhook;

use anyhow::{Result, bail};
use config::Settings;
use fields::Catalogue;
use filter::Schema;

pub(crate) use audit_file::{AuditFile, looks_like_json};
pub(crate) use followed_file::FollowedFile;
pub(crate) use open::open;
pub(crate) use plugin::{Injecting, Plugins, library};
pub(crate) use ring::{Ring, Tally};
pub(crate) use running::Running;
pub(crate) use schema::SourceSchema;
pub(crate) use sessions::Sessions;
pub(crate) use view::SourceView;

/// The source that is always there.
pub(crate) const SYSCALL: &str = "syscall";

/// Plugins whose work is built in, by the source they serve or read.
const AUDIT_PLUGINS: [&str; 5] = [
    "k8saudit",
    "k8saudit-eks",
    "k8saudit-gke",
    "k8saudit-aks",
    "k8saudit-ovh",
];

/// The plugin that reads JSON of any source, built in likewise.
const JSON_PLUGIN: &str = "json";

/// All sources that rules may name.
pub(crate) struct Sources {
    all: Vec<(String, SourceSchema)>,
    plugins: Plugins,
}

impl Sources {
    /// System calls, and audit events where `audit` says so.
    pub(crate) fn new(catalogue: &Catalogue, audit: bool) -> Self {
        let mut all = vec![(SYSCALL.to_owned(), SourceSchema::syscall(catalogue))];
        if audit {
            all.push((
                audit::SOURCE.to_owned(),
                SourceSchema::other(catalogue, Some(audit::Catalogue::new())),
            ));
        }
        Self {
            all,
            plugins: Plugins::default(),
        }
    }

    /// What the configuration makes of it, its plugins included.
    ///
    /// # Errors
    /// A plugin that cannot be loaded, that nothing can be done with, or whose fields are there already.
    pub(crate) fn of(catalogue: &Catalogue, settings: &Settings, audit: bool) -> Result<Self> {
        let mut sources = Self::new(catalogue, audit || configured(settings));
        let plugins = Plugins::load(settings, schema::PLUGINS)?;
        for name in plugins.source_names() {
            if !sources.has(name) {
                let schema = SourceSchema::other(catalogue, None);
                sources.all.push((name.to_owned(), schema));
            }
        }
        for plugin in plugins.configured() {
            let info = &plugin.info;
            // Who only hears of captures has nothing to do with a running machine.
            let replays = settings.engine.kind == config::settings::EngineKind::Replay;
            let mut used = info.can(plugins::Capability::Sourcing)
                || (replays && info.can(plugins::Capability::Listening));
            for (source, schema) in &mut sources.all {
                used |= info.parses(source) || info.injects_into(source);
                // The names are the whole program's.
                schema.announce(&info.async_events);
                if !info.extracts_from(source) {
                    continue;
                }
                used = true;
                if let Some(field) = schema.overlap(&plugin.fields) {
                    bail!(
                        "Plugin '{}' supports extraction of field '{field}' that is overlapping for source '{source}'",
                        info.name
                    );
                }
                schema.add(plugin.first, &plugin.fields);
            }
            if !used {
                bail!(
                    "Plugin '{}' is loaded but unused as not compatible with any known event source",
                    info.name
                );
            }
        }
        let versions = plugins.infos();
        crate::version::loaded(
            versions
                .map(|info| (info.name.clone(), info.version.clone()))
                .collect(),
        );
        sources.plugins = plugins;
        Ok(sources)
    }

    /// The loaded plugins.
    pub(crate) fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Names with their fields.
    pub(crate) fn schemas(&self) -> Vec<(&str, &dyn Schema)> {
        let all = self.all.iter();
        all.map(|(name, schema)| (name.as_str(), schema as &dyn Schema))
            .collect()
    }

    /// The fields of one source.
    pub(crate) fn schema(&self, name: &str) -> Option<&SourceSchema> {
        self.all
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, schema)| schema)
    }

    /// Their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there is a source of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.schema(name).is_some()
    }
}

/// Whether the configuration speaks of audit events: by the web server's endpoint, or by the plugin.
pub(crate) fn configured(settings: &Settings) -> bool {
    settings.webserver.k8s_audit_endpoint.is_some() || audit_plugin(settings).is_some()
}

/// The configured plugin for audit events that is to be loaded.
pub(crate) fn audit_plugin(settings: &Settings) -> Option<&config::settings::Plugin> {
    settings.plugins.iter().find(|plugin| {
        AUDIT_PLUGINS.contains(&plugin.name.as_str()) && wanted(settings, &plugin.name)
    })
}

/// Whether a configured plugin is to be loaded.
pub(crate) fn wanted(settings: &Settings, name: &str) -> bool {
    let names = settings.load_plugins.as_ref();
    names.is_none_or(|names| names.iter().any(|n| n == name))
}

/// Whether what the plugin does is built in.
pub(crate) fn built_in(name: &str) -> bool {
    name == "container" || name == JSON_PLUGIN || AUDIT_PLUGINS.contains(&name)
}

/// The plugins that serve requirements of rule files without being loaded.
pub(crate) fn built_in_plugins(sources: &Sources) -> Vec<rules::Plugin> {
    let mut plugins = rules::Options::new().plugins;
    if sources.has(audit::SOURCE) {
        let names = AUDIT_PLUGINS.into_iter().chain([JSON_PLUGIN]);
        plugins.extend(names.map(|name| rules::Plugin {
            name: name.to_owned(),
            version: None,
        }));
    }
    let loaded = sources.plugins.infos().map(|info| rules::Plugin {
        name: info.name.clone(),
        version: version(&info.version),
    });
    plugins.extend(loaded);
    plugins
}

/// `1.2.3` as rule files compare it.
fn version(text: &str) -> Option<rules::Version> {
    rules::Version::parse(text)
}
