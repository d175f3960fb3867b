//! What stood when a capture began: the same constructors serve a capture's leading blocks and a
//! scan of `/proc`.

use std::rc::Rc;
use std::sync::Arc;

use event::snapshot::{self, Interface, MachineInfo, NamedKind, Process, Target, UserList};
use event::sock::Endpoint;

use crate::addresses::{fill_from_interfaces, rename, unmap_both};
use crate::descriptor::{Descriptor, DescriptorFlags, Kind, L4Proto, SocketName};
use crate::image::{Image, ImageFile, ImageTexts};
use crate::state::State;
use crate::thread::{Capabilities, Links, Memory, Thread, ThreadFlags};

/// What the kernel puts behind the path of a program that is gone.
pub(crate) const DELETED: &[u8] = b" (deleted)";
/// Longest root directory and environment that are kept.
const ROOT_MAX: usize = 4096;
pub(crate) const ENV_MAX: usize = 65_536;
/// Interfaces that are kept.
const INTERFACES_MAX: usize = 4096;

pub(crate) fn cut(text: &[u8], max: usize) -> &[u8] {
    &text[..text.len().min(max)]
}

impl State {
    /// What the capture says of the machine.
    pub fn load_machine(&mut self, machine: &MachineInfo) {
        self.machine = machine.clone();
    }

    /// Network interfaces; a second list replaces the first.
    pub fn load_interfaces(&mut self, interfaces: &[Interface]) {
        self.interfaces = interfaces.iter().take(INTERFACES_MAX).cloned().collect();
    }

    /// Users and groups of the host; a second list replaces the first. The reading machine's names
    /// fill what the list lacks. A capture without a list has no names at all: not even the
    /// reading machine's are used then.
    pub fn load_users(&mut self, list: &UserList) {
        self.threads.new_epoch();
        let accounts = Arc::make_mut(&mut self.accounts);
        accounts.remove_container(b"");
        accounts.known = true;
        for user in self.options.local_users.clone() {
            self.add_user(b"", user);
        }
        for group in self.options.local_groups.clone() {
            self.add_group(b"", group);
        }
        for user in &list.users {
            self.add_user(b"", user.clone());
        }
        for group in &list.groups {
            self.add_group(b"", group.clone());
        }
    }

    pub(crate) fn add_user(&mut self, container: &[u8], user: snapshot::User) {
        if !Arc::make_mut(&mut self.accounts).add_user(container, user) {
            self.counters.accounts_dropped += 1;
        }
    }

    pub(crate) fn add_group(&mut self, container: &[u8], group: snapshot::Group) {
        if !Arc::make_mut(&mut self.accounts).add_group(container, group) {
            self.counters.accounts_dropped += 1;
        }
    }

    /// A thread with nothing known but its number.
    pub(crate) fn blank_thread(&mut self, tid: i64) -> Thread {
        Thread {
            tid,
            pid: -1,
            ptid: -1,
            vtid: -1,
            vpid: -1,
            sid: -1,
            pgid: -1,
            vpgid: -1,
            reaper_tid: -1,
            flags: ThreadFlags::NAME_CHANGED,
            uid: u32::MAX,
            gid: u32::MAX,
            loginuid: u32::MAX,
            tty: 0,
            image: self.shared.image.clone(),
            fdlimit: -1,
            caps: Capabilities::default(),
            memory: Memory::default(),
            clone_ts: 0,
            last_exec_ts: 0,
            pidns_init_start_ts: 0,
            last_event_ts: 0,
            prev_event_ts: 0,
            root: self.shared.text.clone(),
            cgroups: self.shared.cgroups.clone(),
            generation: 0,
            tree: 0,
            cwd: self.shared.text.clone(),
            env: self.shared.text.clone(),
            descriptors: self.shared.descriptors.clone(),
            enter: None,
            extra: None,
            links: Links::default(),
        }
    }

    pub(crate) fn new_image(&mut self, texts: &ImageTexts<'_>, file: ImageFile) -> Rc<Image> {
        Rc::new(Image::new(self.threads.next_generation(), texts, file))
    }

    /// A thread of the process list. Relations are made by [`State::finish_load`]; a number that
    /// comes twice replaces the first.
    pub fn load_process(&mut self, process: &Process<'_>) {
        if let Some(old) = self.threads.find(process.tid) {
            self.threads.erase(old);
        }
        self.threads.loosen();
        if self.threads.len() >= self.options.max_threads {
            self.counters.threads_dropped += 1;
            return;
        }
        let thread = self.thread_of(process);
        let ix = self.threads.insert(thread);
        self.runs_program(ix, -1);
    }

    pub(crate) fn thread_of(&mut self, process: &Process<'_>) -> Thread {
        let file = ImageFile {
            writable: process.exe_writable,
            upper_layer: process.exe_upper_layer,
            lower_layer: process.exe_lower_layer,
            from_memfd: process.exe_from_memfd,
            ino: process.exe_ino,
            ctime: process.exe_ino_ctime,
            mtime: process.exe_ino_mtime,
            ..ImageFile::default()
        };
        let texts = ImageTexts {
            comm: process.comm,
            exe: process.exe,
            exepath: process
                .exepath
                .strip_suffix(DELETED)
                .unwrap_or(process.exepath),
            args: process.args,
        };
        let mut thread = self.blank_thread(process.tid);
        thread.image = self.new_image(&texts, file);
        thread.pid = process.pid;
        thread.ptid = process.ptid;
        thread.vtid = process.vtid;
        thread.vpid = process.vpid;
        thread.sid = process.sid;
        thread.pgid = process.pgid;
        thread.vpgid = process.vpgid;
        thread.flags |= ThreadFlags::from_bits_retain(process.flags);
        thread.uid = process.uid;
        thread.gid = process.gid;
        thread.loginuid = process.loginuid;
        thread.tty = process.tty;
        thread.fdlimit = process.fdlimit;
        thread.pidns_init_start_ts = process.pidns_start;
        if process.started != 0 {
            thread.clone_ts = self.machine.boot_time.saturating_add(process.started);
        }
        thread.caps = Capabilities {
            inheritable: process.cap_inheritable,
            permitted: process.cap_permitted,
            effective: process.cap_effective,
        };
        thread.memory = Memory {
            size_kb: process.vm_size,
            rss_kb: process.vm_rss,
            swap_kb: process.vm_swap,
            faults_major: process.pf_major,
            faults_minor: process.pf_minor,
        };
        thread.root = cut(process.root, ROOT_MAX).into();
        if crate::container::is_list(process.cgroups) {
            let inside = thread.is_in_pidns();
            thread.cgroups = self.cgroups_of(process.cgroups, process.pid, inside);
        }
        thread.env = cut(process.env, ENV_MAX).into();
        if thread.is_main() {
            crate::files::set_cwd(&mut thread.cwd, b"", process.cwd, &mut self.scratch);
        }
        thread
    }

    /// A descriptor of the list. Only those of leaders count; its thread must be there.
    pub fn load_descriptor(&mut self, d: &snapshot::Descriptor<'_>) {
        let Some(ix) = self.threads.find(d.tid) else {
            return;
        };
        let thread = self.threads.at(ix);
        if !thread.is_main() {
            return;
        }
        let descriptor = self.descriptor_of(d);
        self.add_descriptor(ix, d.fd, Rc::new(descriptor));
    }

    pub(crate) fn descriptor_of(&mut self, d: &snapshot::Descriptor<'_>) -> Descriptor {
        let mut out = Descriptor::new(Kind::Unknown);
        out.ino = d.ino;
        out.flags = DescriptorFlags::FROM_SNAPSHOT;
        match d.target {
            Target::Unknown => {}
            Target::OldFile { name } => {
                out.kind = Kind::OldFile;
                out.set_name(name);
            }
            Target::File {
                name,
                open_flags,
                dev,
            } => {
                out.kind = Kind::File;
                out.open_flags = open_flags;
                out.dev = dev;
                out.set_name(name);
            }
            Target::Connection { source, dest, l4 } => {
                self.load_connection(&mut out, source, dest, l4);
            }
            Target::Server { local, l4 } => {
                out.kind = if local.ip.is_ipv4() {
                    Kind::Ipv4Server
                } else {
                    Kind::Ipv6Server
                };
                out.l4 = l4;
                out.socket = SocketName::Local(local);
                rename(&mut out, &mut self.scratch);
            }
            Target::Unix { source, dest, name } => {
                out.kind = Kind::Unix;
                out.socket = SocketName::Unix { source, dest };
                out.flags |= if name.is_empty() {
                    DescriptorFlags::CLIENT
                } else {
                    DescriptorFlags::SERVER
                };
                out.set_name(name);
            }
            Target::Named { kind, name } => {
                out.kind = named(kind);
                out.set_name(name);
            }
        }
        out
    }

    fn load_connection(
        &mut self,
        out: &mut Descriptor,
        source: Endpoint,
        dest: Endpoint,
        l4: L4Proto,
    ) {
        let (mut source, mut dest) = unmap_both(source, dest);
        out.kind = if source.ip.is_ipv4() {
            Kind::Ipv4
        } else {
            Kind::Ipv6
        };
        if source.ip.is_ipv4() {
            fill_from_interfaces(&self.interfaces, &mut source, &mut dest);
        }
        out.l4 = l4;
        out.socket = SocketName::Tuple { source, dest };
        if l4 == L4Proto::Tcp {
            out.flags |= DescriptorFlags::CONNECTED;
        }
        rename(out, &mut self.scratch);
    }

    /// Ends the load: relations of threads, roles of sockets.
    pub fn finish_load(&mut self) {
        let all: Vec<_> = self.threads.iter().map(|(ix, _)| ix).collect();
        for &ix in &all {
            let thread = self.threads.at(ix);
            if thread.links.group.is_none() && !thread.is_invalid() {
                self.threads.join_group(ix);
            }
        }
        for &ix in &all {
            if self.threads.at(ix).links.parent.is_none() {
                self.find_parent(ix);
            }
        }
        for &ix in &all {
            self.identify_by_helper(ix, -1);
        }
        self.threads.count_loose();
        self.guess_loaded_roles();
        self.keep_looks();
    }

    /// A connection from a port on which any process listens was accepted there.
    fn guess_loaded_roles(&mut self) {
        let mut listening = vec![false; 1 << 16];
        for (_, thread) in self.threads.iter() {
            for (_, d) in thread.descriptors.iter() {
                if let (Kind::Ipv4Server, Some(local)) = (d.kind, d.local()) {
                    listening[usize::from(local.port)] = true;
                }
            }
        }
        let all: Vec<_> = self.threads.iter().map(|(ix, _)| ix).collect();
        for ix in all {
            let table = &self.threads.at(ix).descriptors;
            let wanted: Vec<i64> = table
                .iter()
                .filter(|(_, d)| d.kind == Kind::Ipv4 && d.has_no_role())
                .map(|(fd, _)| fd)
                .collect();
            for fd in wanted {
                let table = Rc::make_mut(&mut self.threads.at_unseen(ix).descriptors);
                let Some(d) = table.find_mut(fd) else {
                    continue;
                };
                let SocketName::Tuple { source, dest } = d.socket else {
                    continue;
                };
                if listening[usize::from(source.port)] {
                    d.socket = SocketName::Tuple {
                        source: dest,
                        dest: source,
                    };
                    d.flags |= DescriptorFlags::SERVER;
                    rename(d, &mut self.scratch);
                } else {
                    d.flags |= DescriptorFlags::CLIENT;
                }
            }
        }
    }
}

fn named(kind: NamedKind) -> Kind {
    match kind {
        NamedKind::Directory => Kind::Directory,
        NamedKind::Fifo => Kind::Fifo,
        NamedKind::EventFd => Kind::EventFd,
        NamedKind::Unsupported => Kind::Unsupported,
        NamedKind::SignalFd => Kind::SignalFd,
        NamedKind::EventPoll => Kind::EventPoll,
        NamedKind::Inotify => Kind::Inotify,
        NamedKind::TimerFd => Kind::TimerFd,
        NamedKind::Netlink => Kind::Netlink,
        NamedKind::Bpf => Kind::Bpf,
        NamedKind::UserFaultFd => Kind::UserFaultFd,
        NamedKind::IoUring => Kind::IoUring,
        NamedKind::MemFd => Kind::MemFd,
        NamedKind::PidFd => Kind::PidFd,
    }
}
