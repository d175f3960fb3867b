/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls that open files by name, and the entry events that defeat races for the name. */
#include "file.bpf.h"
#include "flags.bpf.h"

/* Descriptor 0 gets no facts from open and openat: so captures have it. */
EXIT(open)
{
	struct file_facts f = {};
	if (c->ret > 0)
		f = file_facts(c->task, c->ret);
	OUT_BEGIN(o, SYSCALL_OPEN_X, 6);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u32(&o, open_flags(ARG(1)) | layer_flags(&f));
	put_u32(&o, open_mode(ARG(1), ARG(2)));
	put_u32(&o, f.dev);
	put_u64(&o, f.ino);
	return out_send(&o);
}

EXIT(openat)
{
	struct file_facts f = {};
	if (c->ret > 0)
		f = file_facts(c->task, c->ret);
	OUT_BEGIN(o, SYSCALL_OPENAT_2_X, 7);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, open_flags(ARG(2)) | layer_flags(&f));
	put_u32(&o, open_mode(ARG(2), ARG(3)));
	put_u32(&o, f.dev);
	put_u64(&o, f.ino);
	return out_send(&o);
}

struct user_open_how {
	u64 flags, mode, resolve;
};

EXIT(openat2)
{
	struct user_open_how how = {};
	bpf_probe_read_user(&how, sizeof(how), (void *)ARG(2));
	struct file_facts f = file_facts(c->task, c->ret);
	OUT_BEGIN(o, SYSCALL_OPENAT2_X, 8);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, open_flags(how.flags) | layer_flags(&f));
	put_u32(&o, open_mode(how.flags, how.mode));
	put_u32(&o, resolve_flags(how.resolve));
	put_u32(&o, f.dev);
	put_u64(&o, f.ino);
	return out_send(&o);
}

EXIT(creat)
{
	struct file_facts f = file_facts(c->task, c->ret);
	u16 layer = f.layer == LAYER_UPPER   ? PPM_FD_UPPER_LAYER_CREAT
		    : f.layer == LAYER_LOWER ? PPM_FD_LOWER_LAYER_CREAT
					     : 0;
	OUT_BEGIN(o, SYSCALL_CREAT_X, 6);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u32(&o, open_mode(O_CREAT, ARG(1)));
	put_u32(&o, f.dev);
	put_u64(&o, f.ino);
	put_u16(&o, layer);
	return out_send(&o);
}

EXIT(open_by_handle_at)
{
	struct file_facts f = file_facts(c->task, c->ret);
	OUT_BEGIN(o, SYSCALL_OPEN_BY_HANDLE_AT_X, 6);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_u32(&o, open_flags(ARG(2)) | layer_flags(&f));
	put_kernel_path(&o, file_of(c->task, c->ret));
	put_u32(&o, f.dev);
	put_u64(&o, f.ino);
	return out_send(&o);
}
