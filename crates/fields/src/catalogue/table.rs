//! Every field of the system call source, in the order of the listings.
//!
//! A row: identifier, name, class, type, argument, properties, lifetime, description. The position is the
//! field's number. Rows of the same class stand together; the last ones resolve only where the caller
//! asks for fields of the past.
//!
//! Lifetimes are promises: a result is kept with the thread for as long as they say. A field of a session's or
//! process group's leader has that of the event, for any thread that comes or goes may be the leader.

use filter::{Lifetime, Type};

use super::row::{Arg, Class, Flags, Row};

macro_rules! fields {
    ($($id:ident: $name:literal, $class:ident, $ty:ident, $arg:ident, [$($flag:ident)*], $life:ident, $text:literal;)*) => {
        /// Number of a field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        #[allow(missing_docs, reason = "the rows describe them")]
        pub enum Id { $($id),* }

        /// The rows; the index is the number.
        pub static ROWS: [Row; [$(Id::$id),*].len()] = [$(Row {
            name: $name,
            class: Class::$class,
            ty: Type::$ty,
            arg: Arg::$arg,
            flags: Flags(Flags::NONE $(| Flags::$flag)*),
            lifetime: Lifetime::$life,
            text: $text,
        }),*];

        static IDS: [Id; ROWS.len()] = [$(Id::$id),*];
    };
}

impl Id {
    /// The field with this number.
    #[must_use]
    #[inline]
    pub fn from_number(number: u16) -> Option<Self> {
        IDS.get(usize::from(number)).copied()
    }

    /// Its row.
    #[must_use]
    #[inline]
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

#[rustfmt::skip]
fields! {
    // Generic
    EvtNum: "evt.num", Generic, Uint64, None, [], Event, "Sequence number of the event; the first delivered event is 1.";
    EvtTime: "evt.time", Generic, CharBuf, None, [], Event, "Time of day at which the event happened, local time, down to the nanosecond.";
    EvtTimeS: "evt.time.s", Generic, CharBuf, None, [], Event, "Time of day at which the event happened, local time, whole seconds.";
    EvtTimeIso8601: "evt.time.iso8601", Generic, CharBuf, None, [], Event, "Date and time of the event as ISO 8601 text in UTC, down to the nanosecond.";
    EvtDatetime: "evt.datetime", Generic, CharBuf, None, [], Event, "Date and time of the event, local time, down to the nanosecond.";
    EvtDatetimeS: "evt.datetime.s", Generic, CharBuf, None, [], Event, "Date and time of the event, local time, whole seconds.";
    EvtRawtime: "evt.rawtime", Generic, AbsTime, None, [], Event, "Time of the event in nanoseconds since 1970.";
    EvtRawtimeS: "evt.rawtime.s", Generic, AbsTime, None, [], Event, "Whole seconds of evt.rawtime.";
    EvtRawtimeNs: "evt.rawtime.ns", Generic, AbsTime, None, [PADDED], Event, "What evt.rawtime has beyond whole seconds, in nanoseconds.";
    EvtReltime: "evt.reltime", Generic, RelTime, None, [PADDED], Event, "Nanoseconds that passed since the first ordinary event.";
    EvtReltimeS: "evt.reltime.s", Generic, RelTime, None, [], Event, "Whole seconds of evt.reltime.";
    EvtReltimeNs: "evt.reltime.ns", Generic, RelTime, None, [PADDED], Event, "What evt.reltime has beyond whole seconds, in nanoseconds.";
    EvtPluginname: "evt.pluginname", Generic, CharBuf, None, [], Event, "Name of the plugin that made the event; system calls have none.";
    EvtPlugininfo: "evt.plugininfo", Generic, CharBuf, None, [], Event, "Summary of the event as its plugin words it; system calls have none.";
    EvtSource: "evt.source", Generic, CharBuf, None, [], Host, "Event source that delivered the event, such as 'syscall'.";
    EvtIsAsync: "evt.is_async", Generic, Bool, None, [], Event, "Whether the event was injected beside the kernel's stream, such as container metadata.";
    EvtAsynctype: "evt.asynctype", Generic, CharBuf, None, [], Event, "Kind of an injected event, such as 'container'; missing for all others.";
    EvtHostname: "evt.hostname", Generic, CharBuf, None, [], Host, "Name of the machine, or what FALCO_HOSTNAME says instead. Agents that run in a pod set it to the node's name.";

    // Event
    EvtLatency: "evt.latency", Event, RelTime, None, [DEPRECATED], Event, "Always 0: entry events, from which latencies were computed, are no more.";
    EvtLatencyS: "evt.latency.s", Event, RelTime, None, [DEPRECATED], Event, "Always 0, see evt.latency.";
    EvtLatencyNs: "evt.latency.ns", Event, RelTime, None, [DEPRECATED PADDED], Event, "Always 0, see evt.latency.";
    EvtLatencyQuantized: "evt.latency.quantized", Event, Uint64, None, [DEPRECATED HIDDEN], Event, "Always 0, see evt.latency.";
    EvtLatencyHuman: "evt.latency.human", Event, CharBuf, None, [DEPRECATED], Event, "Always '0ns', see evt.latency.";
    EvtDeltatime: "evt.deltatime", Event, RelTime, None, [], Event, "Nanoseconds between the previous event and this one.";
    EvtDeltatimeS: "evt.deltatime.s", Event, RelTime, None, [], Event, "Whole seconds of evt.deltatime.";
    EvtDeltatimeNs: "evt.deltatime.ns", Event, RelTime, None, [PADDED], Event, "What evt.deltatime has beyond whole seconds, in nanoseconds.";
    EvtOutputtime: "evt.outputtime", Event, CharBuf, None, [HIDDEN], Event, "Time of the event in the form that the output is configured for.";
    EvtDir: "evt.dir", Event, CharBuf, None, [DEPRECATED], Event, "Direction of the event; always '<', since only returns are delivered.";
    EvtType: "evt.type", Event, CharBuf, None, [], Event, "Name of the event: for a system call the call's name, such as 'openat'.";
    EvtTypeIs: "evt.type.is", Event, Uint32, EventType, [], Event, "1 if the event has the type that follows the last dot, by name or by number; otherwise 0.";
    SyscallType: "syscall.type", Event, CharBuf, None, [], Event, "Name of the system call; missing for events that are none.";
    EvtCategory: "evt.category", Event, CharBuf, None, [], Event, "What the event is about: file, net, ipc, memory, process, time, wait and so on. Reads and writes take the category of what they work on.";
    EvtCpu: "evt.cpu", Event, Int16, None, [], Event, "Number of the CPU on which the event happened.";
    EvtArgs: "evt.args", Event, CharBuf, None, [], Event, "All parameters as 'name=value', one blank between two; a value that has a readable form shows it in parentheses.";
    EvtArg: "evt.arg", Event, CharBuf, Parameter, [], Event, "One parameter as text, by name (evt.arg.flags) or position (evt.arg[0]); in its readable form where it has one.";
    EvtRawarg: "evt.rawarg", Event, Dynamic, RawParameter, [NO_RHS NO_TRANSFORMER], Event, "One parameter by name in its native type, so that numbers compare as numbers.";
    EvtInfo: "evt.info", Event, CharBuf, None, [], Event, "Same as evt.args for system calls; for plugin events the plugin's summary.";
    EvtBuffer: "evt.buffer", Event, ByteBuf, None, [], Event, "Bytes that a read or write carried, as many as were captured.";
    EvtBuflen: "evt.buflen", Event, Uint64, None, [], Event, "Number of bytes that a read or write transferred.";
    EvtRes: "evt.res", Event, CharBuf, None, [], Event, "'SUCCESS', or the name of the error with which the call failed, such as 'ENOENT'.";
    EvtRawres: "evt.rawres", Event, Int64, None, [], Event, "Number that the call returned; negative on failure.";
    EvtFailed: "evt.failed", Event, Bool, None, [], Event, "Whether the call returned an error.";
    EvtIsIo: "evt.is_io", Event, Bool, None, [], Event, "Whether the event reads or writes a descriptor.";
    EvtIsIoRead: "evt.is_io_read", Event, Bool, None, [], Event, "Whether the event reads from a descriptor.";
    EvtIsIoWrite: "evt.is_io_write", Event, Bool, None, [], Event, "Whether the event writes to a descriptor.";
    EvtIoDir: "evt.io_dir", Event, CharBuf, None, [], Event, "'read' or 'write' for events that transfer data.";
    EvtIsWait: "evt.is_wait", Event, Bool, None, [], Event, "Whether the call may make its thread wait: sleep, select, poll and the like.";
    EvtWaitLatency: "evt.wait_latency", Event, RelTime, None, [DEPRECATED], Event, "Always 0, see evt.latency.";
    EvtIsSyslog: "evt.is_syslog", Event, Bool, None, [], Event, "Whether the event writes to /dev/log.";
    EvtCount: "evt.count", Event, Uint32, None, [], Event, "Always 1; made for summing up.";
    EvtCountError: "evt.count.error", Event, Uint32, None, [], Event, "1 if the call failed, 0 if it did not.";
    EvtCountErrorFile: "evt.count.error.file", Event, Uint32, None, [], Event, "As evt.count.error, for calls on files and directories only.";
    EvtCountErrorNet: "evt.count.error.net", Event, Uint32, None, [], Event, "As evt.count.error, for calls on sockets only.";
    EvtCountErrorMemory: "evt.count.error.memory", Event, Uint32, None, [], Event, "As evt.count.error, for memory calls only.";
    EvtCountErrorOther: "evt.count.error.other", Event, Uint32, None, [], Event, "As evt.count.error, for calls that the other error counters leave out.";
    EvtCountExit: "evt.count.exit", Event, Uint32, None, [], Event, "1 for events that return from a call.";
    EvtCountProcinfo: "evt.count.procinfo", Event, Uint32, None, [HIDDEN], Event, "1 for process statistics of main threads.";
    EvtCountThreadinfo: "evt.count.threadinfo", Event, Uint32, None, [HIDDEN], Event, "1 for process statistics of any thread.";
    EvtAround: "evt.around", Event, Uint64, Moment, [FILTER_ONLY NO_RHS NO_TRANSFORMER], Event, "True for events within a span around a moment: evt.around[T]=D accepts those at most D milliseconds before or after T (nanoseconds since 1970).";
    EvtAbspath: "evt.abspath", Event, CharBuf, PathSide, [], Event, "Absolute path made from the directory descriptor and the name given to calls such as openat; renameat and its like have a source (evt.abspath.src) and a destination (evt.abspath.dst).";
    EvtBuflenIn: "evt.buflen.in", Event, Uint64, None, [HIDDEN], Event, "Bytes that a read transferred.";
    EvtBuflenOut: "evt.buflen.out", Event, Uint64, None, [HIDDEN], Event, "Bytes that a write transferred.";
    EvtBuflenFile: "evt.buflen.file", Event, Uint64, None, [HIDDEN], Event, "Bytes transferred from or to files.";
    EvtBuflenFileIn: "evt.buflen.file.in", Event, Uint64, None, [HIDDEN], Event, "Bytes read from files.";
    EvtBuflenFileOut: "evt.buflen.file.out", Event, Uint64, None, [HIDDEN], Event, "Bytes written to files.";
    EvtBuflenNet: "evt.buflen.net", Event, Uint64, None, [HIDDEN], Event, "Bytes transferred over sockets.";
    EvtBuflenNetIn: "evt.buflen.net.in", Event, Uint64, None, [HIDDEN], Event, "Bytes received over sockets.";
    EvtBuflenNetOut: "evt.buflen.net.out", Event, Uint64, None, [HIDDEN], Event, "Bytes sent over sockets.";
    EvtIsOpenRead: "evt.is_open_read", Event, Bool, None, [], Event, "Whether a file is being opened for reading.";
    EvtIsOpenWrite: "evt.is_open_write", Event, Bool, None, [], Event, "Whether a file is being opened for writing.";
    EvtInfraDockerName: "evt.infra.docker.name", Event, CharBuf, None, [HIDDEN], Event, "Name of an old container engine event.";
    EvtInfraDockerContainerId: "evt.infra.docker.container.id", Event, CharBuf, None, [HIDDEN], Event, "Container that an old container engine event is about.";
    EvtInfraDockerContainerName: "evt.infra.docker.container.name", Event, CharBuf, None, [HIDDEN], Event, "Name of the container that an old container engine event is about.";
    EvtInfraDockerContainerImage: "evt.infra.docker.container.image", Event, CharBuf, None, [HIDDEN], Event, "Image of the container that an old container engine event is about.";
    EvtIsOpenExec: "evt.is_open_exec", Event, Bool, None, [], Event, "Whether a file is being created that someone may execute.";
    EvtIsOpenCreate: "evt.is_open_create", Event, Bool, None, [], Event, "Whether the call that opened the file also created it.";
    EvtIsIoUring: "evt.is_io_uring", Event, Bool, None, [OWN], Event, "Whether io_uring did it on behalf of the thread, without a system call.";

    // Process
    ProcExe: "proc.exe", Process, CharBuf, None, [], Process, "First word of the command line (argv[0]); the program may have chosen it freely.";
    ProcPexe: "proc.pexe", Process, CharBuf, None, [], Lineage, "proc.exe of the parent.";
    ProcAexe: "proc.aexe", Process, CharBuf, Index, [NO_RHS NO_TRANSFORMER ANY], Lineage, "proc.exe of an ancestor: [1] is the parent, [2] its parent. Without index a condition asks for any ancestor, an output shows all.";
    ProcExepath: "proc.exepath", Process, CharBuf, None, [], Process, "Full path of the program file, as the kernel knows it.";
    ProcPexepath: "proc.pexepath", Process, CharBuf, None, [], Lineage, "proc.exepath of the parent.";
    ProcAexepath: "proc.aexepath", Process, CharBuf, Index, [NO_RHS NO_TRANSFORMER ANY], Lineage, "proc.exepath of an ancestor, indexed as proc.aexe.";
    ProcName: "proc.name", Process, CharBuf, None, [], Process, "Name of the program, at most 15 characters long.";
    ProcPname: "proc.pname", Process, CharBuf, None, [], Lineage, "proc.name of the parent.";
    ProcAname: "proc.aname", Process, CharBuf, Index, [NO_RHS NO_TRANSFORMER ANY], Lineage, "proc.name of an ancestor, indexed as proc.aexe.";
    ProcArgs: "proc.args", Process, CharBuf, Index, [], Process, "Arguments after the first word, one blank between two; with an index, that argument alone.";
    ProcAargs: "proc.aargs", Process, CharBuf, Index, [], Lineage, "proc.args of an ancestor by index, or of all ancestors joined by blanks.";
    ProcCmdline: "proc.cmdline", Process, CharBuf, None, [], Process, "proc.name, then proc.args.";
    ProcPcmdline: "proc.pcmdline", Process, CharBuf, None, [], Lineage, "proc.cmdline of the parent.";
    ProcAcmdline: "proc.acmdline", Process, CharBuf, Index, [NO_RHS NO_TRANSFORMER ANY], Lineage, "proc.cmdline of an ancestor, indexed as proc.aexe.";
    ProcCmdnargs: "proc.cmdnargs", Process, Uint64, None, [], Process, "Number of arguments.";
    ProcCmdlenargs: "proc.cmdlenargs", Process, Uint64, None, [], Process, "Length of all arguments together, without the blanks between them.";
    ProcExeline: "proc.exeline", Process, CharBuf, None, [], Process, "proc.exe, then proc.args.";
    ProcEnv: "proc.env", Process, CharBuf, Key, [], Lineage, "Environment of the process, or the value of one variable: proc.env[HOME].";
    ProcAenv: "proc.aenv", Process, CharBuf, Either, [NO_RHS NO_TRANSFORMER ANY], Lineage, "Environment of ancestors: by level (proc.aenv[2]) or by variable, nearest ancestor first (proc.aenv[HOME]).";
    ProcCwd: "proc.cwd", Process, CharBuf, None, [], Lineage, "Current directory, with a slash at its end.";
    ProcLoginshellid: "proc.loginshellid", Process, Int64, None, [], Lineage, "Process id of the oldest shell among the process and its ancestors.";
    ProcTty: "proc.tty", Process, Uint32, None, [], Process, "Device number of the controlling terminal; 0 without one.";
    ProcPid: "proc.pid", Process, Int64, None, [], Process, "Process id.";
    ProcPpid: "proc.ppid", Process, Int64, None, [], Lineage, "Process id of the parent.";
    ProcApid: "proc.apid", Process, Int64, Index, [NO_RHS NO_TRANSFORMER ANY], Lineage, "Process id of an ancestor, indexed as proc.aexe.";
    ProcVpid: "proc.vpid", Process, Int64, None, [], Process, "Process id as seen inside its pid namespace.";
    ProcPvpid: "proc.pvpid", Process, Int64, None, [], Lineage, "Process id of the parent as seen inside its pid namespace.";
    ProcSid: "proc.sid", Process, Int64, None, [], Process, "Session id.";
    ProcTree: "proc.tree", Process, Uint64, None, [OWN], Event, "Names the process tree: what descends from one child of the first process, or from one login, also when parents between have exited.";
    ProcSname: "proc.sname", Process, CharBuf, None, [], Event, "proc.name of the session's leader, or of the oldest known process of the session.";
    ProcSidExe: "proc.sid.exe", Process, CharBuf, None, [], Event, "proc.exe of the session's leader.";
    ProcSidExepath: "proc.sid.exepath", Process, CharBuf, None, [], Event, "proc.exepath of the session's leader.";
    ProcVpgid: "proc.vpgid", Process, Int64, None, [], Process, "Process group id as seen inside its pid namespace.";
    ProcVpgidName: "proc.vpgid.name", Process, CharBuf, None, [], Event, "proc.name of the process group's leader, found by proc.vpgid.";
    ProcVpgidExe: "proc.vpgid.exe", Process, CharBuf, None, [], Event, "proc.exe of the process group's leader, found by proc.vpgid.";
    ProcVpgidExepath: "proc.vpgid.exepath", Process, CharBuf, None, [], Event, "proc.exepath of the process group's leader, found by proc.vpgid.";
    ProcPgid: "proc.pgid", Process, Int64, None, [], Process, "Process group id on the host.";
    ProcPgidName: "proc.pgid.name", Process, CharBuf, None, [], Event, "proc.name of the process group's leader, found by proc.pgid.";
    ProcPgidExe: "proc.pgid.exe", Process, CharBuf, None, [], Event, "proc.exe of the process group's leader, found by proc.pgid.";
    ProcPgidExepath: "proc.pgid.exepath", Process, CharBuf, None, [], Event, "proc.exepath of the process group's leader, found by proc.pgid.";
    ProcDuration: "proc.duration", Process, RelTime, None, [], Event, "Nanoseconds since the process was born.";
    ProcPpidDuration: "proc.ppid.duration", Process, RelTime, None, [], Event, "Nanoseconds since the parent was born.";
    ProcPidTs: "proc.pid.ts", Process, RelTime, None, [], Process, "Birth of the process in nanoseconds since 1970.";
    ProcPpidTs: "proc.ppid.ts", Process, RelTime, None, [], Lineage, "Birth of the parent in nanoseconds since 1970.";
    ProcIsExeWritable: "proc.is_exe_writable", Process, Bool, None, [], Process, "Whether the user who started the program may overwrite its file.";
    ProcIsExeUpperLayer: "proc.is_exe_upper_layer", Process, Bool, None, [], Process, "Whether the program file lies in the writable layer of an overlay file system: it was not part of the container's image.";
    ProcIsExeLowerLayer: "proc.is_exe_lower_layer", Process, Bool, None, [], Process, "Whether the program file lies in a read-only layer of an overlay file system.";
    ProcIsExeFromMemfd: "proc.is_exe_from_memfd", Process, Bool, None, [], Process, "Whether the program runs from memory without a file.";
    ProcIsSidLeader: "proc.is_sid_leader", Process, Bool, None, [], Process, "Whether the process leads its session.";
    ProcIsVpgidLeader: "proc.is_vpgid_leader", Process, Bool, None, [], Process, "Whether the process leads its group, by ids of its pid namespace.";
    ProcIsPgidLeader: "proc.is_pgid_leader", Process, Bool, None, [], Process, "Whether the process leads its group, by ids of the host.";
    ProcExeIno: "proc.exe_ino", Process, Int64, None, [], Process, "Inode number of the program file.";
    ProcExeInoCtime: "proc.exe_ino.ctime", Process, AbsTime, None, [], Process, "Last change of the program file's inode in nanoseconds since 1970.";
    ProcExeInoMtime: "proc.exe_ino.mtime", Process, AbsTime, None, [], Process, "Last change of the program file's content in nanoseconds since 1970.";
    ProcExeInoCtimeDurationProcStart: "proc.exe_ino.ctime_duration_proc_start", Process, AbsTime, None, [], Process, "Nanoseconds from the last change of the program file's inode to the start of the program.";
    ProcExeInoCtimeDurationPidnsStart: "proc.exe_ino.ctime_duration_pidns_start", Process, AbsTime, None, [], Process, "Nanoseconds from the start of the pid namespace to the last change of the program file's inode.";
    ProcExeHash: "proc.exe_hash", Process, CharBuf, None, [OWN], Container, "SHA-256 of the program file, in hexadecimal; missing where it cannot be read.";
    ProcExePackage: "proc.exe_package", Process, CharBuf, None, [OWN], Container, "Name of the package that the program file belongs to; missing where it belongs to none, or that is not known.";
    ProcExePackageVersion: "proc.exe_package_version", Process, CharBuf, None, [OWN], Container, "Version of the package that the program file belongs to.";
    ProcExePackageIntact: "proc.exe_package_intact", Process, Bool, None, [OWN], Container, "Whether the program file still is as its package brought it; missing where it belongs to none, or that is not known.";
    ProcExePackageDb: "proc.exe_package_db", Process, CharBuf, None, [OWN], Container, "Kind of the package database in the process's root: dpkg, rpm, apk, or none; missing where it could not be read.";
    ProcExeIdentity: "proc.exe_identity", Process, CharBuf, None, [OWN], Event, "What is known of the program file's digest and package: complete; pending, if that is being found out; unknown, if it cannot be.";
    ProcPidnsInitStartTs: "proc.pidns_init_start_ts", Process, Uint64, None, [], Process, "Start of the pid namespace's first process in nanoseconds since 1970.";
    ThreadCapPermitted: "thread.cap_permitted", Process, CharBuf, None, [], Process, "Permitted capabilities, separated by blanks.";
    ThreadCapInheritable: "thread.cap_inheritable", Process, CharBuf, None, [], Process, "Inheritable capabilities, separated by blanks.";
    ThreadCapEffective: "thread.cap_effective", Process, CharBuf, None, [], Process, "Effective capabilities, separated by blanks.";
    ProcFdopencount: "proc.fdopencount", Process, Uint64, None, [], Event, "Number of open descriptors.";
    ProcFdlimit: "proc.fdlimit", Process, Int64, None, [], Event, "Most descriptors that the process may have open.";
    ProcFdusage: "proc.fdusage", Process, Double, None, [], Event, "Open descriptors in percent of the limit.";
    ProcVmsize: "proc.vmsize", Process, Uint64, None, [], Event, "Virtual memory in KiB.";
    ProcVmrss: "proc.vmrss", Process, Uint64, None, [], Event, "Resident memory in KiB.";
    ProcVmswap: "proc.vmswap", Process, Uint64, None, [], Event, "Swapped memory in KiB.";
    ThreadPfmajor: "thread.pfmajor", Process, Uint64, None, [], Event, "Page faults that needed the disk, since the start of the thread.";
    ThreadPfminor: "thread.pfminor", Process, Uint64, None, [], Event, "Page faults that did not, since the start of the thread.";
    ThreadTid: "thread.tid", Process, Int64, None, [], Event, "Thread id.";
    ThreadIsmain: "thread.ismain", Process, Bool, None, [], Event, "Whether it is the main thread of its process.";
    ThreadVtid: "thread.vtid", Process, Int64, None, [], Event, "Thread id as seen inside its pid namespace.";
    ThreadNametid: "thread.nametid", Process, CharBuf, None, [HIDDEN], Event, "proc.name followed by the thread id.";
    ThreadExectime: "thread.exectime", Process, RelTime, None, [], Event, "CPU time of the thread's last slice in nanoseconds; known at scheduler events only.";
    ThreadTotexectime: "thread.totexectime", Process, RelTime, None, [], Event, "CPU time of the thread since observation began, in nanoseconds.";
    ThreadCgroups: "thread.cgroups", Process, CharBuf, None, [], Process, "Control groups as 'controller=path', separated by blanks.";
    ThreadCgroup: "thread.cgroup", Process, CharBuf, SuffixRequired, [], Process, "Path of one control group, by controller: thread.cgroup.memory.";
    ProcNthreads: "proc.nthreads", Process, Uint64, None, [], Event, "Number of living threads.";
    ProcNchilds: "proc.nchilds", Process, Uint64, None, [], Event, "Number of living threads besides the main one.";
    ThreadCpu: "thread.cpu", Process, Double, None, [], Event, "CPU use in the last second, in percent.";
    ThreadCpuUser: "thread.cpu.user", Process, Double, None, [], Event, "CPU use in user mode in the last second, in percent.";
    ThreadCpuSystem: "thread.cpu.system", Process, Double, None, [], Event, "CPU use in kernel mode in the last second, in percent.";
    ThreadVmsize: "thread.vmsize", Process, Uint64, None, [], Event, "Virtual memory in KiB, counted at the main thread only.";
    ThreadVmrss: "thread.vmrss", Process, Uint64, None, [], Event, "Resident memory in KiB, counted at the main thread only.";
    ThreadVmsizeB: "thread.vmsize.b", Process, Uint64, None, [HIDDEN], Event, "Virtual memory in bytes, counted at the main thread only.";
    ThreadVmrssB: "thread.vmrss.b", Process, Uint64, None, [HIDDEN], Event, "Resident memory in bytes, counted at the main thread only.";
    ProcStdinType: "proc.stdin.type", Process, CharBuf, None, [], Event, "Kind of what standard input is connected to, as fd.type.";
    ProcStdoutType: "proc.stdout.type", Process, CharBuf, None, [], Event, "Kind of what standard output is connected to, as fd.type.";
    ProcStderrType: "proc.stderr.type", Process, CharBuf, None, [], Event, "Kind of what standard error is connected to, as fd.type.";
    ProcStdinName: "proc.stdin.name", Process, CharBuf, None, [], Event, "Name of what standard input is connected to, as fd.name.";
    ProcStdoutName: "proc.stdout.name", Process, CharBuf, None, [], Event, "Name of what standard output is connected to, as fd.name.";
    ProcStderrName: "proc.stderr.name", Process, CharBuf, None, [], Event, "Name of what standard error is connected to, as fd.name.";

    // User
    UserUid: "user.uid", User, Uint32, None, [], Process, "Effective user id.";
    UserName: "user.name", User, CharBuf, None, [], Lineage, "Name of the effective user; '<NA>' when it is not known.";
    UserHomedir: "user.homedir", User, CharBuf, None, [], Lineage, "Home directory of the effective user.";
    UserShell: "user.shell", User, CharBuf, None, [], Lineage, "Login shell of the effective user.";
    UserLoginuid: "user.loginuid", User, Int64, None, [], Process, "User id at login, which neither su nor sudo changes; -1 if there was no login.";
    UserLoginname: "user.loginname", User, CharBuf, None, [], Lineage, "Name that belongs to user.loginuid.";

    // Group
    GroupGid: "group.gid", Group, Uint32, None, [], Process, "Effective group id.";
    GroupName: "group.name", Group, CharBuf, None, [], Lineage, "Name of the effective group; '<NA>' when it is not known.";

    // Descriptor
    FdNum: "fd.num", Descriptor, Int64, None, [], Event, "Number of the descriptor that the event works on.";
    FdType: "fd.type", Descriptor, CharBuf, None, [], Descriptor, "Kind of the descriptor: file, directory, ipv4, ipv6, unix, pipe, event, signalfd, eventpoll, inotify, timerfd, netlink, bpf, userfaultfd, io_uring, memfd, pidfd.";
    FdTypechar: "fd.typechar", Descriptor, CharBuf, None, [], Descriptor, "Kind of the descriptor as one letter: f file, d directory, 4 and 6 internet sockets, u Unix socket, p pipe, e event, s signalfd, l eventpoll, i inotify, t timerfd, n netlink, b bpf, r io_uring, m memfd, P pidfd, o anything else.";
    FdName: "fd.name", Descriptor, CharBuf, None, [], Descriptor, "Path of a file, both ends of a connection, or what else the descriptor is known by.";
    FdDirectory: "fd.directory", Descriptor, CharBuf, None, [], Descriptor, "Directory that holds the file; of a directory, the directory itself.";
    FdFilename: "fd.filename", Descriptor, CharBuf, None, [], Descriptor, "Last component of the file's path.";
    FdIp: "fd.ip", Descriptor, IpAddr, None, [FILTER_ONLY NO_RHS NO_TRANSFORMER ENDS], Descriptor, "Either address of a connection, as in fd.ip=10.0.0.1.";
    FdCip: "fd.cip", Descriptor, IpAddr, None, [], Descriptor, "Address of the client.";
    FdSip: "fd.sip", Descriptor, IpAddr, None, [], Descriptor, "Address of the server; also of a listening socket.";
    FdLip: "fd.lip", Descriptor, IpAddr, None, [], Descriptor, "Address of this side of the connection.";
    FdRip: "fd.rip", Descriptor, IpAddr, None, [], Descriptor, "Address of the far side of the connection.";
    FdPort: "fd.port", Descriptor, Port, None, [FILTER_ONLY NO_RHS NO_TRANSFORMER ENDS], Descriptor, "Either port of a connection, as in fd.port=22.";
    FdCport: "fd.cport", Descriptor, Port, None, [], Descriptor, "Port of the client.";
    FdSport: "fd.sport", Descriptor, Port, None, [], Descriptor, "Port of the server; also of a listening socket.";
    FdLport: "fd.lport", Descriptor, Port, None, [], Descriptor, "Port of this side of the connection.";
    FdRport: "fd.rport", Descriptor, Port, None, [], Descriptor, "Port of the far side of the connection.";
    FdL4proto: "fd.l4proto", Descriptor, CharBuf, None, [], Descriptor, "Transport of a socket: tcp, udp, icmp or raw.";
    FdSockfamily: "fd.sockfamily", Descriptor, CharBuf, None, [], Descriptor, "'ip' or 'unix'.";
    FdIsServer: "fd.is_server", Descriptor, Bool, None, [], Descriptor, "Whether this side of the connection is the server, or the socket listens.";
    FdUid: "fd.uid", Descriptor, CharBuf, None, [], Event, "Thread id and descriptor number glued together: tells descriptors of a machine apart.";
    FdContainername: "fd.containername", Descriptor, CharBuf, None, [], Descriptor, "Container id and fd.name with a colon between them: tells names of a machine apart.";
    FdContainerdirectory: "fd.containerdirectory", Descriptor, CharBuf, None, [], Descriptor, "Container id and fd.directory with a colon between them.";
    FdProto: "fd.proto", Descriptor, Port, None, [FILTER_ONLY NO_RHS NO_TRANSFORMER ENDS], Descriptor, "Either port of a connection, by service name or number.";
    FdCproto: "fd.cproto", Descriptor, CharBuf, None, [], Descriptor, "Port of the client, as text.";
    FdSproto: "fd.sproto", Descriptor, CharBuf, None, [], Descriptor, "Port of the server, as text.";
    FdLproto: "fd.lproto", Descriptor, CharBuf, None, [], Descriptor, "Port of this side, as text.";
    FdRproto: "fd.rproto", Descriptor, CharBuf, None, [], Descriptor, "Port of the far side, as text.";
    FdNet: "fd.net", Descriptor, IpNet, None, [FILTER_ONLY NO_RHS NO_TRANSFORMER ENDS], Descriptor, "Network that either address of a connection lies in, as in fd.net=10.0.0.0/8.";
    FdCnet: "fd.cnet", Descriptor, IpNet, None, [FILTER_ONLY NO_RHS NO_TRANSFORMER], Descriptor, "Network that the client's address lies in.";
    FdSnet: "fd.snet", Descriptor, IpNet, None, [FILTER_ONLY NO_RHS NO_TRANSFORMER], Descriptor, "Network that the server's address lies in.";
    FdLnet: "fd.lnet", Descriptor, IpNet, None, [FILTER_ONLY NO_RHS NO_TRANSFORMER], Descriptor, "Network that this side's address lies in.";
    FdRnet: "fd.rnet", Descriptor, IpNet, None, [FILTER_ONLY NO_RHS NO_TRANSFORMER], Descriptor, "Network that the far side's address lies in.";
    FdConnected: "fd.connected", Descriptor, Bool, None, [], Descriptor, "Whether the socket is connected.";
    FdNameChanged: "fd.name_changed", Descriptor, Bool, None, [], Event, "Whether this event changed the name, as the first datagram to a new peer does.";
    FdCipName: "fd.cip.name", Descriptor, CharBuf, None, [NO_RHS NO_TRANSFORMER], Descriptor, "Host name of the client's address.";
    FdSipName: "fd.sip.name", Descriptor, CharBuf, None, [NO_RHS NO_TRANSFORMER], Descriptor, "Host name of the server's address.";
    FdLipName: "fd.lip.name", Descriptor, CharBuf, None, [NO_RHS NO_TRANSFORMER], Descriptor, "Host name of this side's address.";
    FdRipName: "fd.rip.name", Descriptor, CharBuf, None, [NO_RHS NO_TRANSFORMER], Descriptor, "Host name of the far side's address.";
    FdDev: "fd.dev", Descriptor, Int32, None, [HEX], Descriptor, "Number of the device that holds the file, hexadecimal.";
    FdDevMajor: "fd.dev.major", Descriptor, Int32, None, [], Descriptor, "Major part of fd.dev.";
    FdDevMinor: "fd.dev.minor", Descriptor, Int32, None, [], Descriptor, "Minor part of fd.dev.";
    FdIno: "fd.ino", Descriptor, Int64, None, [], Descriptor, "Inode number of the file.";
    FdSipDns: "fd.sip.dns", Descriptor, Domain, None, [OWN NO_RHS NO_TRANSFORMER ENDS], Descriptor, "Names that led to the server's address when the connection was made, as name servers told processes of the same container; true if any of them satisfies the operator, with != if all do. A constant with a dot before it stands for all below: .example.com.";
    FdRipDns: "fd.rip.dns", Descriptor, Domain, None, [OWN NO_RHS NO_TRANSFORMER ENDS], Descriptor, "The same for the address of the far side.";
    DnsQuery: "dns.query", Descriptor, Domain, None, [OWN], Event, "Name that a message to or from a name server asks for, in lower case.";
    FdNameraw: "fd.nameraw", Descriptor, CharBuf, None, [], Descriptor, "Path as the program wrote it, before it was made absolute.";
    FdTypes: "fd.types", Descriptor, CharBuf, Index, [LIST NO_RHS], Event, "Kinds of all open descriptors, each once; with an index, the kind of that descriptor.";
    FdIsUpperLayer: "fd.is_upper_layer", Descriptor, Bool, None, [], Descriptor, "Whether the file lies in the writable layer of an overlay file system.";
    FdIsLowerLayer: "fd.is_lower_layer", Descriptor, Bool, None, [], Descriptor, "Whether the file lies in a read-only layer of an overlay file system.";

    // Path
    FsPathName: "fs.path.name", Path, CharBuf, None, [], Event, "Path that a call such as mkdir, unlink, chmod or open succeeded on, made absolute.";
    FsPathNameraw: "fs.path.nameraw", Path, CharBuf, None, [], Event, "The same path as the program wrote it.";
    FsPathSource: "fs.path.source", Path, CharBuf, None, [], Event, "Source path of a rename, link, symlink or mount that succeeded, made absolute.";
    FsPathSourceraw: "fs.path.sourceraw", Path, CharBuf, None, [], Event, "The same path as the program wrote it.";
    FsPathTarget: "fs.path.target", Path, CharBuf, None, [], Event, "Target path of a rename, link, symlink or mount that succeeded, made absolute.";
    FsPathTargetraw: "fs.path.targetraw", Path, CharBuf, None, [], Event, "The same path as the program wrote it.";

    // FdList
    FdlistNums: "fdlist.nums", FdList, CharBuf, None, [], Event, "Descriptor numbers given to poll, separated by commas.";
    FdlistNames: "fdlist.names", FdList, CharBuf, None, [], Event, "Names of the descriptors given to poll, separated by commas.";
    FdlistCips: "fdlist.cips", FdList, CharBuf, None, [], Event, "Client addresses of the sockets given to poll, separated by commas.";
    FdlistSips: "fdlist.sips", FdList, CharBuf, None, [], Event, "Server addresses of the sockets given to poll, separated by commas.";
    FdlistCports: "fdlist.cports", FdList, CharBuf, None, [], Event, "Client ports of the sockets given to poll, separated by commas.";
    FdlistSports: "fdlist.sports", FdList, CharBuf, None, [], Event, "Server ports of the sockets given to poll, separated by commas.";

    // Util
    UtilCnt: "util.cnt", Util, Uint64, None, [HIDDEN], Event, "Counts how often it is read.";

    // Container
    ContainerId: "container.id", Container, CharBuf, None, [SUGGESTED], Process, "First twelve characters of the container's id; 'host' outside of containers.";
    ContainerFullId: "container.full_id", Container, CharBuf, None, [], Container, "Whole id of the container.";
    ContainerName: "container.name", Container, CharBuf, None, [SUGGESTED], Container, "Name of the container.";
    ContainerImage: "container.image", Container, CharBuf, None, [], Container, "Image as the container's configuration names it.";
    ContainerImageId: "container.image.id", Container, CharBuf, None, [], Container, "Id of the image.";
    ContainerType: "container.type", Container, CharBuf, None, [], Container, "Runtime of the container: docker, podman, containerd, cri-o, lxc and so on.";
    ContainerPrivileged: "container.privileged", Container, Bool, None, [], Container, "Whether the container runs privileged.";
    ContainerMounts: "container.mounts", Container, CharBuf, None, [], Container, "All mounts as source:destination:mode:writable:propagation, separated by commas.";
    ContainerMount: "container.mount", Container, CharBuf, EitherRequired, [], Container, "One mount in the form of container.mounts, by position or by a pattern for its source.";
    ContainerMountSource: "container.mount.source", Container, CharBuf, EitherRequired, [], Container, "Source of one mount, by position or by a pattern for its destination.";
    ContainerMountDest: "container.mount.dest", Container, CharBuf, EitherRequired, [], Container, "Destination of one mount, by position or by a pattern for its source.";
    ContainerMountMode: "container.mount.mode", Container, CharBuf, EitherRequired, [], Container, "Mode of one mount, by position or by a pattern for its source.";
    ContainerMountRdwr: "container.mount.rdwr", Container, CharBuf, EitherRequired, [], Container, "Whether one mount is writable, by position or by a pattern for its source.";
    ContainerMountPropagation: "container.mount.propagation", Container, CharBuf, EitherRequired, [], Container, "Propagation of one mount, by position or by a pattern for its source.";
    ContainerImageRepository: "container.image.repository", Container, CharBuf, None, [SUGGESTED], Container, "Image name without tag and digest.";
    ContainerImageTag: "container.image.tag", Container, CharBuf, None, [SUGGESTED], Container, "Tag of the image.";
    ContainerImageDigest: "container.image.digest", Container, CharBuf, None, [], Container, "Digest of the image in its registry.";
    ContainerHealthcheck: "container.healthcheck", Container, CharBuf, None, [], Container, "Command of the health check; missing where it has none.";
    ContainerLivenessProbe: "container.liveness_probe", Container, CharBuf, None, [], Container, "Command of the liveness probe; missing where it has none.";
    ContainerReadinessProbe: "container.readiness_probe", Container, CharBuf, None, [], Container, "Command of the readiness probe; missing where it has none.";
    ContainerStartTs: "container.start_ts", Container, AbsTime, None, [], Process, "Start of the container's first process in nanoseconds since 1970.";
    ContainerDuration: "container.duration", Container, RelTime, None, [], Event, "Nanoseconds since the container's first process started.";
    ContainerIp: "container.ip", Container, CharBuf, None, [], Container, "Address of the container.";
    ContainerCniJson: "container.cni.json", Container, CharBuf, None, [], Container, "What the network plugin answered for the container, as JSON.";
    ContainerHostPid: "container.host_pid", Container, Bool, None, [], Container, "Whether the container shares the host's pid namespace.";
    ContainerHostNetwork: "container.host_network", Container, Bool, None, [], Container, "Whether the container shares the host's network namespace.";
    ContainerHostIpc: "container.host_ipc", Container, Bool, None, [], Container, "Whether the container shares the host's IPC namespace.";
    ContainerLabel: "container.label", Container, CharBuf, KeyRequired, [], Container, "One label of the container: container.label[app].";
    ContainerLabels: "container.labels", Container, CharBuf, None, [], Container, "All labels of the container as 'key:value', separated by commas.";
    ContainerMetadata: "container.metadata", Container, CharBuf, None, [OWN], Event, "What is known of the container besides its id: complete; pending, if its runtime has not answered yet; unknown, if nobody knows it.";
    ProcIsContainerHealthcheck: "proc.is_container_healthcheck", Container, Bool, None, [], Container, "Whether the process belongs to a health check; missing where the container has none.";
    ProcIsContainerLivenessProbe: "proc.is_container_liveness_probe", Container, Bool, None, [], Container, "Whether the process belongs to a liveness probe; missing where the container has none.";
    ProcIsContainerReadinessProbe: "proc.is_container_readiness_probe", Container, Bool, None, [], Container, "Whether the process belongs to a readiness probe; missing where the container has none.";
    K8sPodName: "k8s.pod.name", Container, CharBuf, None, [SUGGESTED], Container, "Name of the pod.";
    K8sNsName: "k8s.ns.name", Container, CharBuf, None, [SUGGESTED], Container, "Namespace of the pod.";
    K8sPodId: "k8s.pod.id", Container, CharBuf, None, [], Container, "Same as k8s.pod.uid.";
    K8sPodUid: "k8s.pod.uid", Container, CharBuf, None, [], Container, "Unique id of the pod.";
    K8sPodSandboxId: "k8s.pod.sandbox_id", Container, CharBuf, None, [], Container, "First twelve characters of the pod sandbox's id.";
    K8sPodFullSandboxId: "k8s.pod.full_sandbox_id", Container, CharBuf, None, [], Container, "Whole id of the pod sandbox.";
    K8sPodLabel: "k8s.pod.label", Container, CharBuf, KeyRequired, [], Container, "One label of the pod: k8s.pod.label[app].";
    K8sPodLabels: "k8s.pod.labels", Container, CharBuf, None, [], Container, "All labels of the pod as 'key:value', separated by commas.";
    K8sPodIp: "k8s.pod.ip", Container, CharBuf, None, [], Container, "Address of the pod.";
    K8sPodCniJson: "k8s.pod.cni.json", Container, CharBuf, None, [], Container, "What the network plugin answered for the pod, as JSON.";
    K8sRcName: "k8s.rc.name", Container, CharBuf, None, [], Container, "Name of the pod's replication controller; known where the API server is asked.";
    K8sRcId: "k8s.rc.id", Container, CharBuf, None, [], Container, "Id of the pod's replication controller; known where the API server is asked.";
    K8sRcLabels: "k8s.rc.labels", Container, CharBuf, None, [], Container, "Labels of the pod's replication controller; known where the API server is asked.";
    K8sRcLabel: "k8s.rc.label", Container, CharBuf, KeyRequired, [], Container, "One label of the pod's replication controller; known where the API server is asked.";
    K8sSvcName: "k8s.svc.name", Container, CharBuf, None, [], Container, "Name of the pod's service; known where the API server is asked.";
    K8sSvcId: "k8s.svc.id", Container, CharBuf, None, [], Container, "Id of the pod's service; known where the API server is asked.";
    K8sSvcLabels: "k8s.svc.labels", Container, CharBuf, None, [], Container, "Labels of the pod's service; known where the API server is asked.";
    K8sSvcLabel: "k8s.svc.label", Container, CharBuf, KeyRequired, [], Container, "One label of the pod's service; known where the API server is asked.";
    K8sRsName: "k8s.rs.name", Container, CharBuf, None, [], Container, "Name of the pod's replica set; known where the API server is asked.";
    K8sRsId: "k8s.rs.id", Container, CharBuf, None, [], Container, "Id of the pod's replica set; known where the API server is asked.";
    K8sRsLabels: "k8s.rs.labels", Container, CharBuf, None, [], Container, "Labels of the pod's replica set; known where the API server is asked.";
    K8sRsLabel: "k8s.rs.label", Container, CharBuf, KeyRequired, [], Container, "One label of the pod's replica set; known where the API server is asked.";
    K8sDeploymentName: "k8s.deployment.name", Container, CharBuf, None, [], Container, "Name of the pod's deployment; known where the API server is asked.";
    K8sDeploymentId: "k8s.deployment.id", Container, CharBuf, None, [], Container, "Id of the pod's deployment; known where the API server is asked.";
    K8sDeploymentLabels: "k8s.deployment.labels", Container, CharBuf, None, [], Container, "Labels of the pod's deployment; known where the API server is asked.";
    K8sDeploymentLabel: "k8s.deployment.label", Container, CharBuf, KeyRequired, [], Container, "One label of the pod's deployment; known where the API server is asked.";
    K8sNsId: "k8s.ns.id", Container, CharBuf, None, [], Container, "Id of the pod's namespace; known where the API server is asked.";
    K8sNsLabels: "k8s.ns.labels", Container, CharBuf, None, [], Container, "Labels of the pod's namespace; known where the API server is asked.";
    K8sNsLabel: "k8s.ns.label", Container, CharBuf, KeyRequired, [], Container, "One label of the pod's namespace; known where the API server is asked.";

    // Mesos
    MesosTaskName: "mesos.task.name", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MesosTaskId: "mesos.task.id", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MesosTaskLabels: "mesos.task.labels", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MesosFrameworkName: "mesos.framework.name", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MesosFrameworkId: "mesos.framework.id", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MarathonAppName: "marathon.app.name", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MarathonAppId: "marathon.app.id", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MarathonAppLabels: "marathon.app.labels", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MarathonGroupName: "marathon.group.name", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MarathonGroupId: "marathon.group.id", Mesos, CharBuf, None, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MesosTaskLabel: "mesos.task.label", Mesos, CharBuf, SuffixRequired, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";
    MarathonAppLabel: "marathon.app.label", Mesos, CharBuf, SuffixRequired, [DEPRECATED REMOVED], Container, "From the container's environment, or Mesos itself where it is asked.";

    // Syslog
    SyslogFacilityStr: "syslog.facility.str", Syslog, CharBuf, None, [REMOVED], Event, "Name of the facility of a message written to /dev/log.";
    SyslogFacility: "syslog.facility", Syslog, Uint32, None, [REMOVED], Event, "Number of the facility of a message written to /dev/log.";
    SyslogSeverityStr: "syslog.severity.str", Syslog, CharBuf, None, [REMOVED], Event, "Name of the severity of a message written to /dev/log.";
    SyslogSeverity: "syslog.severity", Syslog, Uint32, None, [REMOVED], Event, "Number of the severity of a message written to /dev/log.";
    SyslogMessage: "syslog.message", Syslog, CharBuf, None, [REMOVED], Event, "Text of a message written to /dev/log.";

    // Span
    SpanId: "span.id", Span, Int64, None, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanTime: "span.time", Span, CharBuf, None, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanNtags: "span.ntags", Span, Uint32, None, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanNargs: "span.nargs", Span, Uint32, None, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanTags: "span.tags", Span, CharBuf, None, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanArgs: "span.args", Span, CharBuf, None, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanEnterargs: "span.enterargs", Span, CharBuf, None, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanDuration: "span.duration", Span, RelTime, None, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanDurationHuman: "span.duration.human", Span, CharBuf, None, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanTag: "span.tag", Span, CharBuf, LooseRequired, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanArg: "span.arg", Span, CharBuf, LooseRequired, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";
    SpanEnterarg: "span.enterarg", Span, CharBuf, LooseRequired, [DEPRECATED REMOVED], Host, "Tracer data; tracers are no more.";

    // EvtIn
    EvtinSpan: "evtin.span", EvtIn, CharBuf, Loose, [DEPRECATED REMOVED], Host, "Tracer data around the event; tracers are no more.";
}
