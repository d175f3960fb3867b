/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The kernel's types, cut down to the fields the programs read.
 *
 * Offsets are filled in when the object is loaded, from the running kernel's own type
 * information, so order and completeness do not matter here; names do. A field that only some
 * kernels have is declared in a type whose name ends in `___` and a hint, and is used by
 * compat.bpf.h only.
 */
#pragma once

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

#define inline __attribute__((always_inline)) __inline__

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#ifdef __TARGET_ARCH_x86
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di, orig_ax, ip, flags, sp;
};
#endif
#ifdef __TARGET_ARCH_arm64
struct pt_regs {
	u64 regs[31];
	u64 sp, pc, pstate, orig_x0;
	s32 syscallno;
};
#endif

struct list_head {
	struct list_head *next, *prev;
};
struct rlimit {
	unsigned long rlim_cur, rlim_max;
};
typedef struct {
	u32 val;
} kuid_t;
typedef struct {
	u32 val;
} kgid_t;
struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};
struct qstr {
	u32 hash;
	u32 len;
	const unsigned char *name;
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
	unsigned long s_flags;
};
struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	u32 i_flags;
	struct super_block *i_sb;
	unsigned long i_ino;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
	u32 f_flags;
	u32 f_mode;
};
struct fdtable {
	u32 max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct fs_struct {
	struct path root, pwd;
};

/* Two words before 6.3, one after: 8 bytes either way, and always read as a whole. */
typedef struct {
	u64 bits;
} kernel_cap_t;

struct user_namespace;
struct group_info {
	int ngroups;
	kgid_t gid[0];
};
struct uid_gid_extent {
	u32 first, lower_first, count;
};
struct uid_gid_map {
	u32 nr_extents;
	struct uid_gid_extent extent[5];
};
struct user_namespace {
	struct uid_gid_map uid_map, gid_map;
};
struct cred {
	kuid_t uid, suid, euid, fsuid;
	kgid_t gid, sgid, egid, fsgid;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective;
	struct user_namespace *user_ns;
	struct group_info *group_info;
};

struct task_struct;
struct pid_namespace {
	struct task_struct *child_reaper;
	u32 level;
};
struct upid {
	int nr;
	struct pid_namespace *ns;
};
struct pid {
	u32 level;
	struct upid numbers[1];
};
struct nsproxy {
	struct pid_namespace *pid_ns_for_children;
};
struct tty_driver {
	int major, minor_start;
};
struct tty_struct {
	struct tty_driver *driver;
	int index;
};
enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_TGID,
	PIDTYPE_PGID,
	PIDTYPE_SID,
};
struct signal_struct {
	struct list_head thread_head;
	u32 is_child_subreaper : 1;
	u32 has_child_subreaper : 1;
	struct pid *pids[4];
	struct tty_struct *tty;
	struct rlimit rlim[16];
};

struct kernfs_node {
	const char *name;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
};
struct css_set {
	struct cgroup_subsys_state *subsys[16];
};
enum cgroup_subsys_id {
	cpuset_cgrp_id,
	cpu_cgrp_id,
	cpuacct_cgrp_id,
	io_cgrp_id,
	memory_cgrp_id,
};

struct percpu_counter {
	s64 count;
};
struct mm_struct {
	unsigned long total_vm;
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
	struct percpu_counter rss_stat[4];
};
struct thread_info {
	unsigned long flags;
	u32 status;
};
struct task_struct {
	struct thread_info thread_info;
	void *stack;
	u32 flags;
	int pid, tgid;
	int exit_code;
	char comm[16];
	struct mm_struct *mm;
	struct task_struct *real_parent, *group_leader;
	struct list_head children;
	struct list_head thread_node;
	struct pid *thread_pid;
	u64 start_time;
	u64 start_boottime;
	unsigned long min_flt, maj_flt;
	struct cred *cred;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	kuid_t loginuid;
	struct css_set *cgroups;
};
struct linux_binprm {
	const char *filename;
};

struct in6_addr {
	u8 bytes[16];
};
struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	u16 skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};
struct sock {
	struct sock_common __sk_common;
	u32 sk_ack_backlog, sk_max_ack_backlog;
	u16 sk_type, sk_protocol;
};
struct ipv6_pinfo {
	struct in6_addr saddr;
};
struct inet_sock {
	struct sock sk;
	struct ipv6_pinfo *pinet6;
	u32 inet_saddr;
	u16 inet_sport;
};
struct unix_address {
	int len;
};
struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
};
struct socket {
	s16 type;
	struct sock *sk;
};

struct kernel_siginfo {
	int si_signo, si_errno, si_code;
};

#pragma clang attribute pop

/* The user's structures: fixed layout, no relocation. */
struct user_iovec {
	u64 base, len;
};
struct user_iovec32 {
	u32 base, len;
};
struct user_msghdr {
	u64 name;
	u32 namelen, pad;
	u64 iov, iovlen, control, controllen;
	u32 flags, pad2;
};
struct user_msghdr32 {
	u32 name, namelen, iov, iovlen, control, controllen, flags;
};

#define BPF_CORE_ENUM(type, name) bpf_core_enum_value(type, name)

/* 6.2 (a35b9af4ec2c): gives an address the type of a kernel structure. Costs nothing when it runs. */
extern void *bpf_rdonly_cast(const void *address, u32 type) __ksym __weak;

/*
 * A field, through as many pointers as it takes; 0 where an address is none. With the cast every
 * step is one load, which the kernel guards; without it, a call of a helper.
 *
 * Copies the start first: the expression itself must not become part of the relocation.
 */
#define READ(src, a, ...)                                                                          \
	({                                                                                         \
		typeof(src) _start = (src);                                                        \
		___type(_start, a, ##__VA_ARGS__) _field;                                          \
		if (bpf_ksym_exists(bpf_rdonly_cast)) {                                            \
			typeof(src) _typed =                                                       \
				bpf_rdonly_cast(_start, bpf_core_type_id_kernel(typeof(*_start))); \
			_field = ___arrow(_typed, a, ##__VA_ARGS__);                               \
		} else {                                                                           \
			_field = BPF_CORE_READ(_start, a, ##__VA_ARGS__);                          \
		}                                                                                  \
		_field;                                                                            \
	})
