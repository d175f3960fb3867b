//! Which runtimes' containers are told apart, and who is asked about them.
//!
//! What Falco's container plugin does is built in here, so the plugin's own settings
//! (`plugins[].init_config`) decide, then `container_engines` of older releases.

use std::time::Duration;

use config::Settings;
use config::settings::ContainerMetadata;
use containers::Sockets;
use containers::settings::{Hooks, Kubernetes, Mesos};
use fields::Catalogue;
use serde_json::Value;
use state::{Engines, Fixed};

use crate::log;

/// The plugin whose work is built in.
const BUILT_IN: &str = "container";
/// How long alerts wait where the user wants answers at any price.
const AT_ANY_PRICE_MS: u64 = 10_000;

/// The settings of the container plugin; null without any.
fn plugin(settings: &Settings) -> Value {
    let found = settings.plugins.iter().find(|p| p.name == BUILT_IN);
    let Some(plugin) = found.filter(|p| !p.init_config.trim().is_empty()) else {
        return Value::Null;
    };
    // JSON is YAML, so the one reader takes both forms of a text.
    match config::Node::parse(&plugin.init_config, None) {
        Ok(tree) => tree.to_json(),
        Err(_) => {
            log::warning("init_config of the container plugin is neither JSON nor YAML; ignored");
            Value::Null
        }
    }
}

/// Whether an engine is looked for, and at which sockets.
fn engine(plugin: &Value, old: &ContainerMetadata, name: &str) -> (bool, Vec<String>) {
    let configured = &plugin["engines"][name];
    if !plugin["engines"].is_null() {
        let sockets = configured["sockets"].as_array().into_iter().flatten();
        let mut sockets: Vec<String> = sockets
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let mut enabled = configured["enabled"] != Value::Bool(false);
        // What the command line adds is asked, whatever the plugin's settings say of the others.
        let added = old.engines.iter().find(|engine| engine.name == name);
        if let Some(added) = added.filter(|added| name == "cri" && !added.sockets.is_empty()) {
            if !enabled {
                sockets.clear();
            }
            enabled = true;
            sockets.extend(added.sockets.clone());
        }
        return (enabled, sockets);
    }
    let old = old.engines.iter().find(|engine| engine.name == name);
    old.map_or((true, Vec::new()), |engine| {
        (engine.enabled, engine.sockets.clone())
    })
}

/// Reads which shapes of control groups count; without any settings, all do.
pub(crate) fn engines(settings: &Settings) -> Engines {
    let plugin = plugin(settings);
    let on = |name: &str| engine(&plugin, &settings.containers, name).0;
    let fixed = &plugin["engines"]["static"];
    let text = |key: &str| fixed[key].as_str().unwrap_or_default().as_bytes().to_vec();
    Engines {
        podman: on("podman"),
        docker: on("docker"),
        cri: on("cri"),
        containerd: on("containerd"),
        lxc: on("lxc"),
        libvirt_lxc: on("libvirt_lxc"),
        bpm: on("bpm"),
        fixed: (fixed["enabled"] == Value::Bool(true)).then(|| Fixed {
            id: text("container_id"),
            name: text("container_name"),
            image: text("container_image"),
        }),
        ..Engines::default()
    }
}

/// Milliseconds that an alert waits for its container's metadata.
pub(crate) fn wait_ms(settings: &Settings) -> u64 {
    if settings.containers.disable_async {
        AT_ANY_PRICE_MS
    } else {
        settings.containers.wait_ms
    }
}

/// Who is asked, and how.
pub(crate) fn asked(settings: &Settings) -> containers::Settings {
    let plugin = plugin(settings);
    let sockets = |name: &str| {
        let (enabled, paths) = engine(&plugin, &settings.containers, name);
        Sockets { enabled, paths }
    };
    let hooks = match plugin["hooks"].as_array() {
        Some(hooks) => Hooks {
            create: hooks.iter().any(|hook| hook == "create"),
            start: hooks.iter().any(|hook| hook == "start"),
        },
        None => Hooks::default(),
    };
    let defaults = containers::Settings::default();
    let own = &settings.containers;
    let root = std::env::var_os("HOST_ROOT").filter(|root| !root.is_empty());
    let server = &own.kubernetes;
    containers::Settings {
        docker: sockets("docker"),
        podman: sockets("podman"),
        cri: sockets("cri"),
        containerd: sockets("containerd"),
        label_max_len: plugin["label_max_len"]
            .as_u64()
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(defaults.label_max_len),
        with_size: plugin["with_size"] == Value::Bool(true),
        hooks,
        root: root.map_or(defaults.root, Into::into),
        time_limit: Duration::from_secs(5),
        kubernetes: (!server.url.is_empty()).then(|| Kubernetes {
            url: server.url.clone(),
            token_file: server.token_file.clone(),
            ca_file: server.ca_file.clone(),
            client_certificate: server.client_certificate.clone(),
            client_key: server.client_key.clone(),
            node: server.node.clone(),
            insecure: server.insecure,
        }),
        mesos: (!own.mesos_master.is_empty() || !own.marathon.is_empty()).then(|| Mesos {
            master: own.mesos_master.clone(),
            marathon: own.marathon.clone(),
        }),
        ..defaults
    }
}

/// The fields under these settings: those of Mesos exist where it is asked.
pub(crate) fn catalogue(settings: &Settings) -> Catalogue {
    let catalogue = Catalogue::new(settings.static_fields.iter().cloned());
    let own = &settings.containers;
    if own.mesos_master.is_empty() && own.marathon.is_empty() {
        catalogue
    } else {
        catalogue.with_removed()
    }
}

#[cfg(test)]
mod tests {
    use config::{Request, load};

    use super::*;

    fn settings(yaml: &str) -> Settings {
        let request = Request {
            base: Some(yaml),
            ..Request::default()
        };
        load(&request).unwrap().settings
    }

    fn of(yaml: &str) -> Engines {
        engines(&settings(yaml))
    }

    #[test]
    fn the_plugin_s_settings_count() {
        assert_eq!(of(""), Engines::default());
        let plugin = "plugins: [{name: container, library_path: x, init_config: ";
        let some = of(&format!(
            "{plugin}{{engines: {{docker: {{enabled: false}}}}}}}}]"
        ));
        assert!(!some.docker && some.podman);
        let text = format!("{plugin}'{{\"engines\": {{\"cri\": {{\"enabled\": false}}}}}}'}}]");
        assert!(!of(&text).cri);
        let fixed = "{engines: {static: {enabled: true, container_id: abc}}}";
        let fixed = of(&format!("{plugin}{fixed}}}]"));
        assert_eq!(fixed.fixed.map(|f| f.id).as_deref(), Some(&b"abc"[..]));
        assert_eq!(of(&format!("{plugin}''}}]")), Engines::default());
    }

    #[test]
    fn who_is_asked() {
        let plugin = "plugins: [{name: container, library_path: x, init_config: {label_max_len: 7, \
            hooks: [start], engines: {docker: {enabled: true, sockets: [/d.sock]}}}}]";
        let asked = asked(&settings(plugin));
        assert_eq!(asked.docker.paths, ["/d.sock"]);
        assert_eq!(
            (asked.label_max_len, asked.hooks.create, asked.hooks.start),
            (7, false, true)
        );
        let off = "plugins: [{name: container, library_path: x, init_config: {engines: {cri: {enabled: \
            false, sockets: [/no.sock]}}}}]\ncontainer_engines: {cri: {sockets: [/c.sock]}}";
        let off = settings(off);
        assert_eq!(super::asked(&off).cri, Sockets::at("/c.sock"));
        assert!(engines(&off).cri);
        let old = "container_engines: {podman: {enabled: false}, cri: {sockets: [/c.sock], disable_async: true}}";
        let old = settings(old);
        assert!(!super::asked(&old).podman.enabled && !engines(&old).podman);
        assert_eq!(super::asked(&old).cri.paths, ["/c.sock"]);
        assert_eq!((wait_ms(&old), wait_ms(&settings(""))), (10_000, 500));
    }
}
