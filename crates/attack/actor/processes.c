/* Operations on processes: who starts whom, under which name, as whom, at which terminal. */
#include "actor.h"

#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <pwd.h>
#include <sched.h>
#include "capabilities.h"
#include <sys/prctl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define PROCESSES(name) static int name(int count, char **w)
#define UNUSED (void)count, (void)w

/* Replaces this process by a program with these words as its arguments, argv[0] among them. */
static int replace(const char *path, char **arguments)
{
	execv(path, arguments);
	return -1;
}

static int in_child(int (*work)(char **), char **words)
{
	int pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		if (work(words) < 0)
			fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
		_exit(127);
	}
	return wait_for(pid);
}

/* What a real program says is of no interest here. */
static int run(char **w)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(nowhere, 1);
	dup2(nowhere, 2);
	execvp(w[0], w);
	return -1;
}

/* run PROGRAM ARGUMENTS...: a real program, waited for; how it ends is its own affair. */
PROCESSES(op_run)
{
	UNUSED;
	if (in_child(run, w + 1) < 0 && errno != ECHILD)
		return -1;
	return 0;
}

/* exec PROGRAM ARGUMENTS...: the same in place of this process. */
PROCESSES(op_exec) { UNUSED; return run(w + 1); }

/* Puts a copy of the actor where it is to be found; most were there before the stage opened. */
static int cast(const char *path)
{
	struct stat about;
	if (lstat(path, &about) == 0)
		return 0;
	char parent[1024];
	snprintf(parent, sizeof(parent), "%s", path);
	for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(parent, 0755);
		*slash = '/';
	}
	return copy_file(ACTOR_HOME, path, 0755);
}

/* as SCRIPT PATH ARGV...: the actor under that path goes on with that script. */
static int become(char **w)
{
	if (cast(w[1]) < 0)
		return -1;
	setenv(SCRIPT_VARIABLE, w[0], 1);
	return replace(w[1], w + 2);
}

PROCESSES(op_as) { UNUSED; return in_child(become, w + 1); }
PROCESSES(op_become) { UNUSED; return become(w + 1); }

/* leave SCRIPT PATH ARGV...: the same, but its parent is gone before it starts. */
PROCESSES(op_leave)
{
	UNUSED;
	int ready[2], finished[2];
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe(finished) < 0)
		return -1;
	int pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		if (fork() == 0) {
			char byte;
			close(ready[1]);
			close(finished[0]);
			(void)!read(ready[0], &byte, 1);
			become(w + 1);
			_exit(127);
		}
		_exit(0);
	}
	wait_for(pid);
	close(ready[0]);
	close(ready[1]);
	/* The write end lives as long as the one that left. */
	close(finished[1]);
	char byte;
	(void)!read(finished[0], &byte, 1);
	close(finished[0]);
	return 0;
}

/* exec-at PATH ARGV...: started by execveat on a descriptor, without a path. */
static int exec_at(char **w)
{
	if (cast(w[0]) < 0)
		return -1;
	int fd = open(w[0], O_RDONLY);
	if (fd < 0)
		return -1;
	return (int)syscall(SYS_execveat, fd, "", w + 1, environ, AT_EMPTY_PATH);
}

PROCESSES(op_exec_at) { UNUSED; return in_child(exec_at, w + 1); }

/* memory NAME ARGV...: the actor runs out of an anonymous file in memory. */
static int exec_memory(char **w)
{
	int fd = memfd_create(w[0], MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (copy_file(ACTOR_HOME, path, 0755) < 0)
		return -1;
	return (int)syscall(SYS_execveat, fd, "", w + 1, environ, AT_EMPTY_PATH);
}

/* memory-link NAME LINK ARGV...: the same through a symbolic link, so that the program bears the link's name. */
static int exec_memory_link(char **w)
{
	int fd = memfd_create(w[0], 0);
	if (fd < 0)
		return -1;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (copy_file(ACTOR_HOME, path, 0755) < 0)
		return -1;
	/* Execution of a file that is open for writing is refused: open it anew. */
	int readable = open(path, O_RDONLY);
	close(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", readable);
	unlink(w[1]);
	if (readable < 0 || symlink(path, w[1]) < 0)
		return -1;
	return replace(w[1], w + 2);
}

PROCESSES(op_memory) { UNUSED; return in_child(exec_memory, w + 1); }
PROCESSES(op_memory_link) { UNUSED; return in_child(exec_memory_link, w + 1); }

PROCESSES(op_env) { UNUSED; return setenv(w[1], count > 2 ? w[2] : "", 1); }

/* hide, show: what is started in between belongs to no case. */
PROCESSES(op_hide)
{
	UNUSED;
	const char *token = getenv(CASE_VARIABLE);
	return setenv("PEREGRINE_HIDDEN", token ? token : "", 1) < 0 ? -1 : unsetenv(CASE_VARIABLE);
}

PROCESSES(op_show)
{
	UNUSED;
	const char *token = getenv("PEREGRINE_HIDDEN");
	return setenv(CASE_VARIABLE, token ? token : "", 1);
}

/* name NAME: the process is called so from now on, whatever program it runs. */
PROCESSES(op_name) { UNUSED; return prctl(PR_SET_NAME, w[1]); }

PROCESSES(op_unset) { UNUSED; return unsetenv(w[1]); }
PROCESSES(op_setsid) { UNUSED; return setsid() < 0 && errno != EPERM ? -1 : 0; }

/* sleep SECONDS, a fraction allowed. */
PROCESSES(op_sleep)
{
	UNUSED;
	double seconds = strtod(w[1], NULL);
	struct timespec time = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
	return nanosleep(&time, NULL);
}

/* terminal: a new session with a terminal of its own; it is seen with the next program that is started. */
PROCESSES(op_terminal)
{
	UNUSED;
	int master, slave;
	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		return -1;
	setsid();
	return ioctl(slave, TIOCSCTTY, 1) < 0 ? -1 : 0;
}

/* user NAME: with its groups and without any capability, as a login would be. */
PROCESSES(op_user)
{
	UNUSED;
	struct passwd *user = NULL;
	FILE *users = fopen("/etc/passwd", "re");
	while (users && (user = fgetpwent(users)) && strcmp(user->pw_name, w[1]))
		;
	if (!user) {
		errno = ENOENT;
		return -1;
	}
	if (setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0)
		return -1;
	return setresuid(user->pw_uid, user->pw_uid, user->pw_uid);
}

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 0);
}

PROCESSES(op_setuid) { UNUSED; return syscall(SYS_setuid, number(w[1])) < 0 ? -1 : 0; }
PROCESSES(op_setreuid) { UNUSED; return syscall(SYS_setreuid, number(w[1]), number(w[2])) < 0 ? -1 : 0; }
PROCESSES(op_setresuid) { UNUSED; return syscall(SYS_setresuid, number(w[1]), number(w[2]), number(w[3])) < 0 ? -1 : 0; }

/* loginuid NUMBER: what a login writes once. */
PROCESSES(op_loginuid)
{
	UNUSED;
	FILE *file = fopen("/proc/self/loginuid", "we");
	if (!file)
		return -1;
	fputs(w[1], file);
	return fclose(file);
}

static int capability(const char *name)
{
	for (size_t i = 0; i < sizeof(capability_names) / sizeof(*capability_names); i++)
		if (!strcmp(capability_names[i], name))
			return (int)i;
	return -1;
}

/* capabilities NAMES...: only these remain. */
PROCESSES(op_capabilities)
{
	struct {
		unsigned version;
		int pid;
	} header = { .version = 0x20080522 };
	struct {
		unsigned effective, permitted, inheritable;
	} data[2] = { 0 };
	unsigned long long keep = 0;
	for (int i = 1; i < count; i++) {
		int bit = capability(w[i]);
		if (bit < 0) {
			errno = EINVAL;
			return -1;
		}
		keep |= 1ULL << bit;
	}
	/* Bounding set first: it decides what root has after the next program is started. */
	for (int bit = 0; bit < 41; bit++)
		if (!(keep >> bit & 1))
			syscall(SYS_prctl, 24 /* PR_CAPBSET_DROP */, bit, 0, 0, 0);
	for (int half = 0; half < 2; half++)
		data[half].effective = data[half].permitted = (unsigned)(keep >> (32 * half));
	return syscall(SYS_capset, &header, data) < 0 ? -1 : 0;
}

const struct operation process_operations[] = {
	{ "run", 1, op_run }, { "exec", 1, op_exec }, { "as", 3, op_as }, { "become", 3, op_become }, { "leave", 3, op_leave },
	{ "exec-at", 2, op_exec_at }, { "memory", 2, op_memory }, { "memory-link", 3, op_memory_link },
	{ "env", 1, op_env }, { "name", 1, op_name }, { "unset", 1, op_unset }, { "hide", 0, op_hide }, { "show", 0, op_show }, { "setsid", 0, op_setsid }, { "sleep", 1, op_sleep },
	{ "terminal", 0, op_terminal }, { "user", 1, op_user }, { "setuid", 1, op_setuid },
	{ "setreuid", 2, op_setreuid }, { "setresuid", 3, op_setresuid }, { "loginuid", 1, op_loginuid },
	{ "capabilities", 0, op_capabilities }, { NULL, 0, NULL },
};
