/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A thread ends; its last word names who takes over its children. */
#include "task.bpf.h"

#define MAX_THREADS_SEEN 30
#define MAX_ANCESTORS 60

struct thread_walk {
	struct list_head *head, *at;
	s64 found;
};

static long one_thread(u32 i, struct thread_walk *w)
{
	struct list_head *at = w->at;
	if (at == w->head || !at) {
		w->found = 0;
		return 1;
	}
	struct task_struct *thread =
		(void *)at - bpf_core_field_offset(struct task_struct, thread_node);
	if (!(READ(thread, flags) & PF_EXITING)) {
		w->found = READ(thread, pid);
		return 1;
	}
	w->at = READ(at, next);
	return 0;
}

/*
 * A function of its own for the verifier, which then goes through it once and not for each of the
 * ancestors: hence the plain number for an argument.
 *
 * Gives a thread of the group that stays: its number, 0 if there is none, -1 if it was not found
 * out.
 */
__attribute__((noinline)) s64 living_thread(u64 address)
{
	struct task_struct *task = (void *)address;
	struct signal_struct *signal = READ(task, signal);
	struct thread_walk w = {.found = -1};
	w.head = (void *)signal + bpf_core_field_offset(signal->thread_head);
	w.at = READ(w.head, next);
	LOOP(MAX_THREADS_SEEN, one_thread, &w);
	return w.found;
}

/* A pointer as the plain number that it is: read back from memory, it has lost its type. */
static inline u64 address_of(const void *pointer)
{
	u64 address = 0;
	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

struct ancestor_walk {
	struct task_struct *at, *init;
	u32 level;
	s64 found;
};

static long one_ancestor(u32 i, struct ancestor_walk *w)
{
	struct task_struct *at = READ(w->at, real_parent);
	w->at = at;
	if (!at || at == w->init || task_ns_level(at) != w->level) {
		w->found = READ(w->init, pid);
		return 1;
	}
	struct signal_struct *signal = READ(at, signal);
	if (!BPF_CORE_READ_BITFIELD_PROBED(signal, is_child_subreaper))
		return 0;
	s64 living = living_thread(address_of(at));
	if (!living)
		return 0;
	w->found = living;
	return 1;
}

static inline s64 new_reaper(struct task_struct *task)
{
	s64 living = living_thread(address_of(task));
	if (living)
		return living;
	struct pid_namespace *ns = pid_own(task_pid(task, PIDTYPE_PID)).ns;
	struct task_struct *init = READ(ns, child_reaper);
	if (init == task)
		return 0;
	struct signal_struct *signal = READ(task, signal);
	if (!BPF_CORE_READ_BITFIELD_PROBED(signal, has_child_subreaper))
		return READ(init, pid);
	struct ancestor_walk w = {
		.at = task, .init = init, .level = task_ns_level(task), .found = -1};
	LOOP(MAX_ANCESTORS, one_ancestor, &w);
	return w.found;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(t_exit, struct task_struct *task)
{
	s64 status = READ(task, exit_code);
	s64 reaper = 0;
	struct list_head *children =
		(void *)task + bpf_core_field_offset(struct task_struct, children);
	if (READ(children, next) != children)
		reaper = new_reaper(task);
	FIXED_OF(current_tid(task), 0, PROCEXIT_1_E, I64(status), I64(status >> 8 & 0xff), I8(status & 0x7f),
	      I8(status & 0x80 ? 1 : 0), I64(reaper));
}
