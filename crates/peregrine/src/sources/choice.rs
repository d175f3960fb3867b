//! Which sources run: `--enable-source` and `--disable-source`.

use anyhow::{Result, bail};

/// The sources that run, of those that there are, in their order.
///
/// # Errors
/// When a name stands for no source, both flags are used, or none is left.
pub(crate) fn choose(all: &[&str], enable: &[String], disable: &[String]) -> Result<Vec<String>> {
    if !enable.is_empty() && !disable.is_empty() {
        bail!("--enable-source and --disable-source exclude each other");
    }
    for name in enable.iter().chain(disable) {
        if !all.contains(&name.as_str()) {
            bail!(
                "event source '{name}' does not exist; there are: {}",
                all.join(", ")
            );
        }
    }
    let has = |names: &[String], name: &str| names.iter().any(|n| n == name);
    let chosen = all.iter().filter(|name| {
        if enable.is_empty() {
            !has(disable, name)
        } else {
            has(enable, name)
        }
    });
    let chosen: Vec<String> = chosen.map(|name| (*name).to_owned()).collect();
    if chosen.is_empty() {
        bail!("all event sources are disabled; at least one must stay enabled");
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices() {
        let all = ["syscall", "k8s_audit"];
        let pick = |enable: &[&str], disable: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
            choose(&all, &own(enable), &own(disable)).map_err(|e| e.to_string())
        };
        assert_eq!(pick(&[], &[]).unwrap(), all);
        assert_eq!(pick(&["k8s_audit"], &[]).unwrap(), ["k8s_audit"]);
        assert_eq!(pick(&[], &["k8s_audit"]).unwrap(), ["syscall"]);
        assert!(pick(&["x"], &[]).unwrap_err().contains("'x'"));
        assert!(
            pick(&[], &["syscall", "k8s_audit"])
                .unwrap_err()
                .contains("at least one")
        );
        assert!(
            pick(&["syscall"], &["k8s_audit"])
                .unwrap_err()
                .contains("exclude")
        );
    }
}
