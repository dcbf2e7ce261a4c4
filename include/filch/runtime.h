/* SPDX-License-Identifier: MIT */
/*
 * A runtime: some worker threads and the tasks they run. A process may have several; they share nothing.
 * Most programs have one and never name it: filch_run makes it, runs the main task in it, and ends it.
 *
 * fork(2): the child has none of the workers. There, calls on a runtime of the parent's answer -ESHUTDOWN or do nothing,
 * and what would wait for its tasks for ever, or a task's function that returns, ends the child with a line on standard
 * error. Its descriptors and files are shared with the parent, as fork(2) has it: what can be read or written at once still
 * is, and is missing there; only a call that has to wait for a descriptor, and closing it, are answered -ESHUTDOWN. The
 * child should exec or _exit; it may make runtimes of its own.
 *
 * C++: a task's function must not let an exception out. A task that waits inside a `catch` keeps the exception it
 * handles.
 */
#ifndef FILCH_RUNTIME_H
#define FILCH_RUNTIME_H

#include <filch/base.h>
#include <filch/debug.h>
#include <filch/task.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

typedef struct filch_runtime filch_runtime;

/* What is done about tasks that wait for one another in a circle (mutexes and awaits), once all workers are idle. */
typedef enum filch_deadlock {
    FILCH_DEADLOCK_REPORT = 0, /* a dump on standard error, once: see filch/dump.h */
    FILCH_DEADLOCK_ABORT = 1,  /* the same, and abort() */
    FILCH_DEADLOCK_IGNORE = 2, /* nothing */
} filch_deadlock;

/* What a runtime's descriptors are watched by, and who makes calls on files that may have to wait for a disk. */
typedef enum filch_poller {
    FILCH_POLLER_DEFAULT = 0, /* epoll(7), and files by io_uring(7) where the kernel lets it be used, else by threads */
    FILCH_POLLER_EPOLL = 1,   /* epoll, and no io_uring at all */
    FILCH_POLLER_IO_URING = 2, /* io_uring for both; where it is not to be had, as FILCH_POLLER_EPOLL */
} filch_poller;

/* How a runtime is made. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_options {
    const char *name;  /* for reports and thread names; copied, up to 15 bytes; default "filch" */
    unsigned workers;  /* 1 to FILCH_WORKERS_MAX; default: what affinity mask and cgroup quota let the process use */
    size_t stack_size; /* bytes, of tasks that ask for none; 16 KiB to 1 GiB, rounded up; default 64 KiB */
    uint64_t seed;     /* of the scheduler's random choices; default: drawn anew for each runtime */
    unsigned blocking_threads; /* helpers for filch_blocking, at most; 1 to FILCH_BLOCKING_THREADS_MAX; default 64 */
    bool
        no_monitor; /* no spare workers: a task that does not wait holds up whatever waits for its worker, but a runtime
                         with one worker runs one task at a time */
    bool report_hogs; /* a line and a backtrace on standard error for tasks that hold others up: see filch_stats */
    filch_deadlock on_deadlock; /* needs the monitor. FILCH_DEBUG=deadlock reports also where all tasks just wait */
    const struct filch_simulation *simulation; /* runs simulated, see filch/simulation.h; default: as FILCH_SIM says */
    bool
        interrupt; /* the first SIGINT (Ctrl-C) cancels all tasks, as filch_runtime_cancel; the next one does what it did
                         before. The runtime has a thread for it. Where SIGINT is ignored when the runtime is made, as
                         by what a script starts in the background, it stays so. filch/signal.h tells of other signals */
    filch_poller poller; /* default: what FILCH_POLLER in the environment names, "epoll" or "io_uring", if it does */
    const char *debug;   /* checks, in the words of filch/debug.h (others: -EINVAL), besides those of FILCH_DEBUG */
    filch_report_fn *on_report; /* is given their reports, with the next; default: they go to standard error */
    void *on_report_arg;
} filch_options;

#define FILCH_WORKERS_MAX 1024u
#define FILCH_BLOCKING_THREADS_MAX 4096u

/*
 * Makes a runtime, runs `fn(arg)` in it as its main task, waits until that and every task spawned meanwhile has
 * ended, and ends the runtime.
 *
 * Returns  the result of fn
 *          -EINVAL   `fn` is NULL, or a field of `options` is out of its range; nothing was run
 *          -ENOMEM   no memory; nothing was run
 *          -EAGAIN   the system gave no thread; nothing was run
 *          -EBUSY    simulated, and there is a simulation already; nothing was run
 *          -EDEADLK  simulated, and all tasks came to wait for ever; they have been cancelled
 *          (a result of fn may look the same: let `arg` say whether it ran, where that matters)
 * Call     from any thread that is not a worker of a runtime (from a task: -EDEADLK)
 * Waits    yes: the calling thread blocks
 */
FILCH_API int filch_run(filch_fn *fn, void *arg, const filch_options *options);

/*
 * Makes a runtime and starts its workers, which sleep until there is a task. Except on 0, `*runtime` is not written.
 *
 * Returns  0, -EINVAL, -ENOMEM, -EAGAIN or -EBUSY, as filch_run
 *          -EDEADLK  it is to be simulated, and the caller is a task of a runtime that is not
 * Call     from any thread, or task
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_runtime_create(filch_runtime **runtime, const filch_options *options);

/*
 * Starts `fn(arg)` as a task of `runtime`. As filch_spawn, but from any thread.
 *
 * Returns  0           `*task` holds the handle; with `task` NULL the task is detached
 *          -EINVAL     `runtime` or `fn` is NULL, or an option is out of range
 *          -ENOMEM     no memory
 *          -ESHUTDOWN  the runtime has been shut down, and the caller is not one of its tasks
 * Call     from a task or from any thread
 * Waits    no
 * Orders   what the caller did before, before the task
 */
FILCH_API FILCH_CHECK int filch_runtime_spawn(filch_runtime *runtime, filch_task **task, filch_fn *fn, void *arg,
                                              const filch_task_options *options);

/*
 * Refuses tasks from outside from now on, and waits until every task has ended. May be called again, and by several
 * threads; a runtime that is shut down stays so. Handles of ended tasks can still be awaited.
 *
 * Returns  0            no task is left
 *          -ETIMEDOUT   `deadline` passed first; the tasks that are left go on. filch_runtime_report tells which
 *          -EDEADLK     called by a task of this runtime, which would wait for itself
 *          -EINVAL      `runtime` is NULL
 * Call     from a task of another runtime, or from any thread that is not a worker of this one
 * Waits    yes
 */
FILCH_API FILCH_CHECK int filch_runtime_shutdown(filch_runtime *runtime, filch_deadline deadline);

/*
 * Shuts `runtime` down without a deadline, ends its workers and frees everything. NULL is nothing. Nobody may use the
 * runtime, a handle of one of its tasks, or a descriptor, file, stream, process or signal handle of it afterwards; a
 * filch_await that may be cut short must have returned before.
 *
 * Returns  0, or -EDEADLK as above, and then nothing was done
 * Call     from any thread that is not a worker of this runtime, once
 * Waits    yes
 */
FILCH_API int filch_runtime_destroy(filch_runtime *runtime);

/* The runtime that the caller is a task of, or NULL. From any thread; does not wait. */
FILCH_API filch_runtime *filch_runtime_current(void);

/* How many workers `runtime` has; 0 for NULL. From any thread; does not wait. */
FILCH_API unsigned filch_runtime_workers(const filch_runtime *runtime);

/*
 * What the descriptors of `runtime` are watched by: "epoll" or "io_uring", static text. NULL before its first use of one,
 * and for NULL. With FILCH_DEBUG=io in the environment, a line on standard error says by then what was chosen and why.
 * From any thread; does not wait.
 */
FILCH_API const char *filch_runtime_poller(const filch_runtime *runtime);

/*
 * Cancels every task of `runtime`, now and those that are spawned later, as filch_task_cancel does one: for a shutdown
 * that does not wait for work to be finished.
 *
 *     filch_runtime_cancel(runtime);
 *     if (filch_runtime_shutdown(runtime, filch_after(FILCH_SEC(5))) != 0) filch_runtime_report(runtime, STDERR_FILENO);
 *
 * Tasks that have not begun never run. A filch_runtime_shutdown that waits cancels again those that came in between. NULL
 * is nothing.
 * Call     from any thread or task
 * Waits    no
 */
FILCH_API void filch_runtime_cancel(filch_runtime *runtime);

/* What a task is doing. */
typedef enum filch_task_state {
    FILCH_TASK_READY = 1,   /* spawned, not begun */
    FILCH_TASK_RUNNING = 2, /* begun, and does not wait: it runs, or may go on when its turn comes */
    FILCH_TASK_WAITING = 3, /* begun, and waits */
} filch_task_state;

/* A task as it was when filch_task_each looked at it. */
typedef struct filch_task_info {
    const filch_task *task; /* to compare; the task may be gone by now */
    filch_task_state state;
    bool cancelled;     /* by filch_task_cancel or filch_runtime_cancel */
    char name[32];      /* or "" */
    filch_fn *fn;       /* that it runs */
    void *spawned_at;   /* an address in who spawned it */
    const char *reason; /* WAITING: what kind of wait, "mutex", "sleep"; static text; else NULL */
    const void *object; /* WAITING: what it waits for, the address of the mutex, the task, the channel; or NULL */
    int64_t waiting_ns; /* WAITING: for how long, within some ten milliseconds */
} filch_task_info;

/*
 * Calls `visit` for each task of `runtime` that has not ended, in no order, until it returns other than 0. A task that
 * starts or ends meanwhile may be missed. Of a task that has forked, its own strand is looked at.
 *
 * Returns  0, or what `visit` returned last
 *          -EINVAL   `runtime` or `visit` is NULL
 *          -ESHUTDOWN   the runtime is one of the process that this one was forked from
 * Call     from any thread or task; `visit` may do anything but end the runtime
 * Waits    no, but for `visit`
 */
FILCH_API int filch_task_each(filch_runtime *runtime, int (*visit)(const filch_task_info *info, void *arg), void *arg);

/*
 * Writes a line for each task that has not ended to file descriptor `fd`: its name, whether it has begun, on what it waits
 * and for how long, and where it was spawned (as "program(+0x1234)", which addr2line(1) understands).
 *
 * Returns  how many tasks there were
 *          -EINVAL   `runtime` is NULL
 *          -ESHUTDOWN   as filch_task_each
 *          -errno    write(2) failed
 * Call     from any thread or task; tasks that start or end meanwhile may be missed
 * Waits    only as write(2) does
 */
FILCH_API int filch_runtime_report(filch_runtime *runtime, int fd);

FILCH_END_DECLS

#endif
