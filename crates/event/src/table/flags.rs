//! Names of flag bits and enumeration values, in the order in which they are matched when printed.

use crate::info::{DynVariant, Flag, dynamic, flag};
use crate::types::{ParamType as T, Print as P};

/// Table `socket_families`.
pub static SOCKET_FAMILIES: [Flag; 40] = [
    flag("AF_NFC", 39),
    flag("AF_ALG", 38),
    flag("AF_CAIF", 37),
    flag("AF_IEEE802154", 36),
    flag("AF_PHONET", 35),
    flag("AF_ISDN", 34),
    flag("AF_RXRPC", 33),
    flag("AF_IUCV", 32),
    flag("AF_BLUETOOTH", 31),
    flag("AF_TIPC", 30),
    flag("AF_CAN", 29),
    flag("AF_LLC", 26),
    flag("AF_WANPIPE", 25),
    flag("AF_PPPOX", 24),
    flag("AF_IRDA", 23),
    flag("AF_SNA", 22),
    flag("AF_RDS", 21),
    flag("AF_ATMSVC", 20),
    flag("AF_ECONET", 19),
    flag("AF_ASH", 18),
    flag("AF_PACKET", 17),
    flag("AF_ROUTE", 16),
    flag("AF_NETLINK", 16),
    flag("AF_KEY", 15),
    flag("AF_SECURITY", 14),
    flag("AF_NETBEUI", 13),
    flag("AF_DECnet", 12),
    flag("AF_ROSE", 11),
    flag("AF_INET6", 10),
    flag("AF_X25", 9),
    flag("AF_ATMPVC", 8),
    flag("AF_BRIDGE", 7),
    flag("AF_NETROM", 6),
    flag("AF_APPLETALK", 5),
    flag("AF_IPX", 4),
    flag("AF_AX25", 3),
    flag("AF_INET", 2),
    flag("AF_LOCAL", 1),
    flag("AF_UNIX", 1),
    flag("AF_UNSPEC", 0),
];

/// Table `file_flags`.
pub static FILE_FLAGS: [Flag; 19] = [
    flag("O_LARGEFILE", 2048),
    flag("O_DIRECTORY", 1024),
    flag("O_DIRECT", 512),
    flag("O_TRUNC", 256),
    flag("O_SYNC", 128),
    flag("O_NONBLOCK", 64),
    flag("O_EXCL", 32),
    flag("O_DSYNC", 16),
    flag("O_APPEND", 8),
    flag("O_CREAT", 4),
    flag("O_RDWR", 3),
    flag("O_WRONLY", 2),
    flag("O_RDONLY", 1),
    flag("O_CLOEXEC", 4096),
    flag("O_NONE", 0),
    flag("O_TMPFILE", 8192),
    flag("O_F_CREATED", 16384),
    flag("FD_UPPER_LAYER", 32768),
    flag("FD_LOWER_LAYER", 65536),
];

/// Table `creat_flags`.
pub static CREAT_FLAGS: [Flag; 2] = [
    flag("FD_UPPER_LAYER_CREAT", 1),
    flag("FD_LOWER_LAYER_CREAT", 2),
];

/// Table `flock_flags`.
pub static FLOCK_FLAGS: [Flag; 5] = [
    flag("LOCK_SH", 1),
    flag("LOCK_EX", 2),
    flag("LOCK_NB", 4),
    flag("LOCK_UN", 8),
    flag("LOCK_NONE", 0),
];

/// Table `clone_flags`.
pub static CLONE_FLAGS: [Flag; 27] = [
    flag("CLONE_FILES", 1),
    flag("CLONE_FS", 2),
    flag("CLONE_IO", 4),
    flag("CLONE_NEWIPC", 8),
    flag("CLONE_NEWNET", 16),
    flag("CLONE_NEWNS", 32),
    flag("CLONE_NEWPID", 64),
    flag("CLONE_NEWUTS", 128),
    flag("CLONE_PARENT", 256),
    flag("CLONE_PARENT_SETTID", 512),
    flag("CLONE_PTRACE", 1024),
    flag("CLONE_SIGHAND", 2048),
    flag("CLONE_SYSVSEM", 4096),
    flag("CLONE_THREAD", 8192),
    flag("CLONE_UNTRACED", 16384),
    flag("CLONE_VM", 32768),
    flag("CLONE_INVERTED", 65536),
    flag("NAME_CHANGED", 131072),
    flag("CLOSED", 262144),
    flag("CLONE_NEWUSER", 1048576),
    flag("CLONE_CHILD_CLEARTID", 8388608),
    flag("CLONE_CHILD_SETTID", 16777216),
    flag("CLONE_SETTLS", 33554432),
    flag("CLONE_STOPPED", 67108864),
    flag("CLONE_VFORK", 134217728),
    flag("CLONE_NEWCGROUP", 268435456),
    flag("CLONE_CHILD_IN_PIDNS", 536870912),
];

/// Table `futex_operations`.
pub static FUTEX_OPERATIONS: [Flag; 15] = [
    flag("FUTEX_CLOCK_REALTIME", 256),
    flag("FUTEX_PRIVATE_FLAG", 128),
    flag("FUTEX_CMP_REQUEUE_PI", 12),
    flag("FUTEX_WAIT_REQUEUE_PI", 11),
    flag("FUTEX_WAKE_BITSET", 10),
    flag("FUTEX_WAIT_BITSET", 9),
    flag("FUTEX_TRYLOCK_PI", 8),
    flag("FUTEX_UNLOCK_PI", 7),
    flag("FUTEX_LOCK_PI", 6),
    flag("FUTEX_WAKE_OP", 5),
    flag("FUTEX_CMP_REQUEUE", 4),
    flag("FUTEX_REQUEUE", 3),
    flag("FUTEX_FD", 2),
    flag("FUTEX_WAKE", 1),
    flag("FUTEX_WAIT", 0),
];

/// Table `poll_flags`.
pub static POLL_FLAGS: [Flag; 11] = [
    flag("POLLIN", 1),
    flag("POLLPRI", 2),
    flag("POLLOUT", 4),
    flag("POLLRDHUP", 8),
    flag("POLLERR", 16),
    flag("POLLHUP", 32),
    flag("POLLNVAL", 64),
    flag("POLLRDNORM", 128),
    flag("POLLRDBAND", 256),
    flag("POLLWRNORM", 512),
    flag("POLLWRBAND", 1024),
];

/// Table `mount_flags`.
pub static MOUNT_FLAGS: [Flag; 28] = [
    flag("RDONLY", 1),
    flag("NOSUID", 2),
    flag("NODEV", 4),
    flag("NOEXEC", 8),
    flag("SYNCHRONOUS", 16),
    flag("REMOUNT", 32),
    flag("MANDLOCK", 64),
    flag("DIRSYNC", 128),
    flag("NOATIME", 1024),
    flag("NODIRATIME", 2048),
    flag("BIND", 4096),
    flag("MOVE", 8192),
    flag("REC", 16384),
    flag("SILENT", 32768),
    flag("POSIXACL", 65536),
    flag("UNBINDABLE", 131072),
    flag("PRIVATE", 262144),
    flag("SLAVE", 524288),
    flag("SHARED", 1048576),
    flag("RELATIME", 2097152),
    flag("KERNMOUNT", 4194304),
    flag("I_VERSION", 8388608),
    flag("STRICTATIME", 16777216),
    flag("LAZYTIME", 33554432),
    flag("NOSEC", 268435456),
    flag("BORN", 536870912),
    flag("ACTIVE", 1073741824),
    flag("NOUSER", 2147483648),
];

/// Table `umount_flags`.
pub static UMOUNT_FLAGS: [Flag; 4] = [
    flag("FORCE", 1),
    flag("DETACH", 2),
    flag("EXPIRE", 4),
    flag("NOFOLLOW", 8),
];

/// Table `lseek_whence`.
pub static LSEEK_WHENCE: [Flag; 3] = [
    flag("SEEK_END", 2),
    flag("SEEK_CUR", 1),
    flag("SEEK_SET", 0),
];

/// Table `shutdown_how`.
pub static SHUTDOWN_HOW: [Flag; 4] = [
    flag("SHUT_UNKNOWN", 65535),
    flag("SHUT_RDWR", 2),
    flag("SHUT_WR", 1),
    flag("SHUT_RD", 0),
];

/// Table `rlimit_resources`.
pub static RLIMIT_RESOURCES: [Flag; 17] = [
    flag("RLIMIT_UNKNOWN", 255),
    flag("RLIMIT_RTTIME", 15),
    flag("RLIMIT_RTPRIO", 14),
    flag("RLIMIT_NICE", 13),
    flag("RLIMIT_MSGQUEUE", 12),
    flag("RLIMIT_SIGPENDING", 11),
    flag("RLIMIT_LOCKS", 10),
    flag("RLIMIT_AS", 9),
    flag("RLIMIT_MEMLOCK", 8),
    flag("RLIMIT_NOFILE", 7),
    flag("RLIMIT_NPROC", 6),
    flag("RLIMIT_RSS", 5),
    flag("RLIMIT_CORE", 4),
    flag("RLIMIT_STACK", 3),
    flag("RLIMIT_DATA", 2),
    flag("RLIMIT_FSIZE", 1),
    flag("RLIMIT_CPU", 0),
];

/// Table `fcntl_commands`.
pub static FCNTL_COMMANDS: [Flag; 28] = [
    flag("F_GETPIPE_SZ", 29),
    flag("F_SETPIPE_SZ", 28),
    flag("F_NOTIFY", 27),
    flag("F_DUPFD_CLOEXEC", 26),
    flag("F_CANCELLK", 25),
    flag("F_GETLEASE", 24),
    flag("F_SETLEASE", 23),
    flag("F_GETOWN_EX", 22),
    flag("F_SETOWN_EX", 21),
    flag("F_SETLKW64", 19),
    flag("F_SETLK64", 18),
    flag("F_GETLK64", 17),
    flag("F_GETSIG", 15),
    flag("F_SETSIG", 13),
    flag("F_GETOWN", 12),
    flag("F_SETOWN", 10),
    flag("F_SETLKW", 9),
    flag("F_SETLK", 8),
    flag("F_GETLK", 6),
    flag("F_SETFL", 5),
    flag("F_GETFL", 4),
    flag("F_SETFD", 3),
    flag("F_GETFD", 2),
    flag("F_DUPFD", 1),
    flag("F_OFD_GETLK", 30),
    flag("F_OFD_SETLK", 31),
    flag("F_OFD_SETLKW", 32),
    flag("UNKNOWN", 0),
];

/// Table `sockopt_levels`.
pub static SOCKOPT_LEVELS: [Flag; 3] = [
    flag("SOL_SOCKET", 1),
    flag("SOL_TCP", 2),
    flag("UNKNOWN", 0),
];

/// Table `sockopt_options`.
pub static SOCKOPT_OPTIONS: [Flag; 54] = [
    flag("SO_COOKIE", 53),
    flag("SO_MEMINFO", 52),
    flag("SO_PEERGROUPS", 51),
    flag("SO_ATTACH_BPF", 50),
    flag("SO_INCOMING_CPU", 49),
    flag("SO_BPF_EXTENSIONS", 48),
    flag("SO_MAX_PACING_RATE", 47),
    flag("SO_BUSY_POLL", 46),
    flag("SO_SELECT_ERR_QUEUE", 45),
    flag("SO_LOCK_FILTER", 44),
    flag("SO_NOFCS", 43),
    flag("SO_PEEK_OFF", 42),
    flag("SO_WIFI_STATUS", 41),
    flag("SO_RXQ_OVFL", 40),
    flag("SO_DOMAIN", 39),
    flag("SO_PROTOCOL", 38),
    flag("SO_TIMESTAMPING", 37),
    flag("SO_MARK", 36),
    flag("SO_TIMESTAMPNS", 35),
    flag("SO_PASSSEC", 34),
    flag("SO_PEERSEC", 31),
    flag("SO_ACCEPTCONN", 30),
    flag("SO_TIMESTAMP", 29),
    flag("SO_PEERNAME", 28),
    flag("SO_DETACH_FILTER", 27),
    flag("SO_ATTACH_FILTER", 26),
    flag("SO_BINDTODEVICE", 25),
    flag("SO_SECURITY_ENCRYPTION_NETWORK", 24),
    flag("SO_SECURITY_ENCRYPTION_TRANSPORT", 23),
    flag("SO_SECURITY_AUTHENTICATION", 22),
    flag("SO_SNDTIMEO", 21),
    flag("SO_RCVTIMEO", 20),
    flag("SO_SNDLOWAT", 19),
    flag("SO_RCVLOWAT", 18),
    flag("SO_PEERCRED", 17),
    flag("SO_PASSCRED", 16),
    flag("SO_REUSEPORT", 15),
    flag("SO_BSDCOMPAT", 14),
    flag("SO_LINGER", 13),
    flag("SO_PRIORITY", 12),
    flag("SO_NO_CHECK", 11),
    flag("SO_OOBINLINE", 10),
    flag("SO_KEEPALIVE", 9),
    flag("SO_RCVBUFFORCE", 33),
    flag("SO_SNDBUFFORCE", 32),
    flag("SO_RCVBUF", 8),
    flag("SO_SNDBUF", 7),
    flag("SO_BROADCAST", 6),
    flag("SO_DONTROUTE", 5),
    flag("SO_ERROR", 4),
    flag("SO_TYPE", 3),
    flag("SO_REUSEADDR", 2),
    flag("SO_DEBUG", 1),
    flag("UNKNOWN", 0),
];

/// Table `ptrace_requests`.
pub static PTRACE_REQUESTS: [Flag; 39] = [
    flag("PTRACE_SINGLEBLOCK", 38),
    flag("PTRACE_SYSEMU_SINGLESTEP", 37),
    flag("PTRACE_SYSEMU", 36),
    flag("PTRACE_ARCH_PRCTL", 35),
    flag("PTRACE_SET_THREAD_AREA", 34),
    flag("PTRACE_GET_THREAD_AREA", 33),
    flag("PTRACE_OLDSETOPTIONS", 32),
    flag("PTRACE_SETFPXREGS", 31),
    flag("PTRACE_GETFPXREGS", 30),
    flag("PTRACE_SETFPREGS", 29),
    flag("PTRACE_GETFPREGS", 28),
    flag("PTRACE_SETREGS", 27),
    flag("PTRACE_GETREGS", 26),
    flag("PTRACE_SETSIGMASK", 25),
    flag("PTRACE_GETSIGMASK", 24),
    flag("PTRACE_PEEKSIGINFO", 23),
    flag("PTRACE_LISTEN", 22),
    flag("PTRACE_INTERRUPT", 21),
    flag("PTRACE_SEIZE", 20),
    flag("PTRACE_SETREGSET", 19),
    flag("PTRACE_GETREGSET", 18),
    flag("PTRACE_SETSIGINFO", 17),
    flag("PTRACE_GETSIGINFO", 16),
    flag("PTRACE_GETEVENTMSG", 15),
    flag("PTRACE_SETOPTIONS", 14),
    flag("PTRACE_SYSCALL", 13),
    flag("PTRACE_DETACH", 12),
    flag("PTRACE_ATTACH", 11),
    flag("PTRACE_SINGLESTEP", 10),
    flag("PTRACE_KILL", 9),
    flag("PTRACE_CONT", 8),
    flag("PTRACE_POKEUSR", 7),
    flag("PTRACE_POKEDATA", 6),
    flag("PTRACE_POKETEXT", 5),
    flag("PTRACE_PEEKUSR", 4),
    flag("PTRACE_PEEKDATA", 3),
    flag("PTRACE_PEEKTEXT", 2),
    flag("PTRACE_TRACEME", 1),
    flag("PTRACE_UNKNOWN", 0),
];

/// Table `prot_flags`.
pub static PROT_FLAGS: [Flag; 8] = [
    flag("PROT_READ", 1),
    flag("PROT_WRITE", 2),
    flag("PROT_EXEC", 4),
    flag("PROT_SEM", 8),
    flag("PROT_GROWSDOWN", 16),
    flag("PROT_GROWSUP", 32),
    flag("PROT_SAO", 64),
    flag("PROT_NONE", 0),
];

/// Table `mmap_flags`.
pub static MMAP_FLAGS: [Flag; 15] = [
    flag("MAP_SHARED", 1),
    flag("MAP_PRIVATE", 2),
    flag("MAP_FIXED", 4),
    flag("MAP_ANONYMOUS", 8),
    flag("MAP_32BIT", 16),
    flag("MAP_RENAME", 32),
    flag("MAP_NORESERVE", 64),
    flag("MAP_POPULATE", 128),
    flag("MAP_NONBLOCK", 256),
    flag("MAP_GROWSDOWN", 512),
    flag("MAP_DENYWRITE", 1024),
    flag("MAP_EXECUTABLE", 2048),
    flag("MAP_INHERIT", 4096),
    flag("MAP_FILE", 8192),
    flag("MAP_LOCKED", 16384),
];

/// Table `splice_flags`.
pub static SPLICE_FLAGS: [Flag; 4] = [
    flag("SPLICE_F_MOVE", 1),
    flag("SPLICE_F_NONBLOCK", 2),
    flag("SPLICE_F_MORE", 4),
    flag("SPLICE_F_GIFT", 8),
];

/// Table `quotactl_dqi_flags`.
pub static QUOTACTL_DQI_FLAGS: [Flag; 2] = [
    flag("DQF_NONE", 1),
    flag("V1_DQF_RSQUASH", 2),
];

/// Table `quotactl_cmds`.
pub static QUOTACTL_CMDS: [Flag; 15] = [
    flag("Q_QUOTAON", 1),
    flag("Q_QUOTAOFF", 2),
    flag("Q_GETFMT", 4),
    flag("Q_GETINFO", 8),
    flag("Q_SETINFO", 16),
    flag("Q_GETQUOTA", 32),
    flag("Q_SETQUOTA", 64),
    flag("Q_SYNC", 128),
    flag("Q_XQUOTAON", 256),
    flag("Q_XQUOTAOFF", 512),
    flag("Q_XGETQUOTA", 1024),
    flag("Q_XSETQLIM", 2048),
    flag("Q_XGETQSTAT", 4096),
    flag("Q_XQUOTARM", 8192),
    flag("Q_XQUOTASYNC", 16384),
];

/// Table `quotactl_types`.
pub static QUOTACTL_TYPES: [Flag; 2] = [
    flag("USRQUOTA", 1),
    flag("GRPQUOTA", 2),
];

/// Table `quotactl_quota_fmts`.
pub static QUOTACTL_QUOTA_FMTS: [Flag; 4] = [
    flag("QFMT_NOT_USED", 1),
    flag("QFMT_VFS_OLD", 2),
    flag("QFMT_VFS_V0", 4),
    flag("QFMT_VFS_V1", 8),
];

/// Table `semop_flags`.
pub static SEMOP_FLAGS: [Flag; 2] = [
    flag("IPC_NOWAIT", 1),
    flag("SEM_UNDO", 2),
];

/// Table `semget_flags`.
pub static SEMGET_FLAGS: [Flag; 2] = [
    flag("IPC_EXCL", 16384),
    flag("IPC_CREAT", 8192),
];

/// Table `semctl_commands`.
pub static SEMCTL_COMMANDS: [Flag; 13] = [
    flag("IPC_STAT", 1),
    flag("IPC_SET", 2),
    flag("IPC_RMID", 4),
    flag("IPC_INFO", 8),
    flag("SEM_INFO", 16),
    flag("SEM_STAT", 32),
    flag("GETALL", 64),
    flag("GETNCNT", 128),
    flag("GETPID", 256),
    flag("GETVAL", 512),
    flag("GETZCNT", 1024),
    flag("SETALL", 2048),
    flag("SETVAL", 4096),
];

/// Table `access_flags`.
pub static ACCESS_FLAGS: [Flag; 4] = [
    flag("F_OK", 0),
    flag("R_OK", 4),
    flag("W_OK", 2),
    flag("X_OK", 1),
];

/// Table `pf_flags`.
pub static PF_FLAGS: [Flag; 8] = [
    flag("PROTECTION_VIOLATION", 1),
    flag("PAGE_NOT_PRESENT", 2),
    flag("WRITE_ACCESS", 4),
    flag("READ_ACCESS", 8),
    flag("USER_FAULT", 16),
    flag("SUPERVISOR_FAULT", 32),
    flag("RESERVED_PAGE", 64),
    flag("INSTRUCTION_FETCH", 128),
];

/// Table `unlinkat_flags`.
pub static UNLINKAT_FLAGS: [Flag; 1] = [
    flag("AT_REMOVEDIR", 512),
];

/// Table `linkat_flags`.
pub static LINKAT_FLAGS: [Flag; 2] = [
    flag("AT_SYMLINK_FOLLOW", 1024),
    flag("AT_EMPTY_PATH", 4096),
];

/// Table `newfstatat_flags`.
pub static NEWFSTATAT_FLAGS: [Flag; 3] = [
    flag("AT_EMPTY_PATH", 4096),
    flag("AT_NO_AUTOMOUNT", 2048),
    flag("AT_SYMLINK_NOFOLLOW", 256),
];

/// Table `chmod_mode`.
pub static CHMOD_MODE: [Flag; 12] = [
    flag("S_IXOTH", 1),
    flag("S_IWOTH", 2),
    flag("S_IROTH", 4),
    flag("S_IXGRP", 8),
    flag("S_IWGRP", 16),
    flag("S_IRGRP", 32),
    flag("S_IXUSR", 64),
    flag("S_IWUSR", 128),
    flag("S_IRUSR", 256),
    flag("S_ISVTX", 512),
    flag("S_ISGID", 1024),
    flag("S_ISUID", 2048),
];

/// Table `fchownat_flags`.
pub static FCHOWNAT_FLAGS: [Flag; 2] = [
    flag("AT_SYMLINK_NOFOLLOW", 1024),
    flag("AT_EMPTY_PATH", 4096),
];

/// Table `renameat2_flags`.
pub static RENAMEAT2_FLAGS: [Flag; 3] = [
    flag("RENAME_NOREPLACE", 1),
    flag("RENAME_EXCHANGE", 2),
    flag("RENAME_WHITEOUT", 4),
];

/// Table `openat2_flags`.
pub static OPENAT2_FLAGS: [Flag; 6] = [
    flag("RESOLVE_BENEATH", 1),
    flag("RESOLVE_IN_ROOT", 2),
    flag("RESOLVE_NO_MAGICLINKS", 4),
    flag("RESOLVE_NO_SYMLINKS", 8),
    flag("RESOLVE_NO_XDEV", 16),
    flag("RESOLVE_CACHED", 32),
];

/// Table `execve_flags`.
pub static EXECVE_FLAGS: [Flag; 4] = [
    flag("EXE_WRITABLE", 1),
    flag("EXE_UPPER_LAYER", 2),
    flag("EXE_FROM_MEMFD", 4),
    flag("EXE_LOWER_LAYER", 8),
];

/// Table `execveat_flags`.
pub static EXECVEAT_FLAGS: [Flag; 2] = [
    flag("AT_EMPTY_PATH", 1),
    flag("AT_SYMLINK_NOFOLLOW", 2),
];

/// Table `io_uring_setup_flags`.
pub static IO_URING_SETUP_FLAGS: [Flag; 8] = [
    flag("IORING_SETUP_IOPOLL", 1),
    flag("IORING_SETUP_SQPOLL", 2),
    flag("IORING_SQ_NEED_WAKEUP", 4),
    flag("IORING_SETUP_SQ_AFF", 8),
    flag("IORING_SETUP_CQSIZE", 16),
    flag("IORING_SETUP_CLAMP", 32),
    flag("IORING_SETUP_ATTACH_RW", 64),
    flag("IORING_SETUP_R_DISABLED", 128),
];

/// Table `io_uring_setup_feats`.
pub static IO_URING_SETUP_FEATS: [Flag; 11] = [
    flag("IORING_FEAT_SINGLE_MMAP", 1),
    flag("IORING_FEAT_NODROP", 2),
    flag("IORING_FEAT_SUBMIT_STABLE", 4),
    flag("IORING_FEAT_RW_CUR_POS", 8),
    flag("IORING_FEAT_CUR_PERSONALITY", 16),
    flag("IORING_FEAT_FAST_POLL", 32),
    flag("IORING_FEAT_POLL_32BITS", 64),
    flag("IORING_FEAT_SQPOLL_NONFIXED", 128),
    flag("IORING_FEAT_ENTER_EXT_ARG", 256),
    flag("IORING_FEAT_NATIVE_WORKERS", 512),
    flag("IORING_FEAT_RSRC_TAGS", 1024),
];

/// Table `io_uring_enter_flags`.
pub static IO_URING_ENTER_FLAGS: [Flag; 4] = [
    flag("IORING_ENTER_GETEVENTS", 1),
    flag("IORING_ENTER_SQ_WAKEUP", 2),
    flag("IORING_ENTER_SQ_WAIT", 4),
    flag("IORING_ENTER_EXT_ARG", 8),
];

/// Table `io_uring_register_opcodes`.
pub static IO_URING_REGISTER_OPCODES: [Flag; 22] = [
    flag("IORING_REGISTER_BUFFERS", 0),
    flag("IORING_UNREGISTER_BUFFERS", 1),
    flag("IORING_REGISTER_FILES", 2),
    flag("IORING_UNREGISTER_FILES", 3),
    flag("IORING_REGISTER_EVENTFD", 4),
    flag("IORING_UNREGISTER_EVENTFD", 5),
    flag("IORING_REGISTER_FILES_UPDATE", 6),
    flag("IORING_REGISTER_EVENTFD_ASYNC", 7),
    flag("IORING_REGISTER_PROBE", 8),
    flag("IORING_REGISTER_PERSONALITY", 9),
    flag("IORING_UNREGISTER_PERSONALITY", 10),
    flag("IORING_REGISTER_RESTRICTIONS", 11),
    flag("IORING_REGISTER_ENABLE_RINGS", 12),
    flag("IORING_REGISTER_FILES2", 13),
    flag("IORING_REGISTER_FILES_UPDATE2", 14),
    flag("IORING_REGISTER_BUFFERS2", 15),
    flag("IORING_REGISTER_BUFFERS_UPDATE", 16),
    flag("IORING_REGISTER_IOWQ_AFF", 17),
    flag("IORING_UNREGISTER_IOWQ_AFF", 18),
    flag("IORING_REGISTER_IOWQ_MAX_WORKERS", 19),
    flag("IORING_REGISTER_RING_FDS", 20),
    flag("IORING_UNREGISTER_RING_FDS", 21),
];

/// Table `mlockall_flags`.
pub static MLOCKALL_FLAGS: [Flag; 3] = [
    flag("MCL_CURRENT", 1),
    flag("MCL_FUTURE", 2),
    flag("MCL_ONFAULT", 4),
];

/// Table `mlock2_flags`.
pub static MLOCK2_FLAGS: [Flag; 1] = [
    flag("MLOCK_ONFAULT", 1),
];

/// Table `fsconfig_cmds`.
pub static FSCONFIG_CMDS: [Flag; 8] = [
    flag("FSCONFIG_SET_FLAG", 0),
    flag("FSCONFIG_SET_STRING", 1),
    flag("FSCONFIG_SET_BINARY", 2),
    flag("FSCONFIG_SET_PATH", 3),
    flag("FSCONFIG_SET_PATH_EMPTY", 4),
    flag("FSCONFIG_SET_FD", 5),
    flag("FSCONFIG_CMD_CREATE", 6),
    flag("FSCONFIG_CMD_RECONFIGURE", 7),
];

/// Table `epoll_create1_flags`.
pub static EPOLL_CREATE1_FLAGS: [Flag; 1] = [
    flag("EPOLL_CLOEXEC", 1),
];

/// Table `prctl_options`.
pub static PRCTL_OPTIONS: [Flag; 23] = [
    flag("PR_GET_DUMPABLE", 3),
    flag("PR_SET_DUMPABLE", 4),
    flag("PR_GET_KEEPCAPS", 7),
    flag("PR_SET_KEEPCAPS", 8),
    flag("PR_SET_NAME", 15),
    flag("PR_GET_NAME", 16),
    flag("PR_GET_SECCOMP", 21),
    flag("PR_SET_SECCOMP", 22),
    flag("PR_CAPBSET_READ", 23),
    flag("PR_CAPBSET_DROP", 24),
    flag("PR_GET_SECUREBITS", 27),
    flag("PR_SET_SECUREBITS", 28),
    flag("PR_MCE_KILL", 33),
    flag("PR_MCE_KILL", 33),
    flag("PR_SET_MM", 35),
    flag("PR_SET_CHILD_SUBREAPER", 36),
    flag("PR_GET_CHILD_SUBREAPER", 37),
    flag("PR_SET_NO_NEW_PRIVS", 38),
    flag("PR_GET_NO_NEW_PRIVS", 39),
    flag("PR_GET_TID_ADDRESS", 40),
    flag("PR_SET_THP_DISABLE", 41),
    flag("PR_GET_THP_DISABLE", 42),
    flag("PR_CAP_AMBIENT", 47),
];

/// Table `keyctl_operations`.
pub static KEYCTL_OPERATIONS: [Flag; 33] = [
    flag("KEYCTL_GET_KEYRING_ID", 0),
    flag("KEYCTL_JOIN_SESSION_KEYRING", 1),
    flag("KEYCTL_UPDATE", 2),
    flag("KEYCTL_REVOKE", 3),
    flag("KEYCTL_CHOWN", 4),
    flag("KEYCTL_SETPERM", 5),
    flag("KEYCTL_DESCRIBE", 6),
    flag("KEYCTL_CLEAR", 7),
    flag("KEYCTL_LINK", 8),
    flag("KEYCTL_UNLINK", 9),
    flag("KEYCTL_SEARCH", 10),
    flag("KEYCTL_READ", 11),
    flag("KEYCTL_INSTANTIATE", 12),
    flag("KEYCTL_NEGATE", 13),
    flag("KEYCTL_SET_REQKEY_KEYRING", 14),
    flag("KEYCTL_SET_TIMEOUT", 15),
    flag("KEYCTL_ASSUME_AUTHORITY", 16),
    flag("KEYCTL_GET_SECURITY", 17),
    flag("KEYCTL_SESSION_TO_PARENT", 18),
    flag("KEYCTL_REJECT", 19),
    flag("KEYCTL_INSTANTIATE_IOV", 20),
    flag("KEYCTL_INVALIDATE", 21),
    flag("KEYCTL_GET_PERSISTENT", 22),
    flag("KEYCTL_DH_COMPUTE", 23),
    flag("KEYCTL_PKEY_QUERY", 24),
    flag("KEYCTL_PKEY_ENCRYPT", 25),
    flag("KEYCTL_PKEY_DECRYPT", 26),
    flag("KEYCTL_PKEY_SIGN", 27),
    flag("KEYCTL_PKEY_VERIFY", 28),
    flag("KEYCTL_RESTRICT_KEYRING", 29),
    flag("KEYCTL_MOVE", 30),
    flag("KEYCTL_CAPABILITIES", 31),
    flag("KEYCTL_WATCH_KEY", 32),
];

/// Table `memfd_create_flags`.
pub static MEMFD_CREATE_FLAGS: [Flag; 3] = [
    flag("MFD_CLOEXEC", 1),
    flag("MFD_ALLOW_SEALING", 2),
    flag("MFD_HUGETLB", 4),
];

/// Table `pidfd_open_flags`.
pub static PIDFD_OPEN_FLAGS: [Flag; 1] = [
    flag("PIDFD_NONBLOCK", 1),
];

/// Table `mknod_mode`.
pub static MKNOD_MODE: [Flag; 17] = [
    flag("S_IXOTH", 1),
    flag("S_IWOTH", 2),
    flag("S_IROTH", 4),
    flag("S_IXGRP", 8),
    flag("S_IWGRP", 16),
    flag("S_IRGRP", 32),
    flag("S_IXUSR", 64),
    flag("S_IWUSR", 128),
    flag("S_IRUSR", 256),
    flag("S_ISVTX", 512),
    flag("S_ISGID", 1024),
    flag("S_ISUID", 2048),
    flag("S_IFREG", 32768),
    flag("S_IFCHR", 8192),
    flag("S_IFBLK", 24576),
    flag("S_IFIFO", 4096),
    flag("S_IFSOCK", 49152),
];

/// Table `bpf_commands`.
pub static BPF_COMMANDS: [Flag; 37] = [
    flag("BPF_MAP_CREATE", 0),
    flag("BPF_MAP_LOOKUP_ELEM", 1),
    flag("BPF_MAP_UPDATE_ELEM", 2),
    flag("BPF_MAP_DELETE_ELEM", 3),
    flag("BPF_MAP_GET_NEXT_KEY", 4),
    flag("BPF_PROG_LOAD", 5),
    flag("BPF_OBJ_PIN", 6),
    flag("BPF_OBJ_GET", 7),
    flag("BPF_PROG_ATTACH", 8),
    flag("BPF_PROG_DETACH", 9),
    flag("BPF_PROG_TEST_RUN", 10),
    flag("BPF_PROG_RUN", 10),
    flag("BPF_PROG_GET_NEXT_ID", 11),
    flag("BPF_MAP_GET_NEXT_ID", 12),
    flag("BPF_PROG_GET_FD_BY_ID", 13),
    flag("BPF_MAP_GET_FD_BY_ID", 14),
    flag("BPF_OBJ_GET_INFO_BY_FD", 15),
    flag("BPF_PROG_QUERY", 16),
    flag("BPF_RAW_TRACEPOINT_OPEN", 17),
    flag("BPF_BTF_LOAD", 18),
    flag("BPF_BTF_GET_FD_BY_ID", 19),
    flag("BPF_TASK_FD_QUERY", 20),
    flag("BPF_MAP_LOOKUP_AND_DELETE_ELEM", 21),
    flag("BPF_MAP_FREEZE", 22),
    flag("BPF_BTF_GET_NEXT_ID", 23),
    flag("BPF_MAP_LOOKUP_BATCH", 24),
    flag("BPF_MAP_LOOKUP_AND_DELETE_BATCH", 25),
    flag("BPF_MAP_UPDATE_BATCH", 26),
    flag("BPF_MAP_DELETE_BATCH", 27),
    flag("BPF_LINK_CREATE", 28),
    flag("BPF_LINK_UPDATE", 29),
    flag("BPF_LINK_GET_FD_BY_ID", 30),
    flag("BPF_LINK_GET_NEXT_ID", 31),
    flag("BPF_ENABLE_STATS", 32),
    flag("BPF_ITER_CREATE", 33),
    flag("BPF_LINK_DETACH", 34),
    flag("BPF_PROG_BIND_MAP", 35),
];

/// Table `delete_module_flags`.
pub static DELETE_MODULE_FLAGS: [Flag; 2] = [
    flag("O_NONBLOCK", 2),
    flag("O_TRUNC", 1),
];

/// Table `close_range_flags`.
pub static CLOSE_RANGE_FLAGS: [Flag; 2] = [
    flag("CLOSE_RANGE_UNSHARE", 2),
    flag("CLOSE_RANGE_CLOEXEC", 4),
];

/// Table `finit_module_flags`.
pub static FINIT_MODULE_FLAGS: [Flag; 3] = [
    flag("MODULE_INIT_IGNORE_MODVERSIONS", 1),
    flag("MODULE_INIT_IGNORE_VERMAGIC", 2),
    flag("MODULE_INIT_COMPRESSED_FILE", 4),
];

/// Table `anon_inode_fd_types`.
pub static ANON_INODE_FD_TYPES: [Flag; 14] = [
    flag("ANON_INODE_FD_TYPE_UNKNOWN", 0),
    flag("ANON_INODE_FD_TYPE_EVENTFD", 1),
    flag("ANON_INODE_FD_TYPE_EVENTPOLL", 2),
    flag("ANON_INODE_FD_TYPE_INOTIFY", 3),
    flag("ANON_INODE_FD_TYPE_SIGNALFD", 4),
    flag("ANON_INODE_FD_TYPE_TIMERFD", 5),
    flag("ANON_INODE_FD_TYPE_IO_URING", 6),
    flag("ANON_INODE_FD_TYPE_USERFAULTFD", 7),
    flag("ANON_INODE_FD_TYPE_PIDFD", 8),
    flag("ANON_INODE_FD_TYPE_BPF_MAP", 9),
    flag("ANON_INODE_FD_TYPE_BPF_PROG", 10),
    flag("ANON_INODE_FD_TYPE_BPF_LINK", 11),
    flag("ANON_INODE_FD_TYPE_BPF_ITER", 12),
    flag("ANON_INODE_FD_TYPE_PERF_EVENT", 13),
];

/// Variants of `sockopt_dynamic_param`, by index byte.
pub static SOCKOPT_DYNAMIC_PARAM: [DynVariant; 5] = [
    dynamic(T::ByteBuf, P::Hex),
    dynamic(T::Errno, P::Dec),
    dynamic(T::Uint32, P::Dec),
    dynamic(T::Uint64, P::Dec),
    dynamic(T::RelTime, P::Dec),
];

/// Variants of `ptrace_dynamic_param`, by index byte.
pub static PTRACE_DYNAMIC_PARAM: [DynVariant; 2] = [
    dynamic(T::Uint64, P::Hex),
    dynamic(T::SigType, P::Dec),
];

/// Variants of `bpf_dynamic_param`, by index byte.
pub static BPF_DYNAMIC_PARAM: [DynVariant; 2] = [
    dynamic(T::Fd, P::Dec),
    dynamic(T::Errno, P::Dec),
];

/// Variants of `keyctl_dynamic_param`, by index byte.
pub static KEYCTL_DYNAMIC_PARAM: [DynVariant; 2] = [
    dynamic(T::Int64, P::Dec),
    dynamic(T::CharBuf, P::None),
];

/// Every flag table by its name.
pub static FLAG_TABLES: [(&str, &[Flag]); 55] = [
    ("socket_families", &SOCKET_FAMILIES),
    ("file_flags", &FILE_FLAGS),
    ("creat_flags", &CREAT_FLAGS),
    ("flock_flags", &FLOCK_FLAGS),
    ("clone_flags", &CLONE_FLAGS),
    ("futex_operations", &FUTEX_OPERATIONS),
    ("poll_flags", &POLL_FLAGS),
    ("mount_flags", &MOUNT_FLAGS),
    ("umount_flags", &UMOUNT_FLAGS),
    ("lseek_whence", &LSEEK_WHENCE),
    ("shutdown_how", &SHUTDOWN_HOW),
    ("rlimit_resources", &RLIMIT_RESOURCES),
    ("fcntl_commands", &FCNTL_COMMANDS),
    ("sockopt_levels", &SOCKOPT_LEVELS),
    ("sockopt_options", &SOCKOPT_OPTIONS),
    ("ptrace_requests", &PTRACE_REQUESTS),
    ("prot_flags", &PROT_FLAGS),
    ("mmap_flags", &MMAP_FLAGS),
    ("splice_flags", &SPLICE_FLAGS),
    ("quotactl_dqi_flags", &QUOTACTL_DQI_FLAGS),
    ("quotactl_cmds", &QUOTACTL_CMDS),
    ("quotactl_types", &QUOTACTL_TYPES),
    ("quotactl_quota_fmts", &QUOTACTL_QUOTA_FMTS),
    ("semop_flags", &SEMOP_FLAGS),
    ("semget_flags", &SEMGET_FLAGS),
    ("semctl_commands", &SEMCTL_COMMANDS),
    ("access_flags", &ACCESS_FLAGS),
    ("pf_flags", &PF_FLAGS),
    ("unlinkat_flags", &UNLINKAT_FLAGS),
    ("linkat_flags", &LINKAT_FLAGS),
    ("newfstatat_flags", &NEWFSTATAT_FLAGS),
    ("chmod_mode", &CHMOD_MODE),
    ("fchownat_flags", &FCHOWNAT_FLAGS),
    ("renameat2_flags", &RENAMEAT2_FLAGS),
    ("openat2_flags", &OPENAT2_FLAGS),
    ("execve_flags", &EXECVE_FLAGS),
    ("execveat_flags", &EXECVEAT_FLAGS),
    ("io_uring_setup_flags", &IO_URING_SETUP_FLAGS),
    ("io_uring_setup_feats", &IO_URING_SETUP_FEATS),
    ("io_uring_enter_flags", &IO_URING_ENTER_FLAGS),
    ("io_uring_register_opcodes", &IO_URING_REGISTER_OPCODES),
    ("mlockall_flags", &MLOCKALL_FLAGS),
    ("mlock2_flags", &MLOCK2_FLAGS),
    ("fsconfig_cmds", &FSCONFIG_CMDS),
    ("epoll_create1_flags", &EPOLL_CREATE1_FLAGS),
    ("prctl_options", &PRCTL_OPTIONS),
    ("keyctl_operations", &KEYCTL_OPERATIONS),
    ("memfd_create_flags", &MEMFD_CREATE_FLAGS),
    ("pidfd_open_flags", &PIDFD_OPEN_FLAGS),
    ("mknod_mode", &MKNOD_MODE),
    ("bpf_commands", &BPF_COMMANDS),
    ("delete_module_flags", &DELETE_MODULE_FLAGS),
    ("close_range_flags", &CLOSE_RANGE_FLAGS),
    ("finit_module_flags", &FINIT_MODULE_FLAGS),
    ("anon_inode_fd_types", &ANON_INODE_FD_TYPES),
];
