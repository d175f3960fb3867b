/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Building a record, in the layout of the capture file, and handing it over.
 *
 *   in the ring:  | cpu u16 | class u8 | flags u8 | 0 u32 |  record
 *   record:       | ts u64 | tid u64 | len u32 | code u16 | nparams u32 | lengths u16.. | bytes.. |
 *
 * Two ways. FIXED() is for events whose size is known when compiled: one reservation in the ring,
 * plain stores, no copy. OUT_BEGIN()/put_*()/out_send() is for all others: assembled in the CPU's
 * draft and copied once. Both take no wake-up of the kernel's own; see ring_bell().
 */
#pragma once
#include "maps.bpf.h"
#include "compat.bpf.h"

#define PREFIX_LEN 8
#define HEADER_LEN 26
#define FLAG_IO_URING 1

static inline u64 now(void)
{
	return settings.boot_time + bpf_ktime_get_boot_ns();
}

static inline struct counters *cpu_counters(u32 cpu)
{
	return (struct counters *)&shared.counters[cpu & (MAX_CPUS - 1)];
}

/*
 * Whether the current process has had its share of the lane of credentials: 64 events in 17 ms on one
 * CPU are more than anything does that is not a flood, and less than the reader takes out meanwhile.
 * Processes that share a place push each other out of it, and then have a share again.
 */
static inline bool is_flood(void)
{
	enum { SHARE = 64, PERIOD_BITS = 24 };
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u32 slot = tgid % QUOTAS;
	u64 period = bpf_ktime_get_boot_ns() >> PERIOD_BITS;
	struct quota *quota = bpf_map_lookup_elem(&quotas, &slot);
	if (!quota)
		return false;
	if (quota->tgid != tgid || quota->period != period) {
		quota->tgid = tgid;
		quota->period = period;
		quota->count = 0;
	}
	return quota->count++ >= SHARE;
}

static inline void *ring_of(u16 code, u32 cpu)
{
	u32 lane = lane_of(code);
	if (lane == LANE_CREDENTIALS && is_flood())
		lane = LANE_BULK;
	u32 slot = LANE_COUNT * cpu + lane;
	return bpf_map_lookup_elem(&rings, &slot);
}

/*
 * Wakes the reader if it went to sleep. The flag is looked at after the record was committed
 * (which is a full barrier in the kernel); the reader sets the flag before it looks at the rings
 * for the last time. So one of the two sees the other, and no event waits for the next one.
 */
static inline void ring_bell(void)
{
	if (likely(!shared.reader_sleeps))
		return;
	shared.reader_sleeps = 0;
	u8 ding = 0;
	bpf_ringbuf_output(&doorbell, &ding, sizeof(ding), BPF_RB_FORCE_WAKEUP);
}

static inline void put_header(void *at, u64 ts, u32 tid, u32 len, u16 code, u32 nparams)
{
	u8 *p = at;
	*(u64 *)(p + 0) = ts;
	*(u64 *)(p + 8) = tid;
	*(u32 *)(p + 16) = len;
	*(u16 *)(p + 20) = code;
	*(u32 *)(p + 22) = nparams;
}

static inline u64 prefix(u32 cpu, u16 code, u8 flags)
{
	return cpu | (u32)class_of(code) << 16 | (u32)flags << 24;
}

static inline void *fixed_reserve(u32 tid, u16 code, u32 size, u32 nparams, u8 flags)
{
	u32 cpu = bpf_get_smp_processor_id();
	void *ring = ring_of(code, cpu);
	if (!ring) {
		__sync_fetch_and_add(&cpu_counters(cpu)->lost_other, 1);
		return NULL;
	}
	u64 ts = now();
	u8 *p = bpf_ringbuf_reserve(ring, PREFIX_LEN + size, 0);
	if (!p) {
		__sync_fetch_and_add(&cpu_counters(cpu)->lost_full[class_of(code)], 1);
		return NULL;
	}
	*(u64 *)p = prefix(cpu, code, flags);
	put_header(p + PREFIX_LEN, ts, tid, size, code, nparams);
	return p + PREFIX_LEN;
}

static inline void fixed_send(void *record)
{
	bpf_ringbuf_submit((u8 *)record - PREFIX_LEN, BPF_RB_NO_WAKEUP);
	ring_bell();
}

/* Parameters of a FIXED event: width and value. */
#define I64(v) (8, u64, v)
#define I32(v) (4, u32, v)
#define I16(v) (2, u16, v)
#define I8(v) (1, u8, v)

#define _W(p) _W_ p
#define _W_(w, t, v) +w
#define _ONE(p) +1
#define _PUT(p) _PUT_ p
#define _PUT_(w, t, v)                                                                            \
	*(u16 *)(_r + _l) = w;                                                                     \
	*(t *)(_r + _d) = (t)(v);                                                                  \
	_l += 2;                                                                                   \
	_d += w;

#define _E1(M, a) M(a)
#define _E2(M, a, ...) M(a) _E1(M, __VA_ARGS__)
#define _E3(M, a, ...) M(a) _E2(M, __VA_ARGS__)
#define _E4(M, a, ...) M(a) _E3(M, __VA_ARGS__)
#define _E5(M, a, ...) M(a) _E4(M, __VA_ARGS__)
#define _E6(M, a, ...) M(a) _E5(M, __VA_ARGS__)
#define _E7(M, a, ...) M(a) _E6(M, __VA_ARGS__)
#define _E8(M, a, ...) M(a) _E7(M, __VA_ARGS__)
#define _E9(M, a, ...) M(a) _E8(M, __VA_ARGS__)
#define _E10(M, a, ...) M(a) _E9(M, __VA_ARGS__)
#define _E11(M, a, ...) M(a) _E10(M, __VA_ARGS__)
#define _E12(M, a, ...) M(a) _E11(M, __VA_ARGS__)
#define _NTH(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, N, ...) N
#define _EACH(M, ...)                                                                              \
	_NTH(__VA_ARGS__, _E12, _E11, _E10, _E9, _E8, _E7, _E6, _E5, _E4, _E3, _E2, _E1)           \
	(M, __VA_ARGS__)

/* Sends an event of constant size, of thread `tid`; returns from the program. */
#define FIXED_OF(tid, flags, code, ...)                                                            \
	do {                                                                                       \
		enum {                                                                             \
			_n = 0 _EACH(_ONE, __VA_ARGS__),                                           \
			_s = HEADER_LEN + 2 * _n _EACH(_W, __VA_ARGS__),                           \
		};                                                                                 \
		u8 *_r = fixed_reserve(tid, code, _s, _n, flags);                                  \
		if (!_r)                                                                           \
			return 0;                                                                  \
		u32 _l = HEADER_LEN, _d = HEADER_LEN + 2 * _n;                                     \
		_EACH(_PUT, __VA_ARGS__)                                                           \
		fixed_send(_r);                                                                    \
		return 0;                                                                          \
	} while (0)

/* The same for the system call `c` of a program's body. */
#define FIXED(code, ...) FIXED_OF(call_tid(c), 0, code, __VA_ARGS__)

/* A system call's event without parameters. */
#define BARE(code)                                                                                 \
	do {                                                                                       \
		u8 *_r = fixed_reserve(call_tid(c), code, HEADER_LEN, 0, 0);                       \
		if (_r)                                                                            \
			fixed_send(_r);                                                            \
		return 0;                                                                          \
	} while (0)

struct out {
	struct draft *draft;
	u32 cpu;
	u32 at; /* next parameter's place; may pass MAX_EVENT, then the event is not sent */
	u32 n;	/* parameters so far */
	u16 code;
	u8 flags; /* FLAG_... */
};

#define MASK (MAX_EVENT - 1)

/*
 * Where the next parameter goes. The compiler must not see where the pointer comes from: it would
 * find it unaligned and store byte by byte, which these machines need not.
 */
static inline void *out_at(struct out *o)
{
	void *at = &o->draft->data[o->at & MASK];
	asm volatile("" : "+r"(at));
	return at;
}
#define AT(o) out_at(o)

/* A draft of this CPU; where there is none left, the event is lost and counted. */
static inline struct draft *draft_claim(u32 cpu)
{
#if DRAFTS == 1
	return bpf_map_lookup_elem(&drafts, &cpu);
#else
	u32 slot = DRAFTS * cpu;
	struct draft *draft = bpf_map_lookup_elem(&drafts, &slot);
	if (draft && !__sync_lock_test_and_set(&draft->claimed, 1))
		return draft;
	slot++;
	draft = bpf_map_lookup_elem(&drafts, &slot);
	if (draft && !__sync_lock_test_and_set(&draft->claimed, 1))
		return draft;
	__sync_fetch_and_add(&cpu_counters(cpu)->lost_other, 1);
	return NULL;
#endif
}

static inline void draft_release(struct draft *draft)
{
#if DRAFTS > 1
	__sync_lock_test_and_set(&draft->claimed, 0);
#endif
}

static inline bool out_begin(struct out *o, u32 tid, u16 code, u32 nparams)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct draft *draft = draft_claim(cpu);
	if (!draft)
		return false;
	o->draft = draft;
	o->cpu = cpu;
	o->code = code;
	o->flags = 0;
	o->n = 0;
	o->at = HEADER_LEN + 2 * nparams;
	put_header(draft->data, now(), tid, 0, code, nparams);
	return true;
}

/*
 * Makes the place an unknown number to the verifier. After something of variable length there are
 * as many states as lengths; forgotten, they are one, and what follows is looked at once.
 */
static inline void forget(struct out *o)
{
	o->draft->loop_at = o->at;
	o->at = o->draft->loop_at;
}

/*
 * Makes what was begun an event of another type of the same class, with as many parameters. Its class and lane
 * are still known when the programs are compiled.
 */
static inline void retype(struct out *o, u16 code)
{
	*(u16 *)(o->draft->data + 20) = code;
}

/* By way of an argument: an array's element would be taken for unaligned. */
static inline void store_len(void *at, u16 len)
{
	asm volatile("" : "+r"(at));
	*(u16 *)at = len;
}

/* Ends a parameter whose bytes were added from `start` on. */
static inline void end_param(struct out *o, u32 start)
{
	store_len(&o->draft->data[HEADER_LEN + 2 * o->n++], o->at - start);
	forget(o);
}

/* Ends a parameter of `len` bytes that lie at the place already. */
static inline void put_len(struct out *o, u16 len)
{
	store_len(&o->draft->data[HEADER_LEN + 2 * o->n++], len);
	o->at += len;
}

/* A store that may straddle the end of the draft's data lands in its scratch: harmless. */
static inline void put_u8(struct out *o, u8 v)
{
	*(u8 *)AT(o) = v;
	put_len(o, 1);
}
static inline void put_u16(struct out *o, u16 v)
{
	*(u16 *)AT(o) = v;
	put_len(o, 2);
}
static inline void put_u32(struct out *o, u32 v)
{
	*(u32 *)AT(o) = v;
	put_len(o, 4);
}
static inline void put_u64(struct out *o, u64 v)
{
	*(u64 *)AT(o) = v;
	put_len(o, 8);
}
static inline void put_empty(struct out *o)
{
	put_len(o, 0);
}

#define MAX_PATH 4096

/* Appends a user's string, its NUL included, without closing the parameter; returns its bytes. */
static inline u32 add_user_str(struct out *o, u64 ptr, u32 max)
{
	if (!ptr)
		return 0;
	return read_user_str(AT(o), max, ptr);
}

static inline void put_user_str(struct out *o, u64 ptr)
{
	put_len(o, add_user_str(o, ptr, MAX_PATH));
	forget(o);
}

static inline void put_kernel_str(struct out *o, const void *ptr)
{
	long n = 0;
	if (ptr)
		n = bpf_probe_read_kernel_str(AT(o), MAX_PATH, ptr);
	put_len(o, n <= 0 ? 0 : n);
	forget(o);
}

/* `len` bytes of the user's memory, at most `max`; empty where they cannot be read. */
static inline void put_user_bytes(struct out *o, u64 ptr, u64 len, u32 max)
{
	u32 n = len < max ? len : max;
	if (n > MAX_EVENT - 1)
		n = MAX_EVENT - 1;
	if (!ptr || n == 0 || bpf_probe_read_user(AT(o), n & MASK, (void *)ptr))
		n = 0;
	put_len(o, n);
	forget(o);
}

/* Data of a read or a write: as much as the snap length allows. */
static inline void put_data(struct out *o, u64 ptr, u64 len)
{
	put_user_bytes(o, ptr, len, settings.snaplen);
}


/* A piece of a parameter; end_param() ends it. */
#define ADD(o, t, v)                                                                               \
	do {                                                                                       \
		*(t *)AT(o) = (v);                                                                 \
		(o)->at += sizeof(t);                                                              \
	} while (0)
#define ADD_BYTES(o, ptr, n)                                                                       \
	do {                                                                                       \
		bpf_probe_read_kernel(AT(o), n, ptr);                                              \
		(o)->at += (n);                                                                    \
	} while (0)

static inline void out_copy(struct out *o)
{
	u32 cpu = o->cpu;
	if (o->at > MAX_EVENT - 1) {
		__sync_fetch_and_add(&cpu_counters(cpu)->lost_large, 1);
		return;
	}
	void *ring = ring_of(o->code, cpu);
	if (!ring) {
		__sync_fetch_and_add(&cpu_counters(cpu)->lost_other, 1);
		return;
	}
	u32 *total = (void *)o->draft->data + 16;
	asm volatile("" : "+r"(total));
	*total = o->at;
	o->draft->prefix = prefix(cpu, o->code, o->flags);
	/* The compiler knows the bound; it must not keep that from the verifier. */
	u64 size = o->at;
	asm volatile("" : "+r"(size));
	size = (size & MASK) + PREFIX_LEN;
	if (bpf_ringbuf_output(ring, &o->draft->prefix, size, BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&cpu_counters(cpu)->lost_full[class_of(o->code)], 1);
		return;
	}
	ring_bell();
}

/* Every event that was begun must come here: its draft is given back. */
static inline int out_send(struct out *o)
{
	out_copy(o);
	draft_release(o->draft);
	return 0;
}

/* Starts an event of thread `tid`; returns from the program if there is no place for it. */
#define OUT_OF(o, tid, code, nparams)                                                              \
	struct out o;                                                                              \
	if (!out_begin(&o, tid, code, nparams))                                                    \
	return 0
/* The same for the system call `c` of a program's body. */
#define OUT_BEGIN(o, code, nparams) OUT_OF(o, call_tid(c), code, nparams)
