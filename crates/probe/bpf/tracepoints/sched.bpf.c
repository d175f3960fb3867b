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

#ifdef CHILD_TOLD_BY_PARENT
/*
 * A child's first event, where no program sees the child come out of the call that made it. On
 * x86 it is that of the call; elsewhere always that of clone, with what can be seen of its flags: so
 * captures have it.
 */
SEC("?tp_btf/sched_process_fork")
int BPF_PROG(t_fork, struct task_struct *parent, struct task_struct *child)
{
	struct call c = {.task = child};
	u16 code = SYSCALL_CLONE_20_X;
	u32 flags = 0;
	if (is_kernel_thread(parent) || is_kernel_thread(child))
		return 0;
	if (shared.self && (shared.self_is_thread ? READ(child, pid) : READ(child, tgid)) == shared.self)
		return 0;
#ifdef __TARGET_ARCH_x86
	enum { CLONE = 56, FORK = 57, VFORK = 58, CLONE3 = 435 };
	struct pt_regs *regs = user_regs(parent);
	u32 number = native_number(parent, regs);
	u64 asked = is_compat(parent) ? (u32)REG(regs, bx) : REG(regs, di);
	/* Nobody told of: workers that the kernel makes for io_uring. */
	if (!is_wanted(number, 0))
		return 0;
	if (number == CLONE3 && bpf_probe_read_user(&asked, sizeof(asked), (void *)asked))
		asked = 0;
	if (number == FORK)
		code = SYSCALL_FORK_20_X;
	else if (number == VFORK)
		code = SYSCALL_VFORK_20_X;
	else if (number == CLONE3)
		code = SYSCALL_CLONE3_X;
	else if (number != CLONE)
		return 0;
	if (number == CLONE || number == CLONE3)
		flags = clone_flags(asked);
#else
	if (READ(child, pid) != READ(child, tgid))
		flags |= PPM_CL_CLONE_THREAD | PPM_CL_CLONE_SIGHAND | PPM_CL_CLONE_VM;
	if (READ(parent, files) == READ(child, files))
		flags |= PPM_CL_CLONE_FILES;
#endif
	return send_clone(&c, code, flags);
}
#endif
