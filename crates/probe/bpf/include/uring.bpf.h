/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* io_uring's types (6.0 and later), and what is remembered of a request until it is done. */
#pragma once
#include "sock.bpf.h"
#include "vector.bpf.h"
#include "flags.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct filename {
	const char *name;
};
struct open_how___kernel {
	u64 flags, mode, resolve;
};
struct io_cqe {
	s32 res;
	int fd;
	u64 user_data;
};
struct io_sq_data {
	int task_tgid;
};
struct io_ring_ctx {
	u32 flags;
	struct io_sq_data *sq_data;
};
struct io_kiocb {
	struct file *file;
	u8 opcode;
	u32 flags;
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
	void *async_data;
};
struct io_uring_cqe {
	u64 user_data;
	s32 res;
	u32 flags;
};
/* Each lies at the start of a request of its kind. */
struct io_open {
	int dfd;
	u32 file_slot;
	struct filename *filename;
	struct open_how___kernel how;
};
struct io_close {
	int fd;
	u32 file_slot;
};
struct io_rename {
	int old_dfd, new_dfd;
	struct filename *oldpath, *newpath;
	int flags;
};
struct io_unlink {
	int dfd, flags;
	struct filename *filename;
};
struct io_mkdir {
	int dfd;
	u16 mode;
	struct filename *filename;
};
struct io_link {
	int old_dfd, new_dfd;
	struct filename *oldpath, *newpath;
	int flags;
};
struct io_connect {
	void *addr;
	int addr_len;
};
struct io_bind {
	int addr_len;
};
struct io_accept {
	int flags;
	u32 file_slot;
};
struct io_socket {
	int domain, type, protocol;
	u32 file_slot;
};
struct io_listen {
	int backlog;
};
struct io_shutdown {
	int how;
};
struct io_sr_msg {
	void *umsg, *buf;
	int len;
};
struct io_async_connect {
	int dummy;
};
struct kernel_address {
	u16 ss_family;
};
struct io_async_msghdr {
	struct kernel_address addr;
};
#pragma clang attribute pop

enum {
	OP_SENDMSG = 9,
	OP_RECVMSG = 10,
	OP_ACCEPT = 13,
	OP_CONNECT = 16,
	OP_OPENAT = 18,
	OP_CLOSE = 19,
	OP_SEND = 26,
	OP_RECV = 27,
	OP_OPENAT2 = 28,
	OP_SHUTDOWN = 34,
	OP_RENAMEAT = 35,
	OP_UNLINKAT = 36,
	OP_MKDIRAT = 37,
	OP_SYMLINKAT = 38,
	OP_LINKAT = 39,
	OP_SOCKET = 45,
	OP_SEND_ZC = 47,
	OP_SENDMSG_ZC = 48,
	OP_BIND = 56,
	OP_LISTEN = 57,
};

#define SETUP_SQPOLL 2
#define REQUEST_FIXED_FILE 1
#define REQUEST_NO_EVENT_ON_SUCCESS 64
#define COMPLETION_MORE 2

/*
 * A registered file has no descriptor, only a place in the ring's table. It is told as a descriptor
 * that no process can have: so what is done with it can be told apart, and no real one is mistaken.
 */
#define REGISTERED 0x40000000
/* A descriptor whose number nobody is told. */
#define UNKNOWN_DESCRIPTOR 0x7fffffff

#define SHORT_PATH 256

/* What a request asks for, copied when it is submitted: the kernel's own copies are gone when it is
 * done, and the user may have rewritten his. */
struct uring_op {
	u64 ring, user_data;
	u64 older, newer; /* requests under way with the same tag */
	u64 arg[5];
	u32 tid;
	u8 opcode;
	u8 told; /* its success was told already */
	u8 is_long[2];
	char text[2][SHORT_PATH]; /* paths, or an address */
};

/* By request. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct uring_op);
} uring_ops SEC(".maps");

struct uring_tag {
	u64 ring, user_data;
};

/*
 * Requests by what their completion carries, for completions that do not say which it was. Several may
 * carry the same: this is the newest, which leads to the older ones.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct uring_tag);
	__type(value, u64);
} uring_tags SEC(".maps");

struct uring_text {
	u64 request;
	u64 which;
};

struct uring_path {
	char text[MAX_PATH];
};

/* Paths beyond SHORT_PATH. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct uring_text);
	__type(value, struct uring_path);
} uring_texts SEC(".maps");
