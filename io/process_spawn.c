/* SPDX-License-Identifier: MIT */
/* How a process is started: its descriptors are laid out, and posix_spawn(3) does the rest. On a helper thread. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/io.h"
#include "io/process.h"

enum { STANDARD = 3 /* input, output, error */ };

/* What the child gets, as numbers of this process. */
struct layout {
    int from[STANDARD];  /* what becomes its descriptor 0, 1, 2; -1: what the program has there */
    int close[STANDARD]; /* opened for that, to be closed afterwards; -1: none */
    int ours[STANDARD];  /* our ends of pipes, or -1 */
};

static void close_number(int *number) {
    if (*number >= 0) (void)filch__system_close(*number);
    *number = -1;
}

static void close_all(int *numbers) {
    for (int i = 0; i < STANDARD; i++) close_number(&numbers[i]);
}

/*
 * A number from 0 to 2 would be overwritten by what the child gets there before it is copied: a copy that lies higher takes
 * its place. `number` is closed then, if it was opened here.
 */
static int lift(struct layout *layout, int i, int number, bool opened) {
    if (number >= STANDARD || (number == i && !opened)) {
        layout->from[i] = number;
        if (opened) layout->close[i] = number;
        return 0;
    }
    int copy = fcntl(number, F_DUPFD_CLOEXEC, STANDARD);
    int error = copy < 0 ? -errno : 0;
    if (opened) close_number(&number);
    layout->from[i] = layout->close[i] = copy;
    return error;
}

static int lay_pipe(struct layout *layout, int i) {
    int pipe[2];
    if (pipe2(pipe, O_CLOEXEC) != 0) return -errno;
    bool reads = i == 0;
    layout->ours[i] = pipe[reads ? 1 : 0];
    return lift(layout, i, pipe[reads ? 0 : 1], true);
}

static int lay_null(struct layout *layout, int i) {
    int number = open("/dev/null", O_RDWR | O_CLOEXEC);
    return number < 0 ? -errno : lift(layout, i, number, true);
}

static int lay(struct layout *layout, int i, filch_process_stdio kind, int number) {
    switch (kind) {
    case FILCH_STDIO_NULL:
        return lay_null(layout, i);
    case FILCH_STDIO_PIPE:
        return lay_pipe(layout, i);
    case FILCH_STDIO_FD:
        if (fcntl(number, F_GETFD) < 0) return -errno;
        return lift(layout, i, number, false);
    case FILCH_STDIO_OUTPUT:
        layout->from[i] = STDOUT_FILENO; /* by then what `output` has become */
        return 0;
    default:
        return 0;
    }
}

static int lay_all(struct layout *layout, const filch_process_options *options) {
    const filch_process_stdio kinds[STANDARD] = {options->input, options->output, options->error};
    const int numbers[STANDARD] = {options->input_fd, options->output_fd, options->error_fd};
    *layout = (struct layout){.from = {-1, -1, -1}, .close = {-1, -1, -1}, .ours = {-1, -1, -1}};
    for (int i = 0; i < STANDARD; i++) {
        int error = lay(layout, i, kinds[i], numbers[i]);
        if (error != 0) return error;
    }
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- spawning */

/* No signal is blocked, and SIGPIPE, which workers block and many programs ignore, is as it is by default. */
static int set_signals(posix_spawnattr_t *attributes, filch_process_group group) {
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (group == FILCH_PROCESS_GROUP_NEW) flags |= POSIX_SPAWN_SETPGROUP; /* 0, the default: its own */
    if (group == FILCH_PROCESS_SESSION_NEW) flags |= POSIX_SPAWN_SETSID;
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (error == 0) error = posix_spawnattr_setsigdefault(attributes, &pipe);
    if (error == 0) error = posix_spawnattr_setflags(attributes, (short)flags);
    return error;
}

static int set_actions(posix_spawn_file_actions_t *actions, const struct layout *layout, const char *directory) {
    int error = 0;
    for (int i = 0; i < STANDARD && error == 0; i++) {
        if (layout->from[i] >= 0) error = posix_spawn_file_actions_adddup2(actions, layout->from[i], i);
    }
    if (error == 0 && directory != NULL) error = posix_spawn_file_actions_addchdir_np(actions, directory);
    return error;
}

static int spawn(pid_t *pid, const char *const *argv, const filch_process_options *options,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes) {
    const char *program = options->program != NULL ? options->program : argv[0];
    char *const *environment = (char *const *)(uintptr_t)options->environment;
    if (environment == NULL) environment = environ;
    return posix_spawnp(pid, program, actions, attributes, (char *const *)(uintptr_t)argv, environment);
}

/* 0 or -errno. */
static int spawn_with(pid_t *pid, const char *const *argv, const filch_process_options *options,
                      const struct layout *layout) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return -error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = set_signals(&attributes, options->group);
        if (error == 0) error = set_actions(&actions, layout, options->directory);
        if (error == 0) error = spawn(pid, argv, options, &actions, &attributes);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

/* ---------------------------------------------------------------------------------------------------- watching, ends */

int filch__process_open(pid_t pid) {
    int answer = filch__system_injected(NULL);
    if (answer != 0) return answer;
    long number = syscall(SYS_pidfd_open, pid, 0);
    return number < 0 ? -errno : (int)number;
}

static void tell_status(const siginfo_t *info, filch_process_status *status) {
    bool exited = info->si_code == CLD_EXITED;
    status->exit_code = exited ? info->si_status : -1;
    status->signal = exited ? 0 : info->si_status;
    status->dumped = info->si_code == CLD_DUMPED;
}

int filch__process_reap(int number, filch_process_status *status) {
    siginfo_t info = {.si_pid = 0};
    int answer;
    do {
        answer = waitid((idtype_t)P_PIDFD, (id_t)number, &info, WEXITED | WNOHANG);
    } while (answer != 0 && errno == EINTR);
    if (answer != 0) return errno == EAGAIN ? 0 : -ECHILD;
    if (info.si_pid == 0) return 0;
    tell_status(&info, status);
    return 1;
}

/* It was started, but cannot be watched: it is ended again. */
static void undo(pid_t pid) {
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
}

/* Our ends of the pipes; what is adopted is no longer closed as a number. */
static int adopt_ends(struct filch_process *process, struct layout *layout) {
    for (int i = 0; i < STANDARD; i++) {
        if (layout->ours[i] < 0) continue;
        int error =
            filch_fd_adopt(&process->ends[i], layout->ours[i], &(filch_fd_options){.runtime = process->runtime});
        if (error != 0) return error;
        layout->ours[i] = -1;
    }
    return 0;
}

static int watch(struct filch_process *process) {
    process->number = filch__process_open(process->pid);
    if (process->number == -ESRCH) { /* somebody else has taken its status already: whoever waits for it is told so */
        process->ended = true;
        process->lost = -ECHILD;
        return 0;
    }
    if (process->number < 0) return process->number;
    int error = filch_fd_adopt(&process->watch, process->number, &(filch_fd_options){.runtime = process->runtime});
    if (error != 0) (void)filch__system_close(process->number);
    return error;
}

static int spawn_watched(struct filch_process *process, const char *const *argv, const filch_process_options *options,
                         const struct layout *layout) {
    int error = spawn_with(&process->pid, argv, options, layout);
    if (error != 0) return error;
    error = watch(process);
    if (error != 0) undo(process->pid);
    return error;
}

int filch__process_spawn(struct filch_process *process, const char *const *argv, const filch_process_options *options) {
    struct layout layout;
    int error = lay_all(&layout, options);
    if (error == 0) error = adopt_ends(process, &layout);
    if (error == 0) error = spawn_watched(process, argv, options, &layout);
    close_all(layout.close);
    close_all(layout.ours);
    if (error == 0) return 0;
    for (int i = 0; i < STANDARD; i++) (void)filch_fd_close(process->ends[i]);
    return error;
}
