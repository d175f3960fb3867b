/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls on sockets. */
#include "vector.bpf.h"
#include "flags.bpf.h"

EXIT_NET(socket)
{
	FIXED(SOCKET_SOCKET_X, RET, I32(socket_family(ARG(0))), I32(ARG(1)), I32(ARG(2)),
	      I32(fd_flags(ARG(1))));
}

EXIT_NET(socketpair)
{
	s32 fd[2] = {-1, -1};
	u64 source = 0, peer = 0;
	if (bpf_probe_read_user(fd, sizeof(fd), (void *)ARG(3)) || c->ret < 0) {
		fd[0] = -1;
		fd[1] = -1;
	}
	if (c->ret == 0) {
		struct unix_sock *sk = (void *)sock_of(c->task, fd[0]);
		source = (u64)sk;
		peer = (u64)READ(sk, peer);
	}
	FIXED(SOCKET_SOCKETPAIR_X, RET, I64((s64)fd[0]), I64((s64)fd[1]), I64(source), I64(peer),
	      I32(socket_family(ARG(0))), I32(ARG(1)), I32(ARG(2)));
}

EXIT_NET(bind)
{
	OUT_BEGIN(o, SOCKET_BIND_X, 3);
	put_u64(&o, c->ret);
	put_user_sockaddr(&o, ARG(1), (u32)ARG(2));
	put_u64(&o, INT(0));
	return out_send(&o);
}

EXIT_NET(connect)
{
	OUT_BEGIN(o, SOCKET_CONNECT_X, 4);
	put_u64(&o, c->ret);
	if (c->ret == 0 || c->ret == -EINPROGRESS)
		put_tuple(&o, c, INT(0), OUTBOUND, ARG(1));
	else
		put_empty(&o);
	put_u64(&o, INT(0));
	put_user_sockaddr(&o, ARG(1), WHOLE_ADDRESS);
	return out_send(&o);
}

EXIT_NET(listen)
{
	FIXED(SOCKET_LISTEN_X, RET, FD(0), I32(ARG(1)));
}

/* Both ends of the new socket, and how full the listening one's queue is. */
static inline void put_accepted(struct out *o, const struct call *c)
{
	u32 len = 0, max = 0;
	put_u64(o, c->ret);
	if (c->ret >= 0) {
		put_tuple(o, c, c->ret, INBOUND, 0);
		struct sock *sk = sock_of(c->task, INT(0));
		if (sk) {
			len = READ(sk, sk_ack_backlog);
			max = READ(sk, sk_max_ack_backlog);
		}
	} else {
		put_empty(o);
	}
	put_u8(o, max ? (u64)len * 100 / max : 0);
	put_u32(o, len);
	put_u32(o, max);
}

EXIT_NET(accept)
{
	OUT_BEGIN(o, SOCKET_ACCEPT_5_X, 5);
	put_accepted(&o, c);
	return out_send(&o);
}

EXIT_NET(accept4)
{
	OUT_BEGIN(o, SOCKET_ACCEPT4_6_X, 6);
	put_accepted(&o, c);
	put_u32(&o, fd_flags(ARG(3)));
	return out_send(&o);
}

EXIT_NET(shutdown)
{
	FIXED(SOCKET_SHUTDOWN_X, RET, FD(0), I8(shutdown_how(ARG(1))));
}

EXIT_NET(getsockname)
{
	BARE(SOCKET_GETSOCKNAME_X);
}

EXIT_NET(getpeername)
{
	BARE(SOCKET_GETPEERNAME_X);
}

EXIT_NET(sendto)
{
	LIMIT_OF(limit, sock_of(c->task, INT(0)), ARG(4), NAMES_SENDTO);
	OUT_BEGIN(o, SOCKET_SENDTO_X, 5);
	put_u64(&o, c->ret);
	put_user_bytes(&o, ARG(1), c->ret > 0 ? c->ret : ARG(2), limit);
	put_u64(&o, INT(0));
	put_u32(&o, ARG(2));
	if (c->ret >= 0)
		put_tuple(&o, c, INT(0), OUTBOUND, ARG(4));
	else
		put_empty(&o);
	return out_send(&o);
}

EXIT_NET(recvfrom)
{
	LIMIT_OF(limit, sock_of(c->task, INT(0)), ARG(4), NAMES_RECVFROM);
	OUT_BEGIN(o, SOCKET_RECVFROM_X, 5);
	put_u64(&o, c->ret);
	put_user_bytes(&o, ARG(1), c->ret > 0 ? c->ret : 0, limit);
	if (c->ret >= 0)
		put_tuple(&o, c, INT(0), INBOUND, ARG(4));
	else
		put_empty(&o);
	put_u64(&o, INT(0));
	put_u32(&o, ARG(2));
	return out_send(&o);
}

EXIT_NET(sendmsg)
{
	struct user_msghdr m = {};
	bool readable = read_msghdr(c, ARG(1), &m);
	LIMIT_OF(most, sock_of(c->task, INT(0)), m.name, NAMES_SENDMSG);
	OUT_BEGIN(o, SOCKET_SENDMSG_X, 5);
	put_u64(&o, c->ret);
	if (!readable) {
		put_empty(&o);
		put_u64(&o, INT(0));
		put_empty(&o);
		put_empty(&o);
		return out_send(&o);
	}
	u64 size = put_vector_up_to(&o, c, m.iov, m.iovlen, -1, most);
	put_u64(&o, INT(0));
	put_u32(&o, size);
	if (c->ret >= 0)
		put_tuple(&o, c, INT(0), OUTBOUND, m.name);
	else
		put_empty(&o);
	return out_send(&o);
}

EXIT_NET(recvmsg)
{
	struct user_msghdr m = {};
	bool readable = c->ret >= 0 && read_msghdr(c, ARG(1), &m);
	LIMIT_OF(most, sock_of(c->task, INT(0)), m.name, NAMES_RECVMSG);
	OUT_BEGIN(o, SOCKET_RECVMSG_X, 6);
	put_u64(&o, c->ret);
	if (!readable) {
		put_u32(&o, 0);
		put_empty(&o);
		put_empty(&o);
		put_empty(&o);
		put_u64(&o, INT(0));
		return out_send(&o);
	}
	put_u32(&o, c->ret);
	put_vector_up_to(&o, c, m.iov, m.iovlen, c->ret, most);
	put_tuple(&o, c, INT(0), INBOUND, m.name);
	put_user_bytes(&o, m.control, m.controllen, MAX_EVENT - 1);
	put_u64(&o, INT(0));
	return out_send(&o);
}

/* One event for each message of sendmmsg and recvmmsg, sixteen at most. */
#define MAX_MESSAGES 16
struct messages {
	struct call call;
	bool receive;
};

static long one_message(u32 i, struct messages *m)
{
	const struct call *c = &m->call;
	struct user_msghdr h = {};
	u32 len = 0;
	u64 stride = c->compat ? 32 : 64;
	if (i >= c->ret)
		return 1;
	u64 at = ARG(1) + i * stride;
	if (!read_msghdr(c, at, &h))
		return 1;
	bpf_probe_read_user(&len, 4, (void *)(at + (c->compat ? 28 : 56)));
	u32 limit = settings.snaplen;
	if (unlikely(settings.name_snaplen)) {
		s32 own = data_limit(sock_of(c->task, INT(0)), h.name,
				     m->receive ? NAMES_RECVMMSG : NAMES_SENDMMSG);
		if (own < 0)
			return 0;
		limit = own;
	}
	struct out o;
	if (!out_begin(&o, call_tid(c), m->receive ? SOCKET_RECVMMSG_X : SOCKET_SENDMMSG_X,
		       m->receive ? 6 : 5))
		return 1;
	put_u64(&o, len);
	put_u64(&o, INT(0));
	put_u32(&o, len);
	put_vector_up_to(&o, c, h.iov, h.iovlen, len, limit);
	put_tuple(&o, c, INT(0), m->receive ? INBOUND : OUTBOUND, h.name);
	if (m->receive)
		put_user_bytes(&o, h.control, h.controllen, MAX_EVENT - 1);
	out_send(&o);
	return 0;
}

static inline int messages(const struct call *c, u16 code, bool receive)
{
	if (c->ret <= 0) {
		if (settings.names_alone >> (receive ? NAMES_RECVMMSG : NAMES_SENDMMSG) & 1)
			return 0;
		OUT_BEGIN(o, code, receive ? 6 : 5);
		put_u64(&o, c->ret);
		put_u64(&o, INT(0));
		put_u32(&o, 0);
		put_empty(&o);
		put_empty(&o);
		if (receive)
			put_empty(&o);
		return out_send(&o);
	}
	struct messages m = {.call = *c, .receive = receive};
#ifndef WITHOUT_CALLBACKS
	if (has_loop_helper())
		bpf_loop(MAX_MESSAGES, one_message, &m, 0);
	else
#endif
		one_message(0, &m);
	return 0;
}

EXIT_NET(sendmmsg)
{
	return messages(c, SOCKET_SENDMMSG_X, false);
}

EXIT_NET(recvmmsg)
{
	return messages(c, SOCKET_RECVMMSG_X, true);
}

/* The value's shape follows from the option: see the variants of the event table. */
static inline void put_sockopt(struct out *o, s32 level, u32 name, u64 ptr, u32 len)
{
	u32 start = o->at;
	u8 kind;
	switch (level == 1 ? name : 0) {
	case PPM_SOCKOPT_SO_ERROR:
		kind = PPM_SOCKOPT_IDX_ERRNO;
		break;
	case PPM_SOCKOPT_SO_RCVTIMEO:
	case PPM_SOCKOPT_SO_SNDTIMEO:
		kind = PPM_SOCKOPT_IDX_TIMEVAL;
		break;
	case PPM_SOCKOPT_SO_COOKIE:
		kind = PPM_SOCKOPT_IDX_UINT64;
		break;
	case PPM_SOCKOPT_SO_DEBUG:
	case PPM_SOCKOPT_SO_REUSEADDR:
	case PPM_SOCKOPT_SO_TYPE:
	case PPM_SOCKOPT_SO_DONTROUTE:
	case PPM_SOCKOPT_SO_BROADCAST:
	case PPM_SOCKOPT_SO_SNDBUF:
	case PPM_SOCKOPT_SO_RCVBUF:
	case PPM_SOCKOPT_SO_SNDBUFFORCE:
	case PPM_SOCKOPT_SO_RCVBUFFORCE:
	case PPM_SOCKOPT_SO_KEEPALIVE:
	case PPM_SOCKOPT_SO_OOBINLINE:
	case PPM_SOCKOPT_SO_NO_CHECK:
	case PPM_SOCKOPT_SO_PRIORITY:
	case PPM_SOCKOPT_SO_BSDCOMPAT:
	case PPM_SOCKOPT_SO_REUSEPORT:
	case PPM_SOCKOPT_SO_PASSCRED:
	case PPM_SOCKOPT_SO_RCVLOWAT:
	case PPM_SOCKOPT_SO_SNDLOWAT:
	case PPM_SOCKOPT_SO_SECURITY_AUTHENTICATION:
	case PPM_SOCKOPT_SO_SECURITY_ENCRYPTION_TRANSPORT:
	case PPM_SOCKOPT_SO_SECURITY_ENCRYPTION_NETWORK:
	case PPM_SOCKOPT_SO_BINDTODEVICE:
	case PPM_SOCKOPT_SO_DETACH_FILTER:
	case PPM_SOCKOPT_SO_TIMESTAMP:
	case PPM_SOCKOPT_SO_ACCEPTCONN:
	case PPM_SOCKOPT_SO_PASSSEC:
	case PPM_SOCKOPT_SO_TIMESTAMPNS:
	case PPM_SOCKOPT_SO_MARK:
	case PPM_SOCKOPT_SO_TIMESTAMPING:
	case PPM_SOCKOPT_SO_PROTOCOL:
	case PPM_SOCKOPT_SO_DOMAIN:
	case PPM_SOCKOPT_SO_RXQ_OVFL:
	case PPM_SOCKOPT_SO_WIFI_STATUS:
	case PPM_SOCKOPT_SO_PEEK_OFF:
	case PPM_SOCKOPT_SO_NOFCS:
	case PPM_SOCKOPT_SO_LOCK_FILTER:
	case PPM_SOCKOPT_SO_SELECT_ERR_QUEUE:
	case PPM_SOCKOPT_SO_BUSY_POLL:
	case PPM_SOCKOPT_SO_MAX_PACING_RATE:
	case PPM_SOCKOPT_SO_BPF_EXTENSIONS:
	case PPM_SOCKOPT_SO_INCOMING_CPU:
		kind = PPM_SOCKOPT_IDX_UINT32;
		break;
	default:
		kind = PPM_SOCKOPT_IDX_UNKNOWN;
	}
	ADD(o, u8, kind);
	if (kind == PPM_SOCKOPT_IDX_ERRNO) {
		s32 value = 0;
		bpf_probe_read_user(&value, 4, (void *)ptr);
		ADD(o, s64, -(s64)value);
	} else if (kind == PPM_SOCKOPT_IDX_UINT32) {
		u32 value = 0;
		bpf_probe_read_user(&value, 4, (void *)ptr);
		ADD(o, u32, value);
	} else if (kind == PPM_SOCKOPT_IDX_UINT64) {
		u64 value = 0;
		bpf_probe_read_user(&value, 8, (void *)ptr);
		ADD(o, u64, value);
	} else if (kind == PPM_SOCKOPT_IDX_TIMEVAL) {
		s64 t[2] = {};
		bpf_probe_read_user(t, sizeof(t), (void *)ptr);
		ADD(o, u64, t[0] * 1000000000 + t[1] * 1000);
	} else {
		u32 max = settings.snaplen;
		u32 size = len < max ? len : max;
		if (size > MAX_EVENT - 1)
			size = MAX_EVENT - 1;
		if (size && !bpf_probe_read_user(AT(o), size & MASK, (void *)ptr))
			o->at += size;
	}
	end_param(o, start);
}

EXIT_NET(setsockopt)
{
	u8 name = sockopt_name(ARG(1), ARG(2));
	OUT_BEGIN(o, SOCKET_SETSOCKOPT_X, 6);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_u8(&o, sockopt_level(ARG(1)));
	put_u8(&o, name);
	put_sockopt(&o, ARG(1), name, ARG(3), ARG(4));
	put_u32(&o, ARG(4));
	return out_send(&o);
}

EXIT_NET(getsockopt)
{
	u8 name = sockopt_name(ARG(1), ARG(2));
	u32 len = 0;
	bpf_probe_read_user(&len, 4, (void *)ARG(4));
	OUT_BEGIN(o, SOCKET_GETSOCKOPT_X, 6);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_u8(&o, sockopt_level(ARG(1)));
	put_u8(&o, name);
	put_sockopt(&o, ARG(1), name, ARG(3), len);
	put_u32(&o, len);
	return out_send(&o);
}
