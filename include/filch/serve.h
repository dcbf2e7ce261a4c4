/* SPDX-License-Identifier: MIT */
/*
 * Serving: a task for each connection that a listener accepts, TCP or Unix.
 *
 *     static int greet(filch_fd connection, const filch_address *peer, void *arg) {
 *         return filch_fd_write_all(connection, "hello\n", 6, NULL, filch_after(FILCH_SEC(5)));
 *     }
 *
 *     error = filch_serve(listener, greet, NULL, NULL);                       until it is cancelled, or
 *
 *     filch_server server = FILCH_SERVER_INIT;
 *     error = filch_serve(listener, greet, NULL, &(filch_serve_options){.server = &server});
 *     ...
 *     filch_server_stop(&server);                                             elsewhere: filch_serve returns 0
 */
#ifndef FILCH_SERVE_H
#define FILCH_SERVE_H

#include <filch/address.h>
#include <filch/base.h>
#include <filch/event.h>
#include <filch/fd.h>
#include <filch/task.h>

FILCH_BEGIN_DECLS

/*
 * Serves one connection, in a task of its own. The connection is closed when it returns, unless it has closed or released
 * it; `*peer` is where it comes from. A negative result is counted as a failure, and is otherwise nothing.
 */
typedef int filch_serve_fn(filch_fd connection, const filch_address *peer, void *arg);

/* What has become of connections, since the server was made. */
typedef struct filch_serve_counts {
    uint64_t accepted;
    uint64_t finished; /* the handler has returned, as it liked; those that failed included */
    uint64_t failed;   /* with a negative result */
    uint64_t cut;      /* the grace time was over before it had returned, or begun; counted here and not above */
    uint64_t dropped;  /* closed at once, since there was no memory for a task */
    uint64_t active;   /* now */
    uint64_t peak;     /* the most at once */
} filch_serve_counts;

/* By whom a server is stopped and its counts are read. The caller's memory; zeroed, or FILCH_SERVER_INIT. */
typedef struct filch_server {
    filch_event filch__stop;
    uint32_t filch__busy;
    filch_serve_counts filch__counts;
} filch_server;

#ifdef __cplusplus
#define FILCH_SERVER_INIT                                                                                              \
    {}
#else
#define FILCH_SERVER_INIT                                                                                              \
    { 0 }
#endif

/* How to serve. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_serve_options {
    size_t max_connections;         /* while there are so many, none is accepted; default: no limit */
    unsigned acceptors;             /* tasks that accept; 1 to 64; default 1 */
    int64_t grace_ns;               /* for handlers to end once it was stopped; negative: none; default 5 s */
    const filch_task_options *task; /* of the handlers; default: as filch_spawn, and the name "connection" */
    filch_server *server;           /* default: none, it is stopped by cancellation or by closing the listener */
} filch_serve_options;

#define FILCH_SERVE_ACCEPTORS_MAX 64u

/*
 * Accepts connections from `listener`, and calls `handler(connection, peer, arg)` for each in a task of its own, until it
 * is stopped: by filch_server_stop, by a cancellation of the caller, or because the listener was closed.
 *
 * Then it accepts no more, and lets the handlers that there are go on for the grace time, whatever has stopped it: they
 * stand behind a shield. Those that have not ended by then are cancelled. It returns when the last one has ended. The
 * listener stays open.
 *
 * Beyond `max_connections`, connections wait in the listener's queue, and that the listener was closed is found out only
 * when there is room again. An error in accepting ends nothing: see filch_tcp_accept for what is done where there is no
 * descriptor or no memory; after other errors it pauses as well. Only of a listener that is none it says so at once.
 *
 * Returns  0            stopped by filch_server_stop, and every handler ended within the grace time
 *          -ETIMEDOUT   likewise, but some had to be cancelled
 *          -ECANCELED   the caller's scope was cancelled, whatever became of the handlers
 *          -EBADF       the listener was closed, or is none
 *          -EINVAL      `handler` is NULL, an option is out of range, or `listener` is a connection
 *          -EOPNOTSUPP, -ENOTSOCK   `listener` is a socket that cannot listen, or none
 *          -EBUSY       `server` is in use by another filch_serve
 *          -EPERM       the caller is no task
 *          -ENOMEM      no memory to begin with
 * Call     from a task
 * Waits    yes; a task may continue on another worker
 * Orders   all that the handlers did, before what follows this call
 * Keeps    `arg`, and what the options name, until it returns
 */
FILCH_API FILCH_CHECK int filch_serve(filch_fd listener, filch_serve_fn *handler, void *arg,
                                      const filch_serve_options *options);

/*
 * Stops a server: the filch_serve that it is in, or will be. Once more is nothing. For another use, zero it first. Its
 * memory may be given away when both this and filch_serve have returned.
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API void filch_server_stop(filch_server *server);

/* Reads the counts, each exact for itself; of NULL: zeros. From any thread; does not wait. */
FILCH_API filch_serve_counts filch_server_counts(const filch_server *server);

FILCH_END_DECLS

#endif
