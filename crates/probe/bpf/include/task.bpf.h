/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What an event says of a task: numbers, memory, credentials, cgroups, arguments. */
#pragma once
#include "call.bpf.h"

#define PF_KTHREAD 0x00200000
#define PF_EXITING 0x00000004
#define RLIMIT_NOFILE 7
#define MM_FILEPAGES 0
#define MM_ANONPAGES 1
#define MM_SWAPENTS 2
#define MM_SHMEMPAGES 3

struct memory {
	u32 size, rss, swap; /* kB */
};

static inline struct memory task_memory(struct task_struct *task)
{
	struct memory m = {};
	struct mm_struct *mm = READ(task, mm);
	if (!mm)
		return m;
	m.size = READ(mm, total_vm) << 2;
	m.rss = (MM_PAGES(mm, MM_FILEPAGES) + MM_PAGES(mm, MM_ANONPAGES) +
		 MM_PAGES(mm, MM_SHMEMPAGES))
		<< 2;
	m.swap = MM_PAGES(mm, MM_SWAPENTS) << 2;
	return m;
}

static inline struct pid *task_pid(struct task_struct *task, enum pid_type type)
{
	if (type == PIDTYPE_PID)
		return READ(task, thread_pid);
	return READ(task, signal, pids[type & 3]);
}

/* Number in the initial namespace. */
static inline s64 pid_number(struct pid *pid)
{
	return READ(pid, numbers[0].nr);
}

static inline struct upid pid_own(struct pid *pid)
{
	struct upid own = {};
	u32 level = READ(pid, level);
	if (pid && level < 33)
		bpf_probe_read_kernel(&own, sizeof(own),
				      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
					      level * bpf_core_type_size(struct upid));
	return own;
}

/* Number in the task's own namespace. */
static inline s64 pid_virtual(struct pid *pid)
{
	return pid_own(pid).nr;
}

static inline u32 task_ns_level(struct task_struct *task)
{
	return READ(task_pid(task, PIDTYPE_PID), level);
}

static inline u64 pidns_start(struct task_struct *task)
{
	struct pid_namespace *ns = pid_own(task_pid(task, PIDTYPE_PID)).ns;
	return READ(ns, child_reaper, start_time);
}

/* All capabilities the portable table has; its bits are the kernel's. */
#define ALL_CAPABILITIES 0x1ffffffffffULL
#define CAPABILITIES(cred, set)                                                                    \
	({                                                                                         \
		u64 bits = 0;                                                                      \
		BPF_CORE_READ_INTO(&bits, cred, set);                                              \
		bits & ALL_CAPABILITIES;                                                           \
	})

static inline u32 task_tty(struct task_struct *task)
{
	struct tty_struct *tty = READ(task, signal, tty);
	if (!tty)
		return 0;
	u32 major = READ(tty, driver, major);
	u32 minor = READ(tty, driver, minor_start) + READ(tty, index);
	return (minor & 0xff) | major << 8 | (minor & ~0xff) << 12;
}

#define MAX_CGROUP_NAMES 6

/* `name=path`: from the leaf at most six names upwards, so the top of a deep path is missing. */
static inline void add_cgroup(struct out *o, struct task_struct *task, u32 id, const char *label,
			      u32 label_len)
{
	if (id >= 16)
		return;
	const char *names[MAX_CGROUP_NAMES] = {};
	struct kernfs_node *node = READ(task, cgroups, subsys[id], cgroup, kn);
#pragma unroll
	for (int i = 0; i < MAX_CGROUP_NAMES; i++) {
		struct kernfs_node *up = kernfs_parent(node);
		if (!up)
			break;
		names[i] = READ(node, name);
		node = up;
	}
	ADD_BYTES(o, label, label_len);
	if (!names[0])
		ADD(o, u8, '/');
	forget(o);
#pragma unroll
	for (int i = MAX_CGROUP_NAMES - 1; i >= 0; i--) {
		if (names[i]) {
			ADD(o, u8, '/');
			long n = bpf_probe_read_kernel_str(AT(o), 256, names[i]);
			if (n > 1)
				o->at += n - 1;
		}
		forget(o);
	}
	ADD(o, u8, 0);
}

#define ADD_CGROUP(o, task, subsystem)                                                             \
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, subsystem##_cgrp_id)) {              \
		static const char label[] = #subsystem "=";                                        \
		add_cgroup(o, task,                                                                \
			   bpf_core_enum_value(enum cgroup_subsys_id, subsystem##_cgrp_id), label, \
			   sizeof(label) - 1);                                                     \
	}

static inline void put_cgroups(struct out *o, struct task_struct *task)
{
	u32 start = o->at;
	ADD_CGROUP(o, task, cpuset);
	ADD_CGROUP(o, task, cpu);
	ADD_CGROUP(o, task, cpuacct);
	ADD_CGROUP(o, task, io);
	ADD_CGROUP(o, task, memory);
	end_param(o, start);
}

static inline void put_comm(struct out *o, struct task_struct *task)
{
	long n = bpf_probe_read_kernel_str(
		AT(o), 16, (void *)task + bpf_core_field_offset(struct task_struct, comm));
	put_len(o, n <= 0 ? 0 : n);
	forget(o);
}

/* exe and args: the first string and the rest of the argument area, 4,096 bytes together. */
static inline void put_arguments(struct out *o, struct task_struct *task)
{
	struct mm_struct *mm = READ(task, mm);
	if (!mm) {
		put_empty(o);
		put_empty(o);
		return;
	}
	u64 start = READ(mm, arg_start), end = READ(mm, arg_end);
	u64 total = end > start ? end - start : 0;
	if (total > MAX_PATH)
		total = MAX_PATH;
	u32 exe = total ? add_user_str(o, start, MAX_PATH) : 0;
	put_len(o, exe);
	forget(o);
	s64 rest = total - exe;
	if (!exe || rest <= 0 || rest >= MAX_PATH ||
	    bpf_probe_read_user(AT(o), rest & (MAX_PATH - 1), (void *)(start + exe))) {
		put_empty(o);
		return;
	}
	/* Cut off or overwritten by the program: the last byte ends the last argument. */
	o->draft->data[(o->at + rest - 1) & MASK] = 0;
	put_len(o, rest);
	forget(o);
}

static inline void put_environment(struct out *o, struct task_struct *task)
{
	struct mm_struct *mm = READ(task, mm);
	u64 start = 0, end = 0;
	if (mm) {
		start = READ(mm, env_start);
		end = READ(mm, env_end);
	}
	u64 total = end > start ? end - start : 0;
	if (total > MAX_PATH)
		total = MAX_PATH;
	if (!total || bpf_probe_read_user(AT(o), total & 0x1fff, (void *)start)) {
		put_empty(o);
		return;
	}
	o->draft->data[(o->at + total - 1) & MASK] = 0;
	put_len(o, total);
	forget(o);
}

struct array_walk {
	struct draft *draft;
	u64 array;
	u32 count;
	bool compat;
};

static long one_string(u32 i, struct array_walk *w)
{
	struct draft *d = w->draft;
	u64 ptr = 0;
	u32 width = w->compat ? 4 : 8;
	if (i >= w->count || bpf_probe_read_user(&ptr, width, (void *)(w->array + i * width)))
		return 1;
	u32 len = d->loop_len, max = d->loop_max, at = d->loop_start + len;
	if (!ptr || len >= max)
		return 1;
	u32 n = read_user_str(&d->data[at & MASK], MAX_PATH, ptr);
	if (!n)
		return 1;
	u32 room = max - len;
	d->loop_len = len + (n > room ? room : n);
	return 0;
}

/* argv or envp of a call that failed: `skip` pointers in, at most `count` strings. */
static inline void put_user_array(struct out *o, const struct call *c, u64 array, u32 skip,
				  u32 count, u32 max)
{
	struct draft *d = o->draft;
	u32 start = o->at;
	if (max > MAX_PATH)
		max = MAX_PATH;
	d->loop_len = 0;
	d->loop_start = start;
	d->loop_max = max;
	struct array_walk walk = {.draft = d, .compat = c->compat, .count = array ? count : 0};
	walk.array = array + skip * (c->compat ? 4 : 8);
	LOOP(16, one_string, &walk);
	u32 len = d->loop_len;
	if (len)
		d->data[(start + len - 1) & MASK] = 0;
	put_len(o, len);
	forget(o);
}

static inline bool is_kernel_thread(struct task_struct *task)
{
	return READ(task, flags) & PF_KTHREAD;
}
