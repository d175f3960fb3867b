//! Builds the actor: a static C program, so that it runs under any name in any root.

use std::path::PathBuf;
use std::process::Command;

const PARTS: [&str; 7] = [
    "actor.c",
    "files.c",
    "kernel.c",
    "network.c",
    "processes.c",
    "ring.c",
    "stage.c",
];

fn main() {
    println!("cargo::rerun-if-changed=actor");
    println!("cargo::rerun-if-env-changed=CC");
    // The cc crate's names: one compiler for each target, where it is another than this machine.
    let target = std::env::var("TARGET").expect("cargo says for what");
    let own = format!("CC_{}", target.replace('-', "_"));
    println!("cargo::rerun-if-env-changed={own}");
    let compiler = std::env::var(own)
        .or_else(|_| std::env::var("CC"))
        .unwrap_or_else(|_| "cc".to_owned());
    let target =
        PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo says where")).join("actor");
    let status = Command::new(&compiler)
        .args(["-std=gnu11", "-O1", "-s", "-static", "-Wall", "-Wextra"])
        .args(["-Wno-unused-parameter", "-Werror", "-o"])
        .arg(&target)
        .args(PARTS.iter().map(|part| format!("actor/{part}")))
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{compiler} could not build the actor: {status}"),
        Err(why) => panic!("the actor needs a C compiler ({compiler}): {why}"),
    }
}
