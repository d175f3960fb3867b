/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A new program runs: the success of execve and of execveat alike. */
#include "process.bpf.h"

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(t_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	if (is_kernel_thread(task))
		return 0;
#ifdef WITH_FILTERS
	note_image_change();
#endif
	OUT_OF(o, READ(task, pid), SYSCALL_EXECVE_19_X, 31);
	put_u64(&o, 0);
	put_arguments(&o, task);
	put_exec_task(&o, task);
	put_environment(&o, task);
	put_exec_credentials(&o, task);
	put_kernel_str(&o, READ(bprm, filename));
	return out_send(&o);
}
