/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* As asm/types.h here: both architectures are little-endian. */
#pragma once
#include <linux/byteorder/little_endian.h>
