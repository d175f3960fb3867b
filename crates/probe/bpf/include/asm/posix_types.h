/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* As asm/types.h here. */
#pragma once
#include <asm-generic/posix_types.h>
