//! The example that hunts over tables with DuckDB (`examples/hunt`): what `peregrine export` writes is asked by it.
//! DuckDB comes from PyPI, into `target/tools/python`; without it the test says what it left out.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{Place, capture, python};

#[test]
fn questions_are_answered_over_many_tables() {
    let Some(python) = python("duckdb") else {
        return;
    };
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sample = tree.join("samples/incident.scap");
    let place = Place::new();
    for name in ["one.scap", "two.scap", "three.scap"] {
        std::fs::copy(&sample, place.path(name)).unwrap();
    }
    place.write(
        "four.scap",
        &capture(&["/etc/shadow", "/etc/passwd", "/tmp/x"]),
    );
    let captures = ["one.scap", "two.scap", "three.scap", "four.scap"];
    let export = [&["export"], captures.as_slice(), &["--to", "tables/"]].concat();
    place.run(&export).check(0, &[], &[]);

    let script = tree.join("examples/hunt/hunt.py");
    let hunt = |folder: &Path| {
        Command::new(&python)
            .arg(&script)
            .arg(folder)
            .output()
            .unwrap()
    };
    let answer = hunt(&place.path("tables"));
    let text = String::from_utf8_lossy(&answer.stdout);
    let complaints = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{text}\n{complaints}");
    let row = |words: &[&str]| {
        let cells: Vec<Vec<&str>> = text
            .lines()
            .map(|line| {
                line.split('│')
                    .map(str::trim)
                    .filter(|cell| !cell.is_empty())
                    .collect()
            })
            .collect();
        assert!(
            cells.iter().any(|cells| cells == words),
            "no {words:?} in\n{text}"
        );
    };
    // The incident, in three captures: what ran, where it connected, what it read, in which container.
    row(&["/usr/bin/curl", "3", "3"]);
    row(&[".cache", "198.51.100.23", "4444", "3"]);
    assert!(text.contains("cat /etc/shadow"), "{text}");
    assert!(text.contains("7c1d5e0a94b3"), "{text}");
    // Somebody else reads accounts in a fourth.
    assert!(text.contains("/etc/passwd"), "{text}");

    let nothing = hunt(&place.path("nowhere"));
    assert!(
        !nothing.status.success(),
        "a folder without tables is a fault"
    );
}
