//! An entry of the process list, version 9 with its whole tail.

use event::snapshot::Process;

use crate::read::process::{MAX_BLOB, MAX_PATH};
use crate::write::{sized, text};

pub(crate) fn write(out: &mut Vec<u8>, p: &Process<'_>) {
    sized(out, |out| {
        for id in [p.tid, p.pid, p.ptid, p.sid, p.vpgid] {
            out.extend_from_slice(&id.to_le_bytes());
        }
        text(out, p.comm, MAX_PATH);
        text(out, p.exe, MAX_PATH);
        text(out, p.exepath, MAX_PATH);
        blob(out, p.args);
        text(out, p.cwd, MAX_PATH);
        out.extend_from_slice(&p.fdlimit.to_le_bytes());
        for number in [p.flags, p.uid, p.gid, p.vm_size, p.vm_rss, p.vm_swap] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&p.pf_major.to_le_bytes());
        out.extend_from_slice(&p.pf_minor.to_le_bytes());
        blob(out, p.env);
        out.extend_from_slice(&p.vtid.to_le_bytes());
        out.extend_from_slice(&p.vpid.to_le_bytes());
        text(out, p.cgroups, MAX_BLOB);
        text(out, p.root, MAX_PATH);
        tail(out, p);
    });
}

fn tail(out: &mut Vec<u8>, p: &Process<'_>) {
    out.extend_from_slice(&p.pidns_start.to_le_bytes());
    out.extend_from_slice(&p.tty.to_le_bytes());
    out.extend_from_slice(&p.loginuid.to_le_bytes());
    out.push(p.exe_writable.into());
    for set in [p.cap_inheritable, p.cap_permitted, p.cap_effective] {
        out.extend_from_slice(&set.to_le_bytes());
    }
    out.push(p.exe_upper_layer.into());
    for number in [p.exe_ino, p.exe_ino_ctime, p.exe_ino_mtime] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.push(p.exe_from_memfd.into());
    out.push(p.exe_lower_layer.into());
    out.extend_from_slice(&p.pgid.to_le_bytes());
}

/// Texts that each end in NUL; cut ones end in NUL again.
fn blob(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() as u64 <= MAX_BLOB {
        text(out, bytes, MAX_BLOB);
    } else {
        text(out, bytes, MAX_BLOB);
        if let Some(last) = out.last_mut() {
            *last = 0;
        }
    }
}
