/* SPDX-License-Identifier: MIT */
/*
 * Look-ups of names. The system's look-up cannot be cut short once it has begun, and whoever asked for it must be. So
 * what it works on, its arguments and its answer, stands in a record on the heap that has two owners:
 *
 *   the asker    waits for the record's `done`, copies the answer, and leaves the record; cut short, it only leaves it.
 *   the look-up  posted to the helpers: makes the call, sets `done`, and leaves the record. One that no helper has taken
 *                before its asker left makes no call.
 *
 * Who leaves last frees the record, and the answer with it. The look-up is no task, so that no cancellation can keep it
 * from coming to its end.
 *
 * Edges
 *   ANSWER  the look-up: the answer, then `done` set -> the asker, when it has waited for it
 *   LAST    leaving: `owners` down (acq_rel) -> the last one, who frees   carries the other's use of the record
 */
#include <errno.h>
#include <filch/blocking.h>
#include <filch/event.h>
#include <filch/resolve.h>
#include <filch/runtime.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "io/address.h"
#include "io/hosts.h"
#include "sched/blocking.h"
#include "sched/sched.h"

enum {
    HOST_SIZE = 256,
    SERVICE_SIZE = 32,
    HOSTS_MAX = 16, /* addresses of one name in /etc/hosts */
};

struct record {
    struct filch__call call; /* the look-up, whose `arg` is the record */

    /* read-only after it was made */
    bool has_host, has_service;
    char host[HOST_SIZE], service[SERVICE_SIZE];
    filch_resolve_options options;

    /* the look-up's until ANSWER, then read-only */
    int error;
    struct addrinfo *list;

    /* both owners */
    filch_event done;
    ATOMIC(uint32_t) owners;
};

/* -------------------------------------------------------------------------------------------------------- the record */

static void leave(struct record *record) {
    if (sub_acq_rel(&record->owners, 1) > 1) return; /* LAST */
    if (record->list != NULL) freeaddrinfo(record->list);
    filch_event_fini(&record->done);
    filch__heap_put(record, sizeof *record, 8);
}

static bool copy_name(bool *has, char *to, size_t size, const char *name) {
    *has = name != NULL;
    size_t length = name == NULL ? 0 : strnlen(name, size);
    if (length == size) return false;
    if (name != NULL) memcpy(to, name, length + 1);
    return true;
}

/* A record with two owners. */
static int record_make(struct record **made, const char *host, const char *service,
                       const filch_resolve_options *options) {
    struct record *record = filch__heap_get(sizeof *record, 8);
    if (record == NULL) return -ENOMEM;
    filch_event_init(&record->done);
    record->options = *options;
    if (!copy_name(&record->has_host, record->host, HOST_SIZE, host) ||
        !copy_name(&record->has_service, record->service, SERVICE_SIZE, service)) {
        filch__heap_put(record, sizeof *record, 8);
        return -ENAMETOOLONG;
    }
    store_relaxed(&record->owners, 2); /* nobody else knows of it yet */
    *made = record;
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- the system's */

static int error_of(int code, int system_error) {
    switch (code) {
    case 0:
        return 0;
    case EAI_NONAME:
        return -ENOENT;
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return -EADDRNOTAVAIL;
    case EAI_SERVICE:
        return -ESRCH;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_FAIL:
        return -EREMOTEIO;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_OVERFLOW:
        return -ENAMETOOLONG;
    case EAI_SYSTEM:
        return system_error > 0 ? -system_error : -EREMOTEIO;
    default:
        return -EINVAL;
    }
}

static struct addrinfo hints_of(const filch_resolve_options *options) {
    int flags = (options->passive ? AI_PASSIVE : 0) | (options->numeric ? AI_NUMERICHOST : 0);
    return (struct addrinfo){
        .ai_family = options->family,
        .ai_socktype = options->kind == 0 ? SOCK_STREAM : options->kind,
        .ai_flags = flags,
    };
}

/* Never inlined: it reads errno. */
static never_inline int look_up(void *arg) {
    struct record *record = arg;
    struct addrinfo hints = hints_of(&record->options);
    const char *host = record->has_host ? record->host : NULL, *service = record->has_service ? record->service : NULL;
    int code = getaddrinfo(host, service, &hints, &record->list);
    if (code != 0) record->list = NULL;
    return error_of(code, errno);
}

/* On a helper: makes the call, unless the asker has gone by now. It may go meanwhile; that is what the record is for. */
static int make(void *arg) {
    struct record *record = arg;
    bool wanted = load_relaxed(&record->owners) > 1; /* a glance: only work depends on it */
    return wanted ? look_up(record) : -ECANCELED;
}

static void end(struct filch__call *call, int answer, int result) {
    struct record *record = call->arg;
    record->error = answer != 0 ? answer : result;
    filch_event_set(&record->done); /* ANSWER */
    leave(record);
}

/* Writes the addresses of `list`, none twice; how many. */
static int copy_answer(const struct addrinfo *list, filch_address *addresses, size_t max) {
    size_t count = 0;
    for (; list != NULL && count < max; list = list->ai_next) {
        filch_address address = {.length = list->ai_addrlen};
        if (list->ai_addrlen > sizeof address - offsetof(filch_address, any)) continue;
        memcpy(&address.any, list->ai_addr, list->ai_addrlen);
        bool known = false;
        for (size_t i = 0; i < count; i++) known = known || filch_address_equal(&addresses[i], &address);
        if (!known) addresses[count++] = address;
    }
    return count > 0 ? (int)count : -EADDRNOTAVAIL;
}

/* ---------------------------------------------------------------------------------------------------------- the asker */

/* From a thread that is no worker: the caller is both. */
static int ask_in_place(struct record *record) {
    int error = look_up(record);
    leave(record);
    return error;
}

static int ask(struct record *record, filch_deadline deadline) {
    if (filch_runtime_current() == NULL) return ask_in_place(record);
    record->call = (struct filch__call){.fn = make, .arg = record, .end = end};
    int error = filch__blocking_post_look_up(&record->call);
    if (error != 0) {
        leave(record); /* in the place of the look-up */
        return error;
    }
    error = filch_event_wait(&record->done, deadline);
    return error != 0 ? error : record->error;
}

static int ask_system(const char *host, const char *service, const filch_resolve_options *options,
                      filch_address *addresses, size_t max, filch_deadline deadline) {
    struct record *record;
    int answer = record_make(&record, host, service, options);
    if (answer != 0) return answer;
    answer = ask(record, deadline);
    if (answer == 0) answer = copy_answer(record->list, addresses, max);
    leave(record);
    return answer;
}

/* --------------------------------------------------------------------------------------------- without name servers */

/* Digits. 0: it is something else. */
static int take_digits(const char *host, const char *service, const filch_resolve_options *options,
                       filch_address *address) {
    uint16_t port = 0;
    if (host == NULL || (service != NULL && !filch__port_parse(service, &port))) return 0;
    filch_address made;
    if (!filch__host_parse(&made, host, port)) return 0;
    if (options->family != AF_UNSPEC && options->family != filch__address_family(&made)) return -EADDRNOTAVAIL;
    *address = made;
    return 1;
}

struct in_hosts {
    const char *host;
    int family;
    filch_address addresses[HOSTS_MAX];
};

static int look_in_hosts(void *arg) {
    struct in_hosts *in_hosts = arg;
    return filch__hosts_find("/etc/hosts", in_hosts->host, in_hosts->family, in_hosts->addresses, HOSTS_MAX);
}

/*
 * A name with a port in digits that stands in /etc/hosts. 0: it is something else. The call is short, so that it may have
 * its arguments on the caller's stack, though nothing cuts it short.
 */
static int take_from_hosts(const char *host, const char *service, const filch_resolve_options *options,
                           filch_address *addresses, size_t max, filch_deadline deadline) {
    uint16_t port = 0;
    if (host == NULL || options->numeric || (service != NULL && !filch__port_parse(service, &port))) return 0;
    struct in_hosts in_hosts = {.host = host, .family = options->family};
    int count = 0, error = filch_blocking(look_in_hosts, &in_hosts, &count, deadline);
    if (error != 0) return error;
    if (count > 0 && (size_t)count > max) count = (int)max;
    for (int i = 0; i < count; i++) {
        addresses[i] = in_hosts.addresses[i];
        filch__address_set_port(&addresses[i], port);
    }
    return count;
}

static bool is_valid(const filch_resolve_options *options) {
    int family = options->family, kind = options->kind;
    return (family == AF_UNSPEC || family == AF_INET || family == AF_INET6) &&
           (kind == 0 || kind == SOCK_STREAM || kind == SOCK_DGRAM);
}

/* getaddrinfo(3) takes a number that is out of range modulo 65536, and one with a sign or blanks before it. */
static bool is_no_port(const char *service) {
    uint16_t port;
    char *end;
    if (service == NULL || filch__port_parse(service, &port)) return false;
    (void)strtoul(service, &end, 10);
    return *end == '\0';
}

int filch_resolve(const char *host, const char *service, const filch_resolve_options *options, filch_address *addresses,
                  size_t max, filch_deadline deadline) {
    static const filch_resolve_options defaults;
    if (options == NULL) options = &defaults;
    if ((host == NULL && service == NULL) || addresses == NULL || max == 0 || !is_valid(options)) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    if (is_no_port(service)) return -ESRCH;
    int count = take_digits(host, service, options, addresses);
    if (count == 0) count = take_from_hosts(host, service, options, addresses, max, deadline);
    if (count == 0) count = ask_system(host, service, options, addresses, max, deadline);
    return count;
}

const char *filch_resolve_error(int error) {
    switch (error) {
    case -ENOENT:
        return "no such host";
    case -EADDRNOTAVAIL:
        return "the host has no address of that family";
    case -ESRCH:
        return "no such service";
    case -EAGAIN:
        return "no name server answered";
    case -EREMOTEIO:
        return "a name server refused to answer";
    case -ENAMETOOLONG:
        return "the name is too long";
    case -ETIMEDOUT:
        return "the name was not found in time";
    case -ECANCELED:
        return "the look-up was cancelled";
    case -ENOMEM:
        return "no memory for the look-up";
    case -EINVAL:
        return "the look-up was asked for wrongly";
    case -EMFILE:
    case -ENFILE:
        return "no descriptor left for the look-up";
    default:
        return error < 0 ? "the look-up failed" : "no error";
    }
}
