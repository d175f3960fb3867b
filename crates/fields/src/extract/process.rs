//! `proc.*`, `thread.*`, `user.*` and `group.*`.
//!
//! The thread is the event's own. Environment, directory and descriptors are those of its process.
//! Ancestors are counted from the thread itself: level 0 is the thread, 1 its parent.

use std::sync::atomic::Ordering;

use bumpalo::collections::Vec as BumpVec;

use filter::{Argument, Value};
use state::{Program, State, Thread, ThreadIx};

use super::{Ask, bytes, capability};
use crate::catalogue::Id;
use crate::render::{Out, number};
use crate::view::EventView;

/// Ancestors whose environment is looked at.
const ENV_LEVELS: usize = 20;

/// What is known of the program's file; what is not known yet is missing.
fn identity<'s>(program: Program<'s>, id: Id) -> Option<Value<'s>> {
    let Program::Known(identity) = program else {
        return None;
    };
    let text = match id {
        Id::ProcExePackageIntact => return identity.intact.map(Value::Bool),
        Id::ProcExeHash => &identity.hash,
        Id::ProcExePackage => &identity.package,
        Id::ProcExePackageVersion => &identity.version,
        _ => &identity.database,
    };
    (!text.is_empty()).then_some(Value::Bytes(text.as_bytes()))
}

pub(super) fn value<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    match ask.id {
        Id::ThreadTid => return Some(Value::Signed(view.record.tid)),
        // Slices of CPU time are not measured.
        Id::ThreadExectime | Id::ThreadTotexectime => return Some(Value::Unsigned(0)),
        _ => {}
    }
    let ix = view.thread_ix()?;
    let state = view.state;
    let thread = state.thread(ix);
    let image = &*thread.image;
    let parent = || parent(state, ix);
    let signed = |n| Some(Value::Signed(n));
    let unsigned = |n| Some(Value::Unsigned(n));
    let nonzero = |n: u64| (n != 0).then_some(Value::Unsigned(n));
    let boolean = |b| Some(Value::Bool(b));
    let leader = |leader: Option<ThreadIx>, text: fn(&Thread) -> &[u8]| {
        Some(Value::Bytes(leader.map_or(b"", |l| text(state.thread(l)))))
    };
    let age =
        |birth: u64| (birth != 0).then(|| Value::Unsigned(view.record.ts.saturating_sub(birth)));
    match ask.id {
        Id::ProcName => bytes(image.comm()),
        Id::ProcExe => bytes(image.exe()),
        Id::ProcExepath => bytes(image.exepath()),
        Id::ProcCmdline => bytes(image.cmdline()),
        Id::ProcPname => bytes(parent()?.comm()),
        Id::ProcPexe => bytes(parent()?.image.exe()),
        Id::ProcPexepath => bytes(parent()?.image.exepath()),
        Id::ProcPcmdline => bytes(parent()?.image.cmdline()),
        Id::ProcAname => ancestor_text(view, ask, ix, Thread::comm),
        Id::ProcAexe => ancestor_text(view, ask, ix, |t| t.image.exe()),
        Id::ProcAexepath => ancestor_text(view, ask, ix, |t| t.image.exepath()),
        Id::ProcAcmdline => ancestor_text(view, ask, ix, |t| t.image.cmdline()),
        Id::ProcApid => ancestor_pid(view, ask, ix),
        Id::ProcAargs => ancestor_args(view, ask, ix),
        Id::ProcAenv => ancestor_env(view, ask, ix),
        Id::ProcArgs => match ask.arg {
            Argument::Index(n) => bytes(image.args().nth(*n as usize).unwrap_or(b"")),
            _ => bytes(image.args_joined()),
        },
        Id::ProcCmdnargs => unsigned(image.args().len() as u64),
        Id::ProcCmdlenargs => unsigned(image.args().map(|a| a.len() as u64).sum()),
        Id::ProcExeline => Some(ask.compose(|out| {
            out.extend_from_slice(image.exe());
            out.push(b' ');
            out.extend_from_slice(image.args_joined());
        })),
        Id::ProcEnv => env(state, ask, ix),
        Id::ProcCwd => bytes(state.cwd(ix)),
        Id::ProcLoginshellid => login_shell(state, ix),
        Id::ProcTty => unsigned(u64::from(thread.tty)),
        Id::ProcPid => signed(thread.pid),
        Id::ProcPpid => signed(parent()?.pid),
        Id::ProcVpid => (thread.vpid >= 0).then_some(Value::Signed(thread.vpid)),
        Id::ProcPvpid => signed(parent()?.vpid),
        Id::ProcSid => signed(thread.sid),
        Id::ProcTree => unsigned(state.tree(ix)),
        Id::ProcSname => leader(state.session_leader(ix), Thread::comm),
        Id::ProcSidExe => leader(state.session_leader(ix), |t| t.image.exe()),
        Id::ProcSidExepath => leader(state.session_leader(ix), |t| t.image.exepath()),
        Id::ProcVpgid => signed(thread.vpgid),
        Id::ProcVpgidName => leader(state.vpgid_leader(ix), Thread::comm),
        Id::ProcVpgidExe => leader(state.vpgid_leader(ix), |t| t.image.exe()),
        Id::ProcVpgidExepath => leader(state.vpgid_leader(ix), |t| t.image.exepath()),
        Id::ProcPgid => signed(thread.pgid),
        Id::ProcPgidName => leader(state.pgid_leader(ix), Thread::comm),
        Id::ProcPgidExe => leader(state.pgid_leader(ix), |t| t.image.exe()),
        Id::ProcPgidExepath => leader(state.pgid_leader(ix), |t| t.image.exepath()),
        Id::ProcDuration => age(thread.clone_ts),
        Id::ProcPpidDuration => age(parent()?.clone_ts),
        Id::ProcPidTs => nonzero(thread.clone_ts),
        Id::ProcPpidTs => unsigned(parent()?.clone_ts),
        Id::ProcIsExeWritable => boolean(image.file.writable),
        Id::ProcIsExeUpperLayer => boolean(image.file.upper_layer),
        Id::ProcIsExeLowerLayer => boolean(image.file.lower_layer),
        Id::ProcExeIdentity => bytes(view.program()?.word()),
        Id::ProcExeHash
        | Id::ProcExePackage
        | Id::ProcExePackageVersion
        | Id::ProcExePackageIntact
        | Id::ProcExePackageDb => identity(view.program()?, ask.id),
        Id::ProcIsExeFromMemfd => boolean(image.file.from_memfd),
        Id::ProcIsSidLeader => boolean(thread.sid == thread.vpid),
        Id::ProcIsVpgidLeader => boolean(thread.vpgid == thread.vpid),
        Id::ProcIsPgidLeader => boolean(thread.pgid == thread.pid),
        Id::ProcExeIno => (image.file.ino != 0).then_some(Value::Signed(image.file.ino as i64)),
        Id::ProcExeInoCtime => nonzero(image.file.ctime),
        Id::ProcExeInoMtime => nonzero(image.file.mtime),
        Id::ProcExeInoCtimeDurationProcStart => nonzero(image.file.ctime_to_clone),
        Id::ProcExeInoCtimeDurationPidnsStart => nonzero(image.file.pidns_start_to_ctime),
        Id::ProcPidnsInitStartTs => nonzero(thread.pidns_init_start_ts),
        Id::ThreadCapPermitted => capabilities(ask, thread.caps.permitted),
        Id::ThreadCapInheritable => capabilities(ask, thread.caps.inheritable),
        Id::ThreadCapEffective => capabilities(ask, thread.caps.effective),
        Id::ProcFdopencount => unsigned(open_count(state, ix)),
        Id::ProcFdlimit => signed(fd_limit(state, ix)),
        Id::ProcFdusage => fd_usage(state, ix),
        Id::ProcVmsize => unsigned(u64::from(thread.memory.size_kb)),
        Id::ProcVmrss => unsigned(u64::from(thread.memory.rss_kb)),
        Id::ProcVmswap => unsigned(u64::from(thread.memory.swap_kb)),
        Id::ThreadPfmajor => unsigned(thread.memory.faults_major),
        Id::ThreadPfminor => unsigned(thread.memory.faults_minor),
        Id::ThreadIsmain => boolean(thread.is_main()),
        Id::ThreadVtid => (thread.vtid >= 0).then_some(Value::Signed(thread.vtid)),
        Id::ThreadNametid => Some(ask.compose(|out| {
            out.extend_from_slice(image.comm());
            number::signed(view.record.tid, out);
        })),
        Id::ThreadCgroups => Some(ask.compose(|out| cgroups(thread, out))),
        Id::ThreadCgroup => match ask.arg {
            Argument::Key(controller) => bytes(thread.cgroups.path(controller.as_bytes())?),
            _ => None,
        },
        Id::ProcNthreads => unsigned(state.thread_group_size(ix) as u64),
        Id::ProcNchilds => unsigned(other_threads(state, ix)),
        Id::ThreadCpu | Id::ThreadCpuUser | Id::ThreadCpuSystem => {
            let procinfo = view.record.code.number() == event::codes::PROCINFO_E;
            procinfo.then_some(Value::Double(0.0))
        }
        Id::ThreadVmsize => unsigned(of_main(thread, thread.memory.size_kb)),
        Id::ThreadVmrss => unsigned(of_main(thread, thread.memory.rss_kb)),
        Id::ThreadVmsizeB => unsigned(of_main(thread, thread.memory.size_kb) * 1024),
        Id::ThreadVmrssB => unsigned(of_main(thread, thread.memory.rss_kb) * 1024),
        Id::ProcStdinType => standard_type(state, ix, 0),
        Id::ProcStdoutType => standard_type(state, ix, 1),
        Id::ProcStderrType => standard_type(state, ix, 2),
        Id::ProcStdinName => bytes(state.descriptor(ix, 0)?.name()),
        Id::ProcStdoutName => bytes(state.descriptor(ix, 1)?.name()),
        Id::ProcStderrName => bytes(state.descriptor(ix, 2)?.name()),
        _ => None,
    }
}

/// The parent, if it is known.
fn parent(state: &State, ix: ThreadIx) -> Option<&Thread> {
    let parent = state.thread(state.parent(ix)?);
    (!parent.is_invalid()).then_some(parent)
}

/// The ancestor at a level.
fn level(state: &State, ix: ThreadIx, level: u32) -> Option<&Thread> {
    match level {
        0 => Some(state.thread(ix)),
        1 => state.parent(ix).map(|p| state.thread(p)),
        n => state
            .ancestors(ix)
            .nth(n as usize - 1)
            .map(|a| state.thread(a)),
    }
}

/// A text of the ancestor at a level; of all of them where none is asked for.
fn ancestor_text<'s>(
    view: &'s EventView<'s>,
    ask: &Ask<'_, 's>,
    ix: ThreadIx,
    text: fn(&Thread) -> &[u8],
) -> Option<Value<'s>> {
    let state = view.state;
    if let Argument::Index(n) = *ask.arg {
        return Some(Value::Bytes(text(level(state, ix, n)?)));
    }
    let texts = state.ancestors(ix).map(|a| text(state.thread(a)));
    if ask.is_comparison() {
        let mut values = BumpVec::new_in(ask.scratch);
        values.extend(texts.map(Value::Bytes));
        return Some(Value::List(values.into_bump_slice()));
    }
    joined(ask, texts)
}

/// Texts joined by blanks; `None` if nothing comes of it.
fn joined<'t, 's>(ask: &Ask<'_, 's>, texts: impl Iterator<Item = &'t [u8]>) -> Option<Value<'s>> {
    let mut out = Out::new_in(ask.scratch);
    for text in texts {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(text);
    }
    (!out.is_empty()).then(|| Value::Bytes(out.into_bump_slice()))
}

fn ancestor_pid<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>, ix: ThreadIx) -> Option<Value<'s>> {
    let state = view.state;
    if let Argument::Index(n) = *ask.arg {
        return Some(Value::Signed(level(state, ix, n)?.pid));
    }
    if ask.is_comparison() {
        let mut pids = BumpVec::new_in(ask.scratch);
        pids.extend(
            state
                .ancestors(ix)
                .map(|a| Value::Signed(state.thread(a).pid)),
        );
        return Some(Value::List(pids.into_bump_slice()));
    }
    Some(Value::Signed(state.thread(ix).pid))
}

fn ancestor_args<'s>(
    view: &'s EventView<'s>,
    ask: &Ask<'_, 's>,
    ix: ThreadIx,
) -> Option<Value<'s>> {
    let state = view.state;
    if let Argument::Index(n) = *ask.arg {
        return Some(Value::Bytes(level(state, ix, n)?.image.args_joined()));
    }
    joined(
        ask,
        state
            .ancestors(ix)
            .map(|a| state.thread(a).image.args_joined()),
    )
}

/// The environment of a process in one line.
fn env_line<'s>(ask: &Ask<'_, 's>, process: Option<&Thread>) -> Value<'s> {
    ask.compose(|out| {
        for (i, entry) in process.into_iter().flat_map(Thread::env).enumerate() {
            if i > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(entry);
        }
    })
}

fn env<'s>(state: &'s State, ask: &Ask<'_, 's>, ix: ThreadIx) -> Option<Value<'s>> {
    match ask.arg {
        Argument::Key(name) => bytes(
            state
                .env(ix)
                .and_then(|t| t.env_value(name.as_bytes()))
                .unwrap_or(b""),
        ),
        _ => Some(env_line(ask, state.env(ix))),
    }
}

fn ancestor_env<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>, ix: ThreadIx) -> Option<Value<'s>> {
    let state = view.state;
    let mut ancestors = state.ancestors(ix).take(ENV_LEVELS);
    if let Argument::Key(name) = ask.arg {
        let found = ancestors.find_map(|a| state.env(a)?.env_value(name.as_bytes()));
        return bytes(found.unwrap_or(b""));
    }
    if ask.is_comparison() {
        let mut lines = BumpVec::new_in(ask.scratch);
        lines.extend(ancestors.map(|a| env_line(ask, state.env(a))));
        return Some(Value::List(lines.into_bump_slice()));
    }
    match *ask.arg {
        Argument::Index(0) | Argument::None => Some(env_line(ask, state.env(ix))),
        Argument::Index(n) => ancestors
            .nth(n as usize - 1)
            .map(|a| env_line(ask, state.env(a))),
        Argument::Key(_) => None,
    }
}

/// The oldest shell among the process and its ancestors.
fn login_shell<'s>(state: &State, ix: ThreadIx) -> Option<Value<'s>> {
    let main = state.main_thread(ix).unwrap_or(ix);
    let line = std::iter::once(main).chain(state.ancestors(main));
    let shell = line
        .map(|t| state.thread(t))
        .filter(|t| t.comm().ends_with(b"sh"))
        .last();
    shell.map(|t| Value::Signed(t.pid))
}

fn cgroups(thread: &Thread, out: &mut Out<'_>) {
    for (i, (controller, path)) in thread.cgroups.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(controller);
        out.push(b'=');
        out.extend_from_slice(path);
    }
}

fn open_count(state: &State, ix: ThreadIx) -> u64 {
    state
        .main_thread(ix)
        .and_then(|m| state.descriptors(m))
        .map_or(0, |d| d.len() as u64)
}

fn fd_limit(state: &State, ix: ThreadIx) -> i64 {
    state.main_thread(ix).map_or(0, |m| state.thread(m).fdlimit)
}

fn fd_usage<'s>(state: &State, ix: ThreadIx) -> Option<Value<'s>> {
    let limit = fd_limit(state, ix);
    if limit <= 0 {
        return Some(Value::Double(0.0));
    }
    Some(Value::Double(
        open_count(state, ix) as f64 * 100.0 / limit as f64,
    ))
}

/// Living threads besides the main one.
fn other_threads(state: &State, ix: ThreadIx) -> u64 {
    (state.thread_group_size(ix) as u64).saturating_sub(1)
}

fn of_main(thread: &Thread, kib: u32) -> u64 {
    if thread.is_main() { u64::from(kib) } else { 0 }
}

fn standard_type<'s>(state: &State, ix: ThreadIx, fd: i64) -> Option<Value<'s>> {
    Some(Value::Bytes(
        state
            .descriptor(ix, fd)?
            .kind
            .name()
            .unwrap_or("<NA>")
            .as_bytes(),
    ))
}

fn capabilities<'s>(ask: &Ask<'_, 's>, set: u64) -> Option<Value<'s>> {
    Some(ask.compose(|out| capability::names(set, out)))
}

/// `user.*` and `group.*`: accounts of the thread's container, else of the host.
pub(super) fn account<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    let thread = view.thread()?;
    let container = thread.container_id();
    // Their names are on the way: whoever may wait for them does.
    let known = |id: u32| {
        if id != 0 && id != u32::MAX && view.state.accounts_pending(container) {
            view.env.awaits_container.store(true, Ordering::Relaxed);
        }
    };
    let user = |uid: u32| {
        known(uid);
        view.state.user(container, uid)
    };
    let root = |uid: u32, text: &'static [u8]| if uid == 0 { text } else { b"<NA>" };
    match ask.id {
        Id::UserUid => Some(Value::Unsigned(u64::from(thread.uid))),
        Id::UserName => bytes(user(thread.uid).map_or(root(thread.uid, b"root"), |u| &u.name)),
        Id::UserHomedir => bytes(user(thread.uid).map_or(root(thread.uid, b"/root"), |u| &u.home)),
        Id::UserShell => bytes(user(thread.uid).map_or(&b"<NA>"[..], |u| &u.shell)),
        Id::UserLoginuid if thread.loginuid == u32::MAX => Some(Value::Signed(-1)),
        Id::UserLoginuid => Some(Value::Signed(i64::from(thread.loginuid))),
        Id::UserLoginname => {
            bytes(user(thread.loginuid).map_or(root(thread.loginuid, b"root"), |u| &u.name))
        }
        Id::GroupGid => Some(Value::Unsigned(u64::from(thread.gid))),
        Id::GroupName => {
            known(thread.gid);
            let group = view.state.group(container, thread.gid);
            bytes(group.map_or(root(thread.gid, b"root"), |g| &g.name))
        }
        _ => None,
    }
}
