/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/memory.h"
#include "serve.h"

enum { BACKLOG = 4096, COMMAND_MAX = 32 };

/* A command, word by word, that is put before the server's, and becomes it: to look at it from outside. */
static const char wrapper_variable[] = "FILCH_BENCH_SERVER_WRAPPER";

/*
 * A socket with a port of its own: it listens and is handed over, or, for a server that opens one itself, only keeps the
 * port, which whoever has this option too may use as well.
 */
static int open_socket(struct load_address *address, bool listening) {
    int yes = 1;
    *address = (struct load_address){.length = sizeof address->socket.v4};
    address->socket.v4.sin_family = AF_INET;
    address->socket.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !listening) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    if (fd < 0 || bind(fd, &address->socket.any, address->length) != 0) fail("cannot bind: %s", strerror(errno));
    if (listening && listen(fd, BACKLOG) != 0) fail("cannot listen: %s", strerror(errno));
    getsockname(fd, &address->socket.any, &address->length);
    return fd;
}

/* Waits until somebody listens there: five seconds, or as long as the server lives. */
static void wait_for_listener(struct server *server) {
    for (unsigned i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool there = connect(fd, &server->address.socket.any, server->address.length) == 0;
        close(fd);
        if (there) return;
        usleep(5000);
        siginfo_t ended = {0};
        if (waitid(P_PID, (id_t)server->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid) break;
    }
    server_fail(server, "it does not listen");
}

/* The server's program: this one, or a peer's beside it. */
static void find_program(char *path, const char *system) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length < 0) fail("cannot read /proc/self/exe");
    path[length] = 0;
    if (serve_has(system)) return;
    snprintf(path + length, (size_t)(PATH_MAX - length), "-%s", system);
    if (access(path, X_OK) != 0) skip("not installed");
}

static char **serving_command(const struct run *run, const struct service *service) {
    static char program[PATH_MAX], workers[16], hogs[16];
    static char *command[] = {program, "--serve", NULL, NULL, workers, hogs, NULL, NULL};
    find_program(program, run->system);
    snprintf(workers, sizeof workers, "%u", run->workers);
    snprintf(hogs, sizeof hogs, "%u", service->hogs);
    command[2] = (char *)service->what;
    command[3] = (char *)run->system;
    command[6] = (char *)(service->argument ? service->argument : "-");
    return command;
}

/* The command with what the environment puts before it. */
static char **wrapped(char **command) {
    static char *whole[COMMAND_MAX + 1];
    unsigned count = 0;
    const char *wrapper = getenv(wrapper_variable);
    char *rest, *words = wrapper ? strdup(wrapper) : NULL;
    for (char *word = words ? strtok_r(words, " ", &rest) : NULL; word; word = strtok_r(NULL, " ", &rest))
        if (count < COMMAND_MAX / 2) whole[count++] = word;
    while (*command && count < COMMAND_MAX) whole[count++] = *command++;
    return whole;
}

/* Keeps the caller on the first or the last processor that it may use. */
static void keep_on(bool last) {
    cpu_set_t allowed, one;
    int chosen = -1;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && (last || chosen < 0)) chosen = cpu;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    sched_setaffinity(0, sizeof one, &one);
}

/* The limit of both processes. Connections take a descriptor each. */
static void allow_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void become_server(char **command, int listener, bool alone, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    if (alone) keep_on(true);
    if (listener == LISTENER)
        fcntl(listener, F_SETFD, 0);
    else if (listener >= 0)
        dup2(listener, LISTENER);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    if (nothing > LISTENER) close(nothing);
    execv(command[0], command);
    if (errno == ENOENT) execvp(command[0], command);
    _exit(127);
}

void server_start(struct server *server, const struct run *run, const struct service *service) {
    bool alone = run->workers == 1, opens_itself = strcmp(run->system, "nginx") == 0;
    pid_t self = getpid();
    allow_descriptors();
    int fd = open_socket(&server->address, !opens_itself);
    char **command =
        opens_itself ? nginx_command(scratch_folder(), service, &server->address) : serving_command(run, service);
    if (!command) skip("not installed");
    command = wrapped(command);
    fflush(stdout);
    server->pid = fork();
    if (server->pid == 0) become_server(command, opens_itself ? -1 : fd, alone, self);
    if (server->pid < 0) fail("fork: %s", strerror(errno));
    if (alone) keep_on(false);
    if (clock_getcpuclockid(server->pid, &server->clock) != 0) fail("no clock of the server");
    if (opens_itself) wait_for_listener(server);
    close(fd); /* so that nobody waits for an answer when the server has ended */
}

int64_t server_cpu_ns(const struct server *server) {
    struct timespec used = {0};
    if (clock_gettime(server->clock, &used) != 0) fail("the server has no clock any more");
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

int64_t server_memory(const struct server *server) {
    return (memory_of(server->pid, "VmRSS:") + memory_of(server->pid, "VmPTE:")) * 1024;
}

int64_t server_peak_kib(const struct server *server) {
    return memory_of(server->pid, "VmHWM:");
}

/* Ends it if it has not ended. */
static int end_server(const struct server *server) {
    int status = 0;
    kill(server->pid, SIGKILL);
    while (waitpid(server->pid, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

void server_stop(struct server *server) {
    end_server(server);
}

void server_fail(struct server *server, const char *problem) {
    usleep(50000); /* one that is about to end by itself says more by that */
    int status = end_server(server);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) exit(SKIPPED); /* it has said why */
    if (WIFEXITED(status)) fail("%s; the server ended with exit status %d", problem, WEXITSTATUS(status));
    if (WTERMSIG(status) != SIGKILL) fail("%s; the server was killed by signal %d", problem, WTERMSIG(status));
    fail("%s", problem);
}
