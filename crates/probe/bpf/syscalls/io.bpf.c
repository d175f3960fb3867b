/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls on descriptors: read, write, copy, control, close. */
#include "vector.bpf.h"
#include "flags.bpf.h"

EXIT(close)
{
	FIXED(SYSCALL_CLOSE_X, RET, FD(0));
}

EXIT(close_range)
{
	FIXED(SYSCALL_CLOSE_RANGE_X, RET, I32(ARG(0)), I32(ARG(1)), I32(ARG(2) & 6));
}

EXIT(read)
{
	LIMIT_OF(limit, sock_of(c->task, INT(0)), 0, NAMES_READ);
	OUT_BEGIN(o, SYSCALL_READ_X, 4);
	put_u64(&o, c->ret);
	put_user_bytes(&o, ARG(1), c->ret > 0 ? c->ret : 0, limit);
	put_u64(&o, INT(0));
	put_u32(&o, ARG(2));
	return out_send(&o);
}

EXIT(pread64)
{
	OUT_BEGIN(o, SYSCALL_PREAD_X, 5);
	put_u64(&o, c->ret);
	put_data(&o, ARG(1), c->ret > 0 ? c->ret : 0);
	put_u64(&o, INT(0));
	put_u32(&o, ARG(2));
	put_u64(&o, ARG(3));
	return out_send(&o);
}

/* What was to be written is told of a failed call too. */
EXIT(write)
{
	LIMIT_OF(limit, sock_of(c->task, INT(0)), 0, NAMES_WRITE);
	OUT_BEGIN(o, SYSCALL_WRITE_X, 4);
	put_u64(&o, c->ret);
	put_user_bytes(&o, ARG(1), c->ret > 0 ? c->ret : ARG(2), limit);
	put_u64(&o, INT(0));
	put_u32(&o, ARG(2));
	return out_send(&o);
}

EXIT(pwrite64)
{
	OUT_BEGIN(o, SYSCALL_PWRITE_X, 5);
	put_u64(&o, c->ret);
	put_data(&o, ARG(1), c->ret > 0 ? c->ret : ARG(2));
	put_u64(&o, INT(0));
	put_u32(&o, ARG(2));
	put_u64(&o, ARG(3));
	return out_send(&o);
}

EXIT(readv)
{
	LIMIT_OF(most, sock_of(c->task, INT(0)), 0, NAMES_READV);
	OUT_BEGIN(o, SYSCALL_READV_X, 4);
	put_u64(&o, c->ret);
	put_u32(&o, c->ret > 0 ? c->ret : 0);
	put_vector_up_to(&o, c, ARG(1), ARG(2), c->ret > 0 ? c->ret : 0, most);
	put_u64(&o, INT(0));
	return out_send(&o);
}

EXIT(preadv)
{
	OUT_BEGIN(o, SYSCALL_PREADV_X, 5);
	put_u64(&o, c->ret);
	put_u32(&o, c->ret > 0 ? c->ret : 0);
	put_vector(&o, c, ARG(1), ARG(2), c->ret > 0 ? c->ret : 0);
	put_u64(&o, INT(0));
	put_u64(&o, ARG(3));
	return out_send(&o);
}

EXIT(writev)
{
	LIMIT_OF(most, sock_of(c->task, INT(0)), 0, NAMES_WRITEV);
	OUT_BEGIN(o, SYSCALL_WRITEV_X, 4);
	put_u64(&o, c->ret);
	u64 size = put_vector_up_to(&o, c, ARG(1), ARG(2), -1, most);
	put_u64(&o, INT(0));
	put_u32(&o, size);
	return out_send(&o);
}

EXIT(pwritev)
{
	OUT_BEGIN(o, SYSCALL_PWRITEV_X, 5);
	put_u64(&o, c->ret);
	u64 size = put_vector(&o, c, ARG(1), ARG(2), -1);
	put_u64(&o, INT(0));
	put_u32(&o, size);
	put_u64(&o, ARG(3));
	return out_send(&o);
}

EXIT(process_vm_readv)
{
	OUT_BEGIN(o, SYSCALL_PROCESS_VM_READV_X, 3);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_vector(&o, c, ARG(1), ARG(2), c->ret > 0 ? c->ret : 0);
	return out_send(&o);
}

EXIT(process_vm_writev)
{
	OUT_BEGIN(o, SYSCALL_PROCESS_VM_WRITEV_X, 3);
	put_u64(&o, c->ret);
	put_u64(&o, INT(0));
	put_vector(&o, c, ARG(1), ARG(2), c->ret > 0 ? c->ret : 0);
	return out_send(&o);
}

/* The offset as the call left it; nothing where the caller gave none. */
EXIT_AS(sendfile, sendfile64)
{
	u64 offset = 0;
	if (ARG(2))
		bpf_probe_read_user(&offset, sizeof(offset), (void *)ARG(2));
	FIXED(SYSCALL_SENDFILE_X, RET, I64(offset), FD(0), FD(1), I64(ARG(3)));
}

EXIT(splice)
{
	FIXED(SYSCALL_SPLICE_X, RET, FD(0), FD(2), I64(ARG(4)), I32(ARG(5) & 15));
}

EXIT(copy_file_range)
{
	FIXED(SYSCALL_COPY_FILE_RANGE_X, RET, FD(2), I64(ARG(3)), FD(0), I64(ARG(1)), I64(ARG(4)));
}

EXIT(lseek)
{
	FIXED(SYSCALL_LSEEK_X, RET, FD(0), I64(ARG(1)), I8(lseek_whence(ARG(2))));
}

EXIT(getdents)
{
	FIXED(SYSCALL_GETDENTS_X, RET, FD(0));
}

EXIT(getdents64)
{
	FIXED(SYSCALL_GETDENTS64_X, RET, FD(0));
}

EXIT(ioctl)
{
	FIXED(SYSCALL_IOCTL_3_X, RET, FD(0), I64(ARG(1)), I64(ARG(2)));
}

EXIT(flock)
{
	FIXED(SYSCALL_FLOCK_X, RET, FD(0), I32(ARG(1) & 15));
}

EXIT(fcntl)
{
	FIXED(SYSCALL_FCNTL_X, RET, FD(0), I8(fcntl_command((u32)ARG(1))), I64(ARG(2)));
}

EXIT(dup)
{
	FIXED(SYSCALL_DUP_1_X, RET, FD(0));
}

EXIT(dup2)
{
	FIXED(SYSCALL_DUP2_X, RET, FD(0), FD(1));
}

EXIT(dup3)
{
	FIXED(SYSCALL_DUP3_X, RET, FD(0), FD(1), I32(fd_flags(ARG(2)) & PPM_O_CLOEXEC));
}

struct fd_pair {
	s32 fd[2];
};

static inline struct fd_pair read_pair(u64 ptr)
{
	struct fd_pair pair;
	if (bpf_probe_read_user(&pair, sizeof(pair), (void *)ptr))
		pair.fd[0] = pair.fd[1] = -1;
	return pair;
}

EXIT(pipe)
{
	struct fd_pair p = read_pair(ARG(0));
	u64 ino = c->ret == 0 ? inode_number(c->task, p.fd[0]) : 0;
	FIXED(SYSCALL_PIPE_X, RET, I64((s64)p.fd[0]), I64((s64)p.fd[1]), I64(ino));
}

EXIT(pipe2)
{
	struct fd_pair p = read_pair(ARG(0));
	u64 ino = c->ret == 0 ? inode_number(c->task, p.fd[0]) : 0;
	FIXED(SYSCALL_PIPE2_X, RET, I64((s64)p.fd[0]), I64((s64)p.fd[1]), I64(ino),
	      I32(pipe_flags(ARG(1))));
}
