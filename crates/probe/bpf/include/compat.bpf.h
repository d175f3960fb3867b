/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Differences between kernels, one small function each, with the version or commit that made it.
 */
#pragma once
#include "types.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inode___to_6_5 {
	struct timespec64 i_ctime, i_mtime;
};
struct inode___6_6 {
	struct timespec64 __i_ctime;
};
struct inode___6_7 {
	struct timespec64 __i_ctime, __i_mtime;
};
struct inode___6_11 {
	s64 i_ctime_sec, i_mtime_sec;
	u32 i_ctime_nsec, i_mtime_nsec;
};
struct kernfs_node___to_6_14 {
	struct kernfs_node *parent;
};
struct kernfs_node___6_15 {
	struct kernfs_node *__parent;
};
struct atomic___to_6_1 {
	s64 counter;
};
struct mm_rss_stat___to_6_1 {
	struct atomic___to_6_1 count[4];
};
struct mm_struct___to_6_1 {
	struct mm_rss_stat___to_6_1 rss_stat;
};
struct task_struct___audit {
	kuid_t loginuid;
};
#pragma clang attribute pop

/*
 * 6.6 (13bc24457850) renamed i_ctime, 6.11 (3aa63a569c64) split it into two numbers, 6.13
 * (4e40eff0b573) took the top bit of the nanoseconds for a mark that somebody has asked for them.
 */
#define CTIME_NSEC 0x7fffffff
static inline u64 inode_ctime(struct inode *inode)
{
	struct inode___6_11 *split = (void *)inode;
	struct inode___6_6 *renamed = (void *)inode;
	struct inode___to_6_5 *plain = (void *)inode;
	if (bpf_core_field_exists(split->i_ctime_sec))
		return (u64)READ(split, i_ctime_sec) * 1000000000 +
		       (READ(split, i_ctime_nsec) & CTIME_NSEC);
	if (bpf_core_field_exists(renamed->__i_ctime))
		return (u64)READ(renamed, __i_ctime.tv_sec) * 1000000000 +
		       READ(renamed, __i_ctime.tv_nsec);
	return (u64)READ(plain, i_ctime.tv_sec) * 1000000000 + READ(plain, i_ctime.tv_nsec);
}

/* 6.7 (12cd44023651) renamed i_mtime, 6.11 split it. */
static inline u64 inode_mtime(struct inode *inode)
{
	struct inode___6_11 *split = (void *)inode;
	struct inode___6_7 *renamed = (void *)inode;
	struct inode___to_6_5 *plain = (void *)inode;
	if (bpf_core_field_exists(split->i_mtime_sec))
		return (u64)READ(split, i_mtime_sec) * 1000000000 + READ(split, i_mtime_nsec);
	if (bpf_core_field_exists(renamed->__i_mtime))
		return (u64)READ(renamed, __i_mtime.tv_sec) * 1000000000 +
		       READ(renamed, __i_mtime.tv_nsec);
	return (u64)READ(plain, i_mtime.tv_sec) * 1000000000 + READ(plain, i_mtime.tv_nsec);
}

/* 6.15 (633488947ef6) put the parent under RCU and renamed it. */
static inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___6_15 *renamed = (void *)node;
	struct kernfs_node___to_6_14 *plain = (void *)node;
	if (bpf_core_field_exists(renamed->__parent))
		return READ(renamed, __parent);
	return READ(plain, parent);
}

/* 6.2 (f1a7941243c1) made the counters of resident pages per-CPU ones. */
static inline u64 mm_pages(s64 pages)
{
	return pages < 0 ? 0 : pages;
}
/* A macro: only a written number is scaled by the size that the kernel's element has. */
#define MM_PAGES(mm, kind)                                                                         \
	mm_pages(bpf_core_field_exists(((struct mm_struct___to_6_1 *)(mm))->rss_stat.count)        \
			 ? READ((struct mm_struct___to_6_1 *)(mm), rss_stat.count[kind].counter)           \
			 : READ(mm, rss_stat[kind].count))

/* Absent where the kernel was built without auditing. */
static inline u32 task_loginuid(struct task_struct *task)
{
	struct task_struct___audit *audit = (void *)task;
	if (bpf_core_field_exists(audit->loginuid))
		return READ(audit, loginuid.val);
	return (u32)-1;
}

/*
 * 5.17 (e6f2dd0f8067): loops by call-back, beyond what the verifier unrolls. Before 5.13 the mere
 * address of a function is refused, used or not: for those kernels there is an object without.
 */
static inline bool has_loop_helper(void)
{
#ifdef WITHOUT_CALLBACKS
	return false;
#else
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop);
#endif
}

/*
 * Calls `step(i, context)` for i from 0 to `turns` - 1, until it gives other than 0. The verifier
 * goes once through a call-back, but through every turn of a loop.
 */
#ifdef WITHOUT_CALLBACKS
#define LOOP(turns, step, context)                                                                 \
	for (u32 _i = 0; _i < (turns); _i++)                                                       \
		if (step(_i, context))                                                             \
	break
#else
#define LOOP(turns, step, context)                                                                 \
	do {                                                                                       \
		if (has_loop_helper()) {                                                           \
			bpf_loop(turns, step, context, 0);                                         \
		} else {                                                                           \
			for (u32 _i = 0; _i < (turns); _i++)                                       \
				if (step(_i, context))                                             \
					break;                                                     \
		}                                                                                  \
	} while (0)
#endif

/*
 * A user's string, its NUL included; bytes, or 0 if it cannot be read. Until 6.13 the kernel did not count
 * the NUL of an empty string, so that it looked as if it could not be read.
 */
static inline u32 read_user_str(void *at, u32 max, u64 ptr)
{
	long n = bpf_probe_read_user_str(at, max, (void *)ptr);
	if (n < 0)
		return 0;
	if (n == 0) {
		*(volatile u8 *)at = 0;
		return 1;
	}
	return n;
}

/* 5.11 (3ca1032ab7ab): the current task as a pointer with a type. */
static inline struct task_struct *current(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return (void *)bpf_get_current_task_btf();
	return (void *)bpf_get_current_task();
}

/* Of the current task. A field is cheaper than a helper where it is one load. */
static inline u32 current_tid(struct task_struct *task)
{
	if (bpf_ksym_exists(bpf_rdonly_cast))
		return READ(task, pid);
	return bpf_get_current_pid_tgid();
}

static inline u32 current_tgid(struct task_struct *task)
{
	if (bpf_ksym_exists(bpf_rdonly_cast))
		return READ(task, tgid);
	return bpf_get_current_pid_tgid() >> 32;
}

/* 5.15 (dd6e10fbd9fb): the registers that the current task entered the kernel with. */
static inline struct pt_regs *user_regs(struct task_struct *task)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (void *)bpf_task_pt_regs((void *)task);
	/* They lie at the top of its kernel stack, 16 KiB on both architectures. */
	return READ(task, stack) + (16 << 10) - bpf_core_type_size(struct pt_regs);
}
