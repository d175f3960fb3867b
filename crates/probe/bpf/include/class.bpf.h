/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Class of an event: by which its losses are counted, and which lane it takes.
 * All is decided when the programs are compiled.
 */
#pragma once
#include "events.gen.h"

enum class {
	CLASS_OTHER,
	CLASS_CLONE_FORK,
	CLASS_EXECVE,
	CLASS_CONNECT_ENTER,
	CLASS_CONNECT,
	CLASS_OPEN_ENTER,
	CLASS_OPEN,
	CLASS_DIR_FILE,
	CLASS_CLOSE,
	CLASS_PROC_EXIT,
	CLASS_OTHER_INTEREST,
	CLASS_COUNT,
};

static inline enum class class_of(u16 code)
{
	switch (code) {
	case SYSCALL_CLONE_20_X:
	case SYSCALL_CLONE3_X:
	case SYSCALL_FORK_20_X:
	case SYSCALL_VFORK_20_X:
		return CLASS_CLONE_FORK;
	case SYSCALL_EXECVE_19_X:
	case SYSCALL_EXECVEAT_X:
		return CLASS_EXECVE;
	case SOCKET_CONNECT_E:
		return CLASS_CONNECT_ENTER;
	case SOCKET_CONNECT_X:
		return CLASS_CONNECT;
	case SYSCALL_OPEN_E:
	case SYSCALL_OPENAT_2_E:
	case SYSCALL_OPENAT2_E:
	case SYSCALL_CREAT_E:
		return CLASS_OPEN_ENTER;
	case SYSCALL_OPEN_X:
	case SYSCALL_OPENAT_2_X:
	case SYSCALL_OPENAT2_X:
	case SYSCALL_CREAT_X:
	case SYSCALL_OPEN_BY_HANDLE_AT_X:
		return CLASS_OPEN;
	case SYSCALL_CHMOD_X:
	case SYSCALL_FCHMOD_X:
	case SYSCALL_FCHMODAT_X:
	case SYSCALL_CHOWN_X:
	case SYSCALL_LCHOWN_X:
	case SYSCALL_FCHOWN_X:
	case SYSCALL_FCHOWNAT_X:
	case SYSCALL_LINK_2_X:
	case SYSCALL_LINKAT_2_X:
	case SYSCALL_MKDIR_2_X:
	case SYSCALL_MKDIRAT_X:
	case SYSCALL_MOUNT_X:
	case SYSCALL_UMOUNT_1_X:
	case SYSCALL_UMOUNT2_X:
	case SYSCALL_RENAME_X:
	case SYSCALL_RENAMEAT_X:
	case SYSCALL_RENAMEAT2_X:
	case SYSCALL_RMDIR_2_X:
	case SYSCALL_SYMLINK_X:
	case SYSCALL_SYMLINKAT_X:
	case SYSCALL_UNLINK_2_X:
	case SYSCALL_UNLINKAT_2_X:
		return CLASS_DIR_FILE;
	case SYSCALL_CLOSE_X:
		return CLASS_CLOSE;
	case PROCEXIT_1_E:
		return CLASS_PROC_EXIT;
	case SYSCALL_BPF_2_X:
	case SYSCALL_SETPGID_X:
	case SYSCALL_PTRACE_X:
	case SYSCALL_SECCOMP_X:
	case SYSCALL_SETNS_X:
	case SYSCALL_SETRESGID_X:
	case SYSCALL_SETRESUID_X:
	case SYSCALL_SETSID_X:
	case SYSCALL_UNSHARE_X:
	case SYSCALL_CAPSET_X:
	case SYSCALL_KEYCTL_X:
		return CLASS_OTHER_INTEREST;
	default:
		return CLASS_OTHER;
	}
}

/*
 * A lane is a buffer of its own, which events of the other lanes cannot fill. Births, programs and
 * ends of processes have one, for nothing makes sense without them; what changes credentials has
 * another, for such calls cost their caller little and may come in floods. A process that floods
 * it is sent to the lane of bulk for a while: see is_flood().
 */
enum lane {
	LANE_BULK,
	LANE_PROCESS,
	LANE_CREDENTIALS,
	LANE_COUNT,
};

static inline enum lane lane_of(u16 code)
{
	switch (class_of(code)) {
	case CLASS_CLONE_FORK:
	case CLASS_EXECVE:
	case CLASS_PROC_EXIT:
		return LANE_PROCESS;
	case CLASS_OTHER_INTEREST:
		return LANE_CREDENTIALS;
	default:
		break;
	}
	switch (code) {
	case SYSCALL_SETUID_X:
	case SYSCALL_SETGID_X:
	case SYSCALL_SETREUID_X:
	case SYSCALL_SETREGID_X:
	case SYSCALL_CHROOT_X:
		return LANE_CREDENTIALS;
	default:
		return LANE_BULK;
	}
}
