/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Calls that no rule reads, told apart by what they are done with. User space decides what may be
 * left out (src/filters.rs says why each is safe); here it is only recognised. Whatever cannot be
 * recognised for certain is reported.
 */
#pragma once
#include "file.bpf.h"

/* What a descriptor is for certain. */
#define KIND_FILE 1
#define KIND_DIRECTORY 2
#define KIND_PIPE 4

#define S_IFREG_TYPE 0100000
#define S_IFDIR_TYPE 0040000
#define S_IFIFO_TYPE 0010000
#define ACCESS_MODE 3

/* Its NUL included; longer ones are reported. */
#define FILTER_PATH 128

struct prefix_key {
	u32 bits; /* that count, of what follows */
	u16 call;
	u8 path[FILTER_PATH];
	u16 pad;
};

/* For each call the prefixes of which a rule wants one. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix_key);
	__type(value, u32);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct prefix_key);
} prefix_keys SEC(".maps");

/* What user space knows of a thread's image, as of the event at `valid_from`. */
struct image {
	u64 bits;
	u64 valid_from;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct image);
} images SEC(".maps");

/* When a thread's image changed last. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} image_changes SEC(".maps");

/* The current thread is about to be known by other things. */
static inline void note_image_change(void)
{
	if (likely(!shared.images_are_told))
		return;
	u64 *changed = bpf_task_storage_get(&image_changes, bpf_get_current_task_btf(), 0,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (changed)
		*changed = now();
}

/*
 * Bits that are known of the current thread's image. They are not those of an image that went
 * before: that one's change came after the event that they are known from. Nor of a thread that had
 * the number before: this one began later. Nor do they answer what other rules asked.
 */
static inline u64 image_bits(struct task_struct *task)
{
	struct image *known =
		bpf_task_storage_get(&images, bpf_get_current_task_btf(), 0, 0);
	if (!known)
		return 0;
	u64 from = known->valid_from;
	if (from <= settings.boot_time + READ(task, start_boottime) || from <= shared.images_since)
		return 0;
	u64 *changed = bpf_task_storage_get(&image_changes, bpf_get_current_task_btf(), 0, 0);
	if (changed && *changed >= from)
		return 0;
	return known->bits;
}

/*
 * A regular file, a directory, or a pipe that pipe(2) made. What has no name in a tree (memfd,
 * pidfd, epoll and the like) passes for none of them, though its mode may say so.
 */
static inline u8 kind_of(struct task_struct *task, u64 fd)
{
	struct file *file = file_of(task, (s32)fd);
	if (!file)
		return 0;
	struct dentry *dentry = READ(file, f_path.dentry);
	bool named = dentry != READ(dentry, d_parent);
	struct inode *inode = READ(file, f_inode);
	switch (READ(inode, i_mode) & S_IFMT_MASK) {
	case S_IFREG_TYPE:
		return named ? KIND_FILE : 0;
	case S_IFDIR_TYPE:
		return KIND_DIRECTORY;
	case S_IFIFO_TYPE:
		return named ? 0 : KIND_PIPE;
	default:
		return 0;
	}
}

#define LOW7 0x7f7f7f7f7f7f7f7fULL
#define ALL(byte) (0x0101010101010101ULL * (byte))

/* The top bit of each byte that is 0. */
static inline u64 zeros(u64 word)
{
	return ~(((word & LOW7) + LOW7) | word | LOW7);
}

/*
 * Whether a path is what it stands for: absolute, without `//`, `/.` and `/..` (names that begin
 * with a dot count as such), and of plain ASCII. Eight bytes at a time.
 */
static inline bool is_plain(const u8 *path)
{
	u64 slash_before = 0;
	if (path[0] != '/')
		return false;
#pragma unroll
	for (int i = 0; i < FILTER_PATH; i += 8) {
		u64 word;
		__builtin_memcpy(&word, path + i, 8);
		u64 end = zeros(word);
		u64 slash = zeros(word ^ ALL('/'));
		u64 dot = zeros(word ^ ALL('.'));
		if ((slash << 8 | slash_before) & (slash | dot))
			return false;
		/* Not plain, or below the space. What lies behind the end is 0. */
		if (word & ALL(0x80) || zeros(word & ALL(0xe0)) & ~end)
			return false;
		slash_before = slash >> 56;
	}
	return true;
}

/* Whether the path at `ptr` begins with none of the call's prefixes, for certain. */
static inline bool is_elsewhere(u32 call, u64 ptr)
{
	u32 zero = 0;
	struct prefix_key *key = bpf_map_lookup_elem(&prefix_keys, &zero);
	if (!key)
		return false;
	__builtin_memset(key->path, 0, sizeof(key->path));
	long n = bpf_probe_read_user_str(key->path, sizeof(key->path), (void *)ptr);
	/* One that fills the place may be longer. */
	if (n <= 1 || n >= FILTER_PATH || !is_plain(key->path))
		return false;
	key->call = call;
	key->bits = (sizeof(key->call) + n - 1) * 8;
	return !bpf_map_lookup_elem(&prefixes, key);
}

static inline u64 argument(struct pt_regs *regs, u8 at)
{
#ifdef __TARGET_ARCH_x86
	switch (at) {
	case 1:
		return regs->di;
	case 2:
		return regs->si;
	case 3:
		return regs->dx;
	case 4:
		return regs->r10;
	}
#endif
#ifdef __TARGET_ARCH_arm64
	switch (at) {
	case 1:
		return regs->orig_x0;
	case 2:
		return regs->regs[1];
	case 3:
		return regs->regs[2];
	case 4:
		return regs->regs[3];
	}
#endif
	return 0;
}

/* Whether a 64-bit call is one of those that nobody reads. The cheap questions come first. */
static inline bool is_filtered(struct task_struct *task, struct pt_regs *regs, u32 call, s64 ret)
{
	struct filter *filter = (struct filter *)&shared.filters[slot_of(call)];
	if (filter->failed_modes && ret < 0) {
		u32 mode = argument(regs, filter->flags_at) & ACCESS_MODE;
		if (filter->failed_modes >> mode & 1)
			return true;
	}
	if (filter->process_bit && image_bits(task) >> ((filter->process_bit - 1) & 63) & 1)
		return true;
	if (filter->kinds && kind_of(task, argument(regs, filter->fd_at)) & filter->kinds)
		return true;
	return filter->path_at && is_elsewhere(call, argument(regs, filter->path_at));
}
