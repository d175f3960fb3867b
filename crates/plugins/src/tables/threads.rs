//! The host's own tables: names and types of their fields.

use state::{FdField as D, ThreadField as T, ThreadList};

use super::query::{BOOL, INT64, STRING, TABLE, UINT64};

const UINT8: u32 = 5;
const UINT16: u32 = 6;
const UINT32: u32 = 7;

/// Name of the table of threads.
pub(crate) const THREADS: &str = "threads";
/// Name of the field with a thread's descriptors, and of that table.
pub(crate) const DESCRIPTORS: &str = "file_descriptors";
/// A field that is the host's and that plugins add as if it were theirs.
pub(crate) const CONTAINER_ID: &str = "container_id";

/// What a field of a thread is.
#[derive(Clone, Copy)]
pub(crate) enum ThreadColumn {
    /// A value.
    Value(T),
    /// A list.
    List(ThreadList),
    /// Its descriptors.
    Descriptors,
}

/// Fields of threads: name, type, meaning. Their places are their numbers.
pub(crate) const THREAD_FIELDS: &[(&str, u32, ThreadColumn)] = &[
    ("tid", INT64, ThreadColumn::Value(T::Tid)),
    ("pid", INT64, ThreadColumn::Value(T::Pid)),
    ("ptid", INT64, ThreadColumn::Value(T::Ptid)),
    ("reaper_tid", INT64, ThreadColumn::Value(T::ReaperTid)),
    ("sid", INT64, ThreadColumn::Value(T::Sid)),
    ("comm", STRING, ThreadColumn::Value(T::Comm)),
    ("exe", STRING, ThreadColumn::Value(T::Exe)),
    ("exe_path", STRING, ThreadColumn::Value(T::ExePath)),
    ("exe_writable", BOOL, ThreadColumn::Value(T::ExeWritable)),
    (
        "exe_upper_layer",
        BOOL,
        ThreadColumn::Value(T::ExeUpperLayer),
    ),
    (
        "exe_lower_layer",
        BOOL,
        ThreadColumn::Value(T::ExeLowerLayer),
    ),
    ("exe_from_memfd", BOOL, ThreadColumn::Value(T::ExeFromMemfd)),
    ("args", TABLE, ThreadColumn::List(ThreadList::Args)),
    ("env", TABLE, ThreadColumn::List(ThreadList::Env)),
    ("cgroups", TABLE, ThreadColumn::List(ThreadList::Cgroups)),
    ("flags", UINT32, ThreadColumn::Value(T::Flags)),
    ("fd_limit", INT64, ThreadColumn::Value(T::FdLimit)),
    ("uid", UINT32, ThreadColumn::Value(T::Uid)),
    ("gid", UINT32, ThreadColumn::Value(T::Gid)),
    ("loginuid", UINT32, ThreadColumn::Value(T::Loginuid)),
    ("exe_ino", UINT64, ThreadColumn::Value(T::ExeIno)),
    ("exe_ino_ctime", UINT64, ThreadColumn::Value(T::ExeInoCtime)),
    ("exe_ino_mtime", UINT64, ThreadColumn::Value(T::ExeInoMtime)),
    ("vtid", INT64, ThreadColumn::Value(T::Vtid)),
    ("vpid", INT64, ThreadColumn::Value(T::Vpid)),
    ("vpgid", INT64, ThreadColumn::Value(T::Vpgid)),
    ("pgid", INT64, ThreadColumn::Value(T::Pgid)),
    ("tty", UINT32, ThreadColumn::Value(T::Tty)),
    ("root", STRING, ThreadColumn::Value(T::Root)),
    ("cwd", STRING, ThreadColumn::Value(T::Cwd)),
    (
        "pidns_init_start_ts",
        UINT64,
        ThreadColumn::Value(T::PidnsInitStart),
    ),
    (DESCRIPTORS, TABLE, ThreadColumn::Descriptors),
];

/// Fields of descriptors: name, type, meaning. Their places are their numbers.
pub(crate) const FD_FIELDS: &[(&str, u32, D)] = &[
    ("type", UINT8, D::Kind),
    ("open_flags", UINT32, D::OpenFlags),
    ("name", STRING, D::Name),
    ("name_raw", STRING, D::NameRaw),
    ("old_name", STRING, D::OldName),
    ("flags", UINT32, D::Flags),
    ("dev", UINT32, D::Dev),
    ("mount_id", UINT32, D::MountId),
    ("ino", UINT64, D::Ino),
    ("pid", INT64, D::Pid),
    ("fd", INT64, D::Fd),
    ("socket_ipv4_src_ip", UINT32, D::Ipv4SourceIp),
    ("socket_ipv4_dest_dip", UINT32, D::Ipv4DestIp),
    ("socket_ipv4_src_port", UINT16, D::Ipv4SourcePort),
    ("socket_ipv4_dst_port", UINT16, D::Ipv4DestPort),
    ("socket_ipv4_l4_proto", UINT8, D::Ipv4L4),
    ("socket_ipv6_src_ip_low", UINT64, D::Ipv6SourceLow),
    ("socket_ipv6_src_ip_high", UINT64, D::Ipv6SourceHigh),
    ("socket_ipv6_dest_ip_low", UINT64, D::Ipv6DestLow),
    ("socket_ipv6_dest_ip_high", UINT64, D::Ipv6DestHigh),
    ("socket_ipv6_src_port", UINT16, D::Ipv6SourcePort),
    ("socket_ipv6_dst_port", UINT16, D::Ipv6DestPort),
    ("socket_ipv6_l4_proto", UINT8, D::Ipv6L4),
    ("socket_ipv4_server_ip", UINT32, D::Ipv4ServerIp),
    ("socket_ipv4_server_port", UINT16, D::Ipv4ServerPort),
    ("socket_ipv4_server_l4_proto", UINT8, D::Ipv4ServerL4),
    ("socket_ipv6_server_ip_low", UINT64, D::Ipv6ServerLow),
    ("socket_ipv6_server_ip_high", UINT64, D::Ipv6ServerHigh),
    ("socket_ipv6_server_port", UINT16, D::Ipv6ServerPort),
    ("socket_ipv6_server_l4_proto", UINT8, D::Ipv6ServerL4),
    ("socket_unix_src", UINT64, D::UnixSource),
    ("socket_unix_dest", UINT64, D::UnixDest),
];

/// Whether a field of threads cannot be written.
pub(crate) fn thread_read_only(column: ThreadColumn) -> bool {
    !matches!(column, ThreadColumn::Value(field) if field != T::Cwd)
}

/// Whether a field of descriptors cannot be written.
pub(crate) fn fd_read_only(field: D) -> bool {
    matches!(field, D::OldName | D::MountId | D::Pid | D::Fd)
}

/// Names of a list's fields; all are texts.
pub(crate) fn list_fields(list: ThreadList) -> &'static [&'static str] {
    match list {
        ThreadList::Args | ThreadList::Env => &["value"],
        ThreadList::Cgroups => &["first", "second"],
    }
}

/// Name of a list.
pub(crate) fn list_name(list: ThreadList) -> &'static str {
    match list {
        ThreadList::Args => "args",
        ThreadList::Env => "env",
        ThreadList::Cgroups => "cgroups",
    }
}
