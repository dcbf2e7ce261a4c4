/* SPDX-License-Identifier: MIT */
/*
 * Probes for bpftrace(8), perf(1) and systemtap: places in the code with a name, at which nothing stands but a nop until
 * such a tool puts a breakpoint there. They are in the build where <sys/sdt.h> is; docs/TRACE.md lists them.
 *
 * Arguments are read by the tool, where they stand: so they are to stand somewhere anyway.
 */
#ifndef FILCH_SCHED_PROBE_H
#define FILCH_SCHED_PROBE_H

#ifdef FILCH_USDT

#include <sys/sdt.h>

#define probe1(name, a) DTRACE_PROBE1(filch, name, a)
#define probe2(name, a, b) DTRACE_PROBE2(filch, name, a, b)
#define probe3(name, a, b, c) DTRACE_PROBE3(filch, name, a, b, c)
#define probe4(name, a, b, c, d) DTRACE_PROBE4(filch, name, a, b, c, d)

#else

/* Not even evaluated. */
#define probe1(name, a) ((void)sizeof(a))
#define probe2(name, a, b) ((void)sizeof(a), (void)sizeof(b))
#define probe3(name, a, b, c) ((void)sizeof(a), (void)sizeof(b), (void)sizeof(c))
#define probe4(name, a, b, c, d) ((void)sizeof(a), (void)sizeof(b), (void)sizeof(c), (void)sizeof(d))

#endif

#endif
