/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* As asm/types.h here. arm64 numbers four flags of open differently. */
#pragma once
#ifdef __TARGET_ARCH_arm64
#define O_DIRECTORY 040000
#define O_NOFOLLOW 0100000
#define O_DIRECT 0200000
#define O_LARGEFILE 0400000
#endif
#include <asm-generic/fcntl.h>
