/* SPDX-License-Identifier: MIT */
/* filch/fork.h, whose inline paths name the compiler's atomics: here the explorer sees them too. */
#ifndef FILCH_TESTS_EXPLORE_SHIM_FORK_H
#define FILCH_TESTS_EXPLORE_SHIM_FORK_H

#include "base/atomic.h"

#define __atomic_load_n(object, order) FILCH__LOAD(object, order)
#define __atomic_store_n(object, value, order) FILCH__STORE(object, value, order)

#include_next <filch/fork.h>

#undef __atomic_load_n
#undef __atomic_store_n

#endif
