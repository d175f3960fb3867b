/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls that make processes, run programs, and look into other processes. */
#include "process.bpf.h"
#include "flags.bpf.h"

static inline int send_made(const struct call *c, u16 code, u32 flags)
{
#ifdef CHILD_TOLD_BY_PARENT
	if (c->ret == 0)
		return 0;
#endif
	return send_clone(c, code, flags);
}

#ifdef ATTACH_DISPATCH

EXIT_SEVERAL(clone) /* clone3, fork, vfork */
{
	u16 code = SYSCALL_CLONE_20_X;
	u64 flags = ARG(0);
	switch ((s32)c->number) {
	case NR_CLONE3:
		code = SYSCALL_CLONE3_X;
		flags = 0;
		bpf_probe_read_user(&flags, sizeof(flags), (void *)ARG(0));
		break;
	case NR_FORK:
		code = SYSCALL_FORK_20_X;
		flags = 0;
		break;
	case NR_VFORK:
		code = SYSCALL_VFORK_20_X;
		flags = 0;
		break;
	}
	return send_made(c, code, clone_flags(flags));
}

#else

EXIT(clone)
{
	return send_made(c, SYSCALL_CLONE_20_X, clone_flags(ARG(0)));
}

EXIT(clone3)
{
	u64 flags = 0;
	bpf_probe_read_user(&flags, sizeof(flags), (void *)ARG(0));
	return send_made(c, SYSCALL_CLONE3_X, clone_flags(flags));
}

EXIT(fork)
{
	return send_made(c, SYSCALL_FORK_20_X, 0);
}

EXIT(vfork)
{
	return send_made(c, SYSCALL_VFORK_20_X, 0);
}

#endif

/* Only failures: success is told when the new image is in place (tracepoints/exec.bpf.c). */
static inline int failed_exec(const struct call *c, u16 code, u64 path, u64 argv, u64 envp)
{
	struct task_struct *task = c->task;
	bool has_filename = code == SYSCALL_EXECVE_19_X;
	if (c->ret == 0)
		return 0;
	OUT_BEGIN(o, code, has_filename ? 31 : 30);
	put_u64(&o, c->ret);
	/* One way through for the verifier: an exe of one NUL where there is no argument at all. */
	u64 first = 0;
	bool readable = !argv || !bpf_probe_read_user(&first, c->compat ? 4 : 8, (void *)argv);
	u32 exe_len = add_user_str(&o, first, MAX_PATH);
	if (readable && !first) {
		*(u8 *)AT(&o) = 0;
		exe_len = 1;
	}
	put_len(&o, exe_len);
	forget(&o);
	put_user_array(&o, c, first ? argv : 0, 1, 15, MAX_PATH - exe_len);
	put_exec_task(&o, task);
	put_user_array(&o, c, envp, 0, 16, MAX_PATH);
	put_exec_credentials(&o, task);
	if (has_filename)
		put_user_str(&o, path);
	return out_send(&o);
}

EXIT(execve)
{
	return failed_exec(c, SYSCALL_EXECVE_19_X, ARG(0), ARG(1), ARG(2));
}

EXIT(execveat)
{
	return failed_exec(c, SYSCALL_EXECVEAT_X, ARG(1), ARG(2), ARG(3));
}

EXIT(setpgid)
{
	FIXED(SYSCALL_SETPGID_X, RET, FD(0), FD(1));
}

EXIT(setsid)
{
	FIXED(SYSCALL_SETSID_X, RET);
}

EXIT(unshare)
{
	FIXED(SYSCALL_UNSHARE_X, RET, I32(clone_flags(ARG(0))));
}

EXIT(setns)
{
	FIXED(SYSCALL_SETNS_X, RET, FD(0), I32(clone_flags(ARG(1))));
}

EXIT(seccomp)
{
	FIXED(SYSCALL_SECCOMP_X, RET, I64(ARG(0)), I64(ARG(1)));
}

EXIT(prctl)
{
	enum { SET_NAME = 15, GET_NAME = 16, GET_CHILD_SUBREAPER = 37 };
	OUT_BEGIN(o, SYSCALL_PRCTL_X, 4);
	put_u64(&o, c->ret);
	put_u32(&o, ARG(0));
	s32 value = 0;
	switch ((u32)ARG(0)) {
	case SET_NAME:
	case GET_NAME:
		put_user_str(&o, ARG(1));
		put_u64(&o, 0);
		break;
	case GET_CHILD_SUBREAPER:
		bpf_probe_read_user(&value, sizeof(value), (void *)ARG(1));
		put_empty(&o);
		put_u64(&o, (s64)value);
		break;
	default:
		put_empty(&o);
		put_u64(&o, ARG(1));
	}
	return out_send(&o);
}

static inline void put_dyn_u64(struct out *o, u8 kind, u64 value)
{
	u32 start = o->at;
	ADD(o, u8, kind);
	ADD(o, u64, value);
	end_param(o, start);
}

EXIT(ptrace)
{
	u16 request = ptrace_request(ARG(0));
	u64 value = 0;
	u32 start;
	OUT_BEGIN(o, SYSCALL_PTRACE_X, 5);
	put_u64(&o, c->ret);
	put_dyn_u64(&o, PPM_PTRACE_IDX_UINT64, c->ret < 0 ? 0 : ARG(2));
	switch (c->ret < 0 ? 0 : request) {
	case PPM_PTRACE_PEEKTEXT:
	case PPM_PTRACE_PEEKDATA:
	case PPM_PTRACE_PEEKUSR:
		bpf_probe_read_user(&value, 8, (void *)ARG(3));
		put_dyn_u64(&o, PPM_PTRACE_IDX_UINT64, value);
		break;
	case PPM_PTRACE_CONT:
	case PPM_PTRACE_SINGLESTEP:
	case PPM_PTRACE_DETACH:
	case PPM_PTRACE_SYSCALL:
		start = o.at;
		ADD(&o, u8, PPM_PTRACE_IDX_SIGTYPE);
		ADD(&o, u8, ARG(3));
		end_param(&o, start);
		break;
	default:
		put_dyn_u64(&o, PPM_PTRACE_IDX_UINT64, c->ret < 0 ? 0 : ARG(3));
	}
	put_u16(&o, request);
	put_u64(&o, INT(1));
	return out_send(&o);
}

EXIT(pidfd_open)
{
	FIXED(SYSCALL_PIDFD_OPEN_X, RET, FD(0), I32(ARG(1) & O_NONBLOCK ? PPM_PIDFD_NONBLOCK : 0));
}

EXIT(pidfd_getfd)
{
	FIXED(SYSCALL_PIDFD_GETFD_X, RET, FD(0), FD(1), I32(ARG(2)));
}


EXIT(getrlimit)
{
	struct user_rlimit {
		u64 cur, max;
	} l = {-1, -1};
	if (c->ret == 0 && bpf_probe_read_user(&l, sizeof(l), (void *)ARG(1)))
		l.cur = l.max = 0;
	FIXED(SYSCALL_GETRLIMIT_X, RET, I64(l.cur), I64(l.max), I8(rlimit_resource(ARG(0))));
}

EXIT(setrlimit)
{
	u64 l[2] = {};
	bpf_probe_read_user(l, sizeof(l), (void *)ARG(1));
	FIXED(SYSCALL_SETRLIMIT_X, RET, I64(l[0]), I64(l[1]), I8(rlimit_resource(ARG(0))));
}

EXIT(prlimit64)
{
	u64 new[2] = {}, old[2] = {-1, -1};
	if (ARG(2))
		bpf_probe_read_user(new, sizeof(new), (void *)ARG(2));
	if (c->ret == 0 && bpf_probe_read_user(old, sizeof(old), (void *)ARG(3)))
		old[0] = old[1] = 0;
	FIXED(SYSCALL_PRLIMIT_X, RET, I64(new[0]), I64(new[1]), I64(old[0]), I64(old[1]), FD(0),
	      I8(rlimit_resource(ARG(1))));
}
