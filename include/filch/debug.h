/* SPDX-License-Identifier: MIT */
/*
 * Debug mode: what a program does wrong is told, though it works. Off it costs nothing.
 *
 *     FILCH_DEBUG=1 ./program                         all checks
 *     FILCH_DEBUG=hog=50,never-awaited ./program      some
 *     FILCH_DEBUG=help ./program                      a line for each
 *     filch_options options = {.debug = "mutex-cycle=fail"};      in the program, for one runtime
 *
 *     word                       what is told
 *     deadlock                   all tasks wait, and nothing that the runtime knows of will wake one
 *     hog, hog=MS                a task holds its worker while others wait for that; or, for more than MS milliseconds
 *     mutex-cycle, =fail, =abort a call is about to wait for a lock and so closes a circle of tasks that wait for one
 *                                another: at once. With fail it answers -EDEADLK in place of waiting, with abort the
 *                                process aborts
 *     held                       a task ends, and holds a mutex or the writer's side of a lock, which it has not taken by
 *                                a try
 *     never-awaited              the runtime ends, and tasks have ended whose results nobody has asked for; or scopes are
 *                                open that threads have opened
 *     channels                   the runtime ends, and channels that its tasks have made are left; or one is destroyed with
 *                                values in it
 *     foreign-lock               a task waits while it holds a pthread mutex, or the like; needs libfilch-debug.so
 *     wrong-thread               a call that is for tasks is made by a thread that runs none, or a scope is closed by
 *                                another thread than has opened it
 *     errno                      nothing is told, but errno is FILCH_DEBUG_ERRNO after each wait that let others run
 *     1, all                     all of these, with hog=100
 *     io                         what descriptors are watched by, and why. Not one of all, as the next
 *     noquit                     SIGQUIT is left alone: see filch/dump.h
 *     help                       the words are told
 *
 * Words are separated by commas or spaces. One that is unknown is told of, and the others count; but in `.debug` it makes
 * filch_runtime_create answer -EINVAL. FILCH_DEBUG=0 is no check, and the same as none. docs/DIAGNOSIS.md shows
 * what each report looks like. A simulated runtime (filch/simulation.h) has the same checks, but for hogs.
 *
 * A report is a line "filch: WORD: ...", mostly with lines indented under it: who, spawned where, and where in the code. It
 * goes to standard error, or to a function of the program's. Places are written as "program(+0x1234)", which addr2line(1)
 * understands.
 */
#ifndef FILCH_DEBUG_H
#define FILCH_DEBUG_H

#include <filch/base.h>
#include <stddef.h>

FILCH_BEGIN_DECLS

/*
 * What errno is after a waiting call that has let others run, with the check `errno`: calls of filch return their errors,
 * and what errno is then is some other task's. No system call sets it.
 */
#define FILCH_DEBUG_ERRNO 987588

/* A report, good until the function that is given it returns. */
typedef struct filch_report {
    const char *check;   /* the word: "hog" */
    const char *text;    /* all of it, with the newline at its end */
    size_t length;       /* of the text */
    const char *runtime; /* the name of the runtime */
} filch_report;

/*
 * Is given the reports of a runtime, in place of standard error: see filch_options. On whatever thread it comes about, in a
 * task or at the runtime's end; it neither waits nor uses the runtime, which does not end before it has returned.
 */
typedef void filch_report_fn(const filch_report *report, void *arg);

FILCH_END_DECLS

#endif
