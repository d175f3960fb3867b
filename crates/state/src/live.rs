//! What only a live machine can tell: descriptors that came through a socket, and which threads
//! are gone without a word. A capture's [`crate::NoLookup`] answers nothing here.

use std::rc::Rc;

use event::Record;

use crate::context::{Context, Lookup};
use crate::descriptor::Kind;
use crate::state::State;
use crate::thread::ThreadIx;

/// Most descriptors in one message, as the kernel has it.
const PASSED_MAX: usize = 253;
const SOL_SOCKET: u32 = 1;
const SCM_RIGHTS: u32 = 1;
/// Length (8 bytes), level and type (4 each) of a control message.
const CONTROL_HEAD: usize = 16;

/// Descriptors that the control part of a message passes.
///
/// ```text
/// | length u64, head included | level u32 | type u32 | i32 descriptors ... | padding to 8 | next
/// ```
fn passed_in(control: &[u8]) -> impl Iterator<Item = i64> {
    let mut rest = control;
    std::iter::from_fn(move || {
        let head = rest.first_chunk::<CONTROL_HEAD>()?;
        let length = u64::from_le_bytes(*head.first_chunk()?);
        let length = usize::try_from(length)
            .ok()
            .filter(|&l| l >= CONTROL_HEAD)?;
        let level = u32::from_le_bytes(head[8..12].try_into().ok()?);
        let ty = u32::from_le_bytes(head[12..16].try_into().ok()?);
        let data = &rest[CONTROL_HEAD..length.min(rest.len())];
        rest = rest
            .get(length.checked_next_multiple_of(8)?..)
            .unwrap_or(&[]);
        let is_rights = level == SOL_SOCKET && ty == SCM_RIGHTS;
        Some(if is_rights {
            data.as_chunks::<4>().0
        } else {
            &[]
        })
    })
    .flatten()
    .map(|fd| i64::from(i32::from_le_bytes(*fd)))
    .take(PASSED_MAX)
}

impl State {
    /// Descriptors that came in a message over a Unix socket.
    pub(crate) fn passed(
        &mut self,
        cx: &Context,
        ix: ThreadIx,
        r: &Record<'_>,
        control: usize,
        lookup: &mut dyn Lookup,
    ) {
        let control = r.param(control);
        if control.is_empty() || r.result().is_none_or(|ret| ret < 0) {
            return;
        }
        let through = cx.fd.and_then(|fd| self.descriptor(ix, fd));
        if through.is_none_or(|d| d.kind != Kind::Unix) {
            return;
        }
        let pid = self.threads.at(ix).pid;
        for fd in passed_in(control) {
            if let Some(found) = lookup.descriptor(pid, fd) {
                let d = Rc::new(self.descriptor_of(&found));
                self.add_descriptor(ix, fd, d);
            }
        }
    }

    /// Removes stand-ins, and threads that were silent for `timeout_ns` and are gone. Gives their
    /// number. For live machines; a capture's threads stay.
    pub fn purge(&mut self, now: u64, timeout_ns: u64, lookup: &mut dyn Lookup) -> usize {
        let doomed: Vec<i64> = self
            .threads
            .iter()
            .filter(|(_, t)| {
                let silent = now.saturating_sub(t.last_event_ts.max(t.clone_ts)) >= timeout_ns;
                t.is_invalid() || (silent && !lookup.is_alive(t.tid))
            })
            .map(|(_, t)| t.tid)
            .collect();
        let before = self.threads.len();
        for tid in doomed {
            // One removal can take others with it.
            if let Some(ix) = self.threads.find(tid) {
                self.remove_thread(ix, lookup);
            }
        }
        self.sweep_containers();
        before.saturating_sub(self.threads.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: u32, ty: u32, fds: &[i32]) -> Vec<u8> {
        let mut out = (CONTROL_HEAD as u64 + fds.len() as u64 * 4)
            .to_le_bytes()
            .to_vec();
        out.extend(level.to_le_bytes());
        out.extend(ty.to_le_bytes());
        out.extend(fds.iter().flat_map(|fd| fd.to_le_bytes()));
        out.resize(out.len().next_multiple_of(8), 0);
        out
    }

    #[test]
    fn descriptors_in_control_messages() {
        let both = [message(1, 2, &[9]), message(1, 1, &[5, 6, 7])].concat();
        assert_eq!(passed_in(&both).collect::<Vec<_>>(), [5, 6, 7]);
        assert_eq!(
            passed_in(&both[..both.len() - 8]).collect::<Vec<_>>(),
            [5, 6]
        );
        let many = message(1, 1, &[1; 1000]);
        assert_eq!(passed_in(&many).count(), PASSED_MAX);
        for broken in [&[0u8; 16][..], &[0xff; 40], &[1, 2, 3], &[]] {
            assert_eq!(passed_in(broken).count(), 0);
        }
    }
}
