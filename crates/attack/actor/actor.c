/*
 * The actor: one small static program that plays every part of an attack.
 *
 * It is put into a stage (stage.c) under whatever name and path a case wants to see, and does what its script says,
 * a line an operation, a system call each where that is possible. So the rules see the process, the parents and the
 * call that a real attack would show, and nothing else. Without a script it does nothing and ends well: it can stand
 * for any program.
 */
#include "actor.h"

#include <sys/wait.h>

static const struct operation *const tables[] = {
	file_operations, process_operations, network_operations, kernel_operations, ring_operations,
};

static const struct operation *find(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct operation *o = tables[i]; o->name; o++)
			if (!strcmp(o->name, name))
				return o;
	return NULL;
}

/* Splits a line at tabs: the scripts are written by a program, which has dealt with quotes. */
static int split(char *line, char **words, int most)
{
	int count = 0;
	for (char *word = strtok(line, "\t"); word && count < most - 1; word = strtok(NULL, "\t"))
		words[count++] = word;
	words[count] = NULL;
	return count;
}

int wait_for(int pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	errno = ECHILD;
	return -1;
}

/* `try` in front of an operation: it may fail, as attacks do. */
static int perform(char *line)
{
	char *words[256];
	int count = split(line, words, 256);
	if (count == 0)
		return 0;
	char **from = words;
	int may_fail = !strcmp(words[0], "try");
	if (may_fail) {
		from++;
		count--;
	}
	const struct operation *operation = count > 0 ? find(from[0]) : NULL;
	if (!operation || count - 1 < operation->words) {
		fprintf(stderr, "%s: no such operation, or too few words\n", count > 0 ? from[0] : "");
		return -1;
	}
	if (operation->perform(count, from) == 0 || may_fail)
		return 0;
	fprintf(stderr, "%s %s: %s\n", from[0], count > 1 ? from[1] : "", strerror(errno));
	return -1;
}

int run_script(const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", SCRIPTS, name);
	FILE *script = fopen(path, "re");
	if (!script) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	static char text[65536];
	size_t length = fread(text, 1, sizeof(text) - 1, script);
	fclose(script);
	text[length] = 0;
	char *rest = text;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
		if (perform(line) < 0)
			return 1;
	return 0;
}

int main(int count, char **words)
{
	if (count > 2 && !strcmp(words[1], "--stage"))
		return stage(count - 2, words + 2);
	const char *script = getenv(SCRIPT_VARIABLE);
	if (!script || !*script)
		return 0;
	/* What it starts under another name has a script of its own or none. */
	char name[64];
	snprintf(name, sizeof(name), "%s", script);
	unsetenv(SCRIPT_VARIABLE);
	return run_script(name);
}
