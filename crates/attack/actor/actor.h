/* What the parts of the actor share. See actor.c for what the actor is. */
#ifndef ACTOR_H
#define ACTOR_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls that architectures since 2012 (arm64) have in their newer form only: the old ones fail there with ENOSYS. */
#ifndef SYS_open
#define SYS_open -1
#define SYS_creat -1
#define SYS_chmod -1
#define SYS_link -1
#define SYS_mkdir -1
#define SYS_rename -1
#define SYS_rmdir -1
#define SYS_symlink -1
#define SYS_unlink -1
#endif

/* Where the actor lies inside of a stage, and where its scripts are. */
#define ACTOR_HOME "/usr/lib/peregrine-attack/actor"
#define SCRIPTS "/usr/lib/peregrine-attack/scripts"

/* Names the script of a process; names the case that all of a process's events belong to. */
#define SCRIPT_VARIABLE "PEREGRINE_SCRIPT"
#define CASE_VARIABLE "PEREGRINE_CASE"

/* One operation: its words, the name first, ended by NULL. Gives 0 or -1 with errno. */
struct operation {
	const char *name;
	int words; /* at least so many follow the name */
	int (*perform)(int count, char **words);
};

extern const struct operation file_operations[];
extern const struct operation process_operations[];
extern const struct operation network_operations[];
extern const struct operation kernel_operations[];
extern const struct operation ring_operations[];

/* Runs the script of that name to its end; gives the exit status. */
int run_script(const char *name);

/* Copies SOURCE to TARGET with that mode. */
int copy_file(const char *source, const char *target, int mode);

/* Waits for that process; 0 if it ended well. */
int wait_for(int pid);

/* Builds a stage and serves it; does not return before the last case. */
int stage(int count, char **words);

#endif
