/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * All programs of one way of attaching (call.bpf.h) in one object. The loader loads of them what
 * the wanted events need: a section that begins with `?` is left alone unless asked for.
 */
#include "include/types.bpf.h"

#include "syscalls/event.bpf.c"
#include "syscalls/file.bpf.c"
#include "syscalls/identity.bpf.c"
#include "syscalls/io.bpf.c"
#include "syscalls/kernel.bpf.c"
#include "syscalls/memory.bpf.c"
#include "syscalls/net.bpf.c"
#include "syscalls/open.bpf.c"
#include "syscalls/process.bpf.c"
#include "syscalls/signal.bpf.c"

#include "tracepoints/dispatch.bpf.c"
#include "tracepoints/function.bpf.c"
#include "tracepoints/enter.bpf.c"
#include "tracepoints/exec.bpf.c"
#include "tracepoints/exit.bpf.c"
#include "tracepoints/io_uring.bpf.c"
#include "tracepoints/sched.bpf.c"
#include "tracepoints/signal.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
