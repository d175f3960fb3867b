/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Socket addresses as the user gave them, and both ends as the kernel knows them. */
#pragma once
#include "file.bpf.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define UNIX_PATH_MAX 108
#define EINPROGRESS 115

enum direction { OUTBOUND, INBOUND };

struct user_sockaddr {
	u16 family;
	u16 port; /* network order */
	u32 v4_or_flow;
	u8 v6[16];
	u64 pad; /* so that 31 bytes fit, the bound that the verifier is shown */
};
#define SOCKADDR_SIZE 24

static inline struct sock *sock_of(struct task_struct *task, s64 fd)
{
	struct file *file = file_of(task, fd);
	if (!file || (READ(file, f_inode, i_mode) & S_IFMT_MASK) != S_IFSOCK_TYPE)
		return NULL;
	struct socket *socket = READ(file, private_data);
	return socket ? READ(socket, sk) : NULL;
}

#define NAME_PORT 53

/* Calls that carry questions for names, and answers. In src/names.rs too. */
enum names_call {
	NAMES_READ,
	NAMES_WRITE,
	NAMES_READV,
	NAMES_WRITEV,
	NAMES_RECVFROM,
	NAMES_SENDTO,
	NAMES_RECVMSG,
	NAMES_SENDMSG,
	NAMES_RECVMMSG,
	NAMES_SENDMMSG,
};

/* Whether a socket's other end is a name server; `user` is the address given to the call. */
static inline bool is_with_name_server(struct sock *sk, u64 user)
{
	if (!sk)
		return false;
	u16 family = READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return false;
	struct user_sockaddr a = {};
	a.port = READ(sk, __sk_common.skc_dport);
	if (!a.port && user)
		bpf_probe_read_user(&a, 4, (void *)user);
	return a.port == bpf_htons(NAME_PORT);
}

/* The most that is kept of a call's data; -1: nobody wants the call. */
static inline s32 data_limit(struct sock *sk, u64 user, enum names_call which)
{
	u32 limit = settings.snaplen;
	if (is_with_name_server(sk, user))
		return settings.name_snaplen > limit ? settings.name_snaplen : limit;
	return settings.names_alone >> which & 1 ? -1 : (s32)limit;
}

/* The same as `limit`; ends the program of a call that nobody wants. */
#define LIMIT_OF(limit, sk, user, which)                                                           \
	s32 limit = settings.snaplen;                                                              \
	if (unlikely(settings.name_snaplen)) {                                                     \
		limit = data_limit(sk, user, which);                                               \
		if (limit < 0)                                                                     \
			return 0;                                                                  \
	}

/* A unix path to its NUL; of an abstract name the NUL in front is left out. */
static inline void add_unix_path(struct out *o, const void *path, bool user)
{
	u8 first = 0;
	long n;
	if (user)
		bpf_probe_read_user(&first, 1, path);
	else
		bpf_probe_read_kernel(&first, 1, path);
	if (!first)
		path += 1;
	if (user)
		n = bpf_probe_read_user_str(AT(o), UNIX_PATH_MAX + 1, path);
	else
		n = bpf_probe_read_kernel_str(AT(o), UNIX_PATH_MAX + 1, path);
	if (n <= 0)
		n = 0;
	o->at += n;
}

/* connect: whatever length the caller gives, the address is told as its family has it. */
#define WHOLE_ADDRESS 128

static inline long read_memory(void *to, u32 size, u64 from, bool user)
{
	return user ? bpf_probe_read_user(to, size, (void *)from)
		    : bpf_probe_read_kernel(to, size, (void *)from);
}

static inline void put_sockaddr(struct out *o, u64 ptr, u32 len, bool user)
{
	struct user_sockaddr a = {};
	u32 start = o->at;
	u32 size = len;
	/* Hidden from the compiler, which would compare one copy of the number and use another. */
	asm volatile("" : "+r"(size));
	if (size > SOCKADDR_SIZE)
		size = SOCKADDR_SIZE;
	asm volatile("" : "+r"(size));
	if (!ptr || size < 2 || read_memory(&a.family, 2, ptr, user))
		goto out;
	switch (a.family) {
	case AF_INET:
		if (size > 8)
			size = 8;
		if (read_memory(&a, size & 31, ptr, user))
			goto out;
		ADD(o, u8, AF_INET);
		ADD(o, u32, a.v4_or_flow);
		ADD(o, u16, bpf_ntohs(a.port));
		break;
	case AF_INET6:
		if (read_memory(&a, size & 31, ptr, user))
			goto out;
		ADD(o, u8, AF_INET6);
		ADD_BYTES(o, a.v6, 16);
		ADD(o, u16, bpf_ntohs(a.port));
		break;
	case AF_UNIX:
		ADD(o, u8, AF_UNIX);
		if (len > 2)
			add_unix_path(o, (void *)ptr + 2, user);
		else
			ADD(o, u8, 0);
		break;
	}
out:
	end_param(o, start);
}

static inline void put_user_sockaddr(struct out *o, u64 ptr, u32 len)
{
	put_sockaddr(o, ptr, len, true);
}

static inline void put_kernel_sockaddr(struct out *o, u64 ptr, u32 len)
{
	put_sockaddr(o, ptr, len, false);
}

static inline void put_inet_tuple(struct out *o, struct sock *sk, enum direction way, u64 user)
{
	struct inet_sock *inet = (void *)sk;
	u32 local = READ(inet, inet_saddr), remote = READ(sk, __sk_common.skc_daddr);
	u16 local_port = bpf_ntohs(READ(inet, inet_sport));
	u16 remote_port = bpf_ntohs(READ(sk, __sk_common.skc_dport));
	if (user && remote_port == 0) {
		/* Not connected: the other end is in the call's own address. */
		struct user_sockaddr a = {};
		bpf_probe_read_user(&a, 8, (void *)user);
		remote = a.v4_or_flow;
		remote_port = bpf_ntohs(a.port);
	}
	u32 start = o->at;
	ADD(o, u8, AF_INET);
	ADD(o, u32, way == OUTBOUND ? local : remote);
	ADD(o, u16, way == OUTBOUND ? local_port : remote_port);
	ADD(o, u32, way == OUTBOUND ? remote : local);
	ADD(o, u16, way == OUTBOUND ? remote_port : local_port);
	end_param(o, start);
}

static inline void put_inet6_tuple(struct out *o, struct sock *sk, enum direction way, u64 user)
{
	struct inet_sock *inet = (void *)sk;
	struct in6_addr local = {}, remote = {};
	struct ipv6_pinfo *info = READ(inet, pinet6);
	BPF_CORE_READ_INTO(&local, info, saddr);
	BPF_CORE_READ_INTO(&remote, sk, __sk_common.skc_v6_daddr);
	u16 local_port = bpf_ntohs(READ(inet, inet_sport));
	u16 remote_port = bpf_ntohs(READ(sk, __sk_common.skc_dport));
	if (user && remote_port == 0) {
		struct user_sockaddr a = {};
		bpf_probe_read_user(&a, 24, (void *)user);
		__builtin_memcpy(&remote, a.v6, 16);
		remote_port = bpf_ntohs(a.port);
	}
	u32 start = o->at;
	ADD(o, u8, AF_INET6);
	if (way == OUTBOUND)
		ADD_BYTES(o, &local, 16);
	else
		ADD_BYTES(o, &remote, 16);
	ADD(o, u16, way == OUTBOUND ? local_port : remote_port);
	if (way == OUTBOUND)
		ADD_BYTES(o, &remote, 16);
	else
		ADD_BYTES(o, &local, 16);
	ADD(o, u16, way == OUTBOUND ? remote_port : local_port);
	end_param(o, start);
}

static inline void put_unix_tuple(struct out *o, struct sock *sk, enum direction way, u64 user)
{
	struct unix_sock *local = (void *)sk;
	struct unix_sock *peer = (void *)READ(local, peer);
	struct unix_sock *named = way == OUTBOUND ? peer : local;
	u64 user_path = way == OUTBOUND && user ? user + 2 : 0;
	u32 start = o->at;
	ADD(o, u8, AF_UNIX);
	ADD(o, u64, way == OUTBOUND ? (u64)peer : (u64)local);
	ADD(o, u64, way == OUTBOUND ? (u64)local : (u64)peer);
	if (user_path) {
		add_unix_path(o, (void *)user_path, true);
	} else {
		struct unix_address *addr = READ(named, addr);
		/* The path lies behind the length, the reference count's and the family's bytes. */
		u32 offset = bpf_core_type_size(struct unix_address) + 2;
		if (addr)
			add_unix_path(o, (void *)addr + offset, false);
		else
			ADD(o, u8, 0);
	}
	end_param(o, start);
}

/* Both ends of a socket; `user` is the address given to the call, 0 where there is none. */
static inline void put_sock_tuple(struct out *o, struct sock *sk, enum direction way, u64 user)
{
	if (!sk) {
		put_empty(o);
		return;
	}
	switch (READ(sk, __sk_common.skc_family)) {
	case AF_INET:
		put_inet_tuple(o, sk, way, user);
		return;
	case AF_INET6:
		put_inet6_tuple(o, sk, way, user);
		return;
	case AF_UNIX:
		put_unix_tuple(o, sk, way, user);
		return;
	}
	put_empty(o);
}

static inline void put_tuple(struct out *o, const struct call *c, s64 fd, enum direction way,
			     u64 user)
{
	put_sock_tuple(o, sock_of(c->task, fd), way, user);
}
