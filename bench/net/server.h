/* SPDX-License-Identifier: MIT */
/*
 * The process that serves, seen from the one that measures. Both are kept on a processor of their own where there are two
 * and the server is to have one worker. It ends with the process that started it, whatever becomes of that.
 */
#ifndef BENCH_NET_SERVER_H
#define BENCH_NET_SERVER_H

#include <sys/types.h>
#include <time.h>

#include "../common/bench.h"
#include "../load/load.h"

struct server {
    pid_t pid;
    clockid_t clock;
    struct load_address address;
};

/* What is to be served, and how. */
struct service {
    const char *what;
    const char *argument; /* the file of http-file; or NULL */
    unsigned hogs;
};

/* Starts `run->system`'s server. Where that is not installed, the process ends as skipped. */
void server_start(struct server *server, const struct run *run, const struct service *service);

/* What of the processor it has used so far. */
int64_t server_cpu_ns(const struct server *server);

/* What is resident, with its page tables, in bytes; and the most that was, in KiB. */
int64_t server_memory(const struct server *server);
int64_t server_peak_kib(const struct server *server);

void server_stop(struct server *server);

/* A load went wrong: ends the process, telling that and, where it has ended by itself, how the server did. */
void server_fail(struct server *server, const char *problem) __attribute__((noreturn));

/* The command of nginx with a configuration, to serve the files of `folder` there; NULL where it is not installed. */
char **nginx_command(const char *folder, const struct load_address *address);

/* The command of examples/httpd, to do the same on a port of its choice; NULL where it was not built. */
char **httpd_command(const char *folder, unsigned workers);

/* A folder that is removed, with the files in it, when the process ends. */
const char *scratch_folder(void);

#endif
