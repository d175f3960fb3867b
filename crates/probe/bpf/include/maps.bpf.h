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
/* An event, header included. */
#define MAX_EVENT 65536

struct settings {
	u64 boot_time; /* ns since the epoch at which the boot clock was 0 */
	u32 snaplen;
	u32 self; /* thread group whose own work is left out; 0: none */
	u8 drop_failed;
	u8 self_thread_only;
	u8 pad[6];
};
const volatile struct settings settings = {.snaplen = 80};
/* 64-bit number of a 32-bit program's system call; -1: there is none. */
const volatile s16 ia32_table[MAX_SYSCALLS] = {};
/* Code of the portable table for the generic event. */
const volatile u16 code_table[MAX_SYSCALLS] = {};

/* Whether a system call is wanted, by its 64-bit number. */
volatile u8 wanted[MAX_SYSCALLS] = {};

struct counters {
	u64 lost_full[CLASS_COUNT]; /* the buffer was full */
	u64 lost_large;		    /* larger than MAX_EVENT */
	u64 lost_other;		    /* no buffer for this CPU */
	u64 pad[16 - CLASS_COUNT - 2];
};
volatile struct counters counters[MAX_CPUS] = {};

/* Set by a reader about to sleep, taken back by the program that wakes it. */
volatile u32 reader_sleeps = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} doorbell SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* By CPU; several CPUs may hold the same ring. The loader sizes and fills both. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
	__array(values, struct ring);
} bulk_rings SEC(".maps"), vital_rings SEC(".maps");

/* Where an event of variable size is put together, and scratch space behind it. */
struct draft {
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

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, MAX_SYSCALLS);
	__type(key, u32);
	__type(value, u32);
} exits SEC(".maps");
