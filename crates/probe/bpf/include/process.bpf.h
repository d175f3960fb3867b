/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The long events of clone and exec, which several programs send. */
#pragma once
#include "file.bpf.h"
#include "flags.bpf.h"

/* tid to cgroups: the stretch that clone and exec events have in common. */
static inline void put_exec_task(struct out *o, struct task_struct *task)
{
	struct memory m = task_memory(task);
	put_u64(o, READ(task, pid));
	put_u64(o, READ(task, tgid));
	put_u64(o, READ(task, real_parent, pid));
	put_empty(o); /* working directory: followed by chdir */
	put_u64(o, READ(task, signal, rlim[RLIMIT_NOFILE].rlim_cur));
	put_u64(o, READ(task, maj_flt));
	put_u64(o, READ(task, min_flt));
	put_u32(o, m.size);
	put_u32(o, m.rss);
	put_u32(o, m.swap);
	put_comm(o, task);
	put_cgroups(o, task);
}

/*
 * A child comes out of sys_exit, but not out of its parent's function. On arm64 captures have its
 * event from the scheduler in any case.
 */
#if defined(ATTACH_FEXIT) || defined(__TARGET_ARCH_arm64)
#define CHILD_TOLD_BY_PARENT
#endif

/* Native numbers of the calls that make processes; arm64 has no fork and vfork. */
#ifdef __TARGET_ARCH_x86
enum { NR_CLONE = 56, NR_FORK = 57, NR_VFORK = 58, NR_CLONE3 = 435 };
#else
enum { NR_CLONE = 220, NR_FORK = -1, NR_VFORK = -2, NR_CLONE3 = 435 };
#endif

static inline int send_clone(const struct call *c, u16 code, u32 flags)
{
	struct task_struct *task = c->task;
	s64 ret = c->ret;
	u32 level = task_ns_level(task);
	struct pid_namespace *own = pid_own(task_pid(task, PIDTYPE_PID)).ns;
	struct pid_namespace *children = READ(task, nsproxy, pid_ns_for_children);
	if (level != 0 || children != own)
		flags |= PPM_CL_CHILD_IN_PIDNS;
	OUT_OF(o, READ(task, pid), SYSCALL_CLONE_20_X, 21);
	retype(&o, code);
	put_u64(&o, ret);
	if (ret >= 0) {
		put_arguments(&o, task);
	} else {
		put_empty(&o);
		put_empty(&o);
	}
	put_exec_task(&o, task);
	put_u32(&o, flags);
	put_u32(&o, READ(task, cred, euid.val));
	put_u32(&o, READ(task, cred, egid.val));
	put_u64(&o, pid_virtual(task_pid(task, PIDTYPE_PID)));
	put_u64(&o, pid_virtual(task_pid(task, PIDTYPE_TGID)));
	put_u64(&o, ret == 0 ? pidns_start(task) : 0);
	return out_send(&o);
}

/* tty to gid: what follows the environment in an exec event. */
static inline void put_exec_credentials(struct out *o, struct task_struct *task)
{
	struct cred *cred = READ(task, cred);
	struct file *exe = READ(task, mm, exe_file);
	struct inode *inode = READ(exe, f_inode);
	put_u32(o, task_tty(task));
	put_u64(o, pid_virtual(task_pid(task, PIDTYPE_PGID)));
	put_u32(o, task_loginuid(task));
	put_u32(o, exe_flags(task, exe));
	put_u64(o, CAPABILITIES(cred, cap_inheritable));
	put_u64(o, CAPABILITIES(cred, cap_permitted));
	put_u64(o, CAPABILITIES(cred, cap_effective));
	put_u64(o, READ(inode, i_ino));
	put_u64(o, inode_ctime(inode));
	put_u64(o, inode_mtime(inode));
	put_u32(o, READ(cred, euid.val));
	put_kernel_path(o, exe);
	put_u64(o, pid_number(task_pid(task, PIDTYPE_PGID)));
	put_u32(o, READ(cred, egid.val));
}
