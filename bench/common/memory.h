/* SPDX-License-Identifier: MIT */
/* How much memory this process has. */
#ifndef BENCH_COMMON_MEMORY_H
#define BENCH_COMMON_MEMORY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most that was resident since the program began, in KiB. */
int64_t memory_peak_kib(void);

/* What is resident now, and what its page tables take, in bytes. */
int64_t memory_resident(void);
int64_t memory_page_tables(void);

#ifdef __cplusplus
}
#endif

#endif
