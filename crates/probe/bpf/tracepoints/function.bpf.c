/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Calls without a program of their own, and calls that do not end in a function of their own.
 *
 * All 32-bit calls go through one function, ia32_sys_call(). A call that seccomp refuses goes
 * through none, but __secure_computing() has said so. The loader loads this object again for each of
 * the two, with the function in `t_aside`, and with the programs of the calls behind it.
 */
#include "call.bpf.h"

#ifdef ATTACH_FEXIT

/* A copy of it sits on the function of each wanted call that has no program of its own. */
SEC("?fexit/" WRAPPER "getpriority")
int x_generic(void *ctx)
{
	struct task_struct *task = current();
	struct pt_regs *regs = user_regs(task);
	s64 ret = function_result(ctx, regs);
	u32 number = native_number(task, regs);
	if (is_told_elsewhere(task) || !is_wanted(number, ret) || is_unwanted(ret, task))
		return 0;
	return send_generic(task, number, number);
}

SEC("?fexit/" WRAPPER "getpriority")
int t_aside(void *ctx)
{
	struct task_struct *task = current();
	if (settings.part == PART_REFUSED) {
		u64 verdict = 0;
		bpf_get_func_ret(ctx, &verdict);
		if (likely((s32)verdict != -1))
			return 0;
	}
	struct pt_regs *regs = user_regs(task);
	u32 number = native_number(task, regs);
	if (number >= MAX_SYSCALLS || !(shared.wanted[slot_of(number)] & WANTED_NATIVE))
		return 0;
	bpf_tail_call(ctx, &exits, number);
	return 0;
}

#endif
