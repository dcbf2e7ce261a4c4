/* SPDX-License-Identifier: MIT */
/* How much memory a process has. */
#ifndef BENCH_COMMON_MEMORY_H
#define BENCH_COMMON_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most that was resident since the program began, in KiB. */
int64_t memory_peak_kib(void);

/* What is resident now, and what its page tables take, in bytes. */
int64_t memory_resident(void);
int64_t memory_page_tables(void);

/* The field "VmRSS:" or the like of process `pid`, in KiB. */
int64_t memory_of(pid_t pid, const char *field);

#ifdef __cplusplus
}
#endif

#endif
