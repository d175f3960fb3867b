/* The same calls handed in through io_uring, where no system call of that name is made. */
#include "actor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define RING(name) static int name(int count, char **w)
#define UNUSED (void)count, (void)w

/* One entry through a ring that is made for it; gives the entry's result, negative as a call in the kernel gives it. */
static int submit(const struct io_uring_sqe *entry)
{
	struct io_uring_params about;
	memset(&about, 0, sizeof(about));
	int ring = (int)syscall(SYS_io_uring_setup, 4, &about);
	if (ring < 0)
		return -1;
	size_t size = about.sq_off.array + about.sq_entries * sizeof(unsigned);
	size_t other = about.cq_off.cqes + about.cq_entries * sizeof(struct io_uring_cqe);
	if (other > size)
		size = other;
	unsigned char *queues = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	struct io_uring_sqe *entries = mmap(NULL, about.sq_entries * sizeof(*entries), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	if (queues == MAP_FAILED || entries == MAP_FAILED)
		return -1;
	entries[0] = *entry;
	unsigned *tail = (unsigned *)(queues + about.sq_off.tail);
	((unsigned *)(queues + about.sq_off.array))[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -1;
	struct io_uring_cqe *results = (struct io_uring_cqe *)(queues + about.cq_off.cqes);
	int result = results[0].res;
	close(ring);
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return result;
}

static int opened(const char *path, unsigned flags)
{
	struct io_uring_sqe entry = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (unsigned long)path,
				      .open_flags = flags, .len = 0644 };
	int fd = submit(&entry);
	return fd < 0 ? -1 : close(fd);
}

RING(op_read) { UNUSED; return opened(w[1], O_RDONLY); }
RING(op_append) { UNUSED; return opened(w[1], O_WRONLY | O_CREAT | O_APPEND); }
RING(op_empty) { UNUSED; return opened(w[1], O_WRONLY | O_TRUNC); }

RING(op_unlink)
{
	UNUSED;
	struct io_uring_sqe entry = { .opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (unsigned long)w[1] };
	return submit(&entry) < 0 ? -1 : 0;
}

static int pair(int opcode, const char *from, const char *to)
{
	struct io_uring_sqe entry = { .opcode = (unsigned char)opcode, .fd = AT_FDCWD, .addr = (unsigned long)from,
				      .len = (unsigned)AT_FDCWD, .addr2 = (unsigned long)to };
	return submit(&entry) < 0 ? -1 : 0;
}

RING(op_rename) { UNUSED; return pair(IORING_OP_RENAMEAT, w[1], w[2]); }
RING(op_link) { UNUSED; return pair(IORING_OP_LINKAT, w[1], w[2]); }

RING(op_symlink)
{
	UNUSED;
	struct io_uring_sqe entry = { .opcode = IORING_OP_SYMLINKAT, .fd = AT_FDCWD, .addr = (unsigned long)w[1],
				      .addr2 = (unsigned long)w[2] };
	return submit(&entry) < 0 ? -1 : 0;
}

RING(op_connect)
{
	UNUSED;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(w[2])) };
	inet_pton(AF_INET, w[1], &address.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct io_uring_sqe entry = { .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (unsigned long)&address,
				      .off = sizeof(address) };
	int result = submit(&entry);
	close(fd);
	return result < 0 ? -1 : 0;
}

const struct operation ring_operations[] = {
	{ "ring-read", 1, op_read }, { "ring-append", 1, op_append }, { "ring-empty", 1, op_empty },
	{ "ring-unlink", 1, op_unlink }, { "ring-rename", 2, op_rename }, { "ring-link", 2, op_link },
	{ "ring-symlink", 2, op_symlink }, { "ring-connect", 2, op_connect }, { NULL, 0, NULL },
};
