/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Scheduler switches, page faults, and, where the child makes no event itself, forks. */
#include "process.bpf.h"

SEC("?tp_btf/sched_switch")
int BPF_PROG(t_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct memory m = task_memory(prev);
	FIXED_OF(READ(prev, pid), 0, SCHEDSWITCH_6_E, I64(READ(next, pid)), I64(READ(prev, maj_flt)), I64(READ(prev, min_flt)), I32(m.size),
	      I32(m.rss), I32(m.swap));
}

#ifdef __TARGET_ARCH_x86
/* The hardware's bits; the table has a name for the absence of three of them too. */
static inline u32 fault_flags(unsigned long error)
{
	u32 flags = 0;
	flags |= error & 1 ? PPM_PF_PROTECTION_VIOLATION : PPM_PF_PAGE_NOT_PRESENT;
	flags |= error & 2 ? PPM_PF_WRITE_ACCESS : PPM_PF_READ_ACCESS;
	flags |= error & 4 ? PPM_PF_USER_FAULT : PPM_PF_SUPERVISOR_FAULT;
	if (error & 8)
		flags |= PPM_PF_RESERVED_PAGE;
	if (error & 16)
		flags |= PPM_PF_INSTRUCTION_FETCH;
	return flags;
}

static inline int page_fault(unsigned long address, struct pt_regs *regs, unsigned long error)
{
	FIXED_OF(current_tid(current()), 0, PAGE_FAULT_E, I64(address), I64(READ(regs, ip)), I32(fault_flags(error)));
}

SEC("?tp_btf/page_fault_user")
int BPF_PROG(t_fault_user, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	return page_fault(address, regs, error);
}

SEC("?tp_btf/page_fault_kernel")
int BPF_PROG(t_fault_kernel, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	return page_fault(address, regs, error);
}
#endif
