/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Stands in for the machine's own header, which cross compilers do not find: all have these. */
#pragma once
#include <asm-generic/types.h>
