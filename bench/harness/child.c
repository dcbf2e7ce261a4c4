/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const int64_t patience_ns = INT64_C(120) * 1000 * 1000 * 1000;

bool child_program(const struct entry *entry, char *path, size_t size) {
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length < 0) fail("cannot read /proc/self/exe");
    path[length] = 0;
    if (entry->round) return true;
    size_t used = (size_t)length;
    if (snprintf(path + used, size - used, "-%s", entry->system) >= (int)(size - used)) fail("path too long");
    return access(path, X_OK) == 0;
}

/* Reads until the other end is closed. False where the child took too long. */
static bool read_all(int fd, char *output) {
    size_t used = 0;
    int64_t end = now_ns() + patience_ns;
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int64_t left_ms = (end - now_ns()) / 1000000;
        if (left_ms <= 0) return false;
        if (poll(&poll_fd, 1, (int)left_ms) <= 0) continue;
        char spill[512];
        bool full = used == OUTPUT_MAX - 1;
        ssize_t count = full ? read(fd, spill, sizeof spill) : read(fd, output + used, OUTPUT_MAX - 1 - used);
        if (count <= 0) break;
        if (!full) used += (size_t)count;
        output[used] = 0;
    }
    return true;
}

static pid_t start(const char *program, char **arguments, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    pid_t pid;
    int error = posix_spawn(&pid, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) fail("cannot start %s: %s", program, strerror(error));
    return pid;
}

static void describe(struct child *child, int status, bool in_time) {
    if (!in_time)
        snprintf(child->outcome, sizeof child->outcome, "still running after 2 minutes");
    else if (WIFSIGNALED(status))
        snprintf(child->outcome, sizeof child->outcome, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        snprintf(child->outcome, sizeof child->outcome, "exit status %d", WEXITSTATUS(status));
}

void child_run(struct child *child, const char *program, const char *workload, const char *system, unsigned workers,
               int64_t n, unsigned rounds) {
    char workers_text[16], n_text[24], rounds_text[16];
    snprintf(workers_text, sizeof workers_text, "%u", workers);
    snprintf(n_text, sizeof n_text, "%" PRId64, n);
    snprintf(rounds_text, sizeof rounds_text, "%u", rounds);
    char *arguments[] = {(char *)program, "--one", (char *)workload, (char *)system,
                         workers_text,    n_text,  rounds_text,      NULL};
    child->output[0] = child->outcome[0] = 0;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe: %s", strerror(errno));
    pid_t pid = start(program, arguments, ends[1]);
    close(ends[1]);
    bool in_time = read_all(ends[0], child->output);
    close(ends[0]);
    if (!in_time) kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    describe(child, status, in_time);
}
