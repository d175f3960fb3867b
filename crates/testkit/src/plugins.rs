//! Sample plugins, built as shared objects the first time that a test wants one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::corpus::workspace_root;

/// Where what is built goes: beside our own artifacts, so that it is built once.
fn target() -> PathBuf {
    workspace_root().join("target/sample-plugins")
}

fn sources() -> PathBuf {
    workspace_root().join("crates/plugins/tests")
}

/// The shared object of a plugin that is written with the interface's own library for Rust.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn sample(name: &str) -> String {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--examples", "--locked"])
            .arg("--manifest-path")
            .arg(sources().join("sample/Cargo.toml"))
            .arg("--target-dir")
            .arg(target())
            .status()
            .expect("cargo starts");
        assert!(built.success(), "the sample plugins do not build");
        target().join("debug/examples")
    });
    folder.join(format!("lib{name}.so")).display().to_string()
}

/// The folder in which `plugin/plugin_api.h` lies, the interface's own header: it comes with the crate of its types.
fn header() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // Of this platform only: what others need may not have been fetched.
        let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked"])
            .args(["--filter-platform", &platform])
            .current_dir(workspace_root())
            .output()
            .expect("cargo starts");
        let all: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("cargo describes the workspace");
        let packages = all["packages"].as_array().expect("packages");
        let interface = packages
            .iter()
            .find(|package| package["name"] == "falco_plugin_api")
            .expect("the types of the interface are a dependency");
        let manifest = interface["manifest_path"].as_str().expect("a path");
        Path::new(manifest).parent().expect("a folder").to_owned()
    })
}

/// The shared object of a plugin in C, by the name of its source among the tests of the plugin host. It is compiled for each
/// caller anew, in a folder of the caller's.
///
/// # Panics
/// When it does not compile.
#[must_use]
pub fn compiled(folder: &Path, name: &str) -> String {
    let out = folder.join(format!("lib{name}.so")).display().to_string();
    let compiled = Command::new("clang")
        .args(["-shared", "-fPIC", "-O0", "-I"])
        .arg(header())
        .args(["-o", &out])
        .arg(sources().join(format!("{name}.c")))
        .status()
        .expect("clang is needed, as for the kernel programs");
    assert!(compiled.success(), "{name}.c does not compile");
    out
}
