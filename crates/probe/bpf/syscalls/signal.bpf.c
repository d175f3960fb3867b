/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls that send signals. */
#include "call.bpf.h"

EXIT(kill)
{
	FIXED(SYSCALL_KILL_X, RET, FD(0), I8(ARG(1)));
}

EXIT(tkill)
{
	FIXED(SYSCALL_TKILL_X, RET, FD(0), I8(ARG(1)));
}

EXIT(tgkill)
{
	FIXED(SYSCALL_TGKILL_X, RET, FD(0), FD(1), I8(ARG(2)));
}
