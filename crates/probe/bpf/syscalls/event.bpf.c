/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls that wait for things to happen, and the descriptors made for it. */
#include "call.bpf.h"
#include "flags.bpf.h"

EXIT(eventfd)
{
	FIXED(SYSCALL_EVENTFD_X, RET, I64(ARG(0)), I32(0));
}

EXIT(eventfd2)
{
	FIXED(SYSCALL_EVENTFD2_X, RET, I16(fd_flags(ARG(1))), I64(ARG(0)));
}

EXIT(signalfd)
{
	FIXED(SYSCALL_SIGNALFD_X, RET, FD(0), I32(0), I8(0));
}

EXIT(signalfd4)
{
	FIXED(SYSCALL_SIGNALFD4_X, RET, I16(fd_flags(ARG(3))), FD(0), I32(0));
}

EXIT(timerfd_create)
{
	FIXED(SYSCALL_TIMERFD_CREATE_X, RET, I8(ARG(0)), I8(fd_flags(ARG(1))));
}

EXIT(inotify_init)
{
	FIXED(SYSCALL_INOTIFY_INIT_X, RET, I8(0));
}

EXIT(inotify_init1)
{
	FIXED(SYSCALL_INOTIFY_INIT1_X, RET, I16(fd_flags(ARG(0))));
}

EXIT(epoll_create)
{
	FIXED(SYSCALL_EPOLL_CREATE_X, RET, I32(ARG(0)));
}

EXIT(epoll_create1)
{
	FIXED(SYSCALL_EPOLL_CREATE1_X, RET, I32(ARG(0) & O_CLOEXEC ? PPM_EPOLL_CLOEXEC : 0));
}

EXIT(epoll_wait)
{
	FIXED(SYSCALL_EPOLLWAIT_X, RET, FD(2));
}

EXIT(select)
{
	FIXED(SYSCALL_SELECT_X, RET);
}

struct user_pollfd {
	s32 fd;
	u16 events, revents;
};
#define MAX_POLLFDS 16

/* u16 count, then descriptor and returned events of each. */
static inline void put_poll_list(struct out *o, u64 array, u32 count)
{
	struct user_pollfd fds[MAX_POLLFDS];
	u32 start = o->at;
	if (count > MAX_POLLFDS)
		count = MAX_POLLFDS;
	if (!array || !count ||
	    bpf_probe_read_user(fds, (count & 31) * sizeof(struct user_pollfd), (void *)array))
		count = 0;
	ADD(o, u16, count);
	for (u32 i = 0; i < MAX_POLLFDS; i++) {
		if (i >= count)
			break;
		ADD(o, s64, fds[i].fd);
		ADD(o, u16, poll_events(fds[i].revents));
	}
	end_param(o, start);
}

EXIT(poll)
{
	OUT_BEGIN(o, SYSCALL_POLL_X, 3);
	put_u64(&o, c->ret);
	put_poll_list(&o, ARG(0), ARG(1));
	put_u64(&o, INT(2));
	return out_send(&o);
}

/* In nanoseconds; 0 where there is none or it cannot be read. */
static inline u64 user_timespec(u64 ptr)
{
	s64 t[2] = {};
	bpf_probe_read_user(t, sizeof(t), (void *)ptr);
	return t[0] * 1000000000 + t[1];
}

EXIT(ppoll)
{
	u32 mask = 0;
	if (ARG(3))
		bpf_probe_read_user(&mask, sizeof(mask), (void *)ARG(3));
	OUT_BEGIN(o, SYSCALL_PPOLL_X, 4);
	put_u64(&o, c->ret);
	put_poll_list(&o, ARG(0), ARG(1));
	put_u64(&o, user_timespec(ARG(2)));
	put_u32(&o, mask);
	return out_send(&o);
}

EXIT(nanosleep)
{
	u64 interval = user_timespec(ARG(0));
	FIXED(SYSCALL_NANOSLEEP_X, RET, I64(interval));
}

EXIT(futex)
{
	FIXED(SYSCALL_FUTEX_X, RET, I64(ARG(0)), I16(futex_op(ARG(1))), I64(ARG(2)));
}

EXIT(semget)
{
	FIXED(SYSCALL_SEMGET_X, RET, I32(ARG(0)), I32(ARG(1)), I32(semget_flags(ARG(2))));
}

#define SETVAL 16

EXIT(semctl)
{
	FIXED(SYSCALL_SEMCTL_X, RET, I32(ARG(0)), I32(ARG(1)), I16(semctl_command(ARG(2))),
	      I32((u32)ARG(2) == SETVAL ? ARG(3) : 0));
}

struct user_sembuf {
	u16 num;
	s16 op, flags;
};

EXIT(semop)
{
	struct user_sembuf s[2] = {};
	if (c->ret < 0)
		; /* the kernel may never have looked at them */
	else if (ARG(2) >= 2)
		bpf_probe_read_user(s, sizeof(s), (void *)ARG(1));
	else if (ARG(2) == 1)
		bpf_probe_read_user(s, sizeof(s[0]), (void *)ARG(1));
	FIXED(SYSCALL_SEMOP_X, RET, I32(ARG(2)), I16(s[0].num), I16(s[0].op),
	      I16(semop_flags(s[0].flags)), I16(s[1].num), I16(s[1].op),
	      I16(semop_flags(s[1].flags)), I32(ARG(0)));
}
