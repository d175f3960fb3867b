/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The kernel's flags and enumerations, as the portable tables of the capture format number them.
 * A kernel value that the table lacks gives no bit.
 */
#pragma once
#include "types.bpf.h"
#include "events.gen.h"
#include <asm/fcntl.h>
#include <asm/mman.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>

#define BIT_FROM(kernel, portable)                                                                 \
	if (x & (kernel))                                                                          \
	out |= (portable)

/*
 * O_TMPFILE and O_SYNC are several bits in the kernel; each of them alone counts, as in captures
 * ever since.
 */
static inline u32 open_flags(u64 x)
{
	u32 out;
	switch (x & O_ACCMODE) {
	case O_WRONLY:
		out = PPM_O_WRONLY;
		break;
	case O_RDWR:
		out = PPM_O_RDWR;
		break;
	default:
		out = PPM_O_RDONLY;
	}
	BIT_FROM(O_CREAT, PPM_O_CREAT);
	BIT_FROM(O_TMPFILE, PPM_O_TMPFILE);
	BIT_FROM(O_APPEND, PPM_O_APPEND);
	BIT_FROM(O_DSYNC, PPM_O_DSYNC);
	BIT_FROM(O_EXCL, PPM_O_EXCL);
	BIT_FROM(O_NONBLOCK, PPM_O_NONBLOCK);
	BIT_FROM(O_SYNC, PPM_O_SYNC);
	BIT_FROM(O_TRUNC, PPM_O_TRUNC);
	BIT_FROM(O_DIRECT, PPM_O_DIRECT);
	BIT_FROM(O_DIRECTORY, PPM_O_DIRECTORY);
	BIT_FROM(O_LARGEFILE, PPM_O_LARGEFILE);
	BIT_FROM(O_CLOEXEC, PPM_O_CLOEXEC);
	return out;
}

/* The mode counts only where a file may come into being. */
static inline u32 open_mode(u64 flags, u64 mode)
{
	return flags & (O_CREAT | O_TMPFILE) ? mode & 07777 : 0;
}

/* SOCK_*, EFD_*, SFD_*, IN_*, pipe2 and dup3 flags are those of open. */
static inline u32 fd_flags(u64 x)
{
	u32 out = 0;
	BIT_FROM(O_NONBLOCK, PPM_O_NONBLOCK);
	BIT_FROM(O_CLOEXEC, PPM_O_CLOEXEC);
	return out;
}

static inline u32 pipe_flags(u64 x)
{
	u32 out = fd_flags(x);
	BIT_FROM(O_DIRECT, PPM_O_DIRECT);
	return out;
}

static inline u32 resolve_flags(u64 x)
{
	u32 out = 0;
	BIT_FROM(0x01, PPM_RESOLVE_NO_XDEV);
	BIT_FROM(0x02, PPM_RESOLVE_NO_MAGICLINKS);
	BIT_FROM(0x04, PPM_RESOLVE_NO_SYMLINKS);
	BIT_FROM(0x08, PPM_RESOLVE_BENEATH);
	BIT_FROM(0x10, PPM_RESOLVE_IN_ROOT);
	BIT_FROM(0x20, PPM_RESOLVE_CACHED);
	return out;
}

static inline u32 clone_flags(u64 x)
{
	u32 out = 0;
	BIT_FROM(CLONE_FILES, PPM_CL_CLONE_FILES);
	BIT_FROM(CLONE_FS, PPM_CL_CLONE_FS);
	BIT_FROM(CLONE_IO, PPM_CL_CLONE_IO);
	BIT_FROM(CLONE_NEWIPC, PPM_CL_CLONE_NEWIPC);
	BIT_FROM(CLONE_NEWNET, PPM_CL_CLONE_NEWNET);
	BIT_FROM(CLONE_NEWNS, PPM_CL_CLONE_NEWNS);
	BIT_FROM(CLONE_NEWPID, PPM_CL_CLONE_NEWPID);
	BIT_FROM(CLONE_NEWUTS, PPM_CL_CLONE_NEWUTS);
	BIT_FROM(CLONE_PARENT, PPM_CL_CLONE_PARENT);
	BIT_FROM(CLONE_PARENT_SETTID, PPM_CL_CLONE_PARENT_SETTID);
	BIT_FROM(CLONE_PTRACE, PPM_CL_CLONE_PTRACE);
	BIT_FROM(CLONE_SIGHAND, PPM_CL_CLONE_SIGHAND);
	BIT_FROM(CLONE_SYSVSEM, PPM_CL_CLONE_SYSVSEM);
	BIT_FROM(CLONE_THREAD, PPM_CL_CLONE_THREAD);
	BIT_FROM(CLONE_UNTRACED, PPM_CL_CLONE_UNTRACED);
	BIT_FROM(CLONE_VM, PPM_CL_CLONE_VM);
	BIT_FROM(CLONE_NEWUSER, PPM_CL_CLONE_NEWUSER);
	BIT_FROM(CLONE_CHILD_CLEARTID, PPM_CL_CLONE_CHILD_CLEARTID);
	BIT_FROM(CLONE_CHILD_SETTID, PPM_CL_CLONE_CHILD_SETTID);
	BIT_FROM(CLONE_SETTLS, PPM_CL_CLONE_SETTLS);
	BIT_FROM(CLONE_VFORK, PPM_CL_CLONE_VFORK);
	BIT_FROM(CLONE_NEWCGROUP, PPM_CL_CLONE_NEWCGROUP);
	return out;
}

static inline u32 mknod_mode(u64 mode)
{
	u32 out = mode & 07777, type = mode & 0170000;
	switch (type) {
	case 0140000: /* socket */
	case 0100000: /* regular */
	case 0060000: /* block device */
	case 0020000: /* character device */
	case 0010000: /* pipe */
		return out | type;
	case 0:
		return out | PPM_S_IFREG;
	}
	return out;
}

static inline u32 prot_flags(u64 x)
{
	u32 out = x & (PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM);
	BIT_FROM(PROT_GROWSDOWN, PPM_PROT_GROWSDOWN);
	BIT_FROM(PROT_GROWSUP, PPM_PROT_GROWSUP);
	return out;
}

static inline u32 mmap_flags(u64 x)
{
	u32 out = x & (MAP_SHARED | MAP_PRIVATE);
	BIT_FROM(MAP_FIXED, PPM_MAP_FIXED);
	BIT_FROM(MAP_ANONYMOUS, PPM_MAP_ANONYMOUS);
#ifdef __TARGET_ARCH_x86
	BIT_FROM(0x40, PPM_MAP_32BIT);
#endif
	BIT_FROM(MAP_NORESERVE, PPM_MAP_NORESERVE);
	BIT_FROM(MAP_POPULATE, PPM_MAP_POPULATE);
	BIT_FROM(MAP_NONBLOCK, PPM_MAP_NONBLOCK);
	BIT_FROM(MAP_GROWSDOWN, PPM_MAP_GROWSDOWN);
	BIT_FROM(MAP_DENYWRITE, PPM_MAP_DENYWRITE);
	BIT_FROM(MAP_EXECUTABLE, PPM_MAP_EXECUTABLE);
	BIT_FROM(MAP_LOCKED, PPM_MAP_LOCKED);
	return out;
}

static inline u32 poll_events(u64 x)
{
	u32 out = x & 7;
	BIT_FROM(0x2000, PPM_POLLRDHUP);
	BIT_FROM(0x0008, PPM_POLLERR);
	BIT_FROM(0x0010, PPM_POLLHUP);
	BIT_FROM(0x0020, PPM_POLLNVAL);
	BIT_FROM(0x0040, PPM_POLLRDNORM);
	BIT_FROM(0x0080, PPM_POLLRDBAND);
	BIT_FROM(0x0100, PPM_POLLWRNORM);
	BIT_FROM(0x0200, PPM_POLLWRBAND);
	return out;
}

static inline u16 futex_op(u64 x)
{
	u16 op = x & 0x7f;
	return (op <= 12 ? op : 0) | (x & 0x180);
}

static inline u8 fcntl_command(u64 cmd)
{
	static const u8 low[] = {1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 13, 15, 0, 0, 0, 21, 22};
	switch (cmd) {
	case 0 ... 16:
		return low[cmd];
	case 1024: /* F_SETLEASE, F_GETLEASE */
	case 1025:
		return PPM_FCNTL_F_SETLEASE + (cmd - 1024);
	case 1026:
		return PPM_FCNTL_F_NOTIFY;
	case 1029:
		return PPM_FCNTL_F_CANCELLK;
	case 1030:
		return PPM_FCNTL_F_DUPFD_CLOEXEC;
	case 1031: /* F_SETPIPE_SZ, F_GETPIPE_SZ */
	case 1032:
		return PPM_FCNTL_F_SETPIPE_SZ + (cmd - 1031);
	case 36 ... 38: /* open file description locks */
		return PPM_FCNTL_F_OFD_GETLK + (cmd - 36);
	}
	return PPM_FCNTL_UNKNOWN;
}

static inline u8 lseek_whence(u64 x)
{
	return x == 1 || x == 2 ? x : 0;
}

static inline u8 rlimit_resource(u64 x)
{
	return (u32)x < 16 ? x : PPM_RLIMIT_UNKNOWN;
}

static inline u8 shutdown_how(u64 x)
{
	return (u32)x <= 2 ? x : (u8)PPM_SHUT_UNKNOWN;
}

static inline u8 sockopt_level(u64 x)
{
	switch ((s32)x) {
	case 1:
		return PPM_SOCKOPT_LEVEL_SOL_SOCKET;
	case 6:
		return PPM_SOCKOPT_LEVEL_SOL_TCP;
	}
	return PPM_SOCKOPT_LEVEL_UNKNOWN;
}

/* Numbers of the table are the kernel's up to 50; three later ones were put behind. */
static inline u8 sockopt_name(u64 level, u64 x)
{
	if ((s32)level != 1)
		return PPM_SOCKOPT_UNKNOWN;
	switch ((s32)x) {
	case 1 ... 50:
		return x;
	case 55:
		return PPM_SOCKOPT_SO_MEMINFO;
	case 57:
		return PPM_SOCKOPT_SO_COOKIE;
	case 59:
		return PPM_SOCKOPT_SO_PEERGROUPS;
	}
	return PPM_SOCKOPT_UNKNOWN;
}

static inline u16 ptrace_request(u64 x)
{
	static const u8 low[] = {1,  2, 3, 4, 5, 6,  7,	 8,  9,	 10, 0,	 0,
				 26, 27, 28, 29, 11, 12, 30, 31, 0,  32, 0, 0,
				 13, 33, 34, 0,	 0,  0,	 35, 36, 37, 38};
	if (x < sizeof(low))
		return low[x];
	if (x >= 0x4200 && x <= 0x420b)
		return PPM_PTRACE_SETOPTIONS + (x - 0x4200);
	return PPM_PTRACE_UNKNOWN;
}

static inline u16 semctl_command(u64 x)
{
	switch ((s32)x) {
	case 0:
		return PPM_IPC_RMID;
	case 1:
		return PPM_IPC_SET;
	case 2:
		return PPM_IPC_STAT;
	case 3:
		return PPM_IPC_INFO;
	case 11:
		return PPM_GETPID;
	case 12:
		return PPM_GETVAL;
	case 13:
		return PPM_GETALL;
	case 14:
		return PPM_GETNCNT;
	case 15:
		return PPM_GETZCNT;
	case 16:
		return PPM_SETVAL;
	case 17:
		return PPM_SETALL;
	case 18:
		return PPM_SEM_STAT;
	case 19:
		return PPM_SEM_INFO;
	}
	return 0;
}

static inline u32 semget_flags(u64 x)
{
	u32 out = 0;
	BIT_FROM(01000, PPM_IPC_CREAT);
	BIT_FROM(02000, PPM_IPC_EXCL);
	return out;
}

static inline u16 semop_flags(u64 x)
{
	u32 out = 0;
	BIT_FROM(04000, PPM_IPC_NOWAIT);
	BIT_FROM(0x1000, PPM_SEM_UNDO);
	return out;
}

static inline u32 unlinkat_flags(u64 x)
{
	return x & 0x200 ? PPM_AT_REMOVEDIR : 0;
}

static inline u32 linkat_flags(u64 x)
{
	return x & (PPM_AT_SYMLINK_FOLLOW | PPM_AT_EMPTY_PATH);
}

static inline u32 fchownat_flags(u64 x)
{
	return x & PPM_AT_EMPTY_PATH;
}

/* The table ends before vsockets; what it lacks becomes AF_UNSPEC. */
static inline u32 socket_family(u64 x)
{
	return (u32)x <= PPM_AF_NFC && x != 27 && x != 28 ? x : PPM_AF_UNSPEC;
}

static inline u32 newfstatat_flags(u64 x)
{
	return x & (PPM_AT_SYMLINK_NOFOLLOW | PPM_AT_EMPTY_PATH | PPM_AT_NO_AUTOMOUNT);
}

static inline u32 io_uring_setup_flags(u64 x)
{
	u32 out = 0;
	BIT_FROM(1, PPM_IORING_SETUP_IOPOLL);
	BIT_FROM(2, PPM_IORING_SETUP_SQPOLL);
	BIT_FROM(4, PPM_IORING_SETUP_SQ_AFF);
	BIT_FROM(8, PPM_IORING_SETUP_CQSIZE);
	BIT_FROM(16, PPM_IORING_SETUP_CLAMP);
	BIT_FROM(32, PPM_IORING_SETUP_ATTACH_WQ);
	BIT_FROM(64, PPM_IORING_SETUP_R_DISABLED);
	return out;
}

static inline u16 quotactl_command(u64 cmd)
{
	switch ((u32)cmd >> 8) {
	case 0x800001:
		return PPM_Q_SYNC;
	case 0x800002:
		return PPM_Q_QUOTAON;
	case 0x800003:
		return PPM_Q_QUOTAOFF;
	case 0x800004:
		return PPM_Q_GETFMT;
	case 0x800005:
		return PPM_Q_GETINFO;
	case 0x800006:
		return PPM_Q_SETINFO;
	case 0x800007:
		return PPM_Q_GETQUOTA;
	case 0x800008:
		return PPM_Q_SETQUOTA;
	case 'X' << 8 | 1:
		return PPM_Q_XQUOTAON;
	case 'X' << 8 | 2:
		return PPM_Q_XQUOTAOFF;
	case 'X' << 8 | 3:
		return PPM_Q_XGETQUOTA;
	case 'X' << 8 | 4:
		return PPM_Q_XSETQLIM;
	case 'X' << 8 | 5:
		return PPM_Q_XGETQSTAT;
	case 'X' << 8 | 6:
		return PPM_Q_XQUOTARM;
	case 'X' << 8 | 7:
		return PPM_Q_XQUOTASYNC;
	case 'X' << 8 | 8:
		return PPM_Q_XGETQSTATV;
	}
	return 0;
}

static inline u8 quota_type(u64 cmd)
{
	switch (cmd & 0xff) {
	case 0:
		return PPM_USRQUOTA;
	case 1:
		return PPM_GRPQUOTA;
	}
	return 0;
}

static inline u8 quota_format(u64 x)
{
	switch (x) {
	case 1:
		return PPM_QFMT_VFS_OLD;
	case 2:
		return PPM_QFMT_VFS_V0;
	case 4:
		return PPM_QFMT_VFS_V1;
	}
	return PPM_QFMT_NOT_USED;
}
