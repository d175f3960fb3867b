/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* As asm/types.h here. BPF itself and both architectures have longs of 64 bits. */
#pragma once
#define __BITS_PER_LONG 64
#include <asm-generic/bitsperlong.h>
