/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Scattered buffers: iovec arrays and message headers, of 64-bit and 32-bit callers. */
#pragma once
#include "sock.bpf.h"

#define MAX_VECTORS 32

struct vector_walk {
	struct draft *draft;
	u64 array, count;
	bool compat;
};

static long one_vector(u32 i, struct vector_walk *w)
{
	struct draft *d = w->draft;
	struct user_iovec v = {};
	u32 stride = w->compat ? sizeof(struct user_iovec32) : sizeof(v);
	if (i >= w->count || bpf_probe_read_user(&v, stride, (void *)(w->array + i * stride)))
		return 1;
	if (w->compat) {
		v.len = v.base >> 32;
		v.base = (u32)v.base;
	}
	d->loop_total += v.len;
	u32 len = d->loop_len, max = d->loop_max;
	if (len >= max)
		return 0;
	/* An empty part or one that cannot be read ends the data: so captures have it. */
	u32 n = max - len;
	if (v.len < n)
		n = v.len;
	u32 at = d->loop_start + len;
	if (!n || bpf_probe_read_user(&d->data[at & MASK], n & MASK, (void *)v.base)) {
		d->loop_max = 0;
		return 0;
	}
	d->loop_len = len + n;
	return 0;
}

/*
 * Data of at most MAX_VECTORS buffers, `limit` and `max` bytes, as one parameter; returns the sum of
 * their lengths.
 */
static inline u64 put_vector_up_to(struct out *o, const struct call *c, u64 array, u64 count,
				   u64 limit, u32 max)
{
	struct draft *d = o->draft;
	if (limit < max)
		max = limit;
	if (max > MAX_EVENT - 1)
		max = MAX_EVENT - 1;
	/* A count that is negative as an int is refused by every call before it looks. */
	if ((s32)count < 0)
		count = 0;
	d->loop_total = 0;
	d->loop_len = 0;
	d->loop_start = o->at;
	d->loop_max = max;
	struct vector_walk walk = {.draft = d, .array = array, .count = count, .compat = c->compat};
	LOOP(MAX_VECTORS, one_vector, &walk);
	put_len(o, d->loop_len);
	forget(o);
	return d->loop_total;
}

/* The same with the snap length as `max`. */
static inline u64 put_vector(struct out *o, const struct call *c, u64 array, u64 count, u64 limit)
{
	return put_vector_up_to(o, c, array, count, limit, settings.snaplen);
}

static inline bool read_msghdr(const struct call *c, u64 ptr, struct user_msghdr *m)
{
	if (c->compat) {
		struct user_msghdr32 n = {};
		if (bpf_probe_read_user(&n, sizeof(n), (void *)ptr))
			return false;
		m->name = n.name;
		m->namelen = n.namelen;
		m->iov = n.iov;
		m->iovlen = n.iovlen;
		m->control = n.control;
		m->controllen = n.controllen;
		return true;
	}
	return !bpf_probe_read_user(m, sizeof(*m), (void *)ptr);
}
