/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A signal reaches a thread. */
#include "call.bpf.h"

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGKILL 9
#define SIGTERM 15
#define SIGCHLD 17
#define SIGTSTP 20
#define SIGRTMIN 32

/* The sender lies at the same place of the union for kill, child and real-time signals. */
struct siginfo_head {
	s32 signo, error, code, pad;
	s32 pid;
};

SEC("?tp_btf/signal_deliver")
int BPF_PROG(t_signal, int sig, struct kernel_siginfo *info, void *action)
{
	struct siginfo_head head = {};
	/* 0, 1 and 2 are no addresses but marks of signals without information. */
	if ((u64)info > 2)
		bpf_probe_read_kernel(&head, sizeof(head), info);
	s64 sender = 0;
	switch (sig) {
	case SIGKILL:
	case SIGCHLD:
		sender = head.pid;
		break;
	case SIGTERM:
	case SIGHUP:
	case SIGINT:
	case SIGTSTP:
	case SIGQUIT:
		if (head.code <= 0)
			sender = head.pid;
		break;
	default:
		if (sig >= SIGRTMIN)
			sender = head.pid;
	}
	u32 tid = current_tid(current());
	FIXED_OF(tid, 0, SIGNALDELIVER_E, I64(sender), I64(tid), I8(sig));
}
