//! An entry of the process list, versions 1 to 9.
//!
//! Fields came with versions 2 to 8; since version 9 an entry begins with its length, and what
//! was added later stands in a tail of which an entry holds as much as its writer knew.

use event::snapshot::Process;

use crate::cursor::{Cursor, Fault, Order};

/// Longest comm, exe, exepath, cwd and root.
pub(crate) const MAX_PATH: u64 = 1024;
/// Longest args, env and cgroups.
pub(crate) const MAX_BLOB: u64 = 4096;
/// No entry's known part is longer: five paths, three blobs and the numbers.
pub(crate) const MAX_KNOWN: usize = 20 * 1024;
/// Tails up to this long lack the two fields that later writers put in front.
const OLD_TAIL: usize = 29;

/// Texts that lacked their last NUL, with it.
#[derive(Debug, Default)]
pub(crate) struct Completed {
    args: Vec<u8>,
    env: Vec<u8>,
}

/// Reads one entry from the head of `bytes`; returns it and the bytes it takes, which may be more
/// than `bytes` holds where a later writer added more than is known.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    order: Order,
    version: u8,
    completed: &'a mut Completed,
) -> Result<(Process<'a>, u64), Fault> {
    let (bytes, length) = if version >= 9 {
        let length = Cursor::new(bytes, order).u32("length of a process")? as usize;
        (bytes.get(..length).unwrap_or(bytes), Some(length))
    } else {
        (bytes, None)
    };
    let mut c = Cursor::new(bytes, order);
    let mut p = Process::default();
    let read = known(&mut c, &mut p, version).and_then(|()| match length {
        Some(length) => tail(&mut c, &mut p, length),
        None => Ok(()),
    });
    match (read, length) {
        // The entry, not the stream, is too short for its fields.
        (
            Err(Fault::Short {
                expected, found, ..
            }),
            Some(length),
        ) if bytes.len() == length => {
            let least = length as u64 + expected.saturating_sub(found);
            let what = "length of a process";
            return Err(Fault::Small {
                what,
                least,
                found: length as u64,
            });
        }
        (read, _) => read?,
    }
    let used = length.map_or(c.at() as u64, |l| l as u64);
    p.args = complete(p.args, &mut completed.args);
    p.env = complete(p.env, &mut completed.env);
    Ok((p, used))
}

fn known<'a>(c: &mut Cursor<'a>, p: &mut Process<'a>, version: u8) -> Result<(), Fault> {
    if version >= 9 {
        c.u32("length of a process")?;
    }
    p.tid = c.i64("tid")?;
    p.pid = c.i64("pid")?;
    p.ptid = c.i64("parent's tid")?;
    if version >= 6 {
        p.sid = c.i64("session")?;
    }
    if version >= 8 {
        p.vpgid = c.i64("process group")?;
    }
    p.comm = c.text("length of a process's comm", MAX_PATH)?;
    p.exe = c.text("length of a process's exe", MAX_PATH)?;
    if version >= 7 {
        p.exepath = c.text("length of a process's executable path", MAX_PATH)?;
    }
    p.args = c.text("length of a process's arguments", MAX_BLOB)?;
    p.cwd = c.text("length of a process's directory", MAX_PATH)?;
    p.fdlimit = c.i64("descriptor limit")?;
    p.flags = c.u32("flags")?;
    p.uid = c.u32("uid")?;
    p.gid = c.u32("gid")?;
    if version >= 2 {
        p.vm_size = c.u32("memory size")?;
        p.vm_rss = c.u32("resident memory")?;
        p.vm_swap = c.u32("swapped memory")?;
        p.pf_major = c.u64("major page faults")?;
        p.pf_minor = c.u64("minor page faults")?;
    }
    if version >= 3 {
        p.env = c.text("length of a process's environment", MAX_BLOB)?;
    }
    if version >= 4 {
        p.vtid = c.i64("tid in its namespace")?;
        p.vpid = c.i64("pid in its namespace")?;
        p.cgroups = c.text("length of a process's cgroups", MAX_BLOB)?;
    }
    if version >= 5 {
        p.root = c.text("length of a process's root", MAX_PATH)?;
    }
    Ok(())
}

/// Fields after the known part; each is there if the entry is long enough.
fn tail(c: &mut Cursor<'_>, p: &mut Process<'_>, length: usize) -> Result<(), Fault> {
    let Some(rest) = length.checked_sub(c.at()) else {
        let (least, found) = (c.at() as u64, length as u64);
        return Err(Fault::Small {
            what: "length of a process",
            least,
            found,
        });
    };
    let end = length;
    if rest > OLD_TAIL {
        p.pidns_start = c.u64("start of the pid namespace")?;
        p.tty = c.u32("terminal")?;
    }
    macro_rules! optional {
        ($($field:ident = $read:ident $len:literal $(!= $zero:literal)?;)*) => {$(
            if end - c.at() < $len {
                return Ok(());
            }
            p.$field = c.$read(stringify!($field))? $(!= $zero)?;
        )*};
    }
    optional! {
        loginuid = u32 4;
        exe_writable = u8 1 != 0;
        cap_inheritable = u64 8;
        cap_permitted = u64 8;
        cap_effective = u64 8;
        exe_upper_layer = u8 1 != 0;
        exe_ino = u64 8;
        exe_ino_ctime = u64 8;
        exe_ino_mtime = u64 8;
        exe_from_memfd = u8 1 != 0;
        exe_lower_layer = u8 1 != 0;
        pgid = i64 8;
    }
    Ok(())
}

fn complete<'a>(text: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    match text.last() {
        None | Some(0) => text,
        Some(_) => {
            room.clear();
            room.extend_from_slice(text);
            room.push(0);
            room
        }
    }
}
