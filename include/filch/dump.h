/* SPDX-License-Identifier: MIT */
/*
 * What all tasks are doing: who waits for what, since when, held by whom, spawned where, and at which place in the code.
 *
 *     kill -QUIT PID          writes it to standard error, and the program goes on
 *     filch_dump(fd, NULL, NULL)
 *
 * The signal works while every worker computes or is blocked in the kernel, since a runtime's monitor thread writes the
 * dump, of all runtimes. At least one of them must have one: with `no_monitor` in all of them, and in a simulation, a line
 * says that there is none. The first runtime installs the handler, unless the program has changed what SIGQUIT does before,
 * FILCH_DEBUG contains "noquit", or the signal was ignored when the program began, as it is for one that a script starts
 * with `&` (`env --default-signal=QUIT program` helps). When the last runtime ends, and in the child of a fork, the signal
 * ends the process again, unless the program has installed a handler of its own since. That is looked at and then changed,
 * so a program should not install one in another thread while its last runtime ends.
 *
 * A worker is asleep (in the poller, perhaps), retired (a spare that is not needed), or awake: then it runs a task, or
 * searches for one.
 *
 * Of a task that waits for a lock it is told who holds that: the owner of a mutex, the writer, or how many read, of whom
 * one is named with FILCH_DEBUG=held. At a semaphore, how many permits are left. A lock knows the record of its owner: one
 * that has ended with the lock in its hands is told as ended, until a task that is spawned later gets the record, and the
 * blame; with FILCH_DEBUG=held it is told when it ends.
 *
 * Tasks stand under the scope that they were spawned into, and that under the task that has opened it. Those that are
 * alike (same scope, same function and place of spawn, same kind of wait, same backtrace), and under which the same stands,
 * as the tasks of a server's connections, are told once, with their number in all. What they wait for may be different
 * things, of which one is told.
 *
 * Of a task that waits, the backtrace is taken on its own stack, which it does not notice; of one that runs, by interrupting
 * its worker with SIGURG, on standard error, after the rest. Places are written as "program(+0x1234)", which addr2line(1)
 * understands.
 *
 * No memory is asked of malloc, no lock of the program's is taken. Tasks that begin or end meanwhile may be missed.
 */
#ifndef FILCH_DUMP_H
#define FILCH_DUMP_H

#include <filch/base.h>
#include <filch/runtime.h>

FILCH_BEGIN_DECLS

typedef enum filch_dump_format {
    FILCH_DUMP_TEXT = 0, /* for people */
    FILCH_DUMP_JSON = 1, /* an array of runtimes, each with "workers" and "tasks"; one line */
} filch_dump_format;

/* How a dump is made. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_dump_options {
    filch_dump_format format;
    bool no_backtraces;
    bool no_running;    /* the backtraces of tasks that run are left out, and nobody is interrupted */
    unsigned tasks_max; /* more than so many are only counted; default 20,000. Each takes some 400 bytes meanwhile */
} filch_dump_options;

/*
 * Writes a dump of `runtime`, or for NULL of all runtimes of the process, to file descriptor `fd`. All are 256 at the most:
 * runtimes that are made while so many are there are not among them, nor do they answer the signal.
 *
 * A pipe or a terminal that nobody reads holds up the caller, which for the signal is the monitor, and the end of each
 * runtime, until somebody reads on or closes it.
 *
 * Returns  how many tasks there were
 *          -EINVAL      an option is out of range
 *          -ENOMEM      no memory (of mmap(2)) to put them in order in
 *          -ESHUTDOWN   the runtime is one of the process that this one was forked from
 *          -errno       write(2) failed
 * Call     from any thread or task; not from a signal handler
 * Waits    only as write(2) does
 */
FILCH_API int filch_dump(int fd, filch_runtime *runtime, const filch_dump_options *options);

FILCH_END_DECLS

#endif
