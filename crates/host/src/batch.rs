//! What one thread of a scan found, on its way to the thread that takes it in.
//!
//! Texts lie one after the other in one buffer, so that a process with all it has costs no
//! allocation of its own.

use std::ops::Range;

use event::snapshot::{Descriptor, Process, ProcessTexts, Target};

use crate::Seen;

/// Bytes of texts with which a batch is sent off.
const FULL: usize = 64 << 10;
/// The same for things seen.
const MANY: usize = 512;

/// Processes and descriptors, in the order in which they were seen.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    texts: Vec<u8>,
    seen: Vec<Kept>,
}

#[derive(Debug)]
enum Kept {
    Process {
        /// When it was about to be looked at.
        looked: u64,
        process: Box<Process<'static>>,
        texts: [Range<usize>; 8],
    },
    Descriptor {
        tid: i64,
        fd: i64,
        ino: u64,
        target: Target<'static>,
        name: Range<usize>,
    },
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.texts.len() >= FULL || self.seen.len() >= MANY
    }

    fn keep(&mut self, text: &[u8]) -> Range<usize> {
        let start = self.texts.len();
        self.texts.extend_from_slice(text);
        start..self.texts.len()
    }

    /// Takes in one thing; a process was about to be looked at at `looked`.
    pub(crate) fn push(&mut self, seen: &Seen<'_>, looked: u64) {
        let kept = match seen {
            Seen::Process(process) => Kept::Process {
                looked,
                texts: process.texts().map(|text| self.keep(text)),
                process: Box::new(process.with_texts([b""; 8])),
            },
            Seen::Descriptor(descriptor) => Kept::Descriptor {
                tid: descriptor.tid,
                fd: descriptor.fd,
                ino: descriptor.ino,
                target: descriptor.target.with_name(b""),
                name: self.keep(descriptor.target.name()),
            },
        };
        self.seen.push(kept);
    }

    /// Hands out what is in it.
    pub(crate) fn unpack(&self, sink: &mut dyn FnMut(Seen<'_>, u64)) {
        for kept in &self.seen {
            match kept {
                Kept::Process {
                    looked,
                    process,
                    texts,
                } => {
                    let texts: ProcessTexts<'_> =
                        texts.each_ref().map(|at| &self.texts[at.clone()]);
                    sink(Seen::Process(&process.with_texts(texts)), *looked);
                }
                Kept::Descriptor {
                    tid,
                    fd,
                    ino,
                    target,
                    name,
                } => {
                    let descriptor = Descriptor {
                        tid: *tid,
                        fd: *fd,
                        ino: *ino,
                        target: target.with_name(&self.texts[name.clone()]),
                    };
                    sink(Seen::Descriptor(&descriptor), 0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use event::snapshot::NamedKind;

    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let process = Process {
            tid: 7,
            pid: 7,
            comm: b"cat",
            exe: b"/bin/cat",
            args: b"a\0b\0",
            env: b"K=V\0",
            cgroups: b"cpu=/\0",
            ..Process::default()
        };
        let descriptors = [
            Target::File {
                name: b"/etc/hosts",
                open_flags: 1,
                dev: 2,
            },
            Target::Named {
                kind: NamedKind::Fifo,
                name: b"pipe:[5]",
            },
            Target::Unix {
                source: 1,
                dest: 2,
                name: b"",
            },
            Target::Unknown,
        ];
        let mut batch = Batch::default();
        batch.push(&Seen::Process(&process), 99);
        for (fd, target) in (0..).zip(descriptors) {
            let seen = Descriptor {
                tid: 7,
                fd,
                ino: 3,
                target,
            };
            batch.push(&Seen::Descriptor(&seen), 0);
        }
        let (mut processes, mut targets) = (0, Vec::new());
        batch.unpack(&mut |seen, looked| match seen {
            Seen::Process(out) => {
                assert_eq!((out, looked), (&process, 99));
                processes += 1;
            }
            Seen::Descriptor(out) => {
                assert_eq!((out.tid, out.ino), (7, 3));
                targets.push(out.target.with_name(b""));
                assert_eq!(out.target, descriptors[usize::try_from(out.fd).unwrap()]);
            }
        });
        assert_eq!((processes, targets.len()), (1, 4));
    }
}
