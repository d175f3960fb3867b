//! The kernel programs for arm64 compile, with the machine's own clang: those on functions to the end,
//! the other ways of attaching as far as their types go, which takes a tenth of the time.

use std::path::Path;
use std::process::Command;

#[test]
fn the_programs_compile_for_arm64() {
    let out = tempfile::tempdir().expect("a folder");
    let made = Path::new(env!("OUT_DIR"));
    for way in ["DISPATCH", "TRACEPOINT", "FEXIT"] {
        let object = out.path().join(way);
        let compiled = Command::new(std::env::var("CLANG").unwrap_or_else(|_| "clang".into()))
            .args(["-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror"])
            .args(["-Wno-unused-function", "-Wno-pass-failed"])
            .args(["-D__TARGET_ARCH_arm64", &format!("-DATTACH_{way}")])
            .args(["-I", "bpf/include", "-I"])
            .arg(made)
            .args(["-I", env!("LIBBPF_INCLUDE")])
            .args(match way {
                "FEXIT" => ["-O2", "-c"],
                _ => ["-O0", "-fsyntax-only"],
            })
            .args(["bpf/probe.bpf.c", "-o"])
            .arg(&object)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("clang is there, for it has built this crate");
        assert!(
            compiled.status.success(),
            "{way}: {}",
            String::from_utf8_lossy(&compiled.stderr)
        );
    }
    let bytes = std::fs::read(out.path().join("FEXIT")).expect("clang wrote it");
    // Children are told by the scheduler there.
    for name in ["t_fork\0", "x_openat\0", "fexit/__arm64_sys_openat\0"] {
        assert!(
            memchr::memmem::find(&bytes, name.as_bytes()).is_some(),
            "{name}"
        );
    }
}
