//! Which runtimes' containers are told apart.
//!
//! What Falco's container plugin does is built in here, so the plugin's own settings
//! (`plugins[].init_config.engines`) decide.

use config::Settings;
use serde_json::Value;
use state::Engines;

use crate::log;

/// The plugin whose work is built in.
const BUILT_IN: &str = "container";

/// Reads the settings of the container plugin; without any, every runtime is looked for.
pub(crate) fn engines(settings: &Settings) -> Engines {
    let mut engines = Engines::default();
    let Some(plugin) = settings
        .plugins
        .iter()
        .find(|plugin| plugin.name == BUILT_IN)
    else {
        return engines;
    };
    if plugin.init_config.trim().is_empty() {
        return engines;
    }
    // JSON is YAML, so the one reader takes both forms of a text.
    let Ok(tree) = config::Node::parse(&plugin.init_config, None) else {
        log::warning("init_config of the container plugin is neither JSON nor YAML; ignored");
        return engines;
    };
    let configured = tree.to_json()["engines"].take();
    if configured.is_null() {
        return engines;
    }
    let on = |name: &str| configured[name]["enabled"] != Value::Bool(false);
    engines.podman = on("podman");
    engines.docker = on("docker");
    engines.cri = on("cri");
    engines.containerd = on("containerd");
    engines.lxc = on("lxc");
    engines.libvirt_lxc = on("libvirt_lxc");
    engines.bpm = on("bpm");
    let fixed = &configured["static"];
    if fixed["enabled"] == Value::Bool(true) {
        engines.fixed = fixed["container_id"]
            .as_str()
            .map(|id| id.as_bytes().to_vec());
    }
    engines
}

#[cfg(test)]
mod tests {
    use config::{Request, load};

    use super::*;

    fn of(yaml: &str) -> Engines {
        engines(
            &load(&Request {
                base: Some(yaml),
                ..Request::default()
            })
            .unwrap()
            .settings,
        )
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
        assert_eq!(fixed.fixed.as_deref(), Some(&b"abc"[..]));
        assert_eq!(of(&format!("{plugin}''}}]")), Engines::default());
    }
}
