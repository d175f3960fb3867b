/*
 * The stage: where attacks are performed so that they harm nothing.
 *
 *   - a mount namespace whose root is an overlay: below lies the machine's own root, above it a file system in memory.
 *     Every file is there, every change is forgotten. A layer between the two holds the copies of the actor under the
 *     names that the cases ask for, so they look as if they had been installed.
 *   - a process namespace, so that nothing outlives the stage;
 *   - a network namespace with nothing but a loopback interface, which answers to the addresses that the cases use.
 *
 * A stage that stands for a container also lies in a control group with a container's name; that is all that the rules,
 * and any monitor, know a container by.
 *
 * It reads requests from standard input, "TOKEN<tab>SCRIPT<tab>NAME[<tab>CONTAINER]" a line, runs each script in a process
 * of its own whose environment carries the token, and answers "TOKEN<tab>STATUS". It ends with its input. A stage may know
 * further containers: a script that names one by its number enters that one's control groups first.
 */
#include "actor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "stage: %s: %s\n", what, strerror(errno));
	_exit(3);
}

/* Addresses of documentation networks, of a cloud's metadata service, of private networks: all of them here. */
static const char *const addresses[] = {
	"203.0.113.66", "198.51.100.7", "169.254.169.254", "10.96.0.1", "192.168.77.2", "100.100.100.200",
};

static void make_network(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request;
	memset(&request, 0, sizeof(request));
	strcpy(request.ifr_name, "lo");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	must(ioctl(fd, SIOCSIFFLAGS, &request), "loopback");
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		snprintf(request.ifr_name, sizeof(request.ifr_name), "lo:%zu", i + 1);
		struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
		memset(address, 0, sizeof(*address));
		address->sin_family = AF_INET;
		inet_pton(AF_INET, addresses[i], &address->sin_addr);
		must(ioctl(fd, SIOCSIFADDR, &request), addresses[i]);
	}
	close(fd);
}

static const unsigned short ports[] = {
	22, 25, 53, 80, 88, 443, 2222, 3333, 4444, 5432, 6443, 8080, 8443, 9999, 30080, 32768,
};

/* Answers a question for an address: "203-0-113-66.example.org" is 203.0.113.66, everything else nobody. */
static void answer_name(int fd)
{
	unsigned char text[512 + 16];
	unsigned a, b, c, d;
	char label[64] = "";
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	ssize_t length = recvfrom(fd, text, 512, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
	if (length < 18)
		return;
	if (text[12] < sizeof(label) && text[12] < length - 12)
		memcpy(label, text + 13, text[12]);
	text[2] = 0x81;
	text[3] = 0x80;
	if (sscanf(label, "%u-%u-%u-%u", &a, &b, &c, &d) == 4) {
		unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, (unsigned char)a, (unsigned char)b, (unsigned char)c, (unsigned char)d };
		text[7] = 1;
		memcpy(text + length, record, sizeof(record));
		length += (ssize_t)sizeof(record);
	}
	sendto(fd, text, (size_t)length, 0, (struct sockaddr *)&from, size);
}

/* Somebody at the other end: takes whatever comes, on every address, and hangs up; and a name server. */
static void make_listeners(void)
{
	enum { most = sizeof(ports) / sizeof(*ports) };
	struct pollfd all[most + 1];
	int on = 1;
	for (size_t i = 0; i < most; i++) {
		struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(ports[i]) };
		all[i].fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		all[i].events = POLLIN;
		setsockopt(all[i].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		must(bind(all[i].fd, (struct sockaddr *)&any, sizeof(any)), "bind");
		must(listen(all[i].fd, 64), "listen");
	}
	struct sockaddr_in6 names = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	all[most].fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	all[most].events = POLLIN;
	must(bind(all[most].fd, (struct sockaddr *)&names, sizeof(names)), "name server");
	if (fork() != 0) {
		for (size_t i = 0; i <= most; i++)
			close(all[i].fd);
		return;
	}
	close(0);
	close(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		poll(all, most + 1, -1);
		if (all[most].revents & POLLIN)
			answer_name(all[most].fd);
		for (size_t i = 0; i < most; i++)
			if (all[i].revents & POLLIN)
				close(accept(all[i].fd, NULL, NULL));
	}
}

static void make_device(const char *name, int kind, int major, int minor)
{
	char path[128];
	snprintf(path, sizeof(path), "dev/%s", name);
	must(mknod(path, (mode_t)(kind | 0666), makedev((unsigned)major, (unsigned)minor)), path);
	chmod(path, 0666);
}

/* The installed copies move into memory: an overlay refuses layers that lie within each other. All are one file. */
static int mirror(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	char target[4096];
	(void)where;
	snprintf(target, sizeof(target), "room/%s", path);
	if (kind == FTW_D) {
		must(mkdir(target, 0755) < 0 && errno != EEXIST ? -1 : 0, target);
		return chmod(target, about->st_mode & 07777);
	}
	if (about->st_mode & 0111)
		return link("room/actor", target);
	return copy_file(path, target, 0644);
}

/* The root; HOUSE holds the folders `layer` (installed copies) and `room` (an empty mount point). */
static void make_root(const char *house)
{
	char text[4096];
	must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	must(chdir(house), house);
	must(mount("none", "room", "tmpfs", 0, NULL), "memory");
	must(copy_file("layer" ACTOR_HOME, "room/actor", 0755), "actor");
	must(nftw("layer", mirror, 16, FTW_PHYS), "layer");
	must(mkdir("room/upper", 0755), "upper");
	must(mkdir("room/work", 0755), "work");
	must(mkdir("room/root", 0755), "root");
	snprintf(text, sizeof(text), "lowerdir=%s/room/layer:/,upperdir=%s/room/upper,workdir=%s/room/work", house, house, house);
	must(mount("overlay", "room/root", "overlay", 0, text), "overlay");
	must(chdir("room/root"), "root");
	must(mount("proc", "proc", "proc", 0, NULL), "/proc");
	must(mount("none", "dev", "tmpfs", 0, "mode=755"), "/dev");
	make_device("null", S_IFCHR, 1, 3);
	make_device("zero", S_IFCHR, 1, 5);
	make_device("full", S_IFCHR, 1, 7);
	make_device("random", S_IFCHR, 1, 8);
	make_device("urandom", S_IFCHR, 1, 9);
	make_device("tty", S_IFCHR, 5, 0);
	must(mkdir("dev/shm", 0755), "/dev/shm");
	must(mkdir("dev/pts", 0755), "/dev/pts");
	must(mount("none", "dev/shm", "tmpfs", 0, "mode=1777"), "/dev/shm");
	must(mount("devpts", "dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620"), "/dev/pts");
	must(symlink("pts/ptmx", "dev/ptmx"), "/dev/ptmx");
	must(mount("none", "tmp", "tmpfs", 0, "mode=1777"), "/tmp");
	must(mount("none", "run", "tmpfs", 0, "mode=755"), "/run");
	must(mkdir("run/user", 0755), "/run/user");
	must(mkdir("run/lock", 0777), "/run/lock");
	mkdir("var/tmp", 01777);
	must(mkdir("mnt/.before", 0700) < 0 && errno != EEXIST ? -1 : 0, "/mnt");
	must((int)syscall(SYS_pivot_root, ".", "mnt/.before"), "pivot_root");
	must(chdir("/"), "/");
	must(umount2("/mnt/.before", MNT_DETACH), "the old root");
	rmdir("/mnt/.before");
}

/* Open files through which a process enters a control group; each with the number of the container that it belongs to. */
static struct {
	int fd;
	int container;
} entries[512];
static int entry_count;

static void enter_groups(int container)
{
	for (int i = 0; i < entry_count; i++) {
		if (entries[i].container == container)
			must((int)write(entries[i].fd, "0", 1), "control group");
		close(entries[i].fd);
	}
}

static void perform(const char *token, const char *script, const char *name, int container)
{
	setsid();
	enter_groups(container);
	close(0);
	must(open("/dev/null", O_RDONLY), "/dev/null");
	dup2(2, 1);
	setenv(CASE_VARIABLE, token, 1);
	setenv(SCRIPT_VARIABLE, script, 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	execl(ACTOR_HOME, name, NULL);
	_exit(127);
}

/* Takes requests until there are none, and answers as they end: several run at once. */
static void serve(void)
{
	struct {
		int pid;
		char token[64];
	} running[64];
	int count = 0, open_input = 1;
	char text[65536];
	size_t held = 0;
	while (open_input || count > 0) {
		struct pollfd input = { .fd = open_input ? 0 : -1, .events = POLLIN };
		poll(&input, 1, 20);
		if (input.revents) {
			ssize_t more = read(0, text + held, sizeof(text) - 1 - held);
			if (more <= 0)
				open_input = 0;
			else
				held += (size_t)more;
			text[held] = 0;
			char *line = text, *end;
			while ((end = strchr(line, '\n')) && count < 64) {
				*end = 0;
				char *token = strtok(line, "\t"), *script = strtok(NULL, "\t"), *name = strtok(NULL, "\t");
				char *container = name ? strtok(NULL, "\t") : NULL;
				if (token && script && name) {
					int pid = fork();
					if (pid == 0)
						perform(token, script, name, container ? atoi(container) : -1);
					running[count].pid = pid;
					snprintf(running[count++].token, 64, "%s", token);
				}
				line = end + 1;
			}
			held = strlen(line);
			memmove(text, line, held + 1);
		}
		int status, pid;
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			for (int i = 0; i < count; i++)
				if (running[i].pid == pid) {
					printf("%s\t%d\n", running[i].token, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
					fflush(stdout);
					running[i] = running[--count];
					break;
				}
	}
}

/*
 * --stage HOUSE [CONTROL-GROUP-FOLDER...] [@ CONTROL-GROUP-FOLDER...]... builds: the stage enters the first groups, the
 * others are those of further containers. --stage serve FD:CONTAINER... is the second half, under its name inside.
 */
int stage(int count, char **words)
{
	if (!strcmp(words[0], "serve")) {
		for (int i = 1; i < count && entry_count < 512; i++)
			if (sscanf(words[i], "%d:%d", &entries[entry_count].fd, &entries[entry_count].container) == 2)
				entry_count++;
		make_listeners();
		serve();
		return 0;
	}
	/* Its parents lie in a folder for temporary files, which rules look at: it lets go of them. */
	if (fork() != 0)
		return 0;
	setsid();
	int container = -1;
	char *serve_words[520] = { "stage", "--stage", "serve" };
	int serve_count = 3;
	for (int i = 1; i < count; i++) {
		char path[1024];
		if (!strcmp(words[i], "@")) {
			container++;
			continue;
		}
		snprintf(path, sizeof(path), "%s/cgroup.procs", words[i]);
		if (container >= 0) {
			int fd = open(path, O_WRONLY);
			must(fd, path);
			must(serve_count < 515 ? 0 : -1, "too many containers");
			must(asprintf(&serve_words[serve_count++], "%d:%d", fd, container), "memory");
			continue;
		}
		FILE *group = fopen(path, "we");
		must(group ? 0 : -1, path);
		fprintf(group, "%d", getpid());
		must(fclose(group), path);
	}
	must(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS), "namespaces");
	int first = fork();
	must(first, "fork");
	/* Whoever waits for the pipes sees the end of the stage, since it alone holds them now. */
	if (first != 0)
		return 0;
	make_network();
	make_root(words[0]);
	execv(ACTOR_HOME, serve_words);
	must(-1, ACTOR_HOME);
	return 3;
}
