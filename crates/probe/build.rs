//! Builds the kernel programs: one object for each way of attaching them.
//!
//! clang is called as it is. libbpf-cargo would make typed skeletons of the objects, but the loader
//! chooses among some five hundred programs by name, for which a skeleton's field per program is of
//! no use, and its generator would have to be built first. aya's loader was the alternative to
//! libbpf; libbpf is what the kernel's own tests run against, and its libelf is on every machine.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Object name and the macros that select its way of attaching.
const FLAVOURS: [(&str, &[&str]); 4] = [
    ("dispatch", &["-DATTACH_DISPATCH"]),
    ("tracepoint", &["-DATTACH_TRACEPOINT"]),
    ("fexit", &["-DATTACH_FEXIT"]),
    // For kernels before 5.17.
    ("old", &["-DATTACH_DISPATCH", "-DWITHOUT_CALLBACKS"]),
];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    let libbpf = env::var_os("DEP_BPF_INCLUDE").expect("libbpf-sys says where its headers are");
    // For the test that compiles for the other architecture.
    println!(
        "cargo::rustc-env=LIBBPF_INCLUDE={}",
        Path::new(&libbpf).display()
    );
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=CLANG");
    fs::write(out.join("events.gen.h"), numbers()).expect("OUT_DIR is writable");

    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let target = match arch.as_str() {
        "x86_64" => "x86",
        "aarch64" => "arm64",
        other => panic!("the kernel programs know no {other}"),
    };
    // Line information names files; where they lay on the machine that builds is nobody's business, and two builds are
    // the same wherever they are made.
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let places = [
        format!("-ffile-prefix-map={here}=probe"),
        format!("-ffile-prefix-map={}=generated", out.display()),
        format!("-ffile-prefix-map={}=libbpf", Path::new(&libbpf).display()),
    ];
    let children =
        FLAVOURS.map(|(name, flavour): (&str, &[&str])| {
            let object = out.join(format!("{name}.bpf.o"));
            let child = Command::new(&clang)
            .args(["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror"])
            .args(["-Wno-unused-function", "-Wno-pass-failed"])
            .arg(format!("-D__TARGET_ARCH_{target}"))
            .args(flavour)
            .args(&places)
            .args(["-I", "bpf/include", "-I"])
            .arg(&out)
            .arg("-I")
            .arg(&libbpf)
            .args(["-c", "bpf/probe.bpf.c", "-o"])
            .arg(&object)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot run `{clang}` ({error}): the kernel programs are C and need clang 12 \
                     or later (Debian: apt-get install clang; or name another one in CLANG)"
                )
            });
            (child, object)
        });
    for (mut child, object) in children {
        let status = child.wait().expect("clang was started");
        assert!(status.success(), "clang refused the kernel programs");
        strip_debug_info(&object);
    }
}

/// Leaves out DWARF, two thirds of the object, where a tool for it is at hand. BTF stays.
fn strip_debug_info(object: &Path) {
    let tools = [
        "llvm-strip",
        "llvm-strip-14",
        "llvm-strip-16",
        "llvm-strip-19",
    ];
    for tool in tools {
        if Command::new(tool)
            .arg("-g")
            .arg(object)
            .status()
            .is_ok_and(|s| s.success())
        {
            return;
        }
    }
}

/// The event table's numbers as a C header.
fn numbers() -> String {
    let mut header = String::from("#pragma once\n");
    for (file, prefix) in [("codes.rs", ""), ("constants.rs", "PPM_")] {
        let path = Path::new("../event/src/table").join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path).expect("the event crate lies beside this one");
        for line in text.lines() {
            let Some((name, value)) = line
                .strip_prefix("pub const ")
                .and_then(|rest| rest.strip_suffix(';'))
                .and_then(|rest| rest.split_once(" = "))
            else {
                continue;
            };
            let name = name
                .split(':')
                .next()
                .expect("split gives one piece at least");
            let wide = value.parse::<i64>().is_ok_and(|v| v > i64::from(i32::MAX));
            let suffix = if wide { "ULL" } else { "" };
            writeln!(header, "#define {prefix}{name} {value}{suffix}").expect("a String takes all");
        }
    }
    header
}
