/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls on paths: look, make, rename, remove, change owner and mode, mount. */
#include "file.bpf.h"
#include "flags.bpf.h"

/* A result and one path. */
#define EXIT_PATH_AS(name, kernel_name, code)                                                      \
	EXIT_AS(name, kernel_name)                                                                 \
	{                                                                                          \
		OUT_BEGIN(o, code, 2);                                                             \
		put_u64(&o, c->ret);                                                               \
		put_user_str(&o, ARG(0));                                                          \
		return out_send(&o);                                                               \
	}

#define EXIT_PATH(name, code) EXIT_PATH_AS(name, name, code)

EXIT_PATH(chdir, SYSCALL_CHDIR_X)
EXIT_PATH(chroot, SYSCALL_CHROOT_X)
EXIT_PATH(rmdir, SYSCALL_RMDIR_2_X)
EXIT_PATH(unlink, SYSCALL_UNLINK_2_X)
EXIT_PATH_AS(stat, newstat, SYSCALL_STAT_X)
EXIT_PATH_AS(lstat, newlstat, SYSCALL_LSTAT_X)

/* A result and two paths. */
#define EXIT_PATHS(name, code)                                                                     \
	EXIT(name)                                                                                 \
	{                                                                                          \
		OUT_BEGIN(o, code, 3);                                                             \
		put_u64(&o, c->ret);                                                               \
		put_user_str(&o, ARG(0));                                                          \
		put_user_str(&o, ARG(1));                                                          \
		return out_send(&o);                                                               \
	}

EXIT_PATHS(link, SYSCALL_LINK_2_X)
EXIT_PATHS(rename, SYSCALL_RENAME_X)
EXIT_PATHS(symlink, SYSCALL_SYMLINK_X)

EXIT(getcwd)
{
	OUT_BEGIN(o, SYSCALL_GETCWD_X, 2);
	put_u64(&o, c->ret);
	put_user_str(&o, c->ret < 0 ? 0 : ARG(0));
	return out_send(&o);
}

EXIT(fchdir)
{
	FIXED(SYSCALL_FCHDIR_X, RET, FD(0));
}

EXIT(access)
{
	OUT_BEGIN(o, SYSCALL_ACCESS_X, 3);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u32(&o, ARG(1) & 7);
	return out_send(&o);
}

EXIT_AS(fstat, newfstat)
{
	FIXED(SYSCALL_FSTAT_X, RET, FD(0));
}

EXIT(newfstatat)
{
	OUT_BEGIN(o, SYSCALL_NEWFSTATAT_X, 4);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, newfstatat_flags(ARG(3)));
	return out_send(&o);
}

EXIT(chmod)
{
	OUT_BEGIN(o, SYSCALL_CHMOD_X, 3);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u32(&o, ARG(1) & 07777);
	return out_send(&o);
}

EXIT(fchmod)
{
	FIXED(SYSCALL_FCHMOD_X, RET, FD(0), I32(ARG(1) & 07777));
}

EXIT(fchmodat)
{
	OUT_BEGIN(o, SYSCALL_FCHMODAT_X, 4);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, ARG(2) & 07777);
	return out_send(&o);
}

#define EXIT_CHOWN(name, code)                                                                     \
	EXIT(name)                                                                                 \
	{                                                                                          \
		OUT_BEGIN(o, code, 4);                                                             \
		put_u64(&o, c->ret);                                                               \
		put_user_str(&o, ARG(0));                                                          \
		put_u32(&o, ARG(1));                                                               \
		put_u32(&o, ARG(2));                                                               \
		return out_send(&o);                                                               \
	}

EXIT_CHOWN(chown, SYSCALL_CHOWN_X)
EXIT_CHOWN(lchown, SYSCALL_LCHOWN_X)

EXIT(fchown)
{
	FIXED(SYSCALL_FCHOWN_X, RET, FD(0), I32(ARG(1)), I32(ARG(2)));
}

EXIT(fchownat)
{
	OUT_BEGIN(o, SYSCALL_FCHOWNAT_X, 6);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, ARG(2));
	put_u32(&o, ARG(3));
	put_u32(&o, fchownat_flags(ARG(4)));
	return out_send(&o);
}

EXIT(linkat)
{
	OUT_BEGIN(o, SYSCALL_LINKAT_2_X, 6);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u64(&o, INT(2));
	put_user_str(&o, ARG(3));
	put_u32(&o, linkat_flags(ARG(4)));
	return out_send(&o);
}

EXIT(symlinkat)
{
	OUT_BEGIN(o, SYSCALL_SYMLINKAT_X, 4);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u64(&o, INT(1));
	put_user_str(&o, ARG(2));
	return out_send(&o);
}

EXIT(renameat)
{
	OUT_BEGIN(o, SYSCALL_RENAMEAT_X, 5);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u64(&o, INT(2));
	put_user_str(&o, ARG(3));
	return out_send(&o);
}

EXIT(renameat2)
{
	OUT_BEGIN(o, SYSCALL_RENAMEAT2_X, 6);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u64(&o, INT(2));
	put_user_str(&o, ARG(3));
	put_u32(&o, ARG(4));
	return out_send(&o);
}

EXIT(unlinkat)
{
	OUT_BEGIN(o, SYSCALL_UNLINKAT_2_X, 4);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, unlinkat_flags(ARG(2)));
	return out_send(&o);
}

EXIT(mkdir)
{
	OUT_BEGIN(o, SYSCALL_MKDIR_2_X, 3);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u32(&o, ARG(1));
	return out_send(&o);
}

EXIT(mkdirat)
{
	OUT_BEGIN(o, SYSCALL_MKDIRAT_X, 4);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, ARG(2));
	return out_send(&o);
}

EXIT(mknod)
{
	OUT_BEGIN(o, SYSCALL_MKNOD_X, 4);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u32(&o, mknod_mode(ARG(1)));
	put_u32(&o, encode_dev(ARG(2)));
	return out_send(&o);
}

EXIT(mknodat)
{
	OUT_BEGIN(o, SYSCALL_MKNODAT_X, 5);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, mknod_mode(ARG(2)));
	put_u32(&o, encode_dev(ARG(3)));
	return out_send(&o);
}

EXIT(mount)
{
	OUT_BEGIN(o, SYSCALL_MOUNT_X, 5);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_user_str(&o, ARG(1));
	put_user_str(&o, ARG(2));
	put_u32(&o, ARG(3));
	return out_send(&o);
}

EXIT_AS(umount2, umount)
{
	OUT_BEGIN(o, SYSCALL_UMOUNT2_X, 3);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u32(&o, ARG(1) & 15);
	return out_send(&o);
}

EXIT(fsconfig)
{
	enum { SET_STRING = 1, SET_BINARY, SET_PATH, SET_PATH_EMPTY };
	OUT_BEGIN(o, SYSCALL_FSCONFIG_X, 7);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_u32(&o, ARG(1));
	put_user_str(&o, ARG(2));
	u32 cmd = ARG(1);
	put_user_bytes(&o, c->ret >= 0 && cmd == SET_BINARY ? ARG(3) : 0, (u32)ARG(4), MAX_EVENT - 1);
	put_user_str(&o, c->ret >= 0 && (cmd == SET_STRING || cmd == SET_PATH ||
					 cmd == SET_PATH_EMPTY)
				 ? ARG(3)
				 : 0);
	put_u32(&o, ARG(4));
	return out_send(&o);
}

struct user_dqblk {
	u64 bhardlimit, bsoftlimit, curspace, ihardlimit, isoftlimit, curinodes, btime, itime;
	u32 valid, pad;
};
struct user_dqinfo {
	u64 bgrace, igrace;
	u32 flags, valid;
};

EXIT(quotactl)
{
	struct user_dqblk b = {};
	struct user_dqinfo info = {};
	u16 cmd = quotactl_command(ARG(0));
	u32 format = 0;
	if (cmd == PPM_Q_GETQUOTA || cmd == PPM_Q_SETQUOTA)
		bpf_probe_read_user(&b, sizeof(b), (void *)ARG(3));
	if (cmd == PPM_Q_GETINFO || cmd == PPM_Q_SETINFO)
		bpf_probe_read_user(&info, sizeof(info), (void *)ARG(3));
	if (cmd == PPM_Q_GETFMT)
		bpf_probe_read_user(&format, sizeof(format), (void *)ARG(3));
	bool has_id = cmd == PPM_Q_GETQUOTA || cmd == PPM_Q_SETQUOTA || cmd == PPM_Q_XGETQUOTA ||
		      cmd == PPM_Q_XSETQLIM;
	OUT_BEGIN(o, SYSCALL_QUOTACTL_X, 18);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(1));
	put_user_str(&o, cmd == PPM_Q_QUOTAON ? ARG(3) : 0);
	put_u64(&o, b.valid & 1 ? b.bhardlimit : 0);
	put_u64(&o, b.valid & 1 ? b.bsoftlimit : 0);
	put_u64(&o, b.valid & 2 ? b.curspace : 0);
	put_u64(&o, b.valid & 4 ? b.ihardlimit : 0);
	put_u64(&o, b.valid & 4 ? b.isoftlimit : 0);
	put_u64(&o, b.valid & 16 ? b.btime : 0);
	put_u64(&o, b.valid & 32 ? b.itime : 0);
	put_u64(&o, info.valid & 1 ? info.bgrace : 0);
	put_u64(&o, info.valid & 2 ? info.igrace : 0);
	put_u8(&o, info.valid & 4 ? (info.flags & 1 ? PPM_V1_DQF_RSQUASH : PPM_DQF_NONE) : 0);
	put_u8(&o, cmd == PPM_Q_GETFMT ? quota_format(format) : PPM_QFMT_NOT_USED);
	put_u16(&o, cmd);
	put_u8(&o, quota_type(ARG(0)));
	put_u32(&o, has_id ? ARG(2) : 0);
	put_u8(&o, cmd == PPM_Q_QUOTAON ? quota_format(ARG(2)) : PPM_QFMT_NOT_USED);
	return out_send(&o);
}
