/* SPDX-License-Identifier: MIT */
/*
 * Accepting. Where there is no descriptor or no memory for a connection, the connection stays in the listener's queue, and
 * the listener stays readable: who only waited for that would spin. So the call sleeps, longer each time, up to a tenth of
 * a second, which is also how long a listener that is closed meanwhile may go unnoticed.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "io/address.h"
#include "io/attempt.h"
#include "io/io.h"
#include "io/socket.h"

#define PAUSE_MIN_NS FILCH_MS(5)
#define PAUSE_MAX_NS FILCH_MS(100)
#define LINE_EVERY_NS FILCH_SEC(10)

static ATOMIC(uint64_t) shortages;
static ATOMIC(int64_t) line_after_ns; /* no line before that */

uint64_t filch_accept_shortages(void) {
    return load_relaxed(&shortages); /* a count */
}

/* Counts, and says so now and then. */
static never_inline void tell(int error) {
    uint64_t count = add_relaxed(&shortages, 1) + 1; /* a count */
    int64_t now = filch__clock_now(), after = load_relaxed(&line_after_ns);
    if (now < after || !cas_relaxed(&line_after_ns, &after, now + LINE_EVERY_NS)) return; /* one of those who come */
    char line[160];
    int length = snprintf(line, sizeof line, "filch: accept: %s, so it waits; %llu times so far\n",
                          strerrordesc_np(-error), (unsigned long long)count);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
}

static ssize_t accept_one(int number, void *arg) {
    filch_address *peer = arg;
    peer->length = sizeof peer->local; /* the largest one */
    int connection = filch__system_accept(number, &peer->any, &peer->length);
    filch__address_told(peer);
    return connection;
}

/* What befell that connection, or was found out by looking for one: the next one is another matter. See accept(2). */
static bool concerns_one_connection(ssize_t error) {
    switch (error) {
    case -ECONNABORTED:
    case -EPROTO:
    case -ENETDOWN:
    case -ENOPROTOOPT:
    case -EHOSTDOWN:
    case -ENONET:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
        return true;
    default:
        return false;
    }
}

static bool is_shortage(int error) {
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

static int accept_once(filch_fd listener, filch_fd *connection, filch_address *peer, filch_deadline deadline) {
    ssize_t number;
    do {
        number = filch__attempt_accept(listener, accept_one, peer, deadline);
    } while (concerns_one_connection(number));
    if (number < 0) return (int)number;
    filch_runtime *runtime = filch_runtime_current();
    if (runtime == NULL) runtime = filch__fd_runtime(listener);
    return filch__socket_take(connection, (int)number, peer->any.sa_family != AF_UNIX, runtime,
                              runtime == NULL ? -EBADF : 0);
}

int filch__accept(filch_fd listener, filch_fd *connection, filch_address *peer, filch_deadline deadline) {
    filch_address from;
    if (connection == NULL) return -EINVAL;
    int64_t pause_ns = PAUSE_MIN_NS;
    int error;
    while (is_shortage(error = accept_once(listener, connection, &from, deadline))) {
        tell(error);
        int answer = filch__pause(&pause_ns, PAUSE_MAX_NS, deadline);
        if (answer != 0) return answer == -ETIMEDOUT ? error : answer;
    }
    if (error == 0 && peer != NULL) *peer = from;
    return error;
}
