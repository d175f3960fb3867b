//! Which fields the golden files hold. A field that is missing in a line was asked for and had no value.

/// Of every event.
#[rustfmt::skip]
pub(super) const ALWAYS: &[&str] = &[
    "evt.abspath", "evt.args", "evt.asynctype", "evt.buffer", "evt.buflen", "evt.category",
    "evt.deltatime", "evt.failed", "evt.io_dir", "evt.is_async", "evt.is_io",
    "evt.is_open_create", "evt.is_open_exec", "evt.is_open_read", "evt.is_open_write",
    "evt.rawres", "evt.reltime", "evt.res", "evt.type", "fd.cip", "fd.connected", "fd.cport",
    "fd.cproto", "fd.dev", "fd.dev.major", "fd.dev.minor", "fd.directory", "fd.filename",
    "fd.ino", "fd.is_lower_layer", "fd.is_server", "fd.is_upper_layer", "fd.l4proto", "fd.lip",
    "fd.lport", "fd.lproto", "fd.name", "fd.name_changed", "fd.nameraw", "fd.num", "fd.rip",
    "fd.rport", "fd.rproto", "fd.sip", "fd.sockfamily", "fd.sport", "fd.sproto", "fd.type",
    "fd.typechar", "fd.types", "fd.uid", "fdlist.cips", "fdlist.cports", "fdlist.names",
    "fdlist.nums", "fdlist.sips", "fdlist.sports", "fs.path.name", "fs.path.nameraw",
    "fs.path.source", "fs.path.sourceraw", "fs.path.target", "fs.path.targetraw", "group.gid",
    "group.name", "proc.aname[1]", "proc.aname[2]", "proc.aname[3]", "proc.aname[4]",
    "proc.apid[1]", "proc.apid[2]", "proc.args", "proc.cmdline", "proc.cmdnargs", "proc.cwd",
    "proc.duration", "proc.exe", "proc.exe_ino", "proc.exe_ino.ctime", "proc.exe_ino.mtime",
    "proc.exepath", "proc.fdlimit", "proc.fdopencount", "proc.fdusage", "proc.is_exe_from_memfd",
    "proc.is_exe_lower_layer", "proc.is_exe_upper_layer", "proc.is_exe_writable",
    "proc.is_pgid_leader", "proc.is_sid_leader", "proc.is_vpgid_leader", "proc.loginshellid",
    "proc.name", "proc.nthreads", "proc.pcmdline", "proc.pexe", "proc.pexepath", "proc.pgid",
    "proc.pgid.exe", "proc.pgid.exepath", "proc.pgid.name", "proc.pid",
    "proc.pidns_init_start_ts", "proc.pname", "proc.ppid", "proc.pvpid", "proc.sid",
    "proc.sid.exe", "proc.sid.exepath", "proc.sname", "proc.stderr.name", "proc.stderr.type",
    "proc.stdin.name", "proc.stdin.type", "proc.stdout.name", "proc.stdout.type", "proc.tty",
    "proc.vmrss", "proc.vmsize", "proc.vmswap", "proc.vpgid", "proc.vpgid.exe",
    "proc.vpgid.exepath", "proc.vpgid.name", "proc.vpid", "syscall.type", "thread.cap_effective",
    "thread.cap_inheritable", "thread.cap_permitted", "thread.pfmajor", "thread.pfminor",
    "thread.vtid", "user.homedir", "user.loginname", "user.loginuid", "user.name", "user.shell",
    "user.uid",
];

/// Of every 100th event and of those that make or replace a process, besides [`ALWAYS`].
#[rustfmt::skip]
pub(super) const SOMETIMES: &[&str] = &[
    "evt.arg.exe", "evt.arg.flags", "evt.arg.res", "evt.arg[0]", "evt.count", "evt.count.error",
    "evt.count.error.file", "evt.count.error.net", "evt.count.exit", "evt.cpu", "evt.datetime",
    "evt.datetime.s", "evt.deltatime.ns", "evt.deltatime.s", "evt.info", "evt.is_io_read",
    "evt.is_io_write", "evt.is_syslog", "evt.is_wait", "evt.num", "evt.rawtime", "evt.rawtime.ns",
    "evt.rawtime.s", "evt.reltime.ns", "evt.reltime.s", "evt.source", "evt.time",
    "evt.time.iso8601", "evt.time.s", "fd.containername", "proc.acmdline[1]", "proc.acmdline[2]",
    "proc.aexe", "proc.aexe[2]", "proc.aexepath", "proc.aexepath[1]", "proc.aexepath[2]",
    "proc.aname", "proc.apid", "proc.cmdlenargs", "proc.env", "proc.env[HOME]", "proc.env[PATH]",
    "proc.exe_ino.ctime_duration_pidns_start", "proc.exe_ino.ctime_duration_proc_start",
    "proc.exeline", "proc.nchilds", "proc.pid.ts", "proc.ppid.duration", "proc.ppid.ts",
    "thread.cgroup.cpu", "thread.cgroup.memory", "thread.cgroups", "thread.exectime",
    "thread.ismain", "thread.tid", "thread.vmrss", "thread.vmsize",
];
