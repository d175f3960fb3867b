//! The conversion rules: one row per (event type, number of stored parameters), in that order.
//!
//! Generated from the schema's conversion table; a test compares the two.

use super::rule::Action::{Add, Change, Pass, Store, StoreAndPass};
use super::rule::Instruction::{ContainerJson, Default, Empty, Enter, EnterOrEmpty, Old};
use super::rule::{Rule, rule};

/// Every rule.
#[rustfmt::skip]
pub(crate) static RULES: [Rule; 253] = [
    rule(0, 2, Store), // GENERIC_E
    rule(1, 1, Add(&[EnterOrEmpty(1)])), // GENERIC_X
    rule(2, 0, Add(&[Empty, Empty, Empty])), // SYSCALL_OPEN_E
    rule(2, 3, Pass), // SYSCALL_OPEN_E
    rule(3, 4, Add(&[Empty])), // SYSCALL_OPEN_X
    rule(3, 5, Add(&[Empty])), // SYSCALL_OPEN_X
    rule(4, 1, Store), // SYSCALL_CLOSE_E
    rule(5, 1, Add(&[Enter(0)])), // SYSCALL_CLOSE_X
    rule(6, 2, Store), // SYSCALL_READ_E
    rule(7, 2, Add(&[Enter(0), Enter(1)])), // SYSCALL_READ_X
    rule(8, 2, Store), // SYSCALL_WRITE_E
    rule(9, 2, Add(&[Enter(0), Enter(1)])), // SYSCALL_WRITE_X
    rule(10, 1, Store), // SYSCALL_BRK_1_E
    rule(11, 1, Change(159, &[Old(0), EnterOrEmpty(0), Empty, Empty, Empty])), // SYSCALL_BRK_1_X
    rule(12, 0, Change(154, &[])), // SYSCALL_EXECVE_8_E
    rule(13, 8, Change(155, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Empty, Empty, Empty, Empty, Empty])), // SYSCALL_EXECVE_8_X
    rule(15, 11, Change(157, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Empty, Empty, Empty, Empty, Empty, Old(8), Old(9), Old(10)])), // SYSCALL_CLONE_11_X
    rule(16, 0, Change(186, &[Empty, Empty, Empty, Empty, Empty])), // PROCEXIT_E
    rule(18, 3, Store), // SOCKET_SOCKET_E
    rule(19, 1, Add(&[Enter(0), Enter(1), Enter(2)])), // SOCKET_SOCKET_X
    rule(19, 4, Add(&[Default])), // SOCKET_SOCKET_X
    rule(20, 1, Store), // SOCKET_BIND_E
    rule(21, 2, Add(&[Enter(0)])), // SOCKET_BIND_X
    rule(22, 1, Add(&[Default])), // SOCKET_CONNECT_E
    rule(22, 2, StoreAndPass), // SOCKET_CONNECT_E
    rule(23, 2, Add(&[Enter(0)])), // SOCKET_CONNECT_X
    rule(23, 3, Add(&[Enter(1)])), // SOCKET_CONNECT_X
    rule(24, 2, Store), // SOCKET_LISTEN_E
    rule(25, 1, Add(&[Enter(0), Enter(1)])), // SOCKET_LISTEN_X
    rule(27, 3, Change(247, &[Old(0), Old(1), Old(2), Default, Default])), // SOCKET_ACCEPT_X
    rule(28, 2, Store), // SOCKET_SEND_E
    rule(29, 2, Add(&[Enter(0), Enter(1), Default])), // SOCKET_SEND_X
    rule(30, 3, Store), // SOCKET_SENDTO_E
    rule(31, 2, Add(&[Enter(0), Enter(1), Enter(2)])), // SOCKET_SENDTO_X
    rule(32, 2, Store), // SOCKET_RECV_E
    rule(33, 2, Add(&[Enter(0), Enter(1), Default])), // SOCKET_RECV_X
    rule(34, 2, Store), // SOCKET_RECVFROM_E
    rule(35, 3, Add(&[Enter(0), Enter(1)])), // SOCKET_RECVFROM_X
    rule(36, 2, Store), // SOCKET_SHUTDOWN_E
    rule(37, 1, Add(&[Enter(0), Enter(1)])), // SOCKET_SHUTDOWN_X
    rule(42, 3, Store), // SOCKET_SOCKETPAIR_E
    rule(43, 5, Add(&[Enter(0), Enter(1), Enter(2)])), // SOCKET_SOCKETPAIR_X
    rule(48, 3, Store), // SOCKET_SENDMSG_E
    rule(49, 2, Add(&[Enter(0), Enter(1), Enter(2)])), // SOCKET_SENDMSG_X
    rule(51, 0, Add(&[Default, Empty, Empty, Empty, Empty])), // SOCKET_SENDMMSG_X
    rule(52, 1, Store), // SOCKET_RECVMSG_E
    rule(53, 4, Add(&[Default])), // SOCKET_RECVMSG_X
    rule(53, 5, Add(&[Enter(0)])), // SOCKET_RECVMSG_X
    rule(55, 0, Add(&[Default, Empty, Empty, Empty, Empty, Empty])), // SOCKET_RECVMMSG_X
    rule(56, 1, Store), // SOCKET_ACCEPT4_E
    rule(57, 3, Change(389, &[Old(0), Old(1), Old(2), Default, Default, Enter(0)])), // SOCKET_ACCEPT4_X
    rule(58, 0, Add(&[Empty, Empty])), // SYSCALL_CREAT_E
    rule(58, 2, Pass), // SYSCALL_CREAT_E
    rule(59, 3, Add(&[Empty])), // SYSCALL_CREAT_X
    rule(59, 4, Add(&[Empty])), // SYSCALL_CREAT_X
    rule(59, 5, Add(&[Empty])), // SYSCALL_CREAT_X
    rule(62, 2, Store), // SYSCALL_EVENTFD_E
    rule(63, 1, Add(&[Enter(0), Enter(1)])), // SYSCALL_EVENTFD_X
    rule(64, 3, Store), // SYSCALL_FUTEX_E
    rule(65, 1, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_FUTEX_X
    rule(70, 1, Store), // SYSCALL_FSTAT_E
    rule(71, 1, Add(&[Enter(0)])), // SYSCALL_FSTAT_X
    rule(78, 1, Store), // SYSCALL_EPOLLWAIT_E
    rule(79, 1, Add(&[Enter(0)])), // SYSCALL_EPOLLWAIT_X
    rule(80, 2, Store), // SYSCALL_POLL_E
    rule(81, 2, Add(&[Enter(1)])), // SYSCALL_POLL_X
    rule(85, 1, Change(83, &[Old(0)])), // SYSCALL_NEWSELECT_X
    rule(86, 3, Store), // SYSCALL_LSEEK_E
    rule(87, 1, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_LSEEK_X
    rule(88, 3, Store), // SYSCALL_LLSEEK_E
    rule(89, 1, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_LLSEEK_X
    rule(90, 2, Store), // SYSCALL_IOCTL_2_E
    rule(91, 1, Change(171, &[Old(0), EnterOrEmpty(0), EnterOrEmpty(1), Empty])), // SYSCALL_IOCTL_2_X
    rule(96, 1, Store), // SYSCALL_FCHDIR_E
    rule(97, 1, Add(&[EnterOrEmpty(0)])), // SYSCALL_FCHDIR_X
    rule(98, 2, Store), // SYSCALL_MKDIR_E
    rule(99, 1, Change(277, &[Old(0), EnterOrEmpty(0), EnterOrEmpty(1)])), // SYSCALL_MKDIR_X
    rule(100, 1, Store), // SYSCALL_RMDIR_E
    rule(101, 1, Change(279, &[Old(0), EnterOrEmpty(0)])), // SYSCALL_RMDIR_X
    rule(102, 4, Store), // SYSCALL_OPENAT_E
    rule(103, 1, Change(307, &[Old(0), EnterOrEmpty(0), EnterOrEmpty(1), EnterOrEmpty(2), EnterOrEmpty(3), Empty, Empty])), // SYSCALL_OPENAT_X
    rule(104, 2, Store), // SYSCALL_LINK_E
    rule(105, 1, Change(309, &[Old(0), EnterOrEmpty(0), EnterOrEmpty(1)])), // SYSCALL_LINK_X
    rule(106, 4, Store), // SYSCALL_LINKAT_E
    rule(107, 1, Change(311, &[Old(0), EnterOrEmpty(0), EnterOrEmpty(1), EnterOrEmpty(2), EnterOrEmpty(3), Empty])), // SYSCALL_LINKAT_X
    rule(108, 1, Store), // SYSCALL_UNLINK_E
    rule(109, 1, Change(301, &[Old(0), EnterOrEmpty(0)])), // SYSCALL_UNLINK_X
    rule(110, 2, Store), // SYSCALL_UNLINKAT_E
    rule(111, 1, Change(303, &[Old(0), EnterOrEmpty(0), EnterOrEmpty(1), Empty])), // SYSCALL_UNLINKAT_X
    rule(112, 3, Store), // SYSCALL_PREAD_E
    rule(113, 2, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_PREAD_X
    rule(114, 3, Store), // SYSCALL_PWRITE_E
    rule(115, 2, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_PWRITE_X
    rule(116, 1, Store), // SYSCALL_READV_E
    rule(117, 3, Add(&[Enter(0)])), // SYSCALL_READV_X
    rule(118, 2, Store), // SYSCALL_WRITEV_E
    rule(119, 2, Add(&[Enter(0), Enter(1)])), // SYSCALL_WRITEV_X
    rule(120, 2, Store), // SYSCALL_PREADV_E
    rule(121, 3, Add(&[Enter(0), Enter(1)])), // SYSCALL_PREADV_X
    rule(122, 3, Store), // SYSCALL_PWRITEV_E
    rule(123, 2, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_PWRITEV_X
    rule(124, 1, Store), // SYSCALL_DUP_E
    rule(125, 1, Change(367, &[Old(0), EnterOrEmpty(0)])), // SYSCALL_DUP_X
    rule(126, 3, Store), // SYSCALL_SIGNALFD_E
    rule(127, 1, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_SIGNALFD_X
    rule(128, 2, Store), // SYSCALL_KILL_E
    rule(129, 1, Add(&[Enter(0), Enter(1)])), // SYSCALL_KILL_X
    rule(130, 2, Store), // SYSCALL_TKILL_E
    rule(131, 1, Add(&[Enter(0), Enter(1)])), // SYSCALL_TKILL_X
    rule(132, 3, Store), // SYSCALL_TGKILL_E
    rule(133, 1, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_TGKILL_X
    rule(134, 1, Store), // SYSCALL_NANOSLEEP_E
    rule(135, 1, Add(&[Enter(0)])), // SYSCALL_NANOSLEEP_X
    rule(136, 2, Store), // SYSCALL_TIMERFD_CREATE_E
    rule(137, 1, Add(&[Enter(0), Enter(1)])), // SYSCALL_TIMERFD_CREATE_X
    rule(138, 1, Store), // SYSCALL_INOTIFY_INIT_E
    rule(139, 1, Add(&[Enter(0)])), // SYSCALL_INOTIFY_INIT_X
    rule(140, 1, Store), // SYSCALL_GETRLIMIT_E
    rule(141, 3, Add(&[Enter(0)])), // SYSCALL_GETRLIMIT_X
    rule(142, 1, Store), // SYSCALL_SETRLIMIT_E
    rule(143, 3, Add(&[Enter(0)])), // SYSCALL_SETRLIMIT_X
    rule(144, 2, Store), // SYSCALL_PRLIMIT_E
    rule(145, 5, Add(&[EnterOrEmpty(0), EnterOrEmpty(1)])), // SYSCALL_PRLIMIT_X
    rule(146, 1, Change(152, &[Old(0), Empty, Empty, Empty, Empty, Empty])), // SCHEDSWITCH_1_E
    rule(150, 2, Store), // SYSCALL_FCNTL_E
    rule(151, 1, Add(&[Enter(0), Enter(1)])), // SYSCALL_FCNTL_X
    rule(151, 3, Add(&[Default])), // SYSCALL_FCNTL_X
    rule(154, 0, Change(172, &[])), // SYSCALL_EXECVE_13_E
    rule(155, 13, Change(173, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Empty])), // SYSCALL_EXECVE_13_X
    rule(157, 16, Change(217, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Empty, Old(13), Old(14), Old(15)])), // SYSCALL_CLONE_16_X
    rule(158, 1, Store), // SYSCALL_BRK_4_E
    rule(159, 4, Add(&[EnterOrEmpty(0)])), // SYSCALL_BRK_4_X
    rule(160, 6, Store), // SYSCALL_MMAP_E
    rule(161, 4, Add(&[Enter(0), Enter(1), Enter(2), Enter(3), Enter(4), Enter(5)])), // SYSCALL_MMAP_X
    rule(162, 6, Store), // SYSCALL_MMAP2_E
    rule(163, 4, Add(&[Enter(0), Enter(1), Enter(2), Enter(3), Enter(4), Enter(5)])), // SYSCALL_MMAP2_X
    rule(164, 2, Store), // SYSCALL_MUNMAP_E
    rule(165, 4, Add(&[Enter(0), Enter(1)])), // SYSCALL_MUNMAP_X
    rule(166, 4, Store), // SYSCALL_SPLICE_E
    rule(167, 1, Add(&[Enter(0), Enter(1), Enter(2), Enter(3)])), // SYSCALL_SPLICE_X
    rule(168, 2, Store), // SYSCALL_PTRACE_E
    rule(169, 0, Add(&[Empty, Empty, Empty])), // SYSCALL_PTRACE_X
    rule(169, 3, Add(&[EnterOrEmpty(0), EnterOrEmpty(1)])), // SYSCALL_PTRACE_X
    rule(170, 3, Store), // SYSCALL_IOCTL_3_E
    rule(171, 1, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_IOCTL_3_X
    rule(172, 0, Change(214, &[])), // SYSCALL_EXECVE_14_E
    rule(173, 14, Change(215, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Empty, Old(13)])), // SYSCALL_EXECVE_14_X
    rule(183, 16, Change(219, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Empty, Old(13), Old(14), Old(15)])), // SYSCALL_FORK_X
    rule(185, 16, Change(221, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Empty, Old(13), Old(14), Old(15)])), // SYSCALL_VFORK_X
    rule(188, 4, Store), // SYSCALL_SENDFILE_E
    rule(189, 2, Add(&[Enter(0), Enter(1), Enter(3)])), // SYSCALL_SENDFILE_X
    rule(190, 4, Store), // SYSCALL_QUOTACTL_E
    rule(191, 14, Add(&[Enter(0), Enter(1), Enter(2), Enter(3)])), // SYSCALL_QUOTACTL_X
    rule(192, 3, Store), // SYSCALL_SETRESUID_E
    rule(193, 1, Add(&[EnterOrEmpty(0), EnterOrEmpty(1), EnterOrEmpty(2)])), // SYSCALL_SETRESUID_X
    rule(194, 3, Store), // SYSCALL_SETRESGID_E
    rule(195, 1, Add(&[EnterOrEmpty(0), EnterOrEmpty(1), EnterOrEmpty(2)])), // SYSCALL_SETRESGID_X
    rule(198, 1, Store), // SYSCALL_SETUID_E
    rule(199, 1, Add(&[EnterOrEmpty(0)])), // SYSCALL_SETUID_X
    rule(200, 1, Store), // SYSCALL_SETGID_E
    rule(201, 1, Add(&[EnterOrEmpty(0)])), // SYSCALL_SETGID_X
    rule(214, 0, Change(230, &[])), // SYSCALL_EXECVE_15_E
    rule(215, 15, Change(231, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Old(13), Empty, Old(14)])), // SYSCALL_EXECVE_15_X
    rule(217, 17, Change(223, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Old(13), Empty, Old(14), Old(15), Old(16), Empty, Empty])), // SYSCALL_CLONE_17_X
    rule(219, 17, Change(225, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Old(13), Empty, Old(14), Old(15), Old(16), Empty, Empty])), // SYSCALL_FORK_17_X
    rule(221, 17, Change(227, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Old(13), Empty, Old(14), Old(15), Old(16), Empty, Empty])), // SYSCALL_VFORK_17_X
    rule(223, 20, Add(&[Empty])), // SYSCALL_CLONE_20_X
    rule(225, 20, Add(&[Empty])), // SYSCALL_FORK_20_X
    rule(227, 20, Add(&[Empty])), // SYSCALL_VFORK_20_X
    rule(228, 4, Change(272, &[ContainerJson])), // CONTAINER_E
    rule(230, 0, Change(282, &[])), // SYSCALL_EXECVE_16_E
    rule(231, 16, Change(283, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Old(13), Old(14), Old(15), Empty])), // SYSCALL_EXECVE_16_X
    rule(236, 1, Store), // SYSCALL_GETDENTS_E
    rule(237, 1, Add(&[Enter(0)])), // SYSCALL_GETDENTS_X
    rule(238, 1, Store), // SYSCALL_GETDENTS64_E
    rule(239, 1, Add(&[Enter(0)])), // SYSCALL_GETDENTS64_X
    rule(240, 2, Store), // SYSCALL_SETNS_E
    rule(241, 1, Add(&[EnterOrEmpty(0), EnterOrEmpty(1)])), // SYSCALL_SETNS_X
    rule(242, 2, Store), // SYSCALL_FLOCK_E
    rule(243, 1, Add(&[Enter(0), Enter(1)])), // SYSCALL_FLOCK_X
    rule(248, 1, Store), // SOCKET_ACCEPT4_5_E
    rule(249, 5, Change(389, &[Old(0), Old(1), Old(2), Old(3), Old(4), Enter(0)])), // SOCKET_ACCEPT4_5_X
    rule(250, 1, Store), // SYSCALL_SEMOP_E
    rule(251, 8, Add(&[Enter(0)])), // SYSCALL_SEMOP_X
    rule(252, 4, Store), // SYSCALL_SEMCTL_E
    rule(253, 1, Add(&[Enter(0), Enter(1), Enter(2), Enter(3)])), // SYSCALL_SEMCTL_X
    rule(254, 3, Store), // SYSCALL_PPOLL_E
    rule(255, 2, Add(&[Enter(1), Enter(2)])), // SYSCALL_PPOLL_X
    rule(256, 1, Store), // SYSCALL_MOUNT_E
    rule(257, 4, Add(&[Enter(0)])), // SYSCALL_MOUNT_X
    rule(259, 2, Change(387, &[Old(0), Old(1)])), // SYSCALL_UMOUNT_X
    rule(262, 3, Store), // SYSCALL_SEMGET_E
    rule(263, 1, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_SEMGET_X
    rule(264, 1, Store), // SYSCALL_ACCESS_E
    rule(265, 2, Add(&[Enter(0)])), // SYSCALL_ACCESS_X
    rule(272, 1, Change(324, &[Old(0)])), // CONTAINER_JSON_E
    rule(276, 1, Store), // SYSCALL_MKDIR_2_E
    rule(277, 2, Add(&[EnterOrEmpty(0)])), // SYSCALL_MKDIR_2_X
    rule(282, 0, Change(288, &[Empty])), // SYSCALL_EXECVE_17_E
    rule(283, 17, Change(289, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Old(13), Old(14), Old(15), Old(16)])), // SYSCALL_EXECVE_17_X
    rule(284, 1, Store), // SYSCALL_UNSHARE_E
    rule(285, 1, Add(&[Enter(0)])), // SYSCALL_UNSHARE_X
    rule(288, 1, Change(292, &[Old(0)])), // SYSCALL_EXECVE_18_E
    rule(289, 17, Change(293, &[Old(0), Old(1), Old(2), Old(3), Old(4), Old(5), Old(6), Old(7), Old(8), Old(9), Old(10), Old(11), Old(12), Old(13), Old(14), Old(15), Old(16), Empty])), // SYSCALL_EXECVE_18_X
    rule(292, 1, StoreAndPass), // SYSCALL_EXECVE_19_E
    rule(293, 18, Add(&[Empty])), // SYSCALL_EXECVE_19_X
    rule(293, 19, Add(&[Empty])), // SYSCALL_EXECVE_19_X
    rule(293, 20, Add(&[Empty, Empty, Empty])), // SYSCALL_EXECVE_19_X
    rule(293, 23, Add(&[Empty, Empty, Empty])), // SYSCALL_EXECVE_19_X
    rule(293, 26, Add(&[Empty])), // SYSCALL_EXECVE_19_X
    rule(293, 27, Add(&[Empty])), // SYSCALL_EXECVE_19_X
    rule(293, 28, Add(&[Empty])), // SYSCALL_EXECVE_19_X
    rule(293, 29, Add(&[Empty])), // SYSCALL_EXECVE_19_X
    rule(293, 30, Add(&[EnterOrEmpty(0)])), // SYSCALL_EXECVE_19_X
    rule(294, 2, Store), // SYSCALL_SETPGID_E
    rule(295, 1, Add(&[EnterOrEmpty(0), EnterOrEmpty(1)])), // SYSCALL_SETPGID_X
    rule(296, 1, Store), // SYSCALL_BPF_E
    rule(297, 1, Change(369, &[Old(0), EnterOrEmpty(0)])), // SYSCALL_BPF_X
    rule(298, 1, Add(&[Default])), // SYSCALL_SECCOMP_E
    rule(298, 2, Store), // SYSCALL_SECCOMP_E
    rule(299, 1, Add(&[Enter(0), Enter(1)])), // SYSCALL_SECCOMP_X
    rule(306, 0, Add(&[Empty, Empty, Empty, Empty])), // SYSCALL_OPENAT_2_E
    rule(306, 4, Pass), // SYSCALL_OPENAT_2_E
    rule(307, 5, Add(&[Empty])), // SYSCALL_OPENAT_2_X
    rule(307, 6, Add(&[Empty])), // SYSCALL_OPENAT_2_X
    rule(326, 0, Add(&[Empty, Empty, Empty, Empty, Empty])), // SYSCALL_OPENAT2_E
    rule(326, 5, Pass), // SYSCALL_OPENAT2_E
    rule(327, 6, Add(&[Empty, Empty])), // SYSCALL_OPENAT2_X
    rule(328, 3, Store), // SYSCALL_MPROTECT_E
    rule(329, 1, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_MPROTECT_X
    rule(330, 3, Pass), // SYSCALL_EXECVEAT_E
    rule(331, 19, Add(&[Empty])), // SYSCALL_EXECVEAT_X
    rule(331, 20, Add(&[Empty, Empty, Empty])), // SYSCALL_EXECVEAT_X
    rule(331, 23, Add(&[Empty, Empty, Empty])), // SYSCALL_EXECVEAT_X
    rule(331, 26, Add(&[Empty])), // SYSCALL_EXECVEAT_X
    rule(331, 27, Add(&[Empty])), // SYSCALL_EXECVEAT_X
    rule(331, 28, Add(&[Empty])), // SYSCALL_EXECVEAT_X
    rule(331, 29, Add(&[Empty])), // SYSCALL_EXECVEAT_X
    rule(332, 3, Store), // SYSCALL_COPY_FILE_RANGE_E
    rule(333, 3, Add(&[Enter(0), Enter(1), Enter(2)])), // SYSCALL_COPY_FILE_RANGE_X
    rule(335, 20, Add(&[Empty])), // SYSCALL_CLONE3_X
    rule(374, 1, Store), // SYSCALL_EPOLL_CREATE_E
    rule(375, 1, Add(&[Enter(0)])), // SYSCALL_EPOLL_CREATE_X
    rule(376, 1, Store), // SYSCALL_EPOLL_CREATE1_E
    rule(377, 1, Add(&[Enter(0)])), // SYSCALL_EPOLL_CREATE1_X
    rule(388, 1, Store), // SOCKET_ACCEPT4_6_E
    rule(389, 5, Add(&[Enter(0)])), // SOCKET_ACCEPT4_6_X
    rule(390, 1, Store), // SYSCALL_UMOUNT2_E
    rule(391, 2, Add(&[Enter(0)])), // SYSCALL_UMOUNT2_X
    rule(396, 1, Store), // SYSCALL_EVENTFD2_E
    rule(397, 2, Add(&[Enter(0)])), // SYSCALL_EVENTFD2_X
    rule(398, 2, Store), // SYSCALL_SIGNALFD4_E
    rule(399, 2, Add(&[Enter(0), Enter(1)])), // SYSCALL_SIGNALFD4_X
];
