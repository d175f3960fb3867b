//! `--support`: what a bug report needs, as JSON.

use config::Loaded;
use serde_json::{Value, json};

use crate::rulefiles::RuleFile;
use crate::version;

/// The document.
pub(crate) fn document(loaded: &Loaded, files: &[RuleFile]) -> Value {
    let system = rustix::system::uname();
    let text = |field: &std::ffi::CStr| field.to_string_lossy().into_owned();
    let command: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let files: Vec<Value> = files
        .iter()
        .map(|file| {
            let content = String::from_utf8_lossy(&file.content);
            json!({"name": file.name, "variants": [{"required_engine_version": 0, "content": content}]})
        })
        .collect();
    json!({
        "version": version::FALCO,
        "peregrine_version": version::OWN,
        "system_info": {
            "sysname": text(system.sysname()),
            "nodename": text(system.nodename()),
            "release": text(system.release()),
            "version": text(system.version()),
            "machine": text(system.machine()),
        },
        "engine_info": {"engine_version": version::ENGINE},
        "cmdline": command.join(" "),
        "config": loaded.tree.to_json(),
        "rules_files": files,
    })
}
