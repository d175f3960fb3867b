/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * A system call that has returned, and the three ways a program comes to see one.
 *
 * The body of a system call's program, EXIT(name) { ... }, knows nothing of how it is attached.
 * The object is compiled three times, once for each:
 *
 *   ATTACH_DISPATCH    tail call from one program on raw sys_exit. Every system call of the machine
 *                      pays for the dispatcher; sees 32-bit programs too.
 *   ATTACH_TRACEPOINT  the call's own tracepoint syscalls/sys_exit_NAME. Calls that nobody wants
 *                      pay only the kernel's slow path; x86 hides 32-bit programs from these.
 *   ATTACH_FEXIT       the end of the call's own function. Calls that nobody wants pay nothing.
 */
#pragma once
#include "record.bpf.h"
#include "compat.bpf.h"

#define TS_COMPAT 2
#define IA32_SOCKETCALL 102

struct call {
	s64 ret;
	u64 arg[6];
	struct task_struct *task;
	u32 number;  /* native; only in programs of several calls */
	bool compat; /* the caller's structures have the 32-bit layout */
};

static inline u32 call_tid(const struct call *c)
{
	return current_tid(c->task);
}

static inline bool is_compat(struct task_struct *task)
{
#ifdef __TARGET_ARCH_x86
	return settings.ia32 && READ(task, thread_info.status) & TS_COMPAT;
#else
	return false;
#endif
}

/* A program of another instruction set than the kernel's, of which nothing is told. */
static inline bool is_foreign(struct task_struct *task)
{
#ifdef __TARGET_ARCH_arm64
	enum { TIF_32BIT = 22 };
	return READ(task, thread_info.flags) >> TIF_32BIT & 1;
#else
	return false;
#endif
}

/*
 * The registers as the caller left them. A pointer that came with a type is read as it is; that of
 * a tracepoint's program may have none.
 */
#ifdef ATTACH_TRACEPOINT
#define REG(regs, name) READ(regs, name)
#else
#define REG(regs, name) ((regs)->name)
#endif

#ifdef __TARGET_ARCH_x86
#define WRAPPER "__x64_sys_"
static inline void read_args(struct call *c, struct pt_regs *regs)
{
	c->compat = is_compat(c->task);
	if (unlikely(c->compat)) {
		c->arg[0] = (u32)REG(regs, bx);
		c->arg[1] = (u32)REG(regs, cx);
		c->arg[2] = (u32)REG(regs, dx);
		c->arg[3] = (u32)REG(regs, si);
		c->arg[4] = (u32)REG(regs, di);
		c->arg[5] = (u32)REG(regs, bp);
	} else {
		c->arg[0] = REG(regs, di);
		c->arg[1] = REG(regs, si);
		c->arg[2] = REG(regs, dx);
		c->arg[3] = REG(regs, r10);
		c->arg[4] = REG(regs, r8);
		c->arg[5] = REG(regs, r9);
	}
}
static inline u32 syscall_number(struct pt_regs *regs)
{
	return REG(regs, orig_ax);
}
#endif
#ifdef __TARGET_ARCH_arm64
#define WRAPPER "__arm64_sys_"
static inline void read_args(struct call *c, struct pt_regs *regs)
{
	c->compat = false;
	c->arg[0] = REG(regs, orig_x0);
	c->arg[1] = REG(regs, regs[1]);
	c->arg[2] = REG(regs, regs[2]);
	c->arg[3] = REG(regs, regs[3]);
	c->arg[4] = REG(regs, regs[4]);
	c->arg[5] = REG(regs, regs[5]);
}
static inline u32 syscall_number(struct pt_regs *regs)
{
	return REG(regs, syscallno);
}
#endif

/* 64-bit number of a network call made by socketcall(2); -1 where 64 bits have none. */
static inline s32 socketcall_number(struct pt_regs *regs)
{
	static const s16 numbers[] = {-1, 41, 49, 42, 50, 43, 51, 52, 53, -1, -1,
				      44, 45, 48, 54, 55, 46, 47, 288, 299, 307};
	u32 sub = 0;
#ifdef __TARGET_ARCH_x86
	sub = REG(regs, bx);
#endif
	return sub < sizeof(numbers) / sizeof(numbers[0]) ? numbers[sub] : -1;
}

/* The call's 64-bit number; MAX_SYSCALLS or more if it has none. */
static inline u32 native_number(struct task_struct *task, struct pt_regs *regs)
{
	u32 number = syscall_number(regs);
	if (is_foreign(task))
		return MAX_SYSCALLS;
	if (likely(!is_compat(task)))
		return number;
	if (number == IA32_SOCKETCALL)
		return socketcall_number(regs);
	/* 59 and 322: a 64-bit program that has just become a 32-bit one. */
	if (number >= MAX_SYSCALLS || number == 59 || number == 322)
		return number;
	return settings.ia32_table[slot_of(number)];
}

/* A network call made through 32-bit socketcall(2): its arguments lie in an array. */
static inline void read_socketcall_args(struct call *c, struct pt_regs *regs)
{
#ifdef __TARGET_ARCH_x86
	if (likely(!c->compat) || syscall_number(regs) != IA32_SOCKETCALL)
		return;
	u32 packed[6] = {};
	bpf_probe_read_user(packed, sizeof(packed), (void *)(u64)c->arg[1]);
	for (int i = 0; i < 6; i++)
		c->arg[i] = packed[i];
#endif
}

/* Work of the monitor itself is not reported, or reporting it would be work to report. */
static inline bool is_own(struct task_struct *task)
{
	u32 self = shared.self;
	if (!self)
		return false;
	if (settings.others_left_out)
		return current_tgid(task) != self && READ(task, real_parent, tgid) != self;
	if (likely((shared.self_is_thread ? current_tid(task) : current_tgid(task)) != self))
		return false;
	__sync_fetch_and_add(&cpu_counters(bpf_get_smp_processor_id())->own_calls, 1);
	return true;
}

/* Left out because nobody reads it: counted, for it did happen. */
static inline void count_unread(u32 failed)
{
	u32 cpu = bpf_get_smp_processor_id();
	u64 *count = failed ? &cpu_counters(cpu)->unread[1] : &cpu_counters(cpu)->unread[0];
	__sync_fetch_and_add(count, 1);
}

static inline bool is_unread(u8 wanted, s64 ret)
{
	u32 failed = ret < 0;
	if (likely(!(wanted & (failed ? UNREAD_FAILURE : UNREAD_SUCCESS))))
		return false;
	count_unread(failed);
	return true;
}

/* The same question where each call has its own attachment. */
static inline bool is_wanted(u32 number, s64 ret)
{
	if (number >= MAX_SYSCALLS)
		return false;
	u8 wanted = shared.wanted[slot_of(number)];
	return wanted & WANTED_NATIVE && !is_unread(wanted, ret);
}

/* Tests that are the same for all calls. */
static inline bool is_unwanted(s64 ret, struct task_struct *task)
{
	return (settings.drop_failed && ret < 0) || is_own(task);
}

#if defined(ATTACH_DISPATCH)

#define EXIT_(name, kernel_name, reader)                                                                        \
	static inline int exit_##name(const struct call *c);                                       \
	SEC("?tp_btf/sys_exit")                                                                    \
	int BPF_PROG(x_##name, struct pt_regs *regs, long ret)                                     \
	{                                                                                          \
		struct call c = {.ret = ret, .task = current()};                                   \
		if (is_unwanted(ret, c.task))                                                      \
			return 0;                                                                  \
		read_args(&c, regs);                                                               \
		reader;                                                                            \
		return exit_##name(&c);                                                            \
	}                                                                                          \
	static inline int exit_##name(const struct call *c)

/*
 * One program for several calls, where each would cost the verifier as much as all together. `programs.rs` knows whose
 * it is besides.
 */
#define EXIT_SEVERAL(name) EXIT_(name, name, c.number = native_number(c.task, regs))

#elif defined(ATTACH_TRACEPOINT)

struct tracepoint_exit {
	u64 common;
	u32 nr, pad;
	s64 ret;
};
#define EXIT_(name, kernel_name, reader)                                                                        \
	static inline int exit_##name(const struct call *c);                                       \
	SEC("?tracepoint/syscalls/sys_exit_" #kernel_name)                                                \
	int x_##name(struct tracepoint_exit *ctx)                                                  \
	{                                                                                          \
		struct call c = {.ret = ctx->ret, .task = current()};                              \
		if (!is_wanted(ctx->nr, c.ret) || is_unwanted(c.ret, c.task))                                                            \
			return 0;                                                                  \
		struct pt_regs *regs = user_regs(c.task);                                          \
		read_args(&c, regs);                                                               \
		reader;                                                                            \
		return exit_##name(&c);                                                            \
	}                                                                                          \
	static inline int exit_##name(const struct call *c)

#elif defined(ATTACH_FEXIT)

/*
 * Whether a call is told by this copy of the programs. Functions of calls without arguments are the
 * same ones for 32-bit programs, whose calls have a copy of their own.
 */
static inline bool is_told_elsewhere(struct task_struct *task)
{
	return settings.part == PART_ALL && is_compat(task);
}

/* What the call gives back: its function's result, or what was put into the registers instead. */
static inline s64 function_result(void *ctx, struct pt_regs *regs)
{
	u64 ret = 0;
#ifdef __TARGET_ARCH_x86
	if (settings.part == PART_REFUSED)
		return REG(regs, ax);
#endif
#ifdef __TARGET_ARCH_arm64
	if (settings.part == PART_REFUSED)
		return REG(regs, regs[0]);
#endif
	bpf_get_func_ret(ctx, &ret);
	return ret;
}

#define EXIT_(name, kernel_name, reader)                                                           \
	static inline int exit_##name(const struct call *c);                                       \
	SEC("?fexit/" WRAPPER #kernel_name)                                                        \
	int x_##name(void *ctx)                                                                    \
	{                                                                                          \
		struct call c = {.task = current()};                                               \
		struct pt_regs *regs = user_regs(c.task);                                          \
		c.ret = function_result(ctx, regs);                                                \
		if (is_told_elsewhere(c.task))                                                     \
			return 0;                                                                  \
		if (!is_wanted(native_number(c.task, regs), c.ret) || is_unwanted(c.ret, c.task))  \
			return 0;                                                                  \
		read_args(&c, regs);                                                               \
		reader;                                                                            \
		return exit_##name(&c);                                                            \
	}                                                                                          \
	static inline int exit_##name(const struct call *c)

#else
#error "one of ATTACH_DISPATCH, ATTACH_TRACEPOINT, ATTACH_FEXIT"
#endif

/* The program of system call `name`; the body sees `c` and returns 0. */
#define EXIT(name) EXIT_(name, name, (void)0)
/* The same where the kernel's function has another name than the system call. */
#define EXIT_AS(name, kernel_name) EXIT_(name, kernel_name, (void)0)
/* The same for calls that socketcall(2) can make. */
#define EXIT_NET(name) EXIT_(name, name, read_socketcall_args(&c, regs))

#define ARG(i) (c->arg[i])
/* Descriptors and other ints: the upper half of the register is not defined. */
#define INT(i) ((s64)(s32)c->arg[i])
#define RET I64(c->ret)
#define FD(i) I64(INT(i))
