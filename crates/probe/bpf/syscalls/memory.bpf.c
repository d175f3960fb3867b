/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls on a process's memory. */
#include "task.bpf.h"
#include "flags.bpf.h"

EXIT(brk)
{
	struct memory m = task_memory(c->task);
	FIXED(SYSCALL_BRK_4_X, RET, I32(m.size), I32(m.rss), I32(m.swap), I64(ARG(0)));
}

EXIT(mmap)
{
	struct memory m = task_memory(c->task);
	FIXED(SYSCALL_MMAP_X, RET, I32(m.size), I32(m.rss), I32(m.swap), I64(ARG(0)), I64(ARG(1)),
	      I32(prot_flags(ARG(2))), I32(mmap_flags(ARG(3))), FD(4), I64(ARG(5)));
}

EXIT(munmap)
{
	struct memory m = task_memory(c->task);
	FIXED(SYSCALL_MUNMAP_X, RET, I32(m.size), I32(m.rss), I32(m.swap), I64(ARG(0)),
	      I64(ARG(1)));
}

EXIT(mprotect)
{
	FIXED(SYSCALL_MPROTECT_X, RET, I64(ARG(0)), I64(ARG(1)), I32(prot_flags(ARG(2))));
}

EXIT(mlock)
{
	FIXED(SYSCALL_MLOCK_X, RET, I64(ARG(0)), I64(ARG(1)));
}

EXIT(mlock2)
{
	FIXED(SYSCALL_MLOCK2_X, RET, I64(ARG(0)), I64(ARG(1)), I32(ARG(2) & 1));
}

EXIT(munlock)
{
	FIXED(SYSCALL_MUNLOCK_X, RET, I64(ARG(0)), I64(ARG(1)));
}

EXIT(mlockall)
{
	FIXED(SYSCALL_MLOCKALL_X, RET, I32(ARG(0) & 7));
}

EXIT(munlockall)
{
	FIXED(SYSCALL_MUNLOCKALL_X, RET);
}

EXIT(memfd_create)
{
	OUT_BEGIN(o, SYSCALL_MEMFD_CREATE_X, 3);
	put_u64(&o, c->ret);
	put_user_str(&o, ARG(0));
	put_u32(&o, ARG(1) & 7);
	return out_send(&o);
}

EXIT(userfaultfd)
{
	FIXED(SYSCALL_USERFAULTFD_X, RET, I32(ARG(0)));
}
