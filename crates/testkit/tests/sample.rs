//! The sample incident in the tree is what its generator makes, and other readers understand it.

use std::process::Command;

use testkit::{corpus::workspace_root, incident};

#[test]
fn the_sample_is_what_its_generator_makes() {
    let kept = std::fs::read(workspace_root().join("samples/incident.scap")).unwrap();
    let made = incident::capture_file().unwrap();
    assert!(
        kept == made,
        "run: cargo run -p peregrine-testkit --bin make-sample"
    );
}

#[test]
fn sysdig_reads_the_sample() {
    let file = workspace_root().join("samples/incident.scap");
    let Ok(output) = Command::new("sysdig").arg("-r").arg(&file).output() else {
        assert!(!testkit::corpus::required(), "sysdig is not installed");
        eprintln!("left out: sysdig is not installed");
        return;
    };
    let listing = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for part in [
        "/etc/shadow",
        "198.51.100.23:4444",
        "/etc/cron.d/refresh",
        ".bash_history",
    ] {
        assert!(listing.contains(part), "no {part} in\n{listing}");
    }
}
