//! `fs.path.*` and `evt.abspath`.

use event::codes as e;
use filter::{Argument, Value};

use super::Ask;
use crate::catalogue::Id;
use crate::render::{self, Out, path};
use crate::view::EventView;

/// What a relative path starts from.
#[derive(Clone, Copy)]
enum Base {
    /// The current directory.
    Cwd,
    /// The directory whose descriptor is in this parameter.
    Dir(usize),
    /// It is an opened file: the descriptor's name is the path.
    Opened,
    /// Unknown to us: the link's own directory.
    Unknown,
}

/// Parameter of a path and what it starts from.
#[derive(Clone, Copy)]
struct Place(usize, Base);

/// Where the path of an event with one path is.
fn single(code: u16) -> Option<Place> {
    Some(match code {
        e::SYSCALL_MKDIR_2_X
        | e::SYSCALL_RMDIR_2_X
        | e::SYSCALL_UNLINK_2_X
        | e::SYSCALL_UMOUNT_1_X
        | e::SYSCALL_UMOUNT2_X
        | e::SYSCALL_CHMOD_X
        | e::SYSCALL_CHOWN_X
        | e::SYSCALL_LCHOWN_X
        | e::SYSCALL_QUOTACTL_X => Place(1, Base::Cwd),
        e::SYSCALL_MKDIRAT_X
        | e::SYSCALL_UNLINKAT_2_X
        | e::SYSCALL_FCHMODAT_X
        | e::SYSCALL_FCHOWNAT_X => Place(2, Base::Dir(1)),
        e::SYSCALL_OPEN_X => Place(1, Base::Opened),
        e::SYSCALL_OPENAT_2_X | e::SYSCALL_OPENAT2_X => Place(2, Base::Opened),
        _ => return None,
    })
}

fn source(code: u16) -> Option<Place> {
    Some(match code {
        e::SYSCALL_RENAME_X | e::SYSCALL_MOUNT_X => Place(1, Base::Cwd),
        e::SYSCALL_RENAMEAT_X | e::SYSCALL_RENAMEAT2_X => Place(2, Base::Dir(1)),
        e::SYSCALL_LINK_2_X | e::SYSCALL_SYMLINK_X => Place(2, Base::Cwd),
        e::SYSCALL_LINKAT_2_X => Place(4, Base::Dir(3)),
        e::SYSCALL_SYMLINKAT_X => Place(3, Base::Dir(2)),
        _ => return None,
    })
}

fn target(code: u16) -> Option<Place> {
    Some(match code {
        e::SYSCALL_RENAME_X | e::SYSCALL_MOUNT_X => Place(2, Base::Cwd),
        e::SYSCALL_RENAMEAT_X | e::SYSCALL_RENAMEAT2_X => Place(4, Base::Dir(3)),
        e::SYSCALL_LINK_2_X | e::SYSCALL_SYMLINK_X => Place(1, Base::Cwd),
        e::SYSCALL_LINKAT_2_X => Place(2, Base::Dir(1)),
        e::SYSCALL_SYMLINKAT_X => Place(1, Base::Unknown),
        _ => return None,
    })
}

pub(super) fn value<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let record = view.record;
    let code = record.code.number();
    let raw = matches!(
        ask.id,
        Id::FsPathNameraw | Id::FsPathSourceraw | Id::FsPathTargetraw
    );
    let place = match ask.id {
        Id::FsPathName | Id::FsPathNameraw => match code {
            e::SYSCALL_FCHMOD_X | e::SYSCALL_FCHOWN_X => return by_descriptor(view, raw),
            _ => single(code),
        },
        Id::FsPathSource | Id::FsPathSourceraw => source(code),
        _ => target(code),
    };
    let Place(index, base) = place?;
    let result = record.result()?;
    // A failed open still names what it was to open, except that the number -1 says nothing at all.
    let succeeded = if matches!(base, Base::Opened) {
        result != -1
    } else {
        result == 0
    };
    if !succeeded || index >= record.len() {
        return None;
    }
    let text = record.text(index);
    if raw {
        return Some(Value::Bytes(text));
    }
    if let Base::Opened = base
        && let Some(descriptor) = view.descriptor()
    {
        return Some(Value::Bytes(descriptor.name()));
    }
    Some(ask.compose(|out| match base {
        Base::Cwd => join_cwd(view, text, out),
        Base::Dir(dir) => path::join_dir(view, record.i64(dir), text, out),
        Base::Opened => render::shown(view, index, out),
        Base::Unknown => path::join(b"<UNKNOWN>", text, out),
    }))
}

fn by_descriptor<'s>(view: &EventView<'s>, raw: bool) -> Option<Value<'s>> {
    if view.record.result()? != 0 {
        return None;
    }
    let descriptor = view.descriptor_numbered(view.record.i64(1)?)?;
    Some(Value::Bytes(if raw {
        descriptor.name_raw()
    } else {
        descriptor.name()
    }))
}

fn join_cwd(view: &EventView<'_>, text: &[u8], out: &mut Out<'_>) {
    let cwd = view.thread_ix().map_or(&b""[..], |ix| view.state.cwd(ix));
    path::join(cwd, text, out);
}

/// `evt.abspath` and its two sides.
pub(super) fn absolute<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let side = match ask.arg {
        Argument::Key(side) => Some(&**side == "dst"),
        _ => None,
    };
    // Sides: `None` the only path, `false` the source, `true` the destination.
    let Place(index, base) = match (view.record.code.number(), side) {
        (e::SYSCALL_RENAMEAT_X | e::SYSCALL_RENAMEAT2_X, Some(false)) => Place(2, Base::Dir(1)),
        (e::SYSCALL_RENAMEAT_X | e::SYSCALL_RENAMEAT2_X, Some(true)) => Place(4, Base::Dir(3)),
        (e::SYSCALL_LINKAT_2_X, Some(false)) => Place(2, Base::Dir(1)),
        (e::SYSCALL_LINKAT_2_X, Some(true)) => Place(4, Base::Dir(3)),
        (e::SYSCALL_SYMLINKAT_X, None) => Place(3, Base::Dir(2)),
        (e::SYSCALL_OPENAT_2_X | e::SYSCALL_OPENAT2_X, None) => Place(2, Base::Dir(1)),
        (e::SYSCALL_OPEN_BY_HANDLE_AT_X, None) if view.record.result()? >= 0 => Place(3, Base::Cwd),
        (
            e::SYSCALL_UNLINKAT_2_X
            | e::SYSCALL_MKDIRAT_X
            | e::SYSCALL_FCHMODAT_X
            | e::SYSCALL_FCHOWNAT_X,
            None,
        ) => Place(2, Base::Dir(1)),
        _ => return None,
    };
    let text = view.record.text(index);
    Some(ask.compose(|out| match base {
        Base::Dir(dir) => {
            let dir = view.record.i64(dir);
            let known =
                dir.is_none_or(|d| d == render::AT_FDCWD || view.descriptor_numbered(d).is_some());
            if known || text.starts_with(b"/") {
                path::join_dir(view, dir, text, out);
            } else {
                path::join(b"<UNKNOWN>/", text, out);
            }
        }
        _ => join_cwd(view, text, out),
    }))
}
