//! Paths made absolute.

use std::cell::RefCell;

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
    BUFFERS.with_borrow_mut(|Buffers { base, joined }| {
        base.clear();
        if path.first() != Some(&b'/') {
            view.state.directory(view.thread_ix(), dir, base);
        }
        paths::concat(joined, base, path);
        out.extend_from_slice(joined);
    });
}

/// Writes `path`, normalised; a relative one behind `base`.
pub fn join(base: &[u8], path: &[u8], out: &mut Out<'_>) {
    BUFFERS.with_borrow_mut(|Buffers { joined, .. }| {
        paths::concat(joined, base, path);
        out.extend_from_slice(joined);
    });
}

/// Paths on their way into an event's arena: nothing is allocated for most.
#[derive(Default)]
struct Buffers {
    base: Vec<u8>,
    joined: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

fn is_relative(path: &[u8]) -> bool {
    !path.is_empty() && path[0] != b'/' && path != b"<NA>"
}
