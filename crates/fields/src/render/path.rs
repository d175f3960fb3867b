//! Paths made absolute.

use state::paths;

use super::Out;
use crate::view::EventView;

/// Writes `path` joined to the current directory if it is relative.
pub fn resolve_cwd(view: &EventView<'_>, path: &[u8], out: &mut Out<'_>) {
    if !is_relative(path) {
        return;
    }
    if let Some(ix) = view.thread_ix() {
        join(view.state.cwd(ix), path, out);
    }
}

/// Writes `path` joined to the directory of descriptor `dir` if it is relative.
pub fn resolve_dir(view: &EventView<'_>, dir: Option<i64>, path: &[u8], out: &mut Out<'_>) {
    if is_relative(path) {
        join_dir(view, dir, path, out);
    }
}

/// Writes `path`, normalised; a relative one behind the directory of descriptor `dir`.
pub fn join_dir(view: &EventView<'_>, dir: Option<i64>, path: &[u8], out: &mut Out<'_>) {
    let mut base = Vec::new();
    if path.first() != Some(&b'/') {
        view.state.directory(view.thread_ix(), dir, &mut base);
    }
    join(&base, path, out);
}

/// Writes `path`, normalised; a relative one behind `base`.
pub fn join(base: &[u8], path: &[u8], out: &mut Out<'_>) {
    let mut joined = Vec::new();
    paths::concat(&mut joined, base, path);
    out.extend_from_slice(&joined);
}

fn is_relative(path: &[u8]) -> bool {
    !path.is_empty() && path[0] != b'/' && path != b"<NA>"
}
