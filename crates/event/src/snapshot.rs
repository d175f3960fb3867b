//! What a machine looked like when a capture began: the machine, its processes, descriptors,
//! interfaces, users and groups.
//!
//! A capture file's leading blocks and a scan of `/proc` both end in these structs, and the state
//! is loaded from them, so that it never knows where they came from. They are plain data: no
//! invariant beyond the field's comments, and every text is bytes that a stranger chose.

use std::net::IpAddr;

use crate::sock::Endpoint;

/// The machine as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineInfo {
    /// Number of CPUs.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Largest process id; 0 where the recorder didn't say.
    pub max_pid: u64,
    /// Host name, at most 128 bytes.
    pub hostname: Vec<u8>,
    /// When it was booted, nanoseconds since the epoch; 0 where the recorder didn't say.
    pub boot_time: u64,
    /// The recorder's own flags.
    pub flags: u64,
}

/// A thread at the start. A thread whose `tid` equals its `pid` leads its group.
///
/// Fields that the recorder did not know hold the default that [`Process::default`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process<'a> {
    /// Thread id in the host's pid namespace.
    pub tid: i64,
    /// Thread group.
    pub pid: i64,
    /// Parent's thread group.
    pub ptid: i64,
    /// Session; -1: unknown.
    pub sid: i64,
    /// Process group in the innermost pid namespace; -1: unknown.
    pub vpgid: i64,
    /// Process group in the host's pid namespace; -1: unknown.
    pub pgid: i64,
    /// Thread id in the innermost pid namespace; -1: unknown.
    pub vtid: i64,
    /// Thread group in the innermost pid namespace; -1: unknown.
    pub vpid: i64,
    /// The kernel's name for the thread.
    pub comm: &'a [u8],
    /// First argument.
    pub exe: &'a [u8],
    /// Path of the executable.
    pub exepath: &'a [u8],
    /// Other arguments, each ending in NUL.
    pub args: &'a [u8],
    /// Environment, `K=V` each ending in NUL.
    pub env: &'a [u8],
    /// Current directory.
    pub cwd: &'a [u8],
    /// Root directory, as the link `/proc/PID/root`.
    pub root: &'a [u8],
    /// `SUBSYSTEM=PATH`, each ending in NUL.
    pub cgroups: &'a [u8],
    /// Most descriptors it may have.
    pub fdlimit: i64,
    /// `PPM_CL_*` bits.
    pub flags: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Login user; all ones: none.
    pub loginuid: u32,
    /// Virtual memory in KiB.
    pub vm_size: u32,
    /// Resident memory in KiB.
    pub vm_rss: u32,
    /// Swapped memory in KiB.
    pub vm_swap: u32,
    /// Major page faults.
    pub pf_major: u64,
    /// Minor page faults.
    pub pf_minor: u64,
    /// Controlling terminal; 0: none or unknown.
    pub tty: u32,
    /// When its pid namespace's first process started, nanoseconds since the epoch.
    pub pidns_start: u64,
    /// When the thread was made, nanoseconds since boot, cut to hundredths of a second; 0: unknown.
    /// Captures do not say.
    pub started: u64,
    /// Capability sets. A capture that an engine wrote from its own tables has 0 in all of them.
    pub cap_inheritable: u64,
    /// See [`Process::cap_inheritable`].
    pub cap_permitted: u64,
    /// See [`Process::cap_inheritable`].
    pub cap_effective: u64,
    /// Whether the user that runs it may write its executable.
    pub exe_writable: bool,
    /// Whether its executable lies in an overlay's upper layer.
    pub exe_upper_layer: bool,
    /// Whether its executable lies in an overlay's lower layer.
    pub exe_lower_layer: bool,
    /// Whether its executable lies in memory only.
    pub exe_from_memfd: bool,
    /// Inode of the executable.
    pub exe_ino: u64,
    /// Nanoseconds since the epoch.
    pub exe_ino_ctime: u64,
    /// Nanoseconds since the epoch.
    pub exe_ino_mtime: u64,
}

impl Default for Process<'_> {
    fn default() -> Self {
        Self {
            tid: 0,
            pid: 0,
            ptid: 0,
            sid: -1,
            vpgid: -1,
            pgid: -1,
            vtid: -1,
            vpid: -1,
            comm: b"",
            exe: b"",
            exepath: b"",
            args: b"",
            env: b"",
            cwd: b"",
            root: b"",
            cgroups: b"",
            fdlimit: 0,
            flags: 0,
            uid: 0,
            gid: 0,
            loginuid: u32::MAX,
            vm_size: 0,
            vm_rss: 0,
            vm_swap: 0,
            pf_major: 0,
            pf_minor: 0,
            tty: 0,
            pidns_start: 0,
            started: 0,
            cap_inheritable: 0,
            cap_permitted: 0,
            cap_effective: 0,
            exe_writable: false,
            exe_upper_layer: false,
            exe_lower_layer: false,
            exe_from_memfd: false,
            exe_ino: 0,
            exe_ino_ctime: 0,
            exe_ino_mtime: 0,
        }
    }
}

/// Texts of a [`Process`], in the order of its fields: comm, exe, exepath, args, env, cwd, root,
/// cgroups.
pub type ProcessTexts<'a> = [&'a [u8]; 8];

impl<'a> Process<'a> {
    /// Its texts.
    #[must_use]
    pub fn texts(&self) -> ProcessTexts<'a> {
        [
            self.comm,
            self.exe,
            self.exepath,
            self.args,
            self.env,
            self.cwd,
            self.root,
            self.cgroups,
        ]
    }

    /// The same with other texts: how it is kept after what it borrows from has gone.
    #[must_use]
    pub fn with_texts<'b>(&self, texts: ProcessTexts<'b>) -> Process<'b> {
        let [comm, exe, exepath, args, env, cwd, root, cgroups] = texts;
        Process {
            comm,
            exe,
            exepath,
            args,
            env,
            cwd,
            root,
            cgroups,
            tid: self.tid,
            pid: self.pid,
            ptid: self.ptid,
            sid: self.sid,
            vpgid: self.vpgid,
            pgid: self.pgid,
            vtid: self.vtid,
            vpid: self.vpid,
            fdlimit: self.fdlimit,
            flags: self.flags,
            uid: self.uid,
            gid: self.gid,
            loginuid: self.loginuid,
            vm_size: self.vm_size,
            vm_rss: self.vm_rss,
            vm_swap: self.vm_swap,
            pf_major: self.pf_major,
            pf_minor: self.pf_minor,
            tty: self.tty,
            pidns_start: self.pidns_start,
            started: self.started,
            cap_inheritable: self.cap_inheritable,
            cap_permitted: self.cap_permitted,
            cap_effective: self.cap_effective,
            exe_writable: self.exe_writable,
            exe_upper_layer: self.exe_upper_layer,
            exe_lower_layer: self.exe_lower_layer,
            exe_from_memfd: self.exe_from_memfd,
            exe_ino: self.exe_ino,
            exe_ino_ctime: self.exe_ino_ctime,
            exe_ino_mtime: self.exe_ino_mtime,
        }
    }
}

/// A descriptor that a thread had open at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor<'a> {
    /// Thread whose table it is in.
    pub tid: i64,
    /// Its number.
    pub fd: i64,
    /// Inode; 0 where the recorder didn't say.
    pub ino: u64,
    /// What it refers to.
    pub target: Target<'a>,
}

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The recorder could not tell.
    Unknown,
    /// A file, from recorders before 2017, which kept no open flags.
    OldFile {
        /// Path.
        name: &'a [u8],
    },
    /// A file.
    File {
        /// Path.
        name: &'a [u8],
        /// `PPM_O_*` bits.
        open_flags: u32,
        /// Device number; 0 where the recorder didn't say.
        dev: u32,
    },
    /// A connected IPv4 or IPv6 socket; both ends are of the same family.
    Connection {
        /// Near end.
        source: Endpoint,
        /// Far end.
        dest: Endpoint,
        /// Protocol above IP.
        l4: L4Proto,
    },
    /// A bound or listening IPv4 or IPv6 socket.
    Server {
        /// Where it listens.
        local: Endpoint,
        /// Protocol above IP.
        l4: L4Proto,
    },
    /// A Unix socket.
    Unix {
        /// Kernel pointer of one end.
        source: u64,
        /// Kernel pointer of the other.
        dest: u64,
        /// Path.
        name: &'a [u8],
    },
    /// Anything that has a name and nothing else.
    Named {
        /// What it is.
        kind: NamedKind,
        /// Path, or a text of the kernel's.
        name: &'a [u8],
    },
}

impl<'a> Target<'a> {
    /// Its name; empty for what has none.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        match *self {
            Self::OldFile { name }
            | Self::File { name, .. }
            | Self::Unix { name, .. }
            | Self::Named { name, .. } => name,
            Self::Unknown | Self::Connection { .. } | Self::Server { .. } => b"",
        }
    }

    /// The same with another name; what has none stays as it is.
    #[must_use]
    pub fn with_name<'b>(&self, name: &'b [u8]) -> Target<'b> {
        match *self {
            Self::Unknown => Target::Unknown,
            Self::OldFile { .. } => Target::OldFile { name },
            Self::File {
                open_flags, dev, ..
            } => Target::File {
                name,
                open_flags,
                dev,
            },
            Self::Connection { source, dest, l4 } => Target::Connection { source, dest, l4 },
            Self::Server { local, l4 } => Target::Server { local, l4 },
            Self::Unix { source, dest, .. } => Target::Unix { source, dest, name },
            Self::Named { kind, .. } => Target::Named { kind, name },
        }
    }
}

/// Kinds of descriptors that carry nothing but a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say all there is")]
pub enum NamedKind {
    Directory,
    Fifo,
    EventFd,
    /// A kind that the recorder, or this reader, does not know.
    Unsupported,
    SignalFd,
    EventPoll,
    Inotify,
    TimerFd,
    Netlink,
    Bpf,
    UserFaultFd,
    IoUring,
    MemFd,
    PidFd,
}

/// Protocol above IP, as capture files number it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say all there is")]
pub enum L4Proto {
    #[default]
    Unknown,
    NotApplicable,
    Tcp,
    Udp,
    Icmp,
    Raw,
}

impl L4Proto {
    /// From the capture format's number; unknown numbers are [`L4Proto::Unknown`].
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::NotApplicable,
            2 => Self::Tcp,
            3 => Self::Udp,
            4 => Self::Icmp,
            5 => Self::Raw,
            _ => Self::Unknown,
        }
    }

    /// The capture format's number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// An address of a network interface. Address, mask and broadcast are of the same family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `eth0`.
    pub name: Vec<u8>,
    /// Address.
    pub address: IpAddr,
    /// Mask of the network.
    pub netmask: IpAddr,
    /// Broadcast address.
    pub broadcast: IpAddr,
    /// Bits per second; `None` where the recorder didn't say.
    pub link_speed: Option<u64>,
}

/// A user of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Number.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Login name.
    pub name: Vec<u8>,
    /// Home directory.
    pub home: Vec<u8>,
    /// Login shell.
    pub shell: Vec<u8>,
}

/// A group of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Number.
    pub gid: u32,
    /// Name.
    pub name: Vec<u8>,
}

/// Users and groups of the host. A later list replaces an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserList {
    /// Users.
    pub users: Vec<User>,
    /// Groups.
    pub groups: Vec<Group>,
}
