/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Work that io_uring does: told by the events of the ordinary system calls, with a mark.
 *
 * What is asked is read when a request is submitted, from the kernel's copies: the paths cannot be
 * changed any more. The event is sent when the request is done, for the thread that submitted it;
 * where a kernel thread polls the ring, for the process whose ring it is.
 *
 * Two ways to hide from that are closed: a request that wants no completion on success is told at
 * once, as a success; and a completion that finds no room is still seen as an overflow. That names no
 * request but what its submitter chose to know it by; who chooses the same for several has all of them
 * told, if in another order.
 */
#include "uring.bpf.h"

static inline void save_text(struct uring_op *op, struct draft *d, u64 request, u32 which,
			     struct filename *name)
{
	const char *path = READ(name, name);
	if (!name || !path)
		return;
	long n = bpf_probe_read_kernel_str(op->text[which], SHORT_PATH, path);
	if (n < SHORT_PATH)
		return;
	struct uring_text key = {.request = request, .which = which};
	bpf_probe_read_kernel_str(&d->scratch[PATH_START], MAX_PATH, path);
	if (!bpf_map_update_elem(&uring_texts, &key, &d->scratch[PATH_START], BPF_ANY))
		op->is_long[which] = 1;
}

static inline void save_address(struct uring_op *op, struct io_kiocb *req, void *user)
{
	if (user) {
		bpf_probe_read_user(op->text[0], 128, user);
		return;
	}
	/*
	 * The kernel's copy lies in the request's memory: at its start, or behind a message header
	 * (kernels differ, and their types do not tell). A header starts with a pointer or nothing; an
	 * address, with its family, of which those that are told are no multiple of 8.
	 */
	void *copy = READ(req, async_data);
	u64 first = 0;
	if (!copy)
		return;
	bpf_probe_read_kernel(&first, sizeof(first), copy);
	if (!first || (!(first & 7) && first >> 48 == 0xffff))
		copy += bpf_core_field_offset(struct io_async_msghdr, addr);
	bpf_probe_read_kernel(op->text[0], 128, copy);
}

/* Fills arguments; false for what is not told. */
static inline bool save_arguments(struct uring_op *op, struct draft *d, struct io_kiocb *req)
{
	u64 request = (u64)req;
	s64 fd = READ(req, cqe.fd);
	if (READ(req, flags) & REQUEST_FIXED_FILE)
		fd |= REGISTERED;
	op->arg[0] = fd;
	switch (op->opcode) {
	case OP_OPENAT:
	case OP_OPENAT2: {
		struct io_open *open = (void *)req;
		op->arg[0] = (s64)READ(open, dfd);
		op->arg[1] = READ(open, how.flags) & ~O_LARGEFILE; /* the kernel's addition */
		op->arg[2] = READ(open, how.mode);
		op->arg[3] = READ(open, how.resolve);
		op->arg[4] = READ(open, file_slot);
		save_text(op, d, request, 0, READ(open, filename));
		return true;
	}
	case OP_CLOSE: {
		struct io_close *close = (void *)req;
		u32 slot = READ(close, file_slot);
		op->arg[0] = slot ? REGISTERED | (slot - 1) : (s64)READ(close, fd);
		return true;
	}
	case OP_RENAMEAT: {
		struct io_rename *rename = (void *)req;
		op->arg[0] = (s64)READ(rename, old_dfd);
		op->arg[1] = (s64)READ(rename, new_dfd);
		op->arg[2] = READ(rename, flags);
		save_text(op, d, request, 0, READ(rename, oldpath));
		save_text(op, d, request, 1, READ(rename, newpath));
		return true;
	}
	case OP_UNLINKAT: {
		struct io_unlink *unlink = (void *)req;
		op->arg[0] = (s64)READ(unlink, dfd);
		op->arg[1] = READ(unlink, flags);
		save_text(op, d, request, 0, READ(unlink, filename));
		return true;
	}
	case OP_MKDIRAT: {
		struct io_mkdir *mkdir = (void *)req;
		op->arg[0] = (s64)READ(mkdir, dfd);
		op->arg[1] = READ(mkdir, mode);
		save_text(op, d, request, 0, READ(mkdir, filename));
		return true;
	}
	case OP_SYMLINKAT:
	case OP_LINKAT: {
		struct io_link *link = (void *)req;
		op->arg[0] = (s64)READ(link, old_dfd);
		op->arg[1] = (s64)READ(link, new_dfd);
		op->arg[2] = READ(link, flags);
		save_text(op, d, request, 0, READ(link, oldpath));
		save_text(op, d, request, 1, READ(link, newpath));
		return true;
	}
	case OP_CONNECT: {
		struct io_connect *connect = (void *)req;
		op->arg[1] = READ(connect, addr_len);
		/* Until 6.9 (3ba8345aec88) the address was copied no sooner than when needed. */
		bool old = bpf_core_type_exists(struct io_async_connect);
		save_address(op, req, old ? READ(connect, addr) : NULL);
		return true;
	}
	case OP_BIND:
		if (!bpf_core_type_exists(struct io_bind))
			return false;
		op->arg[1] = READ((struct io_bind *)(void *)req, addr_len);
		save_address(op, req, NULL);
		return true;
	case OP_ACCEPT: {
		struct io_accept *accept = (void *)req;
		op->arg[1] = READ(accept, flags);
		op->arg[4] = READ(accept, file_slot);
		return true;
	}
	case OP_SOCKET: {
		struct io_socket *socket = (void *)req;
		op->arg[0] = READ(socket, domain);
		op->arg[1] = READ(socket, type);
		op->arg[2] = READ(socket, protocol);
		op->arg[4] = READ(socket, file_slot);
		return true;
	}
	case OP_LISTEN:
		if (!bpf_core_type_exists(struct io_listen))
			return false;
		op->arg[1] = READ((struct io_listen *)(void *)req, backlog);
		return true;
	case OP_SHUTDOWN:
		op->arg[1] = READ((struct io_shutdown *)(void *)req, how);
		return true;
	case OP_SEND:
	case OP_SEND_ZC:
	case OP_RECV: {
		struct io_sr_msg *message = (void *)req;
		op->arg[1] = (u64)READ(message, buf);
		op->arg[2] = READ(message, len);
		return true;
	}
	case OP_SENDMSG:
	case OP_SENDMSG_ZC:
	case OP_RECVMSG:
		op->arg[1] = (u64)READ((struct io_sr_msg *)(void *)req, umsg);
		return true;
	}
	return false;
}

static inline void put_text(struct out *o, struct uring_op *op, u64 request, u32 which)
{
	const char *text = op->text[which];
	if (op->is_long[which]) {
		struct uring_text key = {.request = request, .which = which};
		struct uring_path *saved = bpf_map_lookup_elem(&uring_texts, &key);
		if (saved)
			text = saved->text;
	}
	put_kernel_str(o, text);
}

/* The descriptor that a call which makes one has made. */
static inline s64 made(struct uring_op *op, s64 res)
{
	u32 slot = op->arg[4];
	if (res < 0 || !slot)
		return res;
	return REGISTERED | (slot == (u32)-1 ? (u32)res : slot - 1);
}

/* What is told where the result cannot be known. */
static inline s64 assumed_result(const struct uring_op *op)
{
	switch (op->opcode) {
	case OP_OPENAT:
	case OP_OPENAT2:
	case OP_SOCKET:
	case OP_ACCEPT:
		return op->arg[4] ? 0 : UNKNOWN_DESCRIPTOR;
	default:
		return 0;
	}
}

static inline struct sock *request_sock(struct io_kiocb *req)
{
	struct file *file = READ(req, file);
	if (!file || (READ(file, f_inode, i_mode) & S_IFMT_MASK) != S_IFSOCK_TYPE)
		return NULL;
	struct socket *socket = READ(file, private_data);
	return socket ? READ(socket, sk) : NULL;
}

static inline void put_request_tuple(struct out *o, struct io_kiocb *req, enum direction way,
				     u64 user)
{
	put_sock_tuple(o, request_sock(req), way, user);
}

#define URING_FIXED(code, ...) FIXED_OF(op->tid, FLAG_IO_URING, code, __VA_ARGS__)
#define URING_BEGIN(o, code, nparams)                                                              \
	OUT_OF(o, op->tid, code, nparams);                                                         \
	o.flags = FLAG_IO_URING

static inline int send_open(struct uring_op *op, u64 request, s64 res)
{
	struct file_facts f = {};
	s64 fd = made(op, res);
	u64 flags = op->arg[1], mode = op->arg[2];
	if (fd > 0 && !(fd & REGISTERED))
		f = file_facts(current(), fd);
	if (op->opcode == OP_OPENAT2) {
		URING_BEGIN(o, SYSCALL_OPENAT2_X, 8);
		put_u64(&o, fd);
		put_u64(&o, op->arg[0]);
		put_text(&o, op, request, 0);
		put_u32(&o, open_flags(flags) | layer_flags(&f));
		put_u32(&o, open_mode(flags, mode));
		put_u32(&o, resolve_flags(op->arg[3]));
		put_u32(&o, f.dev);
		put_u64(&o, f.ino);
		return out_send(&o);
	}
	URING_BEGIN(o, SYSCALL_OPENAT_2_X, 7);
	put_u64(&o, fd);
	put_u64(&o, op->arg[0]);
	put_text(&o, op, request, 0);
	put_u32(&o, open_flags(flags) | layer_flags(&f));
	put_u32(&o, open_mode(flags, mode));
	put_u32(&o, f.dev);
	put_u64(&o, f.ino);
	return out_send(&o);
}

static inline int send_two_paths(struct uring_op *op, u64 request, s64 res)
{
	if (op->opcode == OP_SYMLINKAT) {
		URING_BEGIN(o, SYSCALL_SYMLINKAT_X, 4);
		put_u64(&o, res);
		put_text(&o, op, request, 0);
		put_u64(&o, op->arg[1]);
		put_text(&o, op, request, 1);
		return out_send(&o);
	}
	bool is_link = op->opcode == OP_LINKAT;
	URING_BEGIN(o, is_link ? SYSCALL_LINKAT_2_X : SYSCALL_RENAMEAT2_X, 6);
	put_u64(&o, res);
	put_u64(&o, op->arg[0]);
	put_text(&o, op, request, 0);
	put_u64(&o, op->arg[1]);
	put_text(&o, op, request, 1);
	put_u32(&o, is_link ? linkat_flags(op->arg[2]) : op->arg[2]);
	return out_send(&o);
}

static inline int send_one_path(struct uring_op *op, u64 request, s64 res)
{
	bool is_mkdir = op->opcode == OP_MKDIRAT;
	URING_BEGIN(o, is_mkdir ? SYSCALL_MKDIRAT_X : SYSCALL_UNLINKAT_2_X, 4);
	put_u64(&o, res);
	put_u64(&o, op->arg[0]);
	put_text(&o, op, request, 0);
	put_u32(&o, is_mkdir ? op->arg[1] : unlinkat_flags(op->arg[1]));
	return out_send(&o);
}

static inline int send_connect(struct uring_op *op, struct io_kiocb *req, s64 res)
{
	URING_BEGIN(o, SOCKET_CONNECT_X, 4);
	put_u64(&o, res);
	if (res == 0 || res == -EINPROGRESS)
		put_request_tuple(&o, req, OUTBOUND, 0);
	else
		put_empty(&o);
	put_u64(&o, op->arg[0]);
	put_kernel_sockaddr(&o, (u64)op->text[0], WHOLE_ADDRESS);
	return out_send(&o);
}

static inline int send_bind(struct uring_op *op, s64 res)
{
	URING_BEGIN(o, SOCKET_BIND_X, 3);
	put_u64(&o, res);
	put_kernel_sockaddr(&o, (u64)op->text[0], op->arg[1]);
	put_u64(&o, op->arg[0]);
	return out_send(&o);
}

static inline int send_accept(struct uring_op *op, struct io_kiocb *req, s64 res)
{
	u32 len = 0, max = 0;
	s64 fd = made(op, res);
	URING_BEGIN(o, SOCKET_ACCEPT4_6_X, 6);
	put_u64(&o, fd);
	if (fd >= 0) {
		put_sock_tuple(&o, fd & REGISTERED ? NULL : sock_of(current(), fd), INBOUND, 0);
		struct sock *sk = request_sock(req);
		len = READ(sk, sk_ack_backlog);
		max = READ(sk, sk_max_ack_backlog);
	} else {
		put_empty(&o);
	}
	put_u8(&o, max ? (u64)len * 100 / max : 0);
	put_u32(&o, len);
	put_u32(&o, max);
	put_u32(&o, fd_flags(op->arg[1]));
	return out_send(&o);
}

static inline int send_data(struct uring_op *op, struct io_kiocb *req, s64 res)
{
	if (op->opcode == OP_RECV) {
		LIMIT_OF(limit, request_sock(req), 0, NAMES_RECVFROM);
		URING_BEGIN(o, SOCKET_RECVFROM_X, 5);
		put_u64(&o, res);
		put_user_bytes(&o, op->arg[1], res > 0 ? res : 0, limit);
		put_request_tuple(&o, res >= 0 ? req : NULL, INBOUND, 0);
		put_u64(&o, op->arg[0]);
		put_u32(&o, op->arg[2]);
		return out_send(&o);
	}
	LIMIT_OF(limit, request_sock(req), 0, NAMES_SENDTO);
	URING_BEGIN(o, SOCKET_SENDTO_X, 5);
	put_u64(&o, res);
	put_user_bytes(&o, op->arg[1], res > 0 ? res : op->arg[2], limit);
	put_u64(&o, op->arg[0]);
	put_u32(&o, op->arg[2]);
	put_request_tuple(&o, res >= 0 ? req : NULL, OUTBOUND, 0);
	return out_send(&o);
}

static inline int send_message(struct uring_op *op, struct io_kiocb *req, s64 res)
{
	struct call c = {.ret = res, .task = current()};
	struct user_msghdr m = {};
	bool readable = read_msghdr(&c, op->arg[1], &m);
	struct io_kiocb *connected = res >= 0 && readable ? req : NULL;
	if (op->opcode == OP_RECVMSG) {
		LIMIT_OF(most, request_sock(req), m.name, NAMES_RECVMSG);
		URING_BEGIN(o, SOCKET_RECVMSG_X, 6);
		put_u64(&o, res);
		put_u32(&o, res > 0 ? res : 0);
		put_vector_up_to(&o, &c, m.iov, connected ? m.iovlen : 0, res > 0 ? res : 0, most);
		put_request_tuple(&o, connected, INBOUND, m.name);
		put_user_bytes(&o, connected ? m.control : 0, m.controllen, MAX_EVENT - 1);
		put_u64(&o, op->arg[0]);
		return out_send(&o);
	}
	LIMIT_OF(most, request_sock(req), m.name, NAMES_SENDMSG);
	URING_BEGIN(o, SOCKET_SENDMSG_X, 5);
	put_u64(&o, res);
	u64 size = put_vector_up_to(&o, &c, m.iov, m.iovlen, -1, most);
	put_u64(&o, op->arg[0]);
	put_u32(&o, size);
	put_request_tuple(&o, connected, OUTBOUND, m.name);
	return out_send(&o);
}

static inline int send_uring(struct uring_op *op, struct io_kiocb *req, s64 res)
{
	u64 request = (u64)req;
	if (settings.drop_failed && res < 0)
		return 0;
	switch (op->opcode) {
	case OP_OPENAT:
	case OP_OPENAT2:
		return send_open(op, request, res);
	case OP_CLOSE:
		URING_FIXED(SYSCALL_CLOSE_X, I64(res), I64(op->arg[0]));
	case OP_RENAMEAT:
	case OP_SYMLINKAT:
	case OP_LINKAT:
		return send_two_paths(op, request, res);
	case OP_UNLINKAT:
	case OP_MKDIRAT:
		return send_one_path(op, request, res);
	case OP_CONNECT:
		return send_connect(op, req, res);
	case OP_BIND:
		return send_bind(op, res);
	case OP_ACCEPT:
		return send_accept(op, req, res);
	case OP_SOCKET:
		URING_FIXED(SOCKET_SOCKET_X, I64(made(op, res)), I32(socket_family(op->arg[0])),
			    I32(op->arg[1]), I32(op->arg[2]), I32(fd_flags(op->arg[1])));
	case OP_LISTEN:
		URING_FIXED(SOCKET_LISTEN_X, I64(res), I64(op->arg[0]), I32(op->arg[1]));
	case OP_SHUTDOWN:
		URING_FIXED(SOCKET_SHUTDOWN_X, I64(res), I64(op->arg[0]),
			    I8(shutdown_how(op->arg[1])));
	case OP_SEND:
	case OP_SEND_ZC:
	case OP_RECV:
		return send_data(op, req, res);
	case OP_SENDMSG:
	case OP_SENDMSG_ZC:
	case OP_RECVMSG:
		return send_message(op, req, res);
	}
	return 0;
}

/* Takes a request out of those with the same tag. */
static inline void unlink_request(u64 request, struct uring_op *op)
{
	struct uring_tag tag = {.ring = op->ring, .user_data = op->user_data};
	u64 older = op->older, newer = op->newer;
	struct uring_op *other = older ? bpf_map_lookup_elem(&uring_ops, &older) : NULL;
	if (other && other->newer == request)
		other->newer = newer;
	other = newer ? bpf_map_lookup_elem(&uring_ops, &newer) : NULL;
	if (other && other->older == request)
		other->older = older;
	u64 *newest = bpf_map_lookup_elem(&uring_tags, &tag);
	if (!newest || *newest != request)
		return;
	if (older)
		*newest = older;
	else
		bpf_map_delete_elem(&uring_tags, &tag);
}

static inline void forget_request(u64 request, struct uring_op *op)
{
	unlink_request(request, op);
	for (u32 which = 0; which < 2; which++) {
		struct uring_text key = {.request = request, .which = which};
		if (op->is_long[which])
			bpf_map_delete_elem(&uring_texts, &key);
	}
	bpf_map_delete_elem(&uring_ops, &request);
}

/*
 * Remembers a request; gives it back if it is to be told at once.
 */
static inline struct uring_op *submitted(struct io_kiocb *req, struct task_struct *task, u8 opcode,
					 u32 cpu, struct draft *d)
{
	u64 request = (u64)req;
	struct uring_op *op = (void *)d->scratch;
	__builtin_memset(op, 0, sizeof(*op) - sizeof(op->text));
	op->text[0][0] = op->text[1][0] = 0;
	struct io_ring_ctx *ring = READ(req, ctx);
	op->ring = (u64)ring;
	op->user_data = READ(req, cqe.user_data);
	op->opcode = opcode;
	op->tid = READ(ring, flags) & SETUP_SQPOLL ? READ(ring, sq_data, task_tgid)
						   : current_tid(task);
	if (!save_arguments(op, d, req))
		return NULL;
	op->told = READ(req, flags) & REQUEST_NO_EVENT_ON_SUCCESS ? 1 : 0;
	struct uring_tag tag = {.ring = op->ring, .user_data = op->user_data};
	u64 *newest = bpf_map_lookup_elem(&uring_tags, &tag);
	op->older = newest ? *newest : 0;
	if (bpf_map_update_elem(&uring_ops, &request, op, BPF_ANY)) {
		__sync_fetch_and_add(&cpu_counters(cpu)->lost_other, 1);
		return NULL;
	}
	u64 older = op->older;
	struct uring_op *other = older ? bpf_map_lookup_elem(&uring_ops, &older) : NULL;
	if (other)
		other->newer = request;
	bpf_map_update_elem(&uring_tags, &tag, &request, BPF_ANY);
	return op->told ? bpf_map_lookup_elem(&uring_ops, &request) : NULL;
}


/* Arguments: request. Called io_uring_submit_sqe until 6.2 (2ad57931db64). */
SEC("?raw_tp/io_uring_submit_req")
int t_uring_submit(u64 *ctx)
{
	struct io_kiocb *req = (void *)ctx[0];
	struct task_struct *task = current();
	u32 cpu = bpf_get_smp_processor_id();
	u8 opcode = READ(req, opcode);
	s16 number = settings.uring_table[opcode & (MAX_URING_OPS - 1)];
	if (opcode >= MAX_URING_OPS || number < 0 || is_own(task))
		return 0;
	if (!(shared.wanted[slot_of(number)] & WANTED_NATIVE))
		return 0;
	u64 request = (u64)req;
	struct uring_op *unfinished = bpf_map_lookup_elem(&uring_ops, &request);
	if (unfinished) {
		/* Its end was not seen, but its place is used anew: so it has ended. */
		if (!unfinished->told)
			send_uring(unfinished, req, assumed_result(unfinished));
		forget_request(request, unfinished);
	}
	struct draft *d = draft_claim(cpu);
	if (!d)
		return 0;
	struct uring_op *saved = submitted(req, task, opcode, cpu, d);
	draft_release(d);
	return saved ? send_uring(saved, req, assumed_result(saved)) : 0;
}

static inline int request_done(u64 ring, u64 request, u64 user_data, s64 res, u32 flags)
{
	struct uring_tag tag = {.ring = ring, .user_data = user_data};
	if (!request) {
		u64 *newest = bpf_map_lookup_elem(&uring_tags, &tag);
		if (!newest)
			return 0;
		request = *newest;
	}
	struct uring_op *op = bpf_map_lookup_elem(&uring_ops, &request);
	if (!op)
		return 0;
	if (!op->told || res < 0)
		send_uring(op, (void *)request, res);
	if (!(flags & COMPLETION_MORE))
		forget_request(request, op);
	return 0;
}

/* Arguments: ring, request (0 where there may be more completions), and the completion: since 6.15
 * (072d37b53ae9) where it lies, before that its three members. */
SEC("?raw_tp/io_uring_complete")
int t_uring_complete(u64 *ctx)
{
	if (!settings.uring_complete_members) {
		struct io_uring_cqe *cqe = (void *)ctx[2];
		return request_done(ctx[0], ctx[1], READ(cqe, user_data), (s64)READ(cqe, res),
				    READ(cqe, flags));
	}
	return request_done(ctx[0], ctx[1], ctx[2], (s64)(s32)ctx[3], ctx[4]);
}

/* Arguments: ring, user data, result, flags, ... */
SEC("?raw_tp/io_uring_cqe_overflow")
int t_uring_overflow(u64 *ctx)
{
	return request_done(ctx[0], 0, ctx[1], (s64)(s32)ctx[2], ctx[3]);
}
