/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the programs share with each other and with the loader.
 *
 * Settings are constants by the time the verifier sees them, so what is off costs nothing.
 * What changes while the programs run lies in plain memory that user space maps too: no system
 * call of ours can hold up a program.
 */
#pragma once
#include "types.bpf.h"
#include "class.bpf.h"

#define MAX_CPUS 1024
#define MAX_SYSCALLS 512
#define MAX_URING_OPS 64
/* An event, header included. */
#define MAX_EVENT 65536

/*
 * The same programs may be loaded more than once, to sit on several places that each show a part of
 * the calls. In src/layout.rs too.
 */
enum part {
	PART_ALL,
	PART_NARROW,  /* those of 32-bit programs */
	PART_REFUSED, /* those that seccomp answers itself, so that no call's function runs */
};

/* Written by the loader before the verifier looks; mirrored in src/layout.rs. */
struct settings {
	u64 boot_time; /* ns since the epoch at which the boot clock was 0 */
	u32 snaplen;
	u8 drop_failed;
	u8 ia32; /* 32-bit programs can run here */
	u8 uring_complete_members; /* what io_uring_complete's arguments are */
	u8 part; /* PART_...: which of the calls this copy of the programs is for */
	u32 name_snaplen; /* of data to and from name servers; 0: as of all other */
	u32 names_alone; /* NAMES_...: of these calls only those with name servers are wanted */
	u32 others_left_out; /* calls of all but `shared.self` and its children are not reported */
	u32 pad;
	s16 ia32_table[MAX_SYSCALLS]; /* 64-bit number of a 32-bit system call; -1: none */
	u16 code_table[MAX_SYSCALLS]; /* portable code, for the generic event */
	s16 uring_table[MAX_URING_OPS]; /* the system call that an operation stands for; -1: none */
};
const volatile struct settings settings SEC(".rodata.settings") = {.snaplen = 80};

struct counters {
	u64 lost_full[CLASS_COUNT]; /* the buffer was full */
	u64 lost_large;		    /* larger than MAX_EVENT */
	u64 lost_other;		    /* no buffer for this CPU */
	u64 unread[2];		    /* left out as UNREAD_SUCCESS, as UNREAD_FAILURE */
	u64 own_calls;		    /* of the monitor itself: left out, and proof that it is seen */
};

/* By number: the 64-bit call is wanted; the 32-bit call of that number is. */
#define WANTED_NATIVE 1
#define WANTED_IA32 2
/* Nobody reads of the 64-bit call those that succeed; those that fail. */
#define UNREAD_SUCCESS 4
#define UNREAD_FAILURE 8
/* Nobody reads some of them: see filter.bpf.h. */
#define WANTED_FILTERED 16
/* The call changes what the caller's image is known by: its name, its user. */
#define CHANGES_IMAGE 32

/* What of a 64-bit call nobody reads; mirrored in src/layout.rs. Arguments are counted from 1; 0: none. */
struct filter {
	u8 kinds;	 /* KIND_...: of the descriptor in argument `fd_at` */
	u8 fd_at;
	u8 failed_modes; /* failed, with one of these access modes in argument `flags_at` */
	u8 flags_at;
	u8 path_at;	 /* a path that begins with none of `prefixes` */
	u8 process_bit;	 /* done by a process whose image has this bit; counted from 1 */
	u8 pad[2];
};

/* Written by both sides while the programs run; mirrored in src/layout.rs. */
struct shared {
	u8 wanted[MAX_SYSCALLS]; /* WANTED_... */
	u32 self;		 /* thread or thread group whose own work is left out; 0: none */
	u32 self_is_thread; /* or, where others are left out, 2 */
	u8 pad1[56];
	u32 reader_sleeps; /* set by a reader about to sleep, taken back by who wakes it */
	u8 pad2[60];
	struct counters counters[MAX_CPUS];
	struct filter filters[MAX_SYSCALLS];
	u64 images_since;    /* bits of images that were told before mean something else */
	u32 images_are_told; /* whether changes of images are noted */
	u32 pad3;
};
volatile struct shared shared SEC(".data.shared") = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} doorbell SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/*
 * At LANE_COUNT * CPU the ring of the first lane, behind it those of the others; several CPUs may
 * hold the same.
 * The loader makes and fills it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
	__array(values, struct ring);
} rings SEC(".maps");

/*
 * Programs on tracepoints run to their end before another starts on their CPU. Those on functions
 * may be put aside by the scheduler where the kernel allows that, with their draft half done: so
 * a draft is claimed there, and there is a second one.
 */
#ifdef ATTACH_FEXIT
#define DRAFTS 2
#else
#define DRAFTS 1
#endif

/* Where an event of variable size is put together, and scratch space behind it. */
struct draft {
	u64 claimed;
	/*
	 * Sums of a loop over user-given pieces. Kept here and not in registers: what is read back
	 * from memory is any number to the verifier, so that one turn of the loop looks like the
	 * next, and 32 turns cost it little more than one.
	 */
	volatile u64 loop_total;
	volatile u32 loop_len, loop_start, loop_at, loop_max;
	/* The same for the way from a file up to the root: see put_kernel_path(). */
	struct dentry *volatile walk_dentry;
	struct vfsmount *volatile walk_mnt;
	u64 prefix;
	u8 data[MAX_EVENT];
	u8 scratch[MAX_EVENT + 4096];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct draft);
} drafts SEC(".maps");

/* What a process has put into the lane of credentials lately, on this CPU. */
struct quota {
	u64 period;
	u32 tgid, count;
};
#define QUOTAS 64
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, QUOTAS);
	__type(key, u32);
	__type(value, struct quota);
} quotas SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, MAX_SYSCALLS);
	__type(key, u32);
	__type(value, u32);
} exits SEC(".maps");

/* Bounds a number where the verifier sees it: the compiler, which knows that it is, would not. */
static inline u64 slot_of(u64 number)
{
	asm volatile("" : "+r"(number));
	return number & (MAX_SYSCALLS - 1);
}
