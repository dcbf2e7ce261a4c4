/* SPDX-License-Identifier: MIT */
/*
 * Processes: started, talked to, waited for. Only the task waits.
 *
 *     const char *argv[] = {"sort", "-n", NULL};
 *     filch_process_talk talk = {.input = "3\n1\n2\n", .input_size = 6};
 *     filch_process_status status;
 *     int error = filch_process_run(argv, NULL, &talk, &status, filch_after(FILCH_SEC(5)));
 *     if (error == 0 && status.exit_code == 0) fwrite(talk.output, 1, talk.output_size, stdout);
 *     filch_process_talk_fini(&talk);
 *
 * The library installs no handler of SIGCHLD: it watches each process by a descriptor (pidfd_open(2)), and takes its
 * status just once, however many wait. A program that ignores SIGCHLD, or that waits for any child itself (wait(2),
 * waitpid(-1)), takes the statuses away: a process is started as ever then, and whoever waits for its end is answered
 * -ECHILD, by filch_process_run too.
 *
 * What a process gets: descriptors 0, 1 and 2 as the options say, and those others that are not close-on-exec (all that
 * the library opens are); no blocked signals; SIGPIPE in its default way; signals that the program ignores, ignored, and
 * those that it handles, in their default way.
 *
 * Errors that every call that waits may answer, besides its own:
 *
 *     -ETIMEDOUT   `deadline` passed first
 *     -ECANCELED   the scope was cancelled first
 *     -EINVAL      a bad argument
 */
#ifndef FILCH_PROCESS_H
#define FILCH_PROCESS_H

#include <filch/base.h>
#include <filch/fd.h>
#include <filch/runtime.h>
#include <filch/time.h>
#include <sys/types.h>

FILCH_BEGIN_DECLS

typedef struct filch_process filch_process;

/* What a process has as one of its three standard descriptors. */
typedef enum filch_process_stdio {
    FILCH_STDIO_INHERIT = 0, /* the program's own */
    FILCH_STDIO_NULL = 1,    /* /dev/null */
    FILCH_STDIO_PIPE = 2,    /* a pipe, whose other end is filch_process_input, _output or _error */
    FILCH_STDIO_FD = 3,      /* a copy of the descriptor whose number stands beside it */
    FILCH_STDIO_OUTPUT = 4,  /* of `error` only: what `output` is */
} filch_process_stdio;

/* To which process group it belongs. Of one of its own all members get the signals that are sent to it by this header. */
typedef enum filch_process_group {
    FILCH_PROCESS_GROUP_SAME = 0,
    FILCH_PROCESS_GROUP_NEW = 1,
    FILCH_PROCESS_SESSION_NEW = 2, /* and without a terminal: setsid(2) */
} filch_process_group;

/* How a process is started. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_process_options {
    const char *program;            /* the file to execute; default: argv[0]; looked for in PATH if it has no slash */
    const char *const *environment; /* "NAME=value" ..., NULL; default: the program's own */
    const char *directory;          /* that it starts in; default: the program's own */
    filch_process_stdio input, output, error;
    int input_fd, output_fd, error_fd; /* for FILCH_STDIO_FD; they stay the caller's */
    filch_process_group group;
    filch_runtime *runtime; /* whose workers watch it; default: the caller's, who must be a task then */
} filch_process_options;

/* How it ended. */
typedef struct filch_process_status {
    int exit_code; /* 0 to 255; -1: a signal ended it */
    int signal;    /* which; 0: none */
    bool dumped;   /* it left a core dump */
} filch_process_status;

/*
 * Starts a process, with the arguments `argv`, the first of which is its name, and which NULL ends. Except on 0,
 * `*process` is not written and no process is left.
 *
 * Returns  0
 *          -ENOENT    there is no such program, or no such directory
 *          -EACCES    it may not be executed
 *          -ENOEXEC, -E2BIG, -EAGAIN, ...   as execve(2) and fork(2)
 *          -EBADF     a descriptor of the options is not open
 *          -EMFILE    no descriptor is left
 *          -ENOMEM    no memory
 *          -EPERM     the caller is no task, and the options name no runtime
 *          -ESHUTDOWN   the runtime is one of the process that this one was forked from
 * Call     from a task, or from any thread that names a runtime
 * Waits    yes: it is started by a helper thread (filch/blocking.h); the deadline is for its turn, and once begun it is not
 *          cut short. A task may continue on another worker
 * Keeps    its arguments until it returns
 */
FILCH_API FILCH_CHECK int filch_process_start(filch_process **process, const char *const *argv,
                                              const filch_process_options *options, filch_deadline deadline);

/*
 * The library's ends of its pipes: to be written, and read, by filch/fd.h; FILCH_FD_NONE where it has no pipe. They may be
 * closed by filch_fd_close, and are closed with the handle. From any thread; they do not wait.
 */
FILCH_API filch_fd filch_process_input(const filch_process *process);
FILCH_API filch_fd filch_process_output(const filch_process *process);
FILCH_API filch_fd filch_process_error(const filch_process *process);

/*
 * Its number, which the system may give to another process after it has ended; -EINVAL for NULL. From any thread; does not
 * wait.
 */
FILCH_API pid_t filch_process_pid(const filch_process *process);

/*
 * Waits until it has ended; any number may wait, and ask again later. Except on 0, `*status` is not written; it may be NULL.
 * A process that fills a pipe which nobody reads does not end: see filch_process_communicate.
 *
 * Returns  0
 *          -ECHILD   it has ended, but its status was taken by somebody else
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_process_wait(filch_process *process, filch_process_status *status,
                                             filch_deadline deadline);

/*
 * Sends it a signal: SIGTERM, by which a process is asked to end; SIGKILL, by which it is ended; or any other. If it has a
 * group of its own, to all of that, while the process itself has not ended. Never to another process that has the same
 * number by now.
 *
 * Returns  0
 *          -ESRCH    it has ended
 *          -EPERM    it runs as another user
 *          -EINVAL   no such signal, or `process` is NULL
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API int filch_process_terminate(filch_process *process);
FILCH_API int filch_process_kill(filch_process *process);
FILCH_API int filch_process_signal(filch_process *process, int signal);

/*
 * Gives the handle up. A process that has not ended is killed (with its group, if it has one of its own), and waited for:
 * nothing of it is left. One that the program may not kill, since it has become another user's, is let go, as by
 * filch_process_detach. NULL is nothing. Nobody may wait for it (that aborts) or use the handle, or its ends of pipes, any
 * more. To be called before the runtime ends; a process whose handle is left goes on.
 *
 * Call     from a task or from any thread
 * Waits    yes, if it has not ended; is not cut short; a task may continue on another worker
 */
FILCH_API void filch_process_destroy(filch_process *process);

/*
 * Gives the handle up and lets the process go on. Its pipes are closed on this side. Once it has ended, its remains are
 * taken away at the next start or detaching of a process, or else when the program ends. NULL is nothing. Nobody may wait for
 * it (that aborts) or use the handle any more.
 *
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API void filch_process_detach(filch_process *process);

/* ------------------------------------------------------------------------------------------------ talking to it */

/* What a process is told, and what it says. Zeroed, but for what the caller sets. */
typedef struct filch_process_talk {
    const void *input; /* is written to it; these two are moved on as it is */
    size_t input_size;
    size_t limit; /* bytes that are kept of its output, and of its errors; default: FILCH_PROCESS_TALK_LIMIT */
    char *output; /* what it has written; a zero byte follows. From malloc(3); NULL: nothing */
    size_t output_size;
    bool output_cut; /* it was more than `limit`; the rest was read and dropped */
    char *error;
    size_t error_size;
    bool error_cut;
} filch_process_talk;

#define FILCH_PROCESS_TALK_LIMIT ((size_t)16 << 20)

/* Frees what it said, and zeroes all. NULL is nothing. */
FILCH_API void filch_process_talk_fini(filch_process_talk *talk);

/*
 * Writes the input to it and closes that pipe, reads its output and its errors to their ends, all at the same time so that
 * neither side waits for the other for ever, and then waits for it to end. A process that does not read all of its input
 * is no error; the rest of it is dropped. A pipe that it does not have, or that was closed, is left out. The ends come when
 * all processes that have inherited the pipes have closed them.
 *
 * When it is cut short the process goes on, `*talk` holds what was said so far, and the same call may be made again with
 * it: nothing is lost. One call at a time.
 *
 * Returns  0         `*status`, unless `status` is NULL, says how it ended
 *          -EINVAL   there is input, and no pipe to write it to
 *          -ENOMEM   no memory for what it says; as when cut short
 *          -ECHILD   as filch_process_wait
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    `talk` and the input until it returns
 */
FILCH_API FILCH_CHECK int filch_process_communicate(filch_process *process, filch_process_talk *talk,
                                                    filch_process_status *status, filch_deadline deadline);

/*
 * Starts a process, talks to it, and waits for its end: the three calls in one. With `talk`, what the options leave at
 * FILCH_STDIO_INHERIT is a pipe (the input: /dev/null, if there is none); without, it is inherited. If the call is cut
 * short the process is killed, as by filch_process_destroy; what it has said by then is in `*talk`. What the process has
 * started itself (the commands of a shell) is killed with it only where the options give it a group of its own.
 *
 * Returns  0        it has ended, and `*status`, unless `status` is NULL, says how
 *          as filch_process_start and filch_process_communicate
 * Call     from a task, or from any thread that names a runtime
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_process_run(const char *const *argv, const filch_process_options *options,
                                            filch_process_talk *talk, filch_process_status *status,
                                            filch_deadline deadline);

FILCH_END_DECLS

#endif
