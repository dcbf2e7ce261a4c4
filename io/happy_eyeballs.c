/* SPDX-License-Identifier: MIT */
/*
 * Connecting to a name: attempts that race (RFC 8305). Each is a task of a scope that the caller opens and closes, so that
 * none outlives the call, and all they work on may stand on the caller's stack.
 *
 * The first attempt to succeed changes `winner` from NOBODY to its number, and leaves its connection in its record; another
 * one that succeeds finds that it has come too late, and closes its own. `ended` counts those that have ended, for the
 * caller to wait at: it begins the next attempt when one has ended or the delay has passed, and when there is a winner, it
 * cancels the scope.
 *
 * Edges
 *   WON   an attempt: its connection, then `winner` (acq_rel) -> the caller, after the scope is closed
 */
#include <errno.h>
#include <filch/resolve.h>
#include <filch/scope.h>
#include <filch/sem.h>
#include <filch/tcp.h>

#include "base/atomic.h"
#include "io/address.h"
#include "io/happy_eyeballs.h"
#include "io/tcp.h"

#define ATTEMPT_DELAY_NS FILCH_MS(250)

enum {
    ADDRESSES_MAX = 16,
    NOBODY = ADDRESSES_MAX,
};

struct race;

struct attempt {
    struct race *race;
    uint32_t number;
    int error;
    filch_fd connection;
};

struct race {
    const filch_tcp_connect_options *options;
    filch_deadline deadline;
    const filch_address *addresses;
    int count;
    struct attempt attempts[ADDRESSES_MAX];
    filch_sem ended;
    ATOMIC(uint32_t) winner;
};

void filch__interleave(filch_address *addresses, int count) {
    for (int at = 1; at < count; at++) {
        int wanted = at;
        int before = filch__address_family(&addresses[at - 1]);
        while (wanted < count && filch__address_family(&addresses[wanted]) == before) wanted++;
        if (wanted == count) return; /* of one family from here on */
        filch_address next = addresses[wanted];
        for (int i = wanted; i > at; i--) addresses[i] = addresses[i - 1];
        addresses[at] = next;
    }
}

/* --------------------------------------------------------------------------------------------------------- an attempt */

static int attempt(void *arg) {
    struct attempt *attempt = arg;
    struct race *race = attempt->race;
    filch_fd fd;
    uint32_t nobody = NOBODY;
    attempt->error = filch__tcp_attempt(&fd, &race->addresses[attempt->number], race->options, FILCH_NEVER);
    if (attempt->error == 0) {
        attempt->connection = fd;
        if (!cas_acq_rel(&race->winner, &nobody, attempt->number)) filch_fd_close(fd); /* WON */
    }
    filch_sem_release(&race->ended);
    return 0;
}

static bool is_won(struct race *race) {
    return load_acquire(&race->winner) != NOBODY; /* WON */
}

/* ---------------------------------------------------------------------------------------------------------- the race */

/* Waits until one more attempt has ended, or, with more to begin, for the delay. */
static int wait_for_one(struct race *race, bool more, int *under_way) {
    int64_t delay_ns = race->options->attempt_delay_ns == 0 ? ATTEMPT_DELAY_NS : race->options->attempt_delay_ns;
    filch_deadline until = more ? filch_after(delay_ns) : FILCH_NEVER;
    if (until.at_ns > race->deadline.at_ns) until = race->deadline;
    int answer = filch_sem_acquire(&race->ended, until);
    if (answer == 0) (*under_way)--;
    return answer == -ETIMEDOUT && until.at_ns < race->deadline.at_ns ? 0 : answer;
}

/* Begins the attempts, and waits for them, until one has succeeded or all have failed: 0; or why neither. */
static int run(struct race *race, filch_scope *scope) {
    int error = 0, under_way = 0;
    for (int begun = 0; error == 0 && !is_won(race) && (begun < race->count || under_way > 0);) {
        if (begun < race->count) {
            struct attempt *next = &race->attempts[begun];
            *next = (struct attempt){.race = race, .number = (uint32_t)begun, .error = -ECANCELED};
            error = filch_scope_spawn(scope, NULL, attempt, next, &(filch_task_options){.name = "connect"});
            if (error != 0) return error;
            begun++;
            under_way++;
        }
        error = wait_for_one(race, begun < race->count, &under_way);
    }
    return error;
}

static int start_race(struct race *race, filch_fd *connection) {
    filch_scope scope;
    filch_scope_options options = {
        .name = "connect", .policy = FILCH_SCOPE_SUPERVISE, .runtime = race->options->runtime};
    int error = filch_scope_open(&scope, &options);
    if (error != 0) return error;
    error = run(race, &scope);
    filch_scope_cancel(&scope);
    filch_scope_close(&scope);                     /* what it answers is the cancellation just made */
    uint32_t winner = load_acquire(&race->winner); /* WON */
    if (winner != NOBODY) {
        *connection = race->attempts[winner].connection;
        return 0;
    }
    return error != 0 ? error : race->attempts[0].error;
}

static int connect_to_any(filch_fd *connection, const filch_address *addresses, int count,
                          const filch_tcp_connect_options *options, filch_deadline deadline) {
    if (count == 1) return filch__tcp_attempt(connection, addresses, options, deadline);
    struct race race = {.options = options, .deadline = deadline, .addresses = addresses, .count = count};
    store_relaxed(&race.winner, NOBODY); /* before there are others */
    int error = filch_sem_init(&race.ended, 0, 0);
    if (error != 0) return error;
    error = start_race(&race, connection);
    filch_sem_fini(&race.ended);
    return error;
}

int filch__connect_to_any(filch_fd *connection, filch_address *addresses, int count,
                          const filch_tcp_connect_options *options, filch_deadline deadline) {
    filch__interleave(addresses, count);
    return connect_to_any(connection, addresses, count, options, deadline);
}

int filch_tcp_connect(filch_fd *connection, const char *host, const char *service,
                      const filch_tcp_connect_options *options, filch_deadline deadline) {
    static const filch_tcp_connect_options defaults;
    if (options == NULL) options = &defaults;
    if (connection == NULL || host == NULL || service == NULL || !filch__tcp_options_are_valid(options)) return -EINVAL;
    int family = options->family, local = filch__address_family(options->local);
    if (family == AF_UNSPEC) family = local;
    if (local != AF_UNSPEC && local != family) return -EINVAL;
    filch_address addresses[ADDRESSES_MAX];
    filch_resolve_options wanted = {.family = family};
    int count = filch_resolve(host, service, &wanted, addresses, ADDRESSES_MAX, deadline);
    return count < 0 ? count : filch__connect_to_any(connection, addresses, count, options, deadline);
}
