//! The rules of the house that a compiler does not check.

#![allow(
    clippy::unwrap_used,
    reason = "a failed look at the tree is a failed test"
)]

use std::path::{Path, PathBuf};

use testkit::corpus::workspace_root;

/// Crates by row, lowest first. A crate depends on lower rows only.
const ROWS: &[&[&str]] = &[
    &["diag", "event"],
    &["filter", "capture"],
    &["state", "rules"],
    &["fields", "audit"],
    &[
        "engine",
        "flight",
        "outputs",
        "config",
        "probe",
        "host",
        "metrics",
        "store",
        "web",
        "containers",
        "provenance",
        "plugins",
    ],
    &["live", "page", "workbench"],
    &["peregrine"],
];

/// Rows that touch no file, clock, thread or network.
const PURE_ROWS: usize = 4;

/// Crates for tests and tools only, which may use any other and are used by none but tests.
const DEVELOPMENT: &[&str] = &["attack", "testkit"];

/// Crates that may hold `unsafe`.
const UNSAFE: &[&str] = &["probe", "plugins"];

/// Files that are tables and may be long.
fn is_table(path: &str) -> bool {
    ["/table/", "/catalogue/"]
        .iter()
        .any(|folder| path.contains(folder))
}

const LONGEST: usize = 700;

fn crates() -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = std::fs::read_dir(workspace_root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .collect();
    found.sort();
    found
}

fn row(name: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&name))
}

/// All files of the tree but what is built or belongs to version control.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_symlink() || ["target", ".git", "corpus", "artifacts"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn texts() -> Vec<(String, String)> {
    let root = workspace_root();
    let mut paths = Vec::new();
    files(&root, &mut paths);
    paths
        .into_iter()
        .filter_map(|path| {
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            Some((name, std::fs::read_to_string(&path).ok()?))
        })
        .collect()
}

fn rust_files() -> Vec<(String, String)> {
    texts()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".rs"))
        .collect()
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_crate_has_its_row_and_uses_lower_rows_only() {
    let mut faults = Vec::new();
    for (name, path) in crates() {
        let Some(own) = row(&name).or(DEVELOPMENT.contains(&name.as_str()).then_some(usize::MAX))
        else {
            faults.push(format!("crates/{name} has no row in the tidy test"));
            continue;
        };
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).unwrap();
        let mut section = "";
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            }
            let Some(used) = line.strip_prefix("peregrine-") else {
                continue;
            };
            let used = used.split(['.', ' ', '=']).next().unwrap();
            if section != "[dependencies]" {
                continue;
            }
            if DEVELOPMENT.contains(&used) {
                faults.push(format!("{name} depends on {used}, which is for tests"));
            } else if row(used).is_none_or(|row| row >= own) {
                faults.push(format!(
                    "{name} depends on {used}, which is not in a lower row"
                ));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn low_rows_touch_no_file_clock_thread_or_network() {
    const OUTSIDE: &[&str] = &[
        "std::fs",
        "std::thread",
        "std::process",
        "SystemTime::now",
        "Instant::now",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "UnixStream",
    ];
    let mut faults = Vec::new();
    for name in ROWS[..PURE_ROWS].iter().copied().flatten() {
        let folder = format!("crates/{name}/src/");
        for (file, text) in rust_files()
            .iter()
            .filter(|(file, _)| file.starts_with(&folder) && !file.ends_with("/tests.rs"))
        {
            // Unit tests stand at the end of a file, or in one of their own, and may read what they
            // like.
            let code = text.split("#[cfg(test)]").next().unwrap();
            for (number, line) in code.lines().enumerate() {
                let code = line.split("//").next().unwrap();
                if let Some(found) = OUTSIDE.iter().find(|word| code.contains(**word)) {
                    faults.push(format!("{file}:{}: {found}", number + 1));
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_module_says_what_it_is() {
    let faults: Vec<String> = rust_files()
        .into_iter()
        .filter(|(_, text)| {
            let first = text.lines().find(|line| {
                !line.trim().is_empty() && !line.starts_with("#!") && !line.starts_with("// ")
            });
            !first.is_some_and(|line| line.starts_with("//!"))
        })
        .map(|(file, _)| format!("{file} does not start with a `//!` header"))
        .collect();
    assert_none(&faults);
}

#[test]
fn unsafe_code_is_forbidden_outside_its_crates() {
    let mut faults = Vec::new();
    for (name, path) in crates()
        .iter()
        .filter(|(name, _)| !UNSAFE.contains(&name.as_str()))
    {
        for root in ["src/lib.rs", "src/main.rs"] {
            let Ok(text) = std::fs::read_to_string(path.join(root)) else {
                continue;
            };
            if !text.contains("#![forbid(unsafe_code)]") {
                faults.push(format!("crates/{name}/{root} does not forbid unsafe code"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn no_file_is_too_long() {
    let faults: Vec<String> = rust_files()
        .into_iter()
        .filter(|(file, text)| !is_table(file) && text.lines().count() > LONGEST)
        .map(|(file, text)| format!("{file} has {} lines", text.lines().count()))
        .collect();
    assert_none(&faults);
}

#[test]
fn no_path_of_this_machine_is_in_the_tree() {
    const SYSTEM: &[&str] = &[
        "tmp", "home", "root", "usr", "var", "opt", "mnt", "srv", "etc", "dev", "proc", "sys",
    ];
    let root = workspace_root();
    let mut places = vec![root.display().to_string()];
    // Outside the usual folders, the folder itself gives the machine away.
    let mut parts = root
        .components()
        .skip(1)
        .filter_map(|part| part.as_os_str().to_str());
    if let Some(top) = parts.next().filter(|top| !SYSTEM.contains(top)) {
        places.push(format!("/{top}/{}", parts.next().unwrap_or("")));
    }
    let mut faults = Vec::new();
    for (file, text) in texts() {
        for place in &places {
            if let Some(number) = text.lines().position(|line| line.contains(place.as_str())) {
                faults.push(format!("{file}:{} names {place}", number + 1));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn the_makefile_is_an_index() {
    let text = std::fs::read_to_string(workspace_root().join("Makefile")).unwrap();
    assert!(
        text.lines().count() <= 80,
        "the Makefile has {} lines",
        text.lines().count()
    );
}
