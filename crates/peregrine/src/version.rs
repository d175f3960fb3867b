//! The versions this program goes by.
//!
//! Drop-in tools compare the engine version with what rule files require, so the compatible
//! versions of Falco are told beside our own.

use std::sync::OnceLock;

/// Our own.
pub(crate) const OWN: &str = env!("CARGO_PKG_VERSION");
/// Falco release whose behaviour is reproduced.
pub(crate) const FALCO: &str = "0.44.1";
/// Its rules engine.
pub(crate) const ENGINE: &str = "0.62.0";
/// Its plugin interface.
pub(crate) const PLUGIN_API: &str = "3.12.0";
/// Its libraries.
pub(crate) const LIBS: &str = "0.25.4";
/// Its driver interface.
pub(crate) const DRIVER_API: &str = "10.1.0";
/// Its event table, as listings name it.
pub(crate) const SCHEMA: &str = "4.3.0";
/// Its driver.
pub(crate) const DRIVER: &str = "10.2.0+driver";

/// The lines of `--version`.
pub(crate) fn text() -> String {
    format!(
        "Falco version: {FALCO}\nLibs version:  {LIBS}\nPlugin API:    {PLUGIN_API}\n\
         Engine:        {ENGINE}\nDriver:\n  API version:    {DRIVER_API}\n  \
         Schema version: {SCHEMA}\n  Default driver: {DRIVER}\nPeregrine:     {OWN}\n"
    )
}

/// Names and versions of the plugins that were loaded at the start.
static LOADED: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// Notes which plugins are loaded; later calls change nothing.
pub(crate) fn loaded(plugins: Vec<(String, String)>) {
    let _ = LOADED.set(plugins);
}

/// The same as JSON, as `GET /versions` has it.
pub(crate) fn json() -> serde_json::Value {
    let minor = ENGINE.split('.').nth(1).unwrap_or_default();
    let mut all = serde_json::json!({
        "falco_version": FALCO,
        "libs_version": LIBS,
        "plugin_api_version": PLUGIN_API,
        "driver_api_version": DRIVER_API,
        "driver_schema_version": SCHEMA,
        "default_driver_version": DRIVER,
        "engine_version": minor,
        "engine_version_semver": ENGINE,
        "peregrine_version": OWN,
    });
    if let Some(plugins) = LOADED.get().filter(|plugins| !plugins.is_empty()) {
        let versions = plugins.iter().cloned();
        all["plugin_versions"] = versions
            .map(|(name, version)| (name, version.into()))
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    all
}
