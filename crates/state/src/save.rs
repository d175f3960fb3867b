//! What stands, told in the form in which it was loaded: the beginning of a recording.
//!
//! Stand-ins and threads that are gone are left out. Relations need not be told, they follow from
//! the numbers.

use event::snapshot::{self, NamedKind, Process, Target, UserList};
use event::sock::Endpoint;

use crate::descriptor::{Descriptor, DescriptorFlags, Kind, SocketName};
use crate::state::State;
use crate::thread::{Thread, ThreadIx};

impl State {
    /// Tells each thread, leaders before their other threads, by rising number otherwise.
    ///
    /// # Errors
    /// The first that `tell` gives.
    pub fn save_processes<E>(
        &self,
        mut tell: impl FnMut(&Process<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut args = Vec::new();
        let mut cgroups = Vec::new();
        for (_, thread) in self.standing() {
            args.clear();
            for arg in thread.image.args() {
                args.extend_from_slice(arg);
                args.push(0);
            }
            cgroups.clear();
            cgroups.extend_from_slice(thread.cgroups.raw());
            if cgroups.last().is_some_and(|&last| last != 0) {
                cgroups.push(0);
            }
            tell(&process_of(thread, &args, &cgroups))?;
        }
        Ok(())
    }

    /// Tells each open descriptor, those of a process one after the other.
    ///
    /// # Errors
    /// The first that `tell` gives.
    pub fn save_descriptors<E>(
        &self,
        mut tell: impl FnMut(&snapshot::Descriptor<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (_, thread) in self.standing().into_iter().filter(|(_, t)| t.is_main()) {
            for (fd, descriptor) in thread.descriptors.iter() {
                // What the last event closed is still there for the rules to see.
                let closed = self.deferred.closed == Some((thread.tid, fd));
                if closed || descriptor.kind == Kind::Unknown {
                    continue;
                }
                tell(&snapshot::Descriptor {
                    tid: thread.tid,
                    fd,
                    ino: descriptor.ino,
                    target: target_of(descriptor),
                })?;
            }
        }
        Ok(())
    }

    /// Users and groups of the host.
    #[must_use]
    pub fn save_users(&self) -> UserList {
        self.accounts.of_host()
    }

    fn standing(&self) -> Vec<(ThreadIx, &Thread)> {
        let mut all: Vec<_> = self
            .threads
            .iter()
            .filter(|(_, t)| !t.is_invalid() && !t.is_dead())
            .collect();
        all.sort_by_key(|(_, t)| (!t.is_main(), t.tid));
        all
    }
}

fn process_of<'a>(thread: &'a Thread, args: &'a [u8], cgroups: &'a [u8]) -> Process<'a> {
    let (image, file) = (&thread.image, &thread.image.file);
    Process {
        tid: thread.tid,
        pid: thread.pid,
        ptid: thread.ptid,
        sid: thread.sid,
        vpgid: thread.vpgid,
        pgid: thread.pgid,
        vtid: thread.vtid,
        vpid: thread.vpid,
        comm: image.comm(),
        exe: image.exe(),
        exepath: image.exepath(),
        args,
        env: &thread.env,
        // Readers take an empty directory for the root.
        cwd: match &*thread.cwd {
            b"/" | b"" => b"/",
            cwd => cwd.strip_suffix(b"/").unwrap_or(cwd),
        },
        root: &thread.root,
        cgroups,
        fdlimit: thread.fdlimit,
        flags: thread.flags.bits(),
        uid: thread.uid,
        gid: thread.gid,
        loginuid: thread.loginuid,
        vm_size: thread.memory.size_kb,
        vm_rss: thread.memory.rss_kb,
        vm_swap: thread.memory.swap_kb,
        pf_major: thread.memory.faults_major,
        pf_minor: thread.memory.faults_minor,
        tty: thread.tty,
        pidns_start: thread.pidns_init_start_ts,
        started: 0,
        cap_inheritable: thread.caps.inheritable,
        cap_permitted: thread.caps.permitted,
        cap_effective: thread.caps.effective,
        exe_writable: file.writable,
        exe_upper_layer: file.upper_layer,
        exe_lower_layer: file.lower_layer,
        exe_from_memfd: file.from_memfd,
        exe_ino: file.ino,
        exe_ino_ctime: file.ctime,
        exe_ino_mtime: file.mtime,
    }
}

fn target_of(d: &Descriptor) -> Target<'_> {
    let name = d.name();
    let named = |kind| Target::Named { kind, name };
    match d.kind {
        Kind::Unknown => Target::Unknown,
        Kind::OldFile => Target::OldFile { name },
        Kind::File => Target::File {
            name,
            open_flags: d.open_flags,
            dev: d.dev,
        },
        Kind::Ipv4 | Kind::Ipv6 => connection(d),
        Kind::Ipv4Server | Kind::Ipv6Server => Target::Server {
            local: match d.socket {
                SocketName::Local(local) => local,
                _ => nowhere(d.kind == Kind::Ipv4Server),
            },
            l4: d.l4,
        },
        Kind::Unix => {
            let (source, dest) = match d.socket {
                SocketName::Unix { source, dest } => (source, dest),
                _ => (0, 0),
            };
            Target::Unix { source, dest, name }
        }
        Kind::Directory => named(NamedKind::Directory),
        Kind::Fifo => named(NamedKind::Fifo),
        Kind::EventFd => named(NamedKind::EventFd),
        Kind::Unsupported => named(NamedKind::Unsupported),
        Kind::SignalFd => named(NamedKind::SignalFd),
        Kind::EventPoll => named(NamedKind::EventPoll),
        Kind::Inotify => named(NamedKind::Inotify),
        Kind::TimerFd => named(NamedKind::TimerFd),
        Kind::Netlink => named(NamedKind::Netlink),
        Kind::Bpf => named(NamedKind::Bpf),
        Kind::UserFaultFd => named(NamedKind::UserFaultFd),
        Kind::IoUring => named(NamedKind::IoUring),
        Kind::MemFd => named(NamedKind::MemFd),
        Kind::PidFd => named(NamedKind::PidFd),
    }
}

/// Readers expect this side's address first and tell the roles by the ports that somebody listens
/// on; here the side that connected comes first.
fn connection(d: &Descriptor) -> Target<'static> {
    let nowhere = nowhere(d.kind == Kind::Ipv4);
    let (source, dest) = match d.socket {
        SocketName::Tuple { source, dest } if d.flags.contains(DescriptorFlags::SERVER) => {
            (dest, source)
        }
        SocketName::Tuple { source, dest } => (source, dest),
        SocketName::Local(local) => (local, nowhere),
        _ => (nowhere, nowhere),
    };
    Target::Connection {
        source,
        dest,
        l4: d.l4,
    }
}

fn nowhere(v4: bool) -> Endpoint {
    let ip = if v4 {
        std::net::Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    Endpoint { ip, port: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use event::snapshot::{Group, L4Proto, User};

    /// What was saved of a state, as texts that can be compared.
    fn saved(state: &State) -> Vec<String> {
        let mut out = Vec::new();
        state
            .save_processes(|p| {
                out.push(format!("{p:?}"));
                Ok::<_, ()>(())
            })
            .unwrap();
        state
            .save_descriptors(|d| {
                out.push(format!("{d:?}"));
                Ok::<_, ()>(())
            })
            .unwrap();
        out.push(format!("{:?}", state.save_users()));
        out
    }

    fn load(from: &State) -> State {
        let mut state = State::new(Options::default());
        from.save_processes(|p| {
            state.load_process(p);
            Ok::<_, ()>(())
        })
        .unwrap();
        from.save_descriptors(|d| {
            state.load_descriptor(d);
            Ok::<_, ()>(())
        })
        .unwrap();
        state.load_users(&from.save_users());
        state.finish_load();
        state
    }

    #[test]
    fn what_is_saved_loads_to_the_same() {
        let mut state = State::new(Options::default());
        let init = Process {
            tid: 1,
            pid: 1,
            vtid: 1,
            vpid: 1,
            comm: b"init",
            exe: b"/sbin/init",
            args: b"-x\0\0y z\0",
            env: b"A=1\0B=\0",
            cwd: b"/var/lib",
            cgroups: b"cpu=/a\0memory=/b\0",
            cap_effective: 7,
            exe_ino: 9,
            ..Process::default()
        };
        state.load_process(&init);
        state.load_process(&Process {
            tid: 8,
            pid: 7,
            ptid: 1,
            flags: crate::ThreadFlags::CLONE_FILES.bits(),
            ..Process::default()
        });
        state.load_process(&Process {
            tid: 7,
            pid: 7,
            ptid: 1,
            cwd: b"/",
            ..Process::default()
        });
        let end = |text: &str, port| Endpoint {
            ip: text.parse().unwrap(),
            port,
        };
        let targets = [
            Target::File {
                name: b"/etc/x",
                open_flags: 4097,
                dev: 3,
            },
            Target::Server {
                local: end("10.0.0.1", 80),
                l4: L4Proto::Tcp,
            },
            // Accepted there: its role must survive.
            Target::Connection {
                source: end("10.0.0.1", 80),
                dest: end("10.0.0.9", 5000),
                l4: L4Proto::Tcp,
            },
            Target::Connection {
                source: end("10.0.0.1", 5001),
                dest: end("10.0.0.9", 443),
                l4: L4Proto::Tcp,
            },
            Target::Unix {
                source: 1,
                dest: 2,
                name: b"/run/s",
            },
            Target::Named {
                kind: NamedKind::Fifo,
                name: b"pipe:[5]",
            },
        ];
        for (fd, target) in (0..).zip(targets) {
            state.load_descriptor(&snapshot::Descriptor {
                tid: 7,
                fd,
                ino: 5,
                target,
            });
        }
        state.load_users(&UserList {
            users: vec![User {
                uid: 5,
                name: b"mira".to_vec(),
                ..User::default()
            }],
            groups: vec![Group {
                gid: 6,
                name: b"adm".to_vec(),
            }],
        });
        state.finish_load();
        let again = load(&state);
        assert_eq!(saved(&state), saved(&again));
        let ix = again.by_tid(7).unwrap();
        let accepted = again.descriptor(ix, 2).unwrap();
        assert_eq!(accepted.name(), b"10.0.0.9:5000->10.0.0.1:80");
        assert_eq!(again.thread_group_size(ix), 2);
        assert_eq!(again.cwd(again.by_tid(1).unwrap()), b"/var/lib/");
    }
}
