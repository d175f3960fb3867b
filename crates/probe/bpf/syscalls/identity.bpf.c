/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* System calls on users, groups, capabilities and keys. */
#include "task.bpf.h"
#include "flags.bpf.h"

EXIT(setuid)
{
	FIXED(SYSCALL_SETUID_X, RET, I32(ARG(0)));
}

EXIT(setgid)
{
	FIXED(SYSCALL_SETGID_X, RET, I32(ARG(0)));
}

EXIT(setreuid)
{
	FIXED(SYSCALL_SETREUID_X, RET, I32(ARG(0)), I32(ARG(1)));
}

EXIT(setregid)
{
	FIXED(SYSCALL_SETREGID_X, RET, I32(ARG(0)), I32(ARG(1)));
}

EXIT(setresuid)
{
	FIXED(SYSCALL_SETRESUID_X, RET, I32(ARG(0)), I32(ARG(1)), I32(ARG(2)));
}

EXIT(setresgid)
{
	FIXED(SYSCALL_SETRESGID_X, RET, I32(ARG(0)), I32(ARG(1)), I32(ARG(2)));
}

EXIT(getuid)
{
	FIXED(SYSCALL_GETUID_X, I32(c->ret));
}

EXIT(geteuid)
{
	FIXED(SYSCALL_GETEUID_X, I32(c->ret));
}

EXIT(getgid)
{
	FIXED(SYSCALL_GETGID_X, I32(c->ret));
}

EXIT(getegid)
{
	FIXED(SYSCALL_GETEGID_X, I32(c->ret));
}

static inline u32 user_u32(u64 ptr)
{
	u32 value = 0;
	bpf_probe_read_user(&value, sizeof(value), (void *)ptr);
	return value;
}

EXIT(getresuid)
{
	u32 real = user_u32(ARG(0)), effective = user_u32(ARG(1)), saved = user_u32(ARG(2));
	FIXED(SYSCALL_GETRESUID_X, RET, I32(real), I32(effective), I32(saved));
}

EXIT(getresgid)
{
	u32 real = user_u32(ARG(0)), effective = user_u32(ARG(1)), saved = user_u32(ARG(2));
	FIXED(SYSCALL_GETRESGID_X, RET, I32(real), I32(effective), I32(saved));
}

/* The task's own capabilities after the call, not what it asked for. */
EXIT(capset)
{
	struct cred *cred = READ(c->task, cred);
	u64 inheritable = CAPABILITIES(cred, cap_inheritable);
	u64 permitted = CAPABILITIES(cred, cap_permitted);
	u64 effective = CAPABILITIES(cred, cap_effective);
	FIXED(SYSCALL_CAPSET_X, RET, I64(inheritable), I64(permitted), I64(effective));
}

static inline void put_key_arg(struct out *o, u64 value, bool text, bool used)
{
	u32 start = o->at;
	ADD(o, u8, text ? PPM_KEYCTL_IDX_CHARBUF : PPM_KEYCTL_IDX_INT64);
	if (text)
		o->at += add_user_str(o, value, MAX_PATH);
	else
		ADD(o, u64, used ? value : 0);
	end_param(o, start);
}

/* How many of arguments 2 to 5 an operation has. */
static inline u32 key_args(u32 op)
{
	switch (op) {
	case PPM_KEYCTL_SESSION_TO_PARENT:
		return 0;
	case PPM_KEYCTL_JOIN_SESSION_KEYRING:
	case PPM_KEYCTL_REVOKE:
	case PPM_KEYCTL_CLEAR:
	case PPM_KEYCTL_SET_REQKEY_KEYRING:
	case PPM_KEYCTL_ASSUME_AUTHORITY:
	case PPM_KEYCTL_INVALIDATE:
		return 1;
	case PPM_KEYCTL_GET_KEYRING_ID:
	case PPM_KEYCTL_SETPERM:
	case PPM_KEYCTL_LINK:
	case PPM_KEYCTL_UNLINK:
	case PPM_KEYCTL_SET_TIMEOUT:
	case PPM_KEYCTL_GET_PERSISTENT:
	case PPM_KEYCTL_CAPABILITIES:
		return 2;
	case PPM_KEYCTL_UPDATE:
	case PPM_KEYCTL_CHOWN:
	case PPM_KEYCTL_DESCRIBE:
	case PPM_KEYCTL_READ:
	case PPM_KEYCTL_NEGATE:
	case PPM_KEYCTL_GET_SECURITY:
	case PPM_KEYCTL_RESTRICT_KEYRING:
	case PPM_KEYCTL_WATCH_KEY:
		return 3;
	case PPM_KEYCTL_SEARCH:
	case PPM_KEYCTL_INSTANTIATE:
	case PPM_KEYCTL_INSTANTIATE_IOV:
	case PPM_KEYCTL_REJECT:
	case PPM_KEYCTL_DH_COMPUTE:
	case PPM_KEYCTL_PKEY_QUERY:
	case PPM_KEYCTL_PKEY_ENCRYPT:
	case PPM_KEYCTL_PKEY_DECRYPT:
	case PPM_KEYCTL_PKEY_SIGN:
	case PPM_KEYCTL_PKEY_VERIFY:
	case PPM_KEYCTL_MOVE:
		return 4;
	}
	return 0;
}

EXIT(keyctl)
{
	u32 op = ARG(0), n = key_args(op);
	bool third = op == PPM_KEYCTL_RESTRICT_KEYRING || op == PPM_KEYCTL_SEARCH ||
		     (op >= PPM_KEYCTL_PKEY_ENCRYPT && op <= PPM_KEYCTL_PKEY_VERIFY);
	bool fourth = op == PPM_KEYCTL_RESTRICT_KEYRING || op == PPM_KEYCTL_SEARCH ||
		      op == PPM_KEYCTL_PKEY_QUERY;
	OUT_BEGIN(o, SYSCALL_KEYCTL_X, 6);
	put_u64(&o, c->ret);
	put_u32(&o, op);
	put_key_arg(&o, ARG(1), op == PPM_KEYCTL_JOIN_SESSION_KEYRING, n > 0);
	put_key_arg(&o, ARG(2), third, n > 1);
	put_key_arg(&o, ARG(3), fourth, n > 2);
	put_key_arg(&o, ARG(4), false, n > 3);
	return out_send(&o);
}
