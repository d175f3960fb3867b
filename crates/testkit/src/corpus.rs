//! Finds the test corpus and the specification.
//!
//! Both lie outside the source tree: in `PEREGRINE_CORPUS` and `PEREGRINE_SPEC`, or else beside the
//! workspace in `../shared/corpus` and `../shared/spec`. A test that cannot find them says what it
//! leaves out and passes, unless `PEREGRINE_REQUIRE_CORPUS=1` makes that a failure.

use std::path::{Path, PathBuf};

/// A folder of the corpus' structure; any part of it may be missing.
#[derive(Clone, Debug)]
pub struct Corpus {
    root: PathBuf,
}

/// One capture file of the corpus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaptureFile {
    /// File name without `.scap`, which is how the other files of the corpus call it.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// The root of the workspace that this crate was built in.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("the crate lies two folders below the workspace")
        .to_owned()
}

/// True if a missing corpus is a failure.
#[must_use]
pub fn required() -> bool {
    std::env::var("PEREGRINE_REQUIRE_CORPUS").is_ok_and(|v| v == "1")
}

/// The corpus; without one, says on standard error that `what` is left out and gives `None`.
///
/// # Panics
/// When there is none although `PEREGRINE_REQUIRE_CORPUS=1`.
#[must_use]
pub fn find(what: &str) -> Option<Corpus> {
    folder("PEREGRINE_CORPUS", "corpus", what).map(Corpus::at)
}

/// The folder of the specification, on the terms of [`find`].
///
/// # Panics
/// When there is none although `PEREGRINE_REQUIRE_CORPUS=1`.
#[must_use]
pub fn spec(what: &str) -> Option<PathBuf> {
    folder("PEREGRINE_SPEC", "spec", what)
}

fn folder(variable: &str, default: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map_or_else(
        || workspace_root().join("../shared").join(default),
        PathBuf::from,
    );
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        !required(),
        "{what}: no {default} at {} ({variable})",
        path.display()
    );
    eprintln!("left out for want of the {default} ({variable}): {what}");
    None
}

impl Corpus {
    /// The corpus that lies in `root`.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self {
            root: root.canonicalize().unwrap_or(root),
        }
    }

    /// Its root, to which all paths inside its files are relative.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a part of it, whether or not it exists.
    #[must_use]
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The path of a part of it if that exists.
    #[must_use]
    pub fn existing(&self, relative: impl AsRef<Path>) -> Option<PathBuf> {
        let path = self.path(relative);
        path.exists().then_some(path)
    }

    /// All files `captures/*.scap`, by name.
    #[must_use]
    pub fn captures(&self) -> Vec<CaptureFile> {
        let mut found: Vec<CaptureFile> = self
            .files("captures")
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "scap"))
            .filter_map(|path| {
                let name = path.file_stem()?.to_str()?.to_owned();
                Some(CaptureFile { name, path })
            })
            .collect();
        found.sort();
        found
    }

    /// The regular files directly inside a part of it, sorted; none if the part is missing.
    #[must_use]
    pub fn files(&self, relative: impl AsRef<Path>) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path(relative)) else {
            return Vec::new();
        };
        let mut files: Vec<PathBuf> = entries
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.is_file())
            .collect();
        files.sort();
        files
    }
}
