//! What a command did, for the summary at its end: programs it ran, files it wrote and removed,
//! connections it made.

use std::collections::BTreeMap;

use event::{Record, codes as c, constants as k};
use fields::{Catalogue, Environment, EventView};
use filter::Template;
use state::{Context, State};

use crate::pipeline::summary::{grouped, plural};

/// Different things of a kind that are remembered; further ones are counted.
const MOST: usize = 10_000;
/// Things of a kind that are listed.
const LISTED: usize = 15;
/// Bytes of a thing's text that are shown.
const LONGEST: usize = 160;

/// Things of one kind, how often, in the order in which they came first.
#[derive(Debug, Default)]
struct Things {
    places: BTreeMap<Vec<u8>, usize>,
    list: Vec<(Vec<u8>, u64)>,
    beyond: u64,
}

impl Things {
    fn add(&mut self, text: &[u8]) {
        if let Some(&at) = self.places.get(text) {
            self.list[at].1 += 1;
        } else if self.list.len() < MOST {
            self.places.insert(text.to_vec(), self.list.len());
            self.list.push((text.to_vec(), 1));
        } else {
            self.beyond += 1;
        }
    }

    fn print(&self, title: &str, out: &mut String) {
        let different = self.list.len() as u64 + self.beyond;
        if different == 0 {
            return;
        }
        out.push_str(&format!("{title}: {}\n", grouped(different)));
        for (text, times) in self.list.iter().take(LISTED) {
            let text = shown(text);
            match times {
                1 => out.push_str(&format!("    {text}\n")),
                times => out.push_str(&format!("    {text}  ({} times)\n", grouped(*times))),
            }
        }
        let more = different.saturating_sub(LISTED as u64);
        if more > 0 {
            out.push_str(&format!("    and {} more\n", grouped(more)));
        }
    }
}

/// Text for a terminal: no byte of it can move the cursor or forge a line.
fn shown(text: &[u8]) -> String {
    let cut = String::from_utf8_lossy(&text[..text.len().min(LONGEST)])
        .chars()
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect::<String>();
    if text.len() > LONGEST {
        format!("{cut}…")
    } else {
        cut
    }
}

/// What was done.
pub(crate) struct Deeds {
    env: Environment,
    path: Template,
    target: Template,
    peer: Template,
    events: u64,
    processes: u64,
    programs: Things,
    written: Things,
    removed: Things,
    connections: Things,
    accepted: Things,
    text: Vec<u8>,
}

impl Deeds {
    /// Nothing yet.
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        let template = |text: &str| {
            Template::parse(text, catalogue)
                .expect("fields of our own catalogue")
                .permissive()
        };
        Self {
            env: Environment::default(),
            path: template("*%fs.path.name"),
            target: template("*%fs.path.target"),
            peer: template("*%fd.name %fd.l4proto by %proc.name"),
            events: 0,
            processes: 0,
            programs: Things::default(),
            written: Things::default(),
            removed: Things::default(),
            connections: Things::default(),
            accepted: Things::default(),
            text: Vec::new(),
        }
    }

    /// Notes an event.
    pub(crate) fn see(&mut self, record: &Record<'_>, state: &State, context: &Context) {
        self.events += 1;
        if !context.visible {
            return;
        }
        let code = record.code.number();
        match code {
            c::SYSCALL_EXECVE_19_X if record.result() == Some(0) => {
                if let Some(ix) = context.thread {
                    let image = &state.thread(ix).image;
                    self.text.clear();
                    self.text.extend_from_slice(image.exepath());
                    for arg in image.args() {
                        self.text.push(b' ');
                        self.text.extend_from_slice(arg);
                    }
                    self.programs.add(&self.text);
                }
            }
            c::SYSCALL_CLONE_20_X
            | c::SYSCALL_CLONE3_X
            | c::SYSCALL_FORK_20_X
            | c::SYSCALL_VFORK_20_X => {
                let is_process = record.i64(4) == Some(record.tid);
                self.processes += u64::from(record.result() == Some(0) && is_process);
            }
            c::SYSCALL_OPEN_X
            | c::SYSCALL_OPENAT_2_X
            | c::SYSCALL_OPENAT2_X
            | c::SYSCALL_CREAT_X => {
                const WRITING: u32 = k::O_WRONLY | k::O_TRUNC | k::O_CREAT;
                if let Some(file) = state.event_descriptor(context)
                    && record.result().is_some_and(|fd| fd >= 0)
                    && file.kind.is_file()
                    && (code == c::SYSCALL_CREAT_X || file.open_flags & WRITING != 0)
                    && !file.name().starts_with(b"/dev/")
                    && !file.name().starts_with(b"/proc/")
                {
                    self.written.add(file.name());
                }
            }
            c::SYSCALL_UNLINK_2_X | c::SYSCALL_UNLINKAT_2_X | c::SYSCALL_RMDIR_2_X => {
                self.note(record, state, context, false);
            }
            c::SYSCALL_RENAME_X | c::SYSCALL_RENAMEAT_X | c::SYSCALL_RENAMEAT2_X => {
                self.note(record, state, context, true);
            }
            c::SOCKET_CONNECT_X | c::SOCKET_ACCEPT_5_X | c::SOCKET_ACCEPT4_6_X => {
                self.connected(record, state, context);
            }
            _ => {}
        }
    }

    /// A path that went or, by renaming, came.
    fn note(&mut self, record: &Record<'_>, state: &State, context: &Context, renamed: bool) {
        if record.result() != Some(0) {
            return;
        }
        let view = EventView::new(record, state, context, &self.env);
        self.text.clear();
        if renamed {
            self.target.render(&view, &mut self.text);
            self.written.add(&self.text);
        } else {
            self.path.render(&view, &mut self.text);
            self.removed.add(&self.text);
        }
    }

    fn connected(&mut self, record: &Record<'_>, state: &State, context: &Context) {
        const EINPROGRESS: i64 = -115;
        let went_well = record
            .result()
            .is_some_and(|result| result >= 0 || result == EINPROGRESS);
        let socket = state.event_descriptor(context);
        if !went_well || socket.is_none_or(|d| !d.kind.is_ip()) {
            return;
        }
        let view = EventView::new(record, state, context, &self.env);
        self.text.clear();
        self.peer.render(&view, &mut self.text);
        if record.code.number() == c::SOCKET_CONNECT_X {
            self.connections.add(&self.text);
        } else {
            self.accepted.add(&self.text);
        }
    }

    /// The summary.
    pub(crate) fn text(&self) -> String {
        let mut out = format!(
            "{} event{} of the command, {} process{} besides it\n",
            grouped(self.events),
            plural(self.events),
            grouped(self.processes.saturating_sub(1)),
            if self.processes == 2 { "" } else { "es" }
        );
        self.programs.print("programs run", &mut out);
        self.written.print("files written", &mut out);
        self.removed.print("files removed", &mut out);
        self.connections.print("connections made", &mut out);
        self.accepted.print("connections accepted", &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted_listed_and_harmless() {
        let mut things = Things::default();
        things.add(b"/a\x1b[31m\n");
        things.add(b"/b");
        things.add(b"/b");
        let mut out = String::new();
        things.print("files", &mut out);
        assert_eq!(
            out,
            "files: 2\n    /a\u{fffd}[31m\u{fffd}\n    /b  (2 times)\n"
        );
        for n in 0..2 * MOST {
            things.add(n.to_string().as_bytes());
        }
        assert_eq!(things.list.len(), MOST);
        let mut out = String::new();
        things.print("files", &mut out);
        assert_eq!(out.lines().count(), LISTED + 2);
        assert!(out.ends_with("and 19,987 more\n"), "{out}");
    }
}
