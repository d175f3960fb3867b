/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Entry events of the calls whose path or address another thread might rewrite while the kernel
 * works: what stands in memory now is what the kernel is about to read.
 */
#include "sock.bpf.h"
#include "flags.bpf.h"

struct tracepoint_enter {
	u64 common;
	u32 nr, pad;
	u64 arg[6];
};

#define ENTER(name)                                                                                \
	static inline int enter_##name(const struct tracepoint_enter *c);                          \
	SEC("?tracepoint/syscalls/sys_enter_" #name)                                               \
	int e_##name(struct tracepoint_enter *ctx)                                                 \
	{                                                                                          \
		if (is_own(current()))                                                                      \
			return 0;                                                                  \
		return enter_##name(ctx);                                                          \
	}                                                                                          \
	static inline int enter_##name(const struct tracepoint_enter *c)

ENTER(open)
{
	OUT_OF(o, current_tid(current()), SYSCALL_OPEN_E, 3);
	put_user_str(&o, ARG(0));
	put_u32(&o, open_flags(ARG(1)));
	put_u32(&o, open_mode(ARG(1), ARG(2)));
	return out_send(&o);
}

ENTER(openat)
{
	OUT_OF(o, current_tid(current()), SYSCALL_OPENAT_2_E, 4);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, open_flags(ARG(2)));
	put_u32(&o, open_mode(ARG(2), ARG(3)));
	return out_send(&o);
}

ENTER(openat2)
{
	struct {
		u64 flags, mode, resolve;
	} how = {};
	bpf_probe_read_user(&how, sizeof(how), (void *)ARG(2));
	OUT_OF(o, current_tid(current()), SYSCALL_OPENAT2_E, 5);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, open_flags(how.flags));
	put_u32(&o, open_mode(how.flags, how.mode));
	put_u32(&o, resolve_flags(how.resolve));
	return out_send(&o);
}

ENTER(creat)
{
	OUT_OF(o, current_tid(current()), SYSCALL_CREAT_E, 2);
	put_user_str(&o, ARG(0));
	put_u32(&o, open_mode(O_CREAT, ARG(1)));
	return out_send(&o);
}

ENTER(connect)
{
	OUT_OF(o, current_tid(current()), SOCKET_CONNECT_E, 2);
	put_u64(&o, INT(0));
	put_user_sockaddr(&o, ARG(1), WHOLE_ADDRESS);
	return out_send(&o);
}
