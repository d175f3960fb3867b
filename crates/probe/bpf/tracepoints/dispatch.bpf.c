/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * From raw sys_exit to the program of the system call, and the event of calls without a program.
 */
#include "call.bpf.h"
#if defined(ATTACH_DISPATCH) && !defined(WITHOUT_CALLBACKS)
#define WITH_FILTERS
#include "filter.bpf.h"
#endif

static inline int send_generic(struct task_struct *task, u32 number, u32 native)
{
	FIXED_OF(current_tid(task), 0, GENERIC_X, I16(settings.code_table[slot_of(number)]), I16(native));
}

#ifdef ATTACH_DISPATCH

#define HERE(number, name)                                                                         \
	case number: {                                                                             \
		struct call c = {.ret = ret, .task = task};                                        \
		if (is_unwanted(ret, task))                                                        \
			return 0;                                                                  \
		read_args(&c, regs);                                                               \
		return exit_##name(&c);                                                            \
	}

SEC("?tp_btf/sys_exit")
int BPF_PROG(dispatch, struct pt_regs *regs, long ret)
{
	u32 number = syscall_number(regs);
	/* Nine of ten calls of a machine end here: no helper is called before. */
	if (number >= MAX_SYSCALLS)
		return 0;
	u8 wanted = shared.wanted[slot_of(number)];
	if (!wanted)
		return 0;
	struct task_struct *task = current();
	if (unlikely(is_compat(task))) {
		number = native_number(task, regs);
		if (number >= MAX_SYSCALLS)
			return 0;
		wanted = shared.wanted[slot_of(number)];
	} else if (settings.part == PART_NARROW || is_foreign(task)) {
		return 0;
	}
	if (!(wanted & WANTED_NATIVE) || is_unread(wanted, ret))
		return 0;
#ifdef WITH_FILTERS
	if (unlikely(wanted & CHANGES_IMAGE))
		note_image_change();
	if (unlikely(wanted & WANTED_FILTERED) && !is_compat(task) &&
	    is_filtered(task, regs, number, ret)) {
		count_unread(ret < 0);
		return 0;
	}
#endif
#if defined(WITH_FILTERS) && defined(__TARGET_ARCH_x86)
	/* The busiest are dealt with here: that spares them the jump, and asking for the task again. */
	switch (number) {
		HERE(0, read)
		HERE(1, write)
		HERE(3, close)
		HERE(257, openat)
	}
#endif
	bpf_tail_call(ctx, &exits, number);
	if (is_unwanted(ret, task))
		return 0;
	return send_generic(task, number, number);
}

#endif

#ifdef ATTACH_TRACEPOINT
/* Attached to the tracepoint of each wanted call that has no program of its own. */
SEC("?tracepoint/syscalls/sys_exit_getppid")
int x_generic(struct tracepoint_exit *ctx)
{
	struct task_struct *task = current();
	if (!is_wanted(ctx->nr, ctx->ret) || is_unwanted(ctx->ret, task))
		return 0;
	return send_generic(task, ctx->nr, ctx->nr);
}
#endif

/* Tells the loader, when run by it, its thread's and process's numbers in the initial namespace. */
SEC("?raw_tp/sys_enter")
int t_whoami(void *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	return shared.self_is_thread ? (u32)id : id >> 32;
}
