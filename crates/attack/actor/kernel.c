/* Operations on other processes, on namespaces and on the kernel itself. None of them changes anything outside. */
#include "actor.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <signal.h>

#define KERNEL(name) static int name(int count, char **w)
#define UNUSED (void)count, (void)w

/* A child that waits to be worked on. */
static int victim(void)
{
	int pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static int away_with(int pid, int result)
{
	int why = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	errno = why;
	return result;
}

static long word = 1;

KERNEL(op_attach)
{
	UNUSED;
	int pid = victim();
	long result = ptrace(PTRACE_ATTACH, pid, 0, 0);
	if (result == 0)
		waitpid(pid, NULL, 0);
	return away_with(pid, (int)result);
}

KERNEL(op_seize)
{
	UNUSED;
	int pid = victim();
	return away_with(pid, (int)ptrace(PTRACE_SEIZE, pid, 0, 0));
}

/* A child that made itself traced and stopped; then WHAT is done to it: poketext, pokedata, pokeuser, peek, setregset. */
KERNEL(op_tamper)
{
	UNUSED;
	int pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	long result = -1;
	if (!strcmp(w[1], "poketext"))
		result = ptrace(PTRACE_POKETEXT, pid, &word, 2);
	else if (!strcmp(w[1], "pokedata"))
		result = ptrace(PTRACE_POKEDATA, pid, &word, 2);
	else if (!strcmp(w[1], "peek")) {
		errno = 0;
		ptrace(PTRACE_PEEKDATA, pid, &word, 0);
		result = errno ? -1 : 0;
	} else if (!strcmp(w[1], "setregset")) {
		char registers[1024];
		struct iovec place = { registers, sizeof(registers) };
		result = ptrace(PTRACE_GETREGSET, pid, 1 /* NT_PRSTATUS */, &place);
		if (result == 0)
			result = ptrace(PTRACE_SETREGSET, pid, 1, &place);
	}
	return away_with(pid, (int)result);
}

KERNEL(op_traceme)
{
	UNUSED;
	int pid = fork();
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0);
	return wait_for(pid);
}

KERNEL(op_vm)
{
	UNUSED;
	int pid = victim();
	long other = 3;
	struct iovec here = { &other, sizeof(other) }, there = { &word, sizeof(word) };
	long result = !strcmp(w[1], "write") ? process_vm_writev(pid, &here, 1, &there, 1, 0)
					     : process_vm_readv(pid, &here, 1, &there, 1, 0);
	return away_with(pid, result < 0 ? -1 : 0);
}

/* memory-file write|read: /proc/PID/mem of a child. */
KERNEL(op_memory_file)
{
	UNUSED;
	int pid = victim();
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	int fd = open(path, !strcmp(w[1], "write") ? O_RDWR : O_RDONLY);
	if (fd >= 0)
		close(fd);
	return away_with(pid, fd < 0 ? -1 : 0);
}

/* environment-of child|self: /proc/PID/environ. */
KERNEL(op_environment)
{
	UNUSED;
	int pid = victim();
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, w[1]);
	int fd = open(path, O_RDONLY);
	if (fd >= 0)
		close(fd);
	return away_with(pid, fd < 0 ? -1 : 0);
}

/* overwrite-program [HOW]: the running program's file is opened for writing; the kernel refuses. */
KERNEL(op_overwrite)
{
	UNUSED;
	const char *path = "/proc/self/exe", *how = count > 1 ? w[1] : "openat";
	struct open_how request = { .flags = O_WRONLY };
	int fd;
	if (!strcmp(how, "open"))
		fd = (int)syscall(SYS_open, path, O_WRONLY);
	else if (!strcmp(how, "creat"))
		fd = (int)syscall(SYS_creat, path, 0755);
	else if (!strcmp(how, "openat2"))
		fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &request, sizeof(request));
	else
		fd = open(path, O_WRONLY);
	if (fd >= 0)
		close(fd);
	return 0;
}

static int flag_of(const char *name)
{
	static const struct {
		const char *name;
		int flag;
	} known[] = {
		{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS }, { "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET },
		{ "cgroup", CLONE_NEWCGROUP }, { "uts", CLONE_NEWUTS }, { "ipc", CLONE_NEWIPC }, { "files", CLONE_FILES },
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i].name, name))
			return known[i].flag;
	return 0;
}

/* enter KIND: its own namespace once more, which is allowed and changes nothing. */
KERNEL(op_enter)
{
	UNUSED;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/ns/%s", w[1]);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	long result = syscall(SYS_setns, fd, flag_of(w[1]));
	close(fd);
	return result < 0 ? -1 : 0;
}

/* unshare KIND... */
KERNEL(op_unshare)
{
	int flags = 0;
	for (int i = 1; i < count; i++)
		flags |= flag_of(w[i]);
	return syscall(SYS_unshare, flags) < 0 ? -1 : 0;
}

/* mount PLACE: an empty file system in memory, in a mount namespace of its own. */
KERNEL(op_mount)
{
	UNUSED;
	return mount("none", w[1], "tmpfs", 0, NULL);
}

KERNEL(op_umount) { UNUSED; return umount2(w[1], MNT_DETACH); }

KERNEL(op_bpf)
{
	UNUSED;
	union bpf_attr attributes;
	memset(&attributes, 0, sizeof(attributes));
	int command = !strcmp(w[1], "load") ? BPF_PROG_LOAD : BPF_MAP_GET_NEXT_ID;
	return syscall(SYS_bpf, command, &attributes, sizeof(attributes)) < 0 ? -1 : 0;
}

KERNEL(op_userfaultfd)
{
	UNUSED;
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* user mode only */);
	return fd < 0 ? -1 : close(fd);
}

/* Sixteen bytes that are no module: the kernel refuses them. */
KERNEL(op_init_module) { UNUSED; return syscall(SYS_init_module, "not a module....", 16UL, "") < 0 ? -1 : 0; }

KERNEL(op_finit_module)
{
	UNUSED;
	int fd = open(w[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	long result = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return result < 0 ? -1 : 0;
}

const struct operation kernel_operations[] = {
	{ "attach", 0, op_attach }, { "seize", 0, op_seize }, { "tamper", 1, op_tamper }, { "traceme", 0, op_traceme },
	{ "vm", 1, op_vm }, { "memory-file", 1, op_memory_file }, { "process-file", 1, op_environment },
	{ "overwrite-program", 0, op_overwrite }, { "enter", 1, op_enter }, { "unshare", 1, op_unshare },
	{ "mount", 1, op_mount }, { "umount", 1, op_umount }, { "bpf", 1, op_bpf },
	{ "userfaultfd", 0, op_userfaultfd }, { "init-module", 0, op_init_module },
	{ "finit-module", 1, op_finit_module }, { NULL, 0, NULL },
};
