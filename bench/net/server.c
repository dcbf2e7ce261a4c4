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

/* Waits until somebody listens there: a minute, or as long as the server lives. */
static void wait_for_listener(struct server *server) {
    for (unsigned i = 0; i < 12000; i++) {
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

/* A server that chooses its port says so: "... http://127.0.0.1:PORT/" in its first line. */
static void read_address(struct server *server, int output) {
    char line[512], *place, *end;
    size_t length = 0;
    do {
        ssize_t count = read(output, line + length, sizeof line - 1 - length);
        if (count <= 0) server_fail(server, "it does not say where it listens");
        length += (size_t)count;
        line[length] = 0;
    } while (!strchr(line, '\n') && length < sizeof line - 1);
    place = strstr(line, "http://");
    end = place ? strchr(place += 7, '/') : NULL;
    if (end) *end = 0;
    if (!end || load_address_parse(&server->address, place) != NULL) server_fail(server, "it listens nowhere");
}

static void become_server(char **command, int listener, int output, bool alone, pid_t parent) {
    if (output >= 0) dup2(output, STDOUT_FILENO);
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

/* How a server comes by its socket. */
enum opening {
    HANDED_OVER, /* it is started with it */
    KEPT,        /* it opens one on a port that is kept for it */
    CHOSEN       /* it opens one on any port, and says which */
};

static enum opening opening_of(const char *system) {
    if (strcmp(system, "nginx") == 0) return KEPT;
    return strcmp(system, "filch-httpd") == 0 ? CHOSEN : HANDED_OVER;
}

static char **command_of(struct server *server, const struct run *run, const struct service *service,
                         enum opening opening) {
    char **command = NULL;
    if (opening == HANDED_OVER) command = serving_command(run, service);
    if (opening == KEPT) command = nginx_command(scratch_folder(), &server->address);
    if (opening == CHOSEN) command = httpd_command(scratch_folder(), run->workers);
    if (!command) skip("not installed");
    return wrapped(command);
}

void server_start(struct server *server, const struct run *run, const struct service *service) {
    enum opening opening = opening_of(run->system);
    bool alone = run->workers == 1;
    pid_t self = getpid();
    int output[2] = {-1, -1};
    allow_descriptors();
    int fd = open_socket(&server->address, opening == HANDED_OVER);
    char **command = command_of(server, run, service, opening);
    if (opening == CHOSEN && pipe2(output, O_CLOEXEC) != 0) fail("pipe: %s", strerror(errno));
    fflush(stdout);
    server->pid = fork();
    if (server->pid == 0) become_server(command, opening == HANDED_OVER ? fd : -1, output[1], alone, self);
    if (server->pid < 0) fail("fork: %s", strerror(errno));
    if (alone) keep_on(false);
    if (clock_getcpuclockid(server->pid, &server->clock) != 0) fail("no clock of the server");
    if (output[1] >= 0) close(output[1]);
    if (opening == KEPT) wait_for_listener(server);
    if (opening == CHOSEN) read_address(server, output[0]);
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
