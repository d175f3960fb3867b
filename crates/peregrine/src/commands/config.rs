//! `peregrine config`: the effective configuration, each value with its origin.

use anyhow::{Result, bail};
use config::Override;
use config::effective::{Origin, effective};
use serde_json::json;

use crate::cli;
use crate::{configuration, output};

/// Prints it.
pub(crate) fn run(args: &cli::Config) -> Result<u8> {
    let mut overrides = Vec::new();
    for option in &args.option {
        overrides.push(Override::parse(option)?);
    }
    let named = args.file.as_deref().or(args.config.as_deref());
    let Some(path) = configuration::find(named) else {
        bail!(
            "no configuration found, neither {}; name one",
            configuration::PLACES.join(" nor ")
        );
    };
    let loaded = match configuration::load(Some(&path), &overrides) {
        Ok(loaded) => loaded,
        Err(rejected) => {
            configuration::show(&rejected.findings, &rejected.sources);
            return Ok(1);
        }
    };
    configuration::show(&loaded.warnings, &loaded.sources);
    let mut all = effective(&loaded.tree, &loaded.sources);
    if args.changed {
        all.retain(|one| one.origin != Origin::Default);
    }
    let text = match args.format {
        cli::CheckForm::Json => {
            let document: serde_json::Map<String, serde_json::Value> = all
                .iter()
                .map(|one| {
                    let value = json!({"value": one.value, "origin": one.origin.to_string()});
                    (one.key.clone(), value)
                })
                .collect();
            format!("{}\n", serde_json::Value::Object(document))
        }
        cli::CheckForm::Text => {
            let line = |one: &config::effective::Effective| {
                let value = one.value.replace('\n', "\\n");
                format!(
                    "{:<58}  # {}\n",
                    format!("{}: {value}", one.key),
                    one.origin
                )
            };
            all.iter().map(line).collect()
        }
    };
    output::print(&text)?;
    Ok(0)
}
