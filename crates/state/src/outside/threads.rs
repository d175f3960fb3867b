//! Fields and lists of threads.

use std::rc::Rc;

use super::{Cell, ITEMS_MAX, ThreadList};
use crate::container::Cgroups;
use crate::image::{ImageFile, ImageTexts, items};
use crate::load::{ENV_MAX, cut};
use crate::state::State;
use crate::thread::{ThreadFlags, ThreadIx};

/// Longest root directory that is kept.
const ROOT_MAX: usize = 4096;

/// A field of threads that has one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in `Thread`, `Image` and `ImageFile`")]
pub enum ThreadField {
    Tid,
    Pid,
    Ptid,
    ReaperTid,
    Sid,
    FdLimit,
    Vtid,
    Vpid,
    Vpgid,
    Pgid,
    Comm,
    Exe,
    ExePath,
    Root,
    /// Of its leader; read only.
    Cwd,
    ExeWritable,
    ExeUpperLayer,
    ExeLowerLayer,
    ExeFromMemfd,
    Flags,
    Uid,
    Gid,
    Loginuid,
    Tty,
    ExeIno,
    ExeInoCtime,
    ExeInoMtime,
    PidnsInitStart,
}

/// Texts of an image on the way to another one.
struct Texts {
    comm: Vec<u8>,
    exe: Vec<u8>,
    exepath: Vec<u8>,
    args: Vec<u8>,
    file: ImageFile,
}

impl State {
    /// Value of a thread's field.
    #[must_use]
    pub fn thread_cell(&self, ix: ThreadIx, field: ThreadField) -> Cell {
        use ThreadField as F;
        let thread = self.threads.at(ix);
        let (image, file) = (&thread.image, &thread.image.file);
        match field {
            F::Tid => Cell::Signed(thread.tid),
            F::Pid => Cell::Signed(thread.pid),
            F::Ptid => Cell::Signed(thread.ptid),
            F::ReaperTid => Cell::Signed(thread.reaper_tid),
            F::Sid => Cell::Signed(thread.sid),
            F::FdLimit => Cell::Signed(thread.fdlimit),
            F::Vtid => Cell::Signed(thread.vtid),
            F::Vpid => Cell::Signed(thread.vpid),
            F::Vpgid => Cell::Signed(thread.vpgid),
            F::Pgid => Cell::Signed(thread.pgid),
            F::Comm => Cell::Text(image.comm().to_vec()),
            F::Exe => Cell::Text(image.exe().to_vec()),
            F::ExePath => Cell::Text(image.exepath().to_vec()),
            F::Root => Cell::Text(thread.root.to_vec()),
            F::Cwd => Cell::Text(self.cwd(ix).to_vec()),
            F::ExeWritable => Cell::Bool(file.writable),
            F::ExeUpperLayer => Cell::Bool(file.upper_layer),
            F::ExeLowerLayer => Cell::Bool(file.lower_layer),
            F::ExeFromMemfd => Cell::Bool(file.from_memfd),
            F::Flags => Cell::Unsigned(thread.flags.bits().into()),
            F::Uid => Cell::Unsigned(thread.uid.into()),
            F::Gid => Cell::Unsigned(thread.gid.into()),
            F::Loginuid => Cell::Unsigned(thread.loginuid.into()),
            F::Tty => Cell::Unsigned(thread.tty.into()),
            F::ExeIno => Cell::Unsigned(file.ino),
            F::ExeInoCtime => Cell::Unsigned(file.ctime),
            F::ExeInoMtime => Cell::Unsigned(file.mtime),
            F::PidnsInitStart => Cell::Unsigned(thread.pidns_init_start_ts),
        }
    }

    /// Writes a thread's field. False: it cannot be written, or the value does not fit it. The number of a thread, and of
    /// the group of one that stands in a group, say where it lies and stay.
    pub fn set_thread_cell(&mut self, ix: ThreadIx, field: ThreadField, cell: &Cell) -> bool {
        use ThreadField as F;
        match field {
            F::Cwd => return false,
            F::Comm | F::Exe | F::ExePath => {
                let Some(text) = cell.text().map(<[u8]>::to_vec) else {
                    return false;
                };
                self.change_image(ix, |texts| match field {
                    F::Comm => texts.comm = text,
                    F::Exe => texts.exe = text,
                    _ => texts.exepath = text,
                });
                return true;
            }
            F::Root => {
                let Some(text) = cell.text() else {
                    return false;
                };
                self.threads.at_mut(ix).root = cut(text, ROOT_MAX).into();
                return true;
            }
            _ => {}
        }
        let Some(number) = cell.number() else {
            return false;
        };
        self.set_number(ix, field, number)
    }

    fn set_number(&mut self, ix: ThreadIx, field: ThreadField, number: i64) -> bool {
        use ThreadField as F;
        let thread = self.threads.at(ix);
        match field {
            // A thread that is not in the table yet gets its number when it is added.
            F::Tid => return thread.tid == number || thread.tid < -1,
            F::Pid if thread.links.group.is_some() => return thread.pid == number,
            F::Ptid => {
                self.threads.leave_parent(ix);
                self.threads.at_mut(ix).ptid = number;
                if self.threads.at(ix).links.group.is_some() {
                    self.find_parent(ix);
                }
                return true;
            }
            F::ExeWritable
            | F::ExeUpperLayer
            | F::ExeLowerLayer
            | F::ExeFromMemfd
            | F::ExeIno
            | F::ExeInoCtime
            | F::ExeInoMtime => {
                self.change_image(ix, |texts| {
                    let file = &mut texts.file;
                    match field {
                        F::ExeWritable => file.writable = number != 0,
                        F::ExeUpperLayer => file.upper_layer = number != 0,
                        F::ExeLowerLayer => file.lower_layer = number != 0,
                        F::ExeFromMemfd => file.from_memfd = number != 0,
                        F::ExeIno => file.ino = number as u64,
                        F::ExeInoCtime => file.ctime = number as u64,
                        _ => file.mtime = number as u64,
                    }
                });
                return true;
            }
            _ => {}
        }
        let thread = self.threads.at_mut(ix);
        match field {
            F::Pid => thread.pid = number,
            F::ReaperTid => thread.reaper_tid = number,
            F::Sid => thread.sid = number,
            F::FdLimit => thread.fdlimit = number,
            F::Vtid => thread.vtid = number,
            F::Vpid => thread.vpid = number,
            F::Vpgid => thread.vpgid = number,
            F::Pgid => thread.pgid = number,
            F::Flags => {
                // Whether it is dead, and whose descriptors it has, is not for others to say.
                let own =
                    ThreadFlags::CLOSED | ThreadFlags::CLONE_FILES | ThreadFlags::IS_MAIN_THREAD;
                let kept = thread.flags & own;
                thread.flags = (ThreadFlags::from_bits_retain(number as u32) - own) | kept;
            }
            F::Uid => thread.uid = number as u32,
            F::Gid => thread.gid = number as u32,
            F::Loginuid => thread.loginuid = number as u32,
            F::Tty => thread.tty = number as u32,
            F::PidnsInitStart => thread.pidns_init_start_ts = number as u64,
            _ => return false,
        }
        true
    }

    fn change_image(&mut self, ix: ThreadIx, change: impl FnOnce(&mut Texts)) {
        let old = &self.threads.at(ix).image;
        let mut texts = Texts {
            comm: old.comm().to_vec(),
            exe: old.exe().to_vec(),
            exepath: old.exepath().to_vec(),
            args: block(old.args()),
            file: old.file,
        };
        change(&mut texts);
        let new = ImageTexts {
            comm: &texts.comm,
            exe: &texts.exe,
            exepath: &texts.exepath,
            args: &texts.args,
        };
        let image = self.new_image(&new, texts.file);
        self.threads.at_mut(ix).image = image;
    }

    /// Number of items in a list.
    #[must_use]
    pub fn list_len(&self, ix: ThreadIx, list: ThreadList) -> usize {
        self.list(ix, list).len()
    }

    /// An item of a list: text, or controller and path.
    #[must_use]
    pub fn list_item(&self, ix: ThreadIx, list: ThreadList, at: u64) -> Option<(Vec<u8>, Vec<u8>)> {
        let at = usize::try_from(at).ok()?;
        self.list(ix, list).into_iter().nth(at)
    }

    fn list(&self, ix: ThreadIx, list: ThreadList) -> Vec<(Vec<u8>, Vec<u8>)> {
        let thread = self.threads.at(ix);
        let plain = |text: &[u8]| (text.to_vec(), Vec::new());
        match list {
            ThreadList::Args => thread.image.args().map(plain).collect(),
            ThreadList::Env => thread.env().map(plain).collect(),
            ThreadList::Cgroups => {
                let groups = thread.cgroups.iter();
                groups
                    .map(|(name, path)| (name.to_vec(), path.to_vec()))
                    .collect()
            }
        }
    }

    /// Writes an item of a list, its second half where `second` says so. A list grows to hold it. False: it would be too
    /// long.
    pub fn set_list_item(
        &mut self,
        ix: ThreadIx,
        list: ThreadList,
        at: u64,
        second: bool,
        text: &[u8],
    ) -> bool {
        let Some(at) = usize::try_from(at).ok().filter(|at| *at < ITEMS_MAX) else {
            return false;
        };
        let mut all = self.list(ix, list);
        if all.len() <= at {
            all.resize_with(at + 1, Default::default);
        }
        let text = text.iter().copied().take_while(|b| *b != 0).collect();
        if second {
            all[at].1 = text;
        } else {
            all[at].0 = text;
        }
        self.set_list(ix, list, &all);
        true
    }

    /// Takes an item out of a list. False: it is not there.
    pub fn erase_list_item(&mut self, ix: ThreadIx, list: ThreadList, at: u64) -> bool {
        let mut all = self.list(ix, list);
        let Some(at) = usize::try_from(at).ok().filter(|at| *at < all.len()) else {
            return false;
        };
        all.remove(at);
        self.set_list(ix, list, &all);
        true
    }

    /// Empties a list.
    pub fn clear_list(&mut self, ix: ThreadIx, list: ThreadList) {
        self.set_list(ix, list, &[]);
    }

    fn set_list(&mut self, ix: ThreadIx, list: ThreadList, all: &[(Vec<u8>, Vec<u8>)]) {
        match list {
            ThreadList::Args => {
                let args = block(all.iter().map(|(text, _)| &text[..]));
                self.change_image(ix, |texts| texts.args = args);
            }
            ThreadList::Env => {
                let env = block(all.iter().map(|(text, _)| &text[..]));
                self.threads.at_mut(ix).env = cut(&env, ENV_MAX).into();
            }
            ThreadList::Cgroups => {
                let entries: Vec<Vec<u8>> = all
                    .iter()
                    .map(|(name, path)| [name, &b"="[..], path].concat())
                    .collect();
                let raw = block(entries.iter().map(Vec::as_slice));
                debug_assert_eq!(items(&raw).count(), entries.len());
                // Which container it is in is not for others to say.
                let old = &self.threads.at(ix).cgroups;
                let new = Cgroups::new(&raw).with(old.identity().cloned());
                self.threads.at_mut(ix).cgroups = Rc::new(new);
            }
        }
    }
}

/// Items with a NUL behind each.
fn block<'a>(items: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        out.extend_from_slice(item);
        out.push(0);
    }
    out
}
