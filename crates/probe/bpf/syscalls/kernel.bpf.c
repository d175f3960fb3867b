/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls that extend the kernel or set up work in it: modules, bpf, io_uring. */
#include "call.bpf.h"
#include "flags.bpf.h"

EXIT(bpf)
{
	FIXED(SYSCALL_BPF_2_X, RET, I32(ARG(0)));
}

/*
 * Not bounded by the snap length. The original takes all that fits 16 bits, and then loses the
 * event because it is too large: of all modules that exist. This much always fits.
 */
#define MAX_IMAGE 16000

EXIT(init_module)
{
	OUT_BEGIN(o, SYSCALL_INIT_MODULE_X, 4);
	put_u64(&o, c->ret);
	put_user_bytes(&o, ARG(0), ARG(1), MAX_IMAGE);
	put_u64(&o, ARG(1));
	put_user_str(&o, ARG(2));
	return out_send(&o);
}

EXIT(finit_module)
{
	OUT_BEGIN(o, SYSCALL_FINIT_MODULE_X, 4);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_user_str(&o, ARG(1));
	put_u32(&o, ARG(2) & 7);
	return out_send(&o);
}

EXIT(delete_module)
{
	u32 flags = 0;
	if (ARG(1) & O_NONBLOCK)
		flags |= PPM_DELETE_MODULE_O_NONBLOCK;
	if (ARG(1) & O_TRUNC)
		flags |= PPM_DELETE_MODULE_O_TRUNC;
	OUT_BEGIN(o, SYSCALL_DELETE_MODULE_X, 3);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u32(&o, flags);
	return out_send(&o);
}

/* IORING_FEAT_EXT_ARG (0x100) is in the table but is never reported: so captures have it. */
struct user_io_uring_params {
	u32 sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features;
};

EXIT(io_uring_setup)
{
	struct user_io_uring_params p = {};
	bpf_probe_read_user(&p, sizeof(p), (void *)ARG(1));
	FIXED(SYSCALL_IO_URING_SETUP_X, RET, I32(ARG(0)), I32(p.sq_entries), I32(p.cq_entries),
	      I32(io_uring_setup_flags(p.flags)), I32(p.sq_thread_cpu), I32(p.sq_thread_idle),
	      I32(p.features & 0x6ff));
}

EXIT(io_uring_enter)
{
	FIXED(SYSCALL_IO_URING_ENTER_X, RET, FD(0), I32(ARG(1)), I32(ARG(2)), I32(ARG(3) & 15),
	      I32(ARG(4)));
}

EXIT(io_uring_register)
{
	FIXED(SYSCALL_IO_URING_REGISTER_X, RET, FD(0), I16(ARG(1)), I64(ARG(2)), I32(ARG(3)));
}
