/* SPDX-License-Identifier: MIT */
/* How many processors this process may really use. */
#ifndef FILCH_BASE_CPU_H
#define FILCH_BASE_CPU_H

/*
 * The smaller of the affinity mask's size and the cgroup quota rounded up (v2: the tightest cpu.max from the process's
 * own group up to the root; v1: cpu.cfs_quota_us / cpu.cfs_period_us), at least 1. Reads /proc/self/cgroup and the
 * mounts named in /proc/self/mountinfo; what cannot be read is no limit.
 */
unsigned filch__cpu_available(void);

/*
 * The quota part alone, in processors rounded up, or 0 where there is none, with every path read below `root` ("" for
 * the real system; a folder with a copy of such a system for tests).
 */
unsigned filch__cpu_quota(const char *root);

#endif
