/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A thread ends; its last word names who takes over its children. */
#include "task.bpf.h"

#define MAX_THREADS_SEEN 30
#define MAX_ANCESTORS 60

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
	struct list_head *head = (void *)signal + bpf_core_field_offset(signal->thread_head);
	struct list_head *at = READ(head, next);
	for (int i = 0; i < MAX_THREADS_SEEN; i++) {
		if (at == head || !at)
			return 0;
		struct task_struct *thread =
			(void *)at - bpf_core_field_offset(struct task_struct, thread_node);
		if (!(READ(thread, flags) & PF_EXITING))
			return READ(thread, pid);
		at = READ(at, next);
	}
	return -1;
}

static inline s64 new_reaper(struct task_struct *task)
{
	s64 living = living_thread((u64)task);
	if (living)
		return living;
	struct pid_namespace *ns = pid_own(task_pid(task, PIDTYPE_PID)).ns;
	struct task_struct *init = READ(ns, child_reaper);
	if (init == task)
		return 0;
	s64 init_pid = READ(init, pid);
	struct signal_struct *signal = READ(task, signal);
	if (!BPF_CORE_READ_BITFIELD_PROBED(signal, has_child_subreaper))
		return init_pid;
	u32 level = task_ns_level(task);
	struct task_struct *at = task;
	for (int i = 0; i < MAX_ANCESTORS; i++) {
		at = READ(at, real_parent);
		if (!at || at == init || task_ns_level(at) != level)
			return init_pid;
		signal = READ(at, signal);
		if (!BPF_CORE_READ_BITFIELD_PROBED(signal, is_child_subreaper))
			continue;
		living = living_thread((u64)at);
		if (living)
			return living;
	}
	return -1;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(t_exit, struct task_struct *task)
{
	s64 status = task->exit_code;
	s64 reaper = 0;
	struct list_head *children =
		(void *)task + bpf_core_field_offset(struct task_struct, children);
	if (READ(children, next) != children)
		reaper = new_reaper((void *)bpf_get_current_task()); /* the same, untyped */
	FIXED(PROCEXIT_1_E, I64(status), I64(status >> 8 & 0xff), I8(status & 0x7f),
	      I8(status & 0x80 ? 1 : 0), I64(reaper));
}
