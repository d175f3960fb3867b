/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* As asm/types.h here: compilers have it built in. */
#pragma once
