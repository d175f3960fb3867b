/* Operations on files: every form of a call that has several, since a rule that knows one form only is a rule with a hole. */
#include "actor.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int closed(int fd)
{
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int done(long result)
{
	return result < 0 ? -1 : 0;
}

static int mode_of(const char *text)
{
	return (int)strtol(text, NULL, 8);
}

static int directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

#define FILES(name) static int name(int count, char **w)
#define UNUSED (void)count, (void)w

FILES(op_read) { UNUSED; return closed((int)syscall(SYS_openat, AT_FDCWD, w[1], O_RDONLY)); }
FILES(op_read_open) { UNUSED; return closed((int)syscall(SYS_open, w[1], O_RDONLY)); }
FILES(op_read_both) { UNUSED; return closed((int)syscall(SYS_openat, AT_FDCWD, w[1], O_RDWR)); }
FILES(op_write) { UNUSED; return closed((int)syscall(SYS_openat, AT_FDCWD, w[1], O_WRONLY | O_APPEND)); }
FILES(op_append) { UNUSED; return closed((int)syscall(SYS_openat, AT_FDCWD, w[1], O_WRONLY | O_CREAT | O_APPEND, 0644)); }
FILES(op_append_open) { UNUSED; return closed((int)syscall(SYS_open, w[1], O_WRONLY | O_CREAT | O_APPEND, count > 2 ? mode_of(w[2]) : 0644)); }
FILES(op_update) { UNUSED; return closed((int)syscall(SYS_openat, AT_FDCWD, w[1], O_RDWR | O_CREAT, 0600)); }
FILES(op_list_open) { UNUSED; return closed((int)syscall(SYS_open, w[1], O_RDONLY | O_DIRECTORY)); }
FILES(op_create) { UNUSED; return closed((int)syscall(SYS_openat, AT_FDCWD, w[1], O_WRONLY | O_CREAT | O_EXCL, count > 2 ? mode_of(w[2]) : 0644)); }
FILES(op_empty) { UNUSED; return closed((int)syscall(SYS_openat, AT_FDCWD, w[1], O_WRONLY | O_CREAT | O_TRUNC, 0644)); }
FILES(op_creat) { UNUSED; return closed((int)syscall(SYS_creat, w[1], count > 2 ? mode_of(w[2]) : 0644)); }
FILES(op_list) { UNUSED; return closed(directory(w[1])); }

static int openat2_as(const char *path, unsigned long long flags)
{
	struct open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0644 : 0 };
	return closed((int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}

/* create-openat2 PATH MODE */
FILES(op_create_openat2)
{
	UNUSED;
	struct open_how how = { .flags = O_WRONLY | O_CREAT | O_EXCL, .mode = mode_of(w[2]) };
	return closed((int)syscall(SYS_openat2, AT_FDCWD, w[1], &how, sizeof(how)));
}

FILES(op_list_openat2) { UNUSED; return openat2_as(w[1], O_RDONLY | O_DIRECTORY); }
FILES(op_read_openat2) { UNUSED; return openat2_as(w[1], O_RDONLY); }
FILES(op_append_openat2) { UNUSED; return openat2_as(w[1], O_WRONLY | O_CREAT | O_APPEND); }

static int open_in(const char *place, const char *name, int flags)
{
	int at = directory(place);
	if (at < 0)
		return -1;
	int result = closed((int)syscall(SYS_openat, at, name, flags, 0644));
	int why = errno;
	close(at);
	errno = why;
	return result;
}

FILES(op_read_at) { UNUSED; return open_in(w[1], w[2], O_RDONLY); }
FILES(op_append_at) { UNUSED; return open_in(w[1], w[2], O_WRONLY | O_CREAT | O_APPEND); }

/* Opens a file by its handle, as programs do that walk past directories' permissions. */
static int by_handle(const char *path, int flags)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;
	if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0) < 0)
		return -1;
	/* Any descriptor of its file system will do. */
	char folder[1024];
	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = 0;
	int mount = directory(folder);
	int result = closed(open_by_handle_at(mount, &handle.head, flags));
	int why = errno;
	close(mount);
	errno = why;
	return result;
}

FILES(op_read_handle) { UNUSED; return by_handle(w[1], O_RDONLY); }
FILES(op_write_handle) { UNUSED; return by_handle(w[1], O_WRONLY); }

FILES(op_rename) { UNUSED; return done(syscall(SYS_rename, w[1], w[2])); }
FILES(op_renameat) { UNUSED; return done(syscall(SYS_renameat, AT_FDCWD, w[1], AT_FDCWD, w[2])); }
FILES(op_renameat2) { UNUSED; return done(syscall(SYS_renameat2, AT_FDCWD, w[1], AT_FDCWD, w[2], 0)); }
FILES(op_link) { UNUSED; return done(syscall(SYS_link, w[1], w[2])); }
FILES(op_linkat) { UNUSED; return done(syscall(SYS_linkat, AT_FDCWD, w[1], AT_FDCWD, w[2], 0)); }
FILES(op_symlink) { UNUSED; return done(syscall(SYS_symlink, w[1], w[2])); }
FILES(op_symlinkat) { UNUSED; return done(syscall(SYS_symlinkat, w[1], AT_FDCWD, w[2])); }
FILES(op_unlink) { UNUSED; return done(syscall(SYS_unlink, w[1])); }
FILES(op_unlinkat) { UNUSED; return done(syscall(SYS_unlinkat, AT_FDCWD, w[1], 0)); }
FILES(op_rmdir) { UNUSED; return done(syscall(SYS_rmdir, w[1])); }
FILES(op_mkdir) { UNUSED; return done(syscall(SYS_mkdir, w[1], 0755)); }
FILES(op_mkdirat) { UNUSED; return done(syscall(SYS_mkdirat, AT_FDCWD, w[1], 0755)); }
FILES(op_chmod) { UNUSED; return done(syscall(SYS_chmod, w[1], mode_of(w[2]))); }
FILES(op_fchmodat) { UNUSED; return done(syscall(SYS_fchmodat, AT_FDCWD, w[1], mode_of(w[2]))); }
FILES(op_truncate) { UNUSED; return done(syscall(SYS_truncate, w[1], 0)); }
FILES(op_cd) { UNUSED; return chdir(w[1]); }

FILES(op_fchmod)
{
	UNUSED;
	int fd = open(w[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	long result = syscall(SYS_fchmod, fd, mode_of(w[2]));
	close(fd);
	return done(result);
}

/* A scene that has to be set before what counts: parents are made; what is there stays, unless it has to hold something. */
FILES(op_file)
{
	char path[1024];
	snprintf(path, sizeof(path), "%s", w[1]);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
	struct stat about;
	if (count <= 2 && stat(path, &about) == 0)
		return 0;
	FILE *file = fopen(path, "we");
	if (!file)
		return -1;
	/* A line of a script cannot hold another line: \\n stands for its end. */
	for (const char *c = count > 2 ? w[2] : "something"; *c; c++) {
		if (c[0] == '\\' && c[1] == 'n') {
			fputc('\n', file);
			c++;
		} else {
			fputc(*c, file);
		}
	}
	return fclose(file);
}

/* folder PATH: with its parents; it may be there. */
FILES(op_folder)
{
	UNUSED;
	char path[1024];
	snprintf(path, sizeof(path), "%s/", w[1]);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

int copy_file(const char *source, const char *target, int mode)
{
	int from = open(source, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return -1;
	struct stat about;
	int to;
	/* Whoever ran it last may not be quite gone. */
	for (int turn = 0; (to = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)) < 0; turn++) {
		if (errno != ETXTBSY || turn == 200)
			break;
		usleep(10000);
	}
	if (to < 0 || fstat(from, &about) < 0) {
		close(from);
		return -1;
	}
	off_t at = 0;
	while (at < about.st_size)
		if (sendfile(to, from, &at, (size_t)(about.st_size - at)) <= 0)
			break;
	close(from);
	int complete = at == about.st_size;
	return close(to) < 0 || !complete ? -1 : 0;
}

FILES(op_copy) { UNUSED; return copy_file(w[1], w[2], 0755); }

const struct operation file_operations[] = {
	{ "read", 1, op_read }, { "read-open", 1, op_read_open }, { "read-openat2", 1, op_read_openat2 },
	{ "read-write", 1, op_read_both }, { "read-at", 2, op_read_at }, { "read-handle", 1, op_read_handle },
	{ "write", 1, op_write }, { "append", 1, op_append }, { "append-at", 2, op_append_at },
	{ "append-open", 1, op_append_open }, { "list-open", 1, op_list_open }, { "update", 1, op_update }, { "create-openat2", 2, op_create_openat2 },
	{ "list-openat2", 1, op_list_openat2 }, { "append-openat2", 1, op_append_openat2 }, { "write-handle", 1, op_write_handle },
	{ "create", 1, op_create }, { "empty", 1, op_empty }, { "creat", 1, op_creat }, { "list", 1, op_list },
	{ "rename", 2, op_rename }, { "renameat", 2, op_renameat }, { "renameat2", 2, op_renameat2 },
	{ "link", 2, op_link }, { "linkat", 2, op_linkat }, { "symlink", 2, op_symlink },
	{ "symlinkat", 2, op_symlinkat }, { "unlink", 1, op_unlink }, { "unlinkat", 1, op_unlinkat },
	{ "rmdir", 1, op_rmdir }, { "mkdir", 1, op_mkdir }, { "mkdirat", 1, op_mkdirat },
	{ "chmod", 2, op_chmod }, { "fchmod", 2, op_fchmod }, { "fchmodat", 2, op_fchmodat },
	{ "truncate", 1, op_truncate }, { "cd", 1, op_cd }, { "file", 1, op_file }, { "folder", 1, op_folder }, { "copy", 2, op_copy },
	{ NULL, 0, NULL },
};
