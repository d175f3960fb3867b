/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Scattered buffers: iovec arrays and message headers, of 64-bit and 32-bit callers. */
#pragma once
#include "sock.bpf.h"

#define MAX_VECTORS 32

/*
 * Data of at most MAX_VECTORS buffers, `limit` bytes and the snap length, as one parameter;
 * returns the sum of their lengths.
 */
static inline u64 put_vector(struct out *o, const struct call *c, u64 array, u64 count, u64 limit)
{
	struct draft *d = o->draft;
	u32 max = settings.snaplen;
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
	for (u32 i = 0; i < MAX_VECTORS; i++) {
		struct user_iovec v = {};
		if (i >= count)
			break;
		if (bpf_probe_read_user(&v, c->compat ? sizeof(struct user_iovec32) : sizeof(v),
					(void *)array))
			break;
		if (c->compat) {
			v.len = v.base >> 32;
			v.base = (u32)v.base;
			array += sizeof(struct user_iovec32);
		} else {
			array += sizeof(v);
		}
		d->loop_total += v.len;
		u32 len = d->loop_len, max = d->loop_max;
		if (len >= max)
			continue;
		/* An empty part or one that cannot be read ends the data: so captures have it. */
		u32 n = max - len;
		if (v.len < n)
			n = v.len;
		u32 at = d->loop_start + len;
		if (!n || bpf_probe_read_user(&d->data[at & MASK], n & MASK, (void *)v.base)) {
			d->loop_max = 0;
			continue;
		}
		d->loop_len = len + n;
	}
	put_len(o, d->loop_len);
	forget(o);
	return d->loop_total;
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
