/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Descriptors, inodes, kernel paths, and the properties of an executable file. */
#pragma once
#include "task.bpf.h"

#define OVERLAYFS_MAGIC 0x794c7630
#define FMODE_CREATED_BIT 0x100000
#define S_IFMT_MASK 0170000
#define S_IFSOCK_TYPE 0140000
#define SB_RDONLY_BIT 1
#define S_IMMUTABLE_BIT 8
#define CAP_DAC_OVERRIDE_NR 1
#define CAP_FOWNER_NR 3

enum layer { LAYER_NONE, LAYER_UPPER, LAYER_LOWER };

struct file_facts {
	u32 dev;
	u64 ino;
	enum layer layer;
	bool created;
};

/* The kernel's 12:20 device number in the form that user space knows. */
static inline u32 encode_dev(u32 dev)
{
	u32 major = dev >> 20, minor = dev & 0xfffff;
	return (minor & 0xff) | major << 8 | (minor & ~0xff) << 12;
}

static inline struct file *file_of(struct task_struct *task, s64 fd)
{
	struct fdtable *table = READ(task, files, fdt);
	if (fd < 0 || !table || fd >= READ(table, max_fds))
		return NULL;
	/* A place in the table is a pointer, as a list's head begins with one: read without a helper. */
	struct list_head *place = (void *)(READ(table, fd) + fd);
	return (void *)READ(place, next);
}

/*
 * An overlay's inode is followed, in its own structure, by the dentry of the upper layer. Only
 * the size of the inode is known from type information, for the overlay may be a module.
 */
static inline enum layer layer_of(struct dentry *dentry, struct inode *inode)
{
	if (READ(dentry, d_sb, s_magic) != OVERLAYFS_MAGIC)
		return LAYER_NONE;
	struct dentry *upper = NULL;
	bpf_probe_read_kernel(&upper, sizeof(upper),
			      (void *)inode + bpf_core_type_size(struct inode));
	if (upper && READ(upper, d_inode, i_ino) != 0)
		return LAYER_UPPER;
	return LAYER_LOWER;
}

static inline struct file_facts file_facts(struct task_struct *task, s64 fd)
{
	struct file_facts f = {};
	struct file *file = file_of(task, fd);
	if (!file)
		return f;
	struct inode *inode = READ(file, f_inode);
	f.dev = encode_dev(READ(inode, i_sb, s_dev));
	f.ino = READ(inode, i_ino);
	f.created = READ(file, f_mode) & FMODE_CREATED_BIT;
	f.layer = layer_of(READ(file, f_path.dentry), inode);
	return f;
}

static inline u32 layer_flags(struct file_facts *f)
{
	u32 flags = f->created ? PPM_O_F_CREATED : 0;
	if (f->layer == LAYER_UPPER)
		flags |= PPM_FD_UPPER_LAYER;
	if (f->layer == LAYER_LOWER)
		flags |= PPM_FD_LOWER_LAYER;
	return flags;
}

static inline u64 inode_number(struct task_struct *task, s64 fd)
{
	struct file *file = file_of(task, fd);
	return file ? READ(file, f_inode, i_ino) : 0;
}

#define MAX_COMPONENTS 96
#define PATH_START 8192

struct path_walk {
	struct draft *draft;
};

/* One step towards the root; 1 when there. */
static long walk_up(u32 i, struct path_walk *w)
{
	struct draft *d = w->draft;
	struct dentry *dentry = d->walk_dentry;
	struct vfsmount *mnt = d->walk_mnt;
	if (dentry == READ(mnt, mnt_root)) {
		struct mount *mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
		struct mount *up = READ(mount, mnt_parent);
		if (up == mount)
			return 1;
		d->walk_dentry = READ(mount, mnt_mountpoint);
		d->walk_mnt = (void *)up + bpf_core_field_offset(struct mount, mnt);
		return 0;
	}
	struct dentry *parent = READ(dentry, d_parent);
	if (dentry == parent)
		return 1;
	u32 len = READ(dentry, d_name.len) & 0xff;
	u32 at = d->loop_start;
	if (len + 1 > at)
		return 1;
	at -= len + 1;
	d->loop_start = at;
	at &= PATH_START - 1;
	d->scratch[at] = '/';
	bpf_probe_read_kernel(&d->scratch[at + 1], len, READ(dentry, d_name.name));
	d->walk_dentry = parent;
	return 0;
}

/*
 * The path in the mount namespace, its head lost if there are too many names. A chroot does not
 * shorten it.
 */
static inline void put_kernel_path(struct out *o, struct file *file)
{
	struct draft *d = o->draft;
	if (!file) {
		put_empty(o);
		return;
	}
	struct dentry *dentry = READ(file, f_path.dentry);
	struct vfsmount *mnt = READ(file, f_path.mnt);
	if (dentry == READ(dentry, d_parent) && dentry != READ(mnt, mnt_root)) {
		/* Not in any tree (memfd): its name is all there is. */
		put_kernel_str(o, READ(dentry, d_name.name));
		return;
	}
	d->walk_dentry = dentry;
	d->walk_mnt = mnt;
	d->loop_start = PATH_START - 1;
	struct path_walk walk = {.draft = d};
	LOOP(MAX_COMPONENTS, walk_up, &walk);
	u32 start = d->loop_start;
	u32 len = PATH_START - 1 - start;
	if (len == 0) {
		*(u16 *)AT(o) = '/';
		put_len(o, 2);
		return;
	}
	if (len > MAX_PATH - 1)
		len = MAX_PATH - 1;
	bpf_probe_read_kernel(AT(o), len & (MAX_PATH - 1), &d->scratch[start & (PATH_START - 1)]);
	d->data[(o->at + len) & MASK] = 0;
	put_len(o, len + 1);
	forget(o);
}

/* Whether a user or group number has a meaning in the task's user namespace. */
static inline bool is_mapped(struct uid_gid_map *map, u32 id)
{
	u32 count = READ(map, nr_extents);
	for (int i = 0; i < 5; i++) {
		struct uid_gid_extent one = {};
		if (i >= count)
			break;
		bpf_probe_read_kernel(&one, sizeof(one),
				      (void *)map + bpf_core_field_offset(map->extent) +
					      i * sizeof(one));
		if (id >= one.lower_first && id - one.lower_first < one.count)
			return true;
	}
	return false;
}

static inline bool in_groups(struct cred *cred, u32 gid)
{
	struct group_info *info = READ(cred, group_info);
	u32 count = READ(info, ngroups);
	for (int i = 0; i < 32; i++) {
		if (i >= count)
			break;
		u32 one = 0;
		bpf_probe_read_kernel(&one, 4,
				      (void *)info + bpf_core_field_offset(info->gid) + i * 4);
		if (one == gid)
			return true;
	}
	return false;
}

/* Could the task write to the file it runs? */
static inline bool exe_writable(struct task_struct *task, struct inode *inode)
{
	struct cred *cred = READ(task, cred);
	u32 mode = READ(inode, i_mode);
	u32 uid = READ(inode, i_uid.val), gid = READ(inode, i_gid.val);
	if (READ(inode, i_sb, s_flags) & SB_RDONLY_BIT)
		return false;
	if (READ(inode, i_flags) & S_IMMUTABLE_BIT)
		return false;
	if (READ(cred, fsuid.val) == uid && mode & 0200)
		return true;
	if (mode & 0020 && (READ(cred, fsgid.val) == gid || in_groups(cred, gid)))
		return true;
	if (mode & 0002)
		return true;
	u64 caps = CAPABILITIES(cred, cap_effective);
	if (!(caps & (1 << CAP_DAC_OVERRIDE_NR | 1 << CAP_FOWNER_NR)))
		return false;
	struct user_namespace *ns = READ(cred, user_ns);
	bool uid_mapped = is_mapped(&ns->uid_map, uid);
	if (caps & 1 << CAP_DAC_OVERRIDE_NR && uid_mapped && is_mapped(&ns->gid_map, gid))
		return true;
	return caps & 1 << CAP_FOWNER_NR && uid_mapped;
}

static inline bool is_memfd(struct dentry *dentry)
{
	char name[7] = {};
	if (!dentry || dentry != READ(dentry, d_parent))
		return false;
	bpf_probe_read_kernel_str(name, sizeof(name), READ(dentry, d_name.name));
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' &&
	       name[4] == 'd' && name[5] == ':';
}

static inline u32 exe_flags(struct task_struct *task, struct file *exe)
{
	u32 flags = 0;
	if (!exe)
		return 0;
	struct inode *inode = READ(exe, f_inode);
	struct dentry *dentry = READ(exe, f_path.dentry);
	if (exe_writable(task, inode))
		flags |= PPM_EXE_WRITABLE;
	enum layer layer = layer_of(dentry, inode);
	if (layer == LAYER_UPPER)
		flags |= PPM_EXE_UPPER_LAYER;
	if (layer == LAYER_LOWER)
		flags |= PPM_EXE_LOWER_LAYER;
	if (is_memfd(dentry))
		flags |= PPM_EXE_FROM_MEMFD;
	return flags;
}
