/* SPDX-License-Identifier: MIT */
/*
 * A server is two scopes, one in the other, with a shield between them:
 *
 *   accepting   the tasks that accept, and one that waits for filch_server_stop and then cancels this scope. What cancels
 *               the caller cancels this scope too.
 *   (shield)
 *   handling    a task for each connection. Cancelled by nothing but its deadline, which is set when accepting has ended.
 *
 * The acceptors put tasks into the inner scope, which is open as long as they live: the caller awaits them before it
 * closes it. A handler's task that is cancelled before it has begun never runs. So each connection has a record on a list,
 * and when the inner scope is closed, what is left on the list are those.
 *
 * A connection is admitted by a permit of `places`, which is acquired before it is accepted, and released by its task at
 * the end. Permits of tasks that never ran are not missed: nothing is accepted any more.
 */
#include <errno.h>
#include <filch/scope.h>
#include <filch/sem.h>
#include <filch/serve.h>

#include "alloc/heap.h"
#include "base/latch.h"
#include "io/socket.h"
#include "sched/debug.h"

#define GRACE_NS FILCH_SEC(5)
#define PAUSE_NS FILCH_MS(10)

struct serving {
    /* read-only after init */
    filch_fd listener;
    filch_serve_fn *handler;
    void *arg;
    filch_server *server;
    filch_task_options task;
    bool limited;

    filch_scope accepting, handling;
    filch_sem places;

    struct filch__latch latch; /* over what follows, and the server's counts */
    struct connection *first;
    int error;    /* why an acceptor gave up, the first of them; 0: none did */
    uint64_t cut; /* handlers, of this server's now */
};

struct connection {
    struct serving *serving;
    filch_fd fd;
    filch_address peer;
    struct connection *next, *previous;
};

/* -------------------------------------------------------------------------------------------- a connection's record */

static void count(uint64_t *counter, uint64_t value) {
    store_relaxed(counter, value); /* under the latch; filch_server_counts only looks */
}

static void enlist(struct connection *connection) {
    struct serving *serving = connection->serving;
    filch_serve_counts *counts = &serving->server->filch__counts;
    filch__latch_take(&serving->latch);
    connection->next = serving->first;
    if (serving->first != NULL) serving->first->previous = connection;
    serving->first = connection;
    count(&counts->accepted, counts->accepted + 1);
    count(&counts->active, counts->active + 1);
    if (counts->active > counts->peak) count(&counts->peak, counts->active);
    filch__latch_leave(&serving->latch);
}

enum fate { FINISHED, FAILED, CUT, DROPPED };

static void count_fate(filch_serve_counts *counts, enum fate fate) {
    if (fate == FINISHED || fate == FAILED) count(&counts->finished, counts->finished + 1);
    if (fate == FAILED) count(&counts->failed, counts->failed + 1);
    if (fate == CUT) count(&counts->cut, counts->cut + 1);
    if (fate == DROPPED) count(&counts->dropped, counts->dropped + 1);
    count(&counts->active, counts->active - 1);
}

/* Closes the connection, and frees its record. */
static void end(struct connection *connection, enum fate fate) {
    struct serving *serving = connection->serving;
    filch_fd_close(connection->fd); /* or the handler has */
    filch__latch_take(&serving->latch);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        serving->first = connection->next;
    }
    if (connection->next != NULL) connection->next->previous = connection->previous;
    count_fate(&serving->server->filch__counts, fate);
    if (fate == CUT) serving->cut++;
    filch__latch_leave(&serving->latch);
    filch__heap_put(connection, sizeof *connection, 8);
    if (serving->limited) filch_sem_release(&serving->places);
}

static int handle(void *arg) {
    struct connection *connection = arg;
    struct serving *serving = connection->serving;
    int result = serving->handler(connection->fd, &connection->peer, serving->arg);
    bool cut = filch_scope_cancelled(&serving->handling);
    end(connection, cut ? CUT : result < 0 ? FAILED : FINISHED);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- acceptors */

/* Starts a task for a connection. Where there is no memory for it, the connection is closed. */
static int admit(struct serving *serving, filch_fd fd, const filch_address *peer) {
    struct connection *connection = filch__heap_get(sizeof *connection, 8);
    if (connection == NULL) {
        filch_fd_close(fd);
        filch_serve_counts *counts = &serving->server->filch__counts;
        filch__latch_take(&serving->latch);
        count(&counts->accepted, counts->accepted + 1);
        count(&counts->dropped, counts->dropped + 1);
        filch__latch_leave(&serving->latch);
        if (serving->limited) filch_sem_release(&serving->places);
        return -ENOMEM;
    }
    connection->serving = serving;
    connection->fd = fd;
    connection->peer = *peer;
    enlist(connection);
    int error = filch_scope_spawn(&serving->handling, NULL, handle, connection, &serving->task);
    if (error != 0) end(connection, DROPPED);
    return error;
}

/* What will be no better the next time. */
static bool is_final(int error) {
    return error == -ECANCELED || error == -EBADF || error == -EINVAL || error == -ENOTSOCK || error == -EOPNOTSUPP;
}

static int accept_next(struct serving *serving) {
    filch_fd fd;
    filch_address peer;
    int error = serving->limited ? filch_sem_acquire(&serving->places, FILCH_NEVER) : 0;
    if (error != 0) return error;
    error = filch__accept(serving->listener, &fd, &peer, FILCH_NEVER);
    if (error == 0) return admit(serving, fd, &peer);
    if (serving->limited) filch_sem_release(&serving->places);
    return error;
}

static int accept_all(void *arg) {
    struct serving *serving = arg;
    int error;
    do {
        error = accept_next(serving);
        if (error != 0 && !is_final(error)) error = filch_sleep(PAUSE_NS); /* so as not to spin */
    } while (error == 0);
    if (error == -ECANCELED) return 0;
    filch__latch_take(&serving->latch);
    if (serving->error == 0) serving->error = error;
    filch__latch_leave(&serving->latch);
    return 0;
}

static int wait_for_stop(void *arg) {
    struct serving *serving = arg;
    if (filch_event_wait(&serving->server->filch__stop, FILCH_NEVER) == 0) filch_scope_cancel(&serving->accepting);
    return 0;
}

/* Runs the acceptors, until the last one has ended. */
static int accept_until_stopped(struct serving *serving, unsigned acceptors) {
    filch_task *tasks[FILCH_SERVE_ACCEPTORS_MAX];
    unsigned begun = 0;
    int error = filch_scope_spawn(&serving->accepting, NULL, wait_for_stop, serving, NULL);
    while (error == 0 && begun < acceptors) {
        error = filch_scope_spawn(&serving->accepting, &tasks[begun], accept_all, serving,
                                  &(filch_task_options){.name = "accept"});
        if (error == 0) begun++;
    }
    if (error != 0) filch_scope_cancel(&serving->accepting);
    for (unsigned i = 0; i < begun; i++) {
        int unawaited = filch_await(tasks[i], NULL, FILCH_NEVER); /* behind the shield nothing cuts it short */
        (void)unawaited;
    }
    filch_scope_cancel(&serving->accepting); /* who waits to be told to stop */
    return error == -ECANCELED ? 0 : error;  /* it has been stopped, or the caller is cancelled: looked at later */
}

/* ----------------------------------------------------------------------------------------------------------- serving */

/* Lets the handlers end. 0, or -ETIMEDOUT. */
static int drain(struct serving *serving, int64_t grace_ns) {
    filch_scope_set_deadline(&serving->handling, filch_after(grace_ns)); /* the first that it is given */
    filch_scope_close(&serving->handling);
    while (serving->first != NULL) end(serving->first, CUT); /* those that never began; nobody else is left */
    return serving->cut > 0 ? -ETIMEDOUT : 0;
}

static int serve_behind_shield(struct serving *serving, unsigned acceptors, int64_t grace_ns) {
    filch_scope_options options = {.name = "serve: handlers", .policy = FILCH_SCOPE_SUPERVISE};
    int error = filch_scope_open(&serving->handling, &options);
    if (error != 0) return error;
    error = accept_until_stopped(serving, acceptors);
    int drained = drain(serving, grace_ns);
    if (error == 0) error = serving->error;
    return error != 0 ? error : drained;
}

static int serve(struct serving *serving, unsigned acceptors, int64_t grace_ns) {
    filch_scope_options options = {.name = "serve: accept", .policy = FILCH_SCOPE_SUPERVISE};
    int error = filch_scope_open(&serving->accepting, &options);
    if (error != 0) return error;
    filch_shield shield;
    filch_shield_begin(&shield);
    error = serve_behind_shield(serving, acceptors, grace_ns);
    filch_shield_end(&shield);
    filch_scope_cancel(&serving->accepting);
    filch_scope_close(&serving->accepting); /* what it answers is that cancellation */
    if (filch_cancelled() && (error == 0 || error == -ETIMEDOUT)) return -ECANCELED;
    return error;
}

static bool is_valid(const filch_serve_options *options) {
    const filch_task_options *task = options->task;
    bool stack = task == NULL || task->stack_size == 0 ||
                 (task->stack_size >= 16u << 10 && task->stack_size <= 1u << 30); /* as filch_spawn */
    return stack && options->acceptors <= FILCH_SERVE_ACCEPTORS_MAX;
}

static int serve_with(filch_server *server, filch_fd listener, filch_serve_fn *handler, void *arg,
                      const filch_serve_options *options) {
    struct serving *serving = filch__heap_get(sizeof *serving, 8);
    if (serving == NULL) return -ENOMEM;
    serving->listener = listener;
    serving->handler = handler;
    serving->arg = arg;
    serving->server = server;
    serving->task = options->task != NULL ? *options->task : (filch_task_options){.name = "connection"};
    serving->limited = options->max_connections != 0;
    int error = filch_sem_init(&serving->places, options->max_connections, 0);
    if (error == 0) {
        unsigned acceptors = options->acceptors != 0 ? options->acceptors : 1;
        error = serve(serving, acceptors, options->grace_ns != 0 ? options->grace_ns : GRACE_NS);
        filch_sem_fini(&serving->places);
    }
    filch__heap_put(serving, sizeof *serving, 8);
    return error;
}

int filch_serve(filch_fd listener, filch_serve_fn *handler, void *arg, const filch_serve_options *options) {
    static const filch_serve_options defaults;
    if (options == NULL) options = &defaults;
    if (handler == NULL || !is_valid(options)) return -EINVAL;
    if (filch_runtime_current() == NULL) return filch__debug_no_task("filch_serve");
    if (filch_fd_number(listener) < 0) return -EBADF;
    filch_server own = FILCH_SERVER_INIT, *server = options->server != NULL ? options->server : &own;
    if (exchange_acq_rel(&server->filch__busy, 1) != 0) return -EBUSY; /* with the store below: one after the other */
    int error = serve_with(server, listener, handler, arg, options);
    store_release(&server->filch__busy, 0);
    return error;
}

void filch_server_stop(filch_server *server) {
    if (server != NULL) filch_event_set(&server->filch__stop);
}

filch_serve_counts filch_server_counts(const filch_server *server) {
    if (server == NULL) return (filch_serve_counts){0};
    const filch_serve_counts *counts = &server->filch__counts;
    return (filch_serve_counts){
        /* relaxed, all: each for itself */
        .accepted = load_relaxed(&counts->accepted), .finished = load_relaxed(&counts->finished),
        .failed = load_relaxed(&counts->failed),     .cut = load_relaxed(&counts->cut),
        .dropped = load_relaxed(&counts->dropped),   .active = load_relaxed(&counts->active),
        .peak = load_relaxed(&counts->peak)};
}
