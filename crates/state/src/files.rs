//! Opening, closing, duplicating: descriptors that are not sockets, and the current directory.

use std::rc::Rc;

use event::{Record, codes as c, constants as k};

use crate::context::Context;
use crate::descriptor::{DescriptorFlags, Kind};
use crate::paths::{concat, stands_alone};
use crate::state::State;
use crate::thread::{ThreadFlags, ThreadIx};

/// Bits of the open flags that only the kernel knows: created, overlay layers.
const KERNEL_FLAGS: u32 = !((1 << 14) - 1);
const UNKNOWN: &[u8] = b"<NA>";
const ROOT_MAX: usize = 4096;

/// Sets a current directory: `path` seen from `base`, ending in `/`. Says whether it changed.
pub(crate) fn set_cwd(cwd: &mut Rc<[u8]>, base: &[u8], path: &[u8], scratch: &mut Vec<u8>) -> bool {
    concat(scratch, base, path);
    if scratch.last() != Some(&b'/') {
        scratch.push(b'/');
    }
    let changed = **cwd != **scratch;
    if changed {
        *cwd = scratch.as_slice().into();
    }
    changed
}

/// Where the parameters of an event of the open family are.
struct OpenShape {
    name: usize,
    flags: Option<usize>,
    dirfd: Option<usize>,
    dev: usize,
    ino: usize,
}

fn open_shape(code: u16) -> OpenShape {
    match code {
        c::SYSCALL_OPEN_X => OpenShape {
            name: 1,
            flags: Some(2),
            dirfd: None,
            dev: 4,
            ino: 5,
        },
        c::SYSCALL_CREAT_X => OpenShape {
            name: 1,
            flags: None,
            dirfd: None,
            dev: 3,
            ino: 4,
        },
        c::SYSCALL_OPENAT_2_X => OpenShape {
            name: 2,
            flags: Some(3),
            dirfd: Some(1),
            dev: 5,
            ino: 6,
        },
        c::SYSCALL_OPENAT2_X => OpenShape {
            name: 2,
            flags: Some(3),
            dirfd: Some(1),
            dev: 6,
            ino: 7,
        },
        _ => OpenShape {
            name: 3,
            flags: Some(2),
            dirfd: None,
            dev: 4,
            ino: 5,
        },
    }
}

impl State {
    /// open, openat, openat2, creat, open_by_handle_at.
    pub(crate) fn opened(
        &mut self,
        cx: &mut Context,
        ix: ThreadIx,
        r: &Record<'_>,
        enter: Option<&Record<'_>>,
    ) {
        let fd = r.result().unwrap_or(-1);
        if fd < 0 {
            return;
        }
        let code = r.code.number();
        let shape = open_shape(code);
        let mut name = r.text(shape.name);
        let mut flags = shape.flags.and_then(|at| r.u32(at)).unwrap_or(0);
        let mut dirfd = shape.dirfd.and_then(|at| r.i64(at));
        if code == c::SYSCALL_CREAT_X {
            let layers = r.u16(5).map_or(0, u32::from);
            if layers & k::FD_UPPER_LAYER_CREAT != 0 {
                flags |= k::FD_UPPER_LAYER;
            }
            if layers & k::FD_LOWER_LAYER_CREAT != 0 {
                flags |= k::FD_LOWER_LAYER;
            }
        }
        // The caller may have changed its memory between the kernel's look and ours: what was
        // passed at the entry is what counts.
        if let Some(enter) = enter {
            let (at, flags_at) = match code {
                c::SYSCALL_OPEN_X => (0, Some(1)),
                c::SYSCALL_CREAT_X => (0, None),
                _ => (1, Some(2)),
            };
            let entered = enter.text(at);
            if entered != UNKNOWN {
                name = entered;
                if let Some(entered) = flags_at.and_then(|at| enter.u32(at)) {
                    flags = entered | (flags & KERNEL_FLAGS);
                }
                if shape.dirfd.is_some() {
                    dirfd = enter.i64(0);
                }
            }
        }
        let stands_alone = stands_alone(name);
        if !stands_alone {
            let mut base = std::mem::take(&mut self.scratch);
            base.clear();
            // An absolute path ignores the directory; its length still counts for the limit.
            if name.first() == Some(&b'/') {
                base.push(b'.');
            } else if shape.dirfd.is_some() {
                self.directory(Some(ix), dirfd, &mut base);
            } else if code != c::SYSCALL_OPEN_BY_HANDLE_AT_X {
                base.extend_from_slice(self.cwd(ix));
            }
            concat(&mut self.path, &base, name);
            self.scratch = base;
        }

        let kind = if flags & k::O_DIRECTORY != 0 {
            Kind::Directory
        } else {
            Kind::File
        };
        let mut rc = self.fresh(kind);
        let d = Rc::get_mut(&mut rc).expect("just made");
        d.open_flags = flags;
        d.dev = r.u32(shape.dev).unwrap_or(0);
        d.ino = r.u64(shape.ino).unwrap_or(0);
        if flags & k::FD_UPPER_LAYER != 0 {
            d.flags |= DescriptorFlags::UPPER_LAYER;
        }
        if flags & k::FD_LOWER_LAYER != 0 {
            d.flags |= DescriptorFlags::LOWER_LAYER;
        }
        let path = if stands_alone { name } else { &self.path };
        d.set_names(path, name);
        cx.name_changed = !path.is_empty();
        self.add_descriptor(ix, fd, rc);
        cx.fd = Some(fd);
    }

    /// The descriptor goes with the next event: rules still see it.
    pub(crate) fn closed(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>) {
        if r.result().is_some_and(|ret| ret >= 0)
            && let Some(fd) = cx.fd
            && self.descriptor(ix, fd).is_some()
        {
            self.deferred.closed = Some((r.tid, fd));
        }
    }

    pub(crate) fn closed_range(&mut self, ix: ThreadIx, r: &Record<'_>) {
        let (Some(first), Some(last)) = (r.u32(1), r.u32(2)) else {
            return;
        };
        let Some(owner) = self.owner_of_descriptors(ix) else {
            return;
        };
        if r.result().is_none_or(|ret| ret < 0) || first > last {
            return;
        }
        let only_mark = r.u32(3).unwrap_or(0) & k::CLOSE_RANGE_CLOEXEC != 0;
        let (first, last) = (i64::from(first), i64::from(last));
        let table = Rc::make_mut(&mut self.threads.at_unseen(owner).descriptors);
        if only_mark {
            let marked: Vec<i64> = table
                .iter()
                .map(|(fd, _)| fd)
                .filter(|fd| (first..=last).contains(fd))
                .collect();
            for fd in marked {
                if let Some(d) = table.find_mut(fd) {
                    d.set_close_on_exec(true);
                    table.may_close_on_exec = true;
                }
            }
        } else {
            let before = table.len();
            table.remove_range(first, last, |_| true);
            self.counters.descriptors_removed += (before - table.len()) as u64;
        }
    }

    pub(crate) fn pipe_made(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>) {
        if r.result().is_none_or(|ret| ret < 0) {
            return;
        }
        for at in [1, 2] {
            let Some(fd) = r.i64(at) else { continue };
            let mut rc = self.fresh(Kind::Fifo);
            let d = Rc::get_mut(&mut rc).expect("just made");
            d.ino = r.u64(3).unwrap_or(0);
            d.open_flags = r.u32(4).unwrap_or(0);
            self.add_descriptor(ix, fd, rc);
            cx.fd = Some(fd);
        }
    }

    /// Descriptors of one result that have no addresses: eventfd and its like.
    pub(crate) fn named_made(
        &mut self,
        cx: &mut Context,
        ix: ThreadIx,
        r: &Record<'_>,
        kind: Kind,
        flags: Option<usize>,
    ) {
        let Some(fd) = r.result().filter(|&fd| fd >= 0) else {
            return;
        };
        if kind == Kind::Bpf && !makes_descriptor(r.u32(1)) {
            return;
        }
        let mut rc = self.fresh(kind);
        let d = Rc::get_mut(&mut rc).expect("just made");
        d.open_flags = flags.map_or(0, |at| match r.param(at).len() {
            1 => r.u8(at).map_or(0, u32::from),
            2 => r.u16(at).map_or(0, u32::from),
            _ => r.u32(at).unwrap_or(0),
        });
        match kind {
            Kind::MemFd => d.set_name(if r.param(1).is_empty() {
                b""
            } else {
                r.text(1)
            }),
            Kind::PidFd => {
                d.set_name(format!("/proc/{}", r.i64(1).unwrap_or(-1)).as_bytes());
            }
            _ => {}
        }
        cx.name_changed = !d.name().is_empty();
        self.add_descriptor(ix, fd, rc);
        cx.fd = Some(fd);
    }

    /// dup, dup2, dup3.
    pub(crate) fn duplicated(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>) {
        let Some(fd) = r.result().filter(|&fd| fd >= 0) else {
            return;
        };
        let thread = self.threads.at_unseen(ix);
        match fd {
            0 => thread.flags |= ThreadFlags::PIPE_DST,
            1 => thread.flags |= ThreadFlags::PIPE_SRC,
            _ => {}
        }
        let close_on_exec =
            r.code.number() == c::SYSCALL_DUP3_X && r.u32(3).unwrap_or(0) & k::O_CLOEXEC != 0;
        self.copy_descriptor(cx, ix, fd, close_on_exec);
    }

    /// Makes `fd` a copy of the event's descriptor.
    fn copy_descriptor(&mut self, cx: &mut Context, ix: ThreadIx, fd: i64, close_on_exec: bool) {
        let Some(old) = cx.fd else { return };
        let Some(shared) = self.descriptors(ix).and_then(|t| t.shared(old)) else {
            // Nothing is known of the new one but that it is no longer what it was.
            if fd != old {
                self.remove_descriptor(ix, fd);
            }
            return;
        };
        let mut copy = shared.clone();
        if copy.closes_on_exec() != close_on_exec {
            Rc::make_mut(&mut copy).set_close_on_exec(close_on_exec);
        }
        // A copy onto itself leaves everything as it is.
        if fd == old || self.add_descriptor(ix, fd, copy) {
            cx.fd = Some(fd);
        }
    }

    pub(crate) fn controlled(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>) {
        let Some(ret) = r.result().filter(|&ret| ret >= 0) else {
            return;
        };
        match r.u8(2).map(u32::from) {
            Some(k::FCNTL_F_DUPFD) => self.copy_descriptor(cx, ix, ret, false),
            Some(k::FCNTL_F_DUPFD_CLOEXEC) => self.copy_descriptor(cx, ix, ret, true),
            Some(k::FCNTL_F_SETFD) => {
                let Some(fd) = cx.fd else { return };
                let on = r.u64(3).unwrap_or(0) & 1 != 0;
                let Some(d) = self.descriptor(ix, fd) else {
                    return;
                };
                if d.closes_on_exec() == on {
                    return;
                }
                if let Some(d) = self.descriptor_mut(ix, fd) {
                    d.set_close_on_exec(on);
                }
                if on && let Some(owner) = self.owner_of_descriptors(ix) {
                    let table = &mut self.threads.at_unseen(owner).descriptors;
                    Rc::make_mut(table).may_close_on_exec = true;
                }
            }
            _ => {}
        }
    }

    /// pidfd_getfd: a descriptor of another process.
    pub(crate) fn descriptor_taken(&mut self, cx: &mut Context, ix: ThreadIx, r: &Record<'_>) {
        let Some(fd) = r.result().filter(|&fd| fd >= 0) else {
            return;
        };
        let (Some(pid_fd), Some(target_fd)) = (r.i64(1), r.i64(2)) else {
            return;
        };
        let copy = self
            .descriptor(ix, pid_fd)
            .filter(|d| d.kind == Kind::PidFd)
            .and_then(|d| d.name().strip_prefix(b"/proc/"))
            .and_then(|pid| std::str::from_utf8(pid).ok()?.parse::<i64>().ok())
            .and_then(|pid| {
                self.descriptors(self.by_tid(pid)?)?
                    .shared(target_fd)
                    .cloned()
            });
        let Some(mut copy) = copy else { return };
        Rc::make_mut(&mut copy).set_close_on_exec(true);
        self.add_descriptor(ix, fd, copy);
        cx.fd = Some(fd);
    }

    // ---- directories ----

    /// chdir, getcwd.
    pub(crate) fn directory_changed(&mut self, ix: ThreadIx, r: &Record<'_>) {
        if r.result().is_none_or(|ret| ret < 0) || r.param(1).is_empty() {
            return;
        }
        self.update_cwd(ix, r.text(1));
    }

    pub(crate) fn directory_changed_to_descriptor(
        &mut self,
        cx: &Context,
        ix: ThreadIx,
        r: &Record<'_>,
    ) {
        if r.result().is_none_or(|ret| ret < 0) {
            return;
        }
        let mut name = std::mem::take(&mut self.path);
        name.clear();
        if let Some(d) = cx.fd.and_then(|fd| self.descriptor(ix, fd)) {
            name.extend_from_slice(d.name());
            self.update_cwd(ix, &name);
        }
        self.path = name;
    }

    /// The directory belongs to the leader. A relative path of another thread starts from the
    /// leader's directory too; the original starts from the thread's own, which is empty, and so
    /// gets a relative directory.
    fn update_cwd(&mut self, ix: ThreadIx, path: &[u8]) {
        let Some(main) = self.threads.main_of(ix) else {
            return;
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let base = self.threads.at(main).cwd.clone();
        let mut cwd = base.clone();
        if set_cwd(&mut cwd, &base, path, &mut scratch) {
            self.threads.at_mut(main).cwd = cwd;
        }
        self.scratch = scratch;
    }

    pub(crate) fn root_changed(&mut self, ix: ThreadIx, r: &Record<'_>) {
        if r.result() != Some(0) || r.param(1).is_empty() {
            return;
        }
        let path = r.text(1);
        let mut out = std::mem::take(&mut self.path);
        if path.first() == Some(&b'/') {
            out.clear();
            out.extend_from_slice(&path[..path.len().min(ROOT_MAX)]);
        } else {
            concat(&mut out, self.cwd(ix), path);
        }
        self.threads.at_mut(ix).root = out.as_slice().into();
        self.path = out;
    }
}

/// Commands of `bpf` whose result is a descriptor; the event tells the result of all of them.
fn makes_descriptor(command: Option<u32>) -> bool {
    const WITH_DESCRIPTOR: &[u32] = &[
        k::BPF_MAP_CREATE,
        k::BPF_PROG_LOAD,
        k::BPF_OBJ_GET,
        k::BPF_RAW_TRACEPOINT_OPEN,
        k::BPF_BTF_LOAD,
        k::BPF_LINK_CREATE,
        k::BPF_ITER_CREATE,
        k::BPF_PROG_GET_FD_BY_ID,
        k::BPF_MAP_GET_FD_BY_ID,
        k::BPF_BTF_GET_FD_BY_ID,
        k::BPF_LINK_GET_FD_BY_ID,
    ];
    command.is_none_or(|command| WITH_DESCRIPTOR.contains(&command))
}
