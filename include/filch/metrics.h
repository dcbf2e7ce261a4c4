/* SPDX-License-Identifier: MIT */
/*
 * The numbers of filch/stats.h as text that Prometheus reads (text format 0.0.4), and whatever else reads that. All of them
 * are listed in docs/METRICS.md. filch/metrics_serve.h answers GET /metrics with it.
 *
 *     char text[65536];
 *     ssize_t length = filch_metrics_text(NULL, text, sizeof text);        all runtimes of the process
 *     filch_metrics_write(runtime, STDOUT_FILENO);
 *
 * Each sample says by the label `runtime` whose it is: the runtime's name. Where several have the same name at a time, the
 * second is NAME#2, and so on, for as long as it lives. What concerns one worker has the label `worker`, counted as
 * filch_runtime_worker_stats does; sums over workers are left to who reads.
 */
#ifndef FILCH_METRICS_H
#define FILCH_METRICS_H

#include <filch/base.h>
#include <filch/runtime.h>
#include <sys/types.h>

FILCH_BEGIN_DECLS

/*
 * Writes the metrics of `runtime`, or for NULL of all runtimes of the process (256 at most), into `text`, as snprintf(3)
 * does: no more than `size` bytes, the last of them a zero. Where that is too little, what is there is cut off somewhere.
 *
 * The numbers change meanwhile, and so may the length from one call to the next: who asks for it with a `size` of 0, to
 * get memory for the text, adds some thousand bytes, and asks again if it was still too little. A runtime of W workers has
 * some 5,000 + 1,500 * W.
 *
 * No memory is asked for. While it goes through all runtimes none of them comes to its end: filch_runtime_destroy waits for
 * that, some microseconds for each worker that there is.
 *
 * Returns  the length of the whole text, without the zero
 *          -EINVAL      `text` is NULL, and `size` is not 0
 *          -ESHUTDOWN   the runtime is one of the process that this one was forked from
 * Call     from any thread or task, while `runtime` lives; in a simulation, by its own thread
 * Waits    no
 */
FILCH_API FILCH_CHECK ssize_t filch_metrics_text(filch_runtime *runtime, char *text, size_t size);

/*
 * The same to file descriptor `fd`. The whole text is made first, in memory that is given back: of some 5,000 + 1,500 * W
 * bytes for each runtime of W workers, and an eighth more. Only then it is written, and no runtime is held up by that: any of them
 * may be destroyed while `fd` takes no more.
 *
 * Returns  0
 *          -ENOMEM      no memory for the text; nothing was written
 *          -ESHUTDOWN   as above
 *          -errno       what write(2) answered; -EAGAIN, where `fd` is non-blocking and takes no more
 * Call     as above
 * Waits    only as write(2) does: it may block the caller's thread
 */
FILCH_API FILCH_CHECK int filch_metrics_write(filch_runtime *runtime, int fd);

FILCH_END_DECLS

#endif
