//! The corpus of foreign rule files and what Falco says about them, if it is there.
#![allow(dead_code, reason = "each test uses a part")]

use std::io::Read;
use std::path::{Path, PathBuf};

use fields::Catalogue;
use serde_json::Value;

/// The corpus folder; `None`, and a line saying so, where there is none.
pub(crate) fn folder() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("PEREGRINE_CORPUS").map_or(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("PEREGRINE_REQUIRE_CORPUS").is_none(),
        "there is no corpus at {}",
        folder.display()
    );
    println!("left out: there is no corpus at {}", folder.display());
    None
}

/// A JSON file of the corpus, plain or compressed.
pub(crate) fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if path.extension().is_some_and(|e| e == "gz") {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_string(&mut text)
            .unwrap();
        return serde_json::from_str(&text).unwrap();
    }
    serde_json::from_slice(&bytes).unwrap()
}

/// The fields of system call events.
pub(crate) fn catalogue() -> Catalogue {
    Catalogue::new([])
}
