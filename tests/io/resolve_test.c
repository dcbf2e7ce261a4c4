/* SPDX-License-Identifier: MIT */
/*
 * Proves that digits are answered without a helper and without waiting; that names of /etc/hosts are found while no look-up
 * comes to an end; that a caller is cut short by its deadline and by cancellation though the look-up goes on, and that
 * nothing is left of it; that errors have numbers and texts of their own; and how a file of hosts is read.
 */
#include <stdatomic.h>
#include <time.h>

#include "alloc/alloc.h"
#include "io/hosts.h"
#include "sched/blocking.h"
#include "tests/io/net.h"

enum { MAX = 8 };

static void check_resolves(const char *host, const char *service, const filch_resolve_options *options,
                           const char *expected) {
    filch_address addresses[MAX], wanted;
    check_int(filch_address_parse(&wanted, expected), 0);
    check_int(filch_resolve(host, service, options, addresses, MAX, (filch_deadline){0}), 1);
    check(filch_address_equal(&addresses[0], &wanted));
}

static uint64_t blocking_calls(void) {
    filch_stats stats;
    check_int(filch_runtime_stats(filch_runtime_current(), &stats), 0);
    return stats.blocking_calls + stats.blocking_threads;
}

static int resolve_digits(void *arg) {
    (void)arg;
    check_resolves("127.0.0.1", "80", NULL, "127.0.0.1:80");
    check_resolves("::1", "443", NULL, "[::1]:443");
    check_resolves("fe80::1%lo", "1", NULL, "[fe80::1%lo]:1");
    check_resolves("192.0.2.7", NULL, NULL, "192.0.2.7:0");
    check_resolves("::1", "0", &(filch_resolve_options){.family = AF_INET6, .numeric = true}, "[::1]:0");
    filch_address addresses[MAX];
    filch_resolve_options ip6 = {.family = AF_INET6};
    check_int(filch_resolve("127.0.0.1", "80", &ip6, addresses, MAX, FILCH_NEVER), -EADDRNOTAVAIL);
    check_int(blocking_calls(), 0);
    return 0;
}

TEST(resolve, digits_are_answered_where_they_stand) {
    run_clean(resolve_digits, NULL);
}

TEST(resolve, a_thread_that_is_no_worker_may_ask) {
    filch_address addresses[MAX];
    check_resolves("127.0.0.1", "80", NULL, "127.0.0.1:80");
    check_resolves("127.1", "80", NULL, "127.0.0.1:80"); /* as inet_aton(3) */
    check(filch_resolve("localhost", "80", NULL, addresses, MAX, FILCH_NEVER) >= 1);
    check_int(filch_address_port(&addresses[0]), 80);
    check(filch_resolve(NULL, "80", NULL, addresses, MAX, FILCH_NEVER) >= 1);
}

/* ------------------------------------------------------------------------------------------------------- the system's */

static bool is_loopback(const filch_address *address, uint16_t port) {
    filch_address ip4 = filch_address_ip4_loopback(port), ip6 = filch_address_ip6_loopback(port);
    return filch_address_equal(address, &ip4) || filch_address_equal(address, &ip6);
}

static bool is_any(const filch_address *address, uint16_t port) {
    filch_address ip4 = filch_address_ip4_any(port), ip6 = filch_address_ip6_any(port);
    return filch_address_equal(address, &ip4) || filch_address_equal(address, &ip6);
}

static int resolve_names(void *arg) {
    (void)arg;
    filch_address addresses[MAX];
    int count = filch_resolve("localhost", "80", NULL, addresses, MAX, FILCH_NEVER);
    check(count >= 1);
    for (int i = 0; i < count; i++) check(is_loopback(&addresses[i], 80));
    check_int(filch_resolve("LocalHost", "80", NULL, addresses, 1, FILCH_NEVER), 1);

    count = filch_resolve(NULL, "81", NULL, addresses, MAX, FILCH_NEVER);
    check(count >= 1);
    for (int i = 0; i < count; i++) check(is_loopback(&addresses[i], 81));
    count = filch_resolve(NULL, "82", &(filch_resolve_options){.passive = true}, addresses, MAX, FILCH_NEVER);
    check(count >= 1);
    for (int i = 0; i < count; i++) check(is_any(&addresses[i], 82));
    filch_resolve_options ip4 = {.family = AF_INET, .kind = SOCK_DGRAM};
    check_int(filch_resolve("localhost", "83", &ip4, addresses, MAX, FILCH_NEVER), 1);
    check_int(addresses[0].any.sa_family, AF_INET);
    check(blocking_calls() > 0);
    return 0;
}

TEST(resolve, names_are_looked_up_on_helpers) {
    run_clean(resolve_names, NULL);
}

static int resolve_wrong(void *arg) {
    (void)arg;
    filch_address addresses[MAX];
    char long_host[300], long_service[40];
    memset(long_host, 'h', sizeof long_host);
    memset(long_service, 's', sizeof long_service);
    long_host[299] = long_service[39] = '\0';
    filch_resolve_options numeric = {.numeric = true};
    check_int(filch_resolve("name", "80", &numeric, addresses, MAX, FILCH_NEVER), -ENOENT);
    check_int(filch_resolve("127.0.0.1", "no-such-service", NULL, addresses, MAX, FILCH_NEVER), -ESRCH);
    static const char *const no_ports[] = {"65536", "99999", "4294967376", "+5", " 80", "-1", ""};
    for (size_t i = 0; i < sizeof no_ports / sizeof *no_ports; i++) {
        check_int(filch_resolve("127.0.0.1", no_ports[i], NULL, addresses, MAX, FILCH_NEVER), -ESRCH);
        check_int(filch_resolve("localhost", no_ports[i], NULL, addresses, MAX, FILCH_NEVER), -ESRCH);
    }
    check_int(filch_resolve("127.0.0.1", long_service, NULL, addresses, MAX, FILCH_NEVER), -ENAMETOOLONG);
    check_int(filch_resolve(long_host, "80", NULL, addresses, MAX, FILCH_NEVER), -ENAMETOOLONG);
    check_int(filch_resolve(NULL, NULL, NULL, addresses, MAX, FILCH_NEVER), -EINVAL);
    check_int(filch_resolve("::1", "80", NULL, NULL, MAX, FILCH_NEVER), -EINVAL);
    check_int(filch_resolve("::1", "80", NULL, addresses, 0, FILCH_NEVER), -EINVAL);
    filch_resolve_options family = {.family = AF_UNIX}, kind = {.kind = SOCK_RAW};
    check_int(filch_resolve("::1", "80", &family, addresses, MAX, FILCH_NEVER), -EINVAL);
    check_int(filch_resolve("::1", "80", &kind, addresses, MAX, FILCH_NEVER), -EINVAL);
    return 0;
}

TEST(resolve, what_cannot_be_found_and_what_is_asked_for_wrongly) {
    run_clean(resolve_wrong, NULL);
}

TEST(resolve, each_error_has_a_text_of_its_own) {
    static const int errors[] = {0,          -ENOENT,       -EADDRNOTAVAIL, -ESRCH,  -EAGAIN, -EREMOTEIO,
                                 -ETIMEDOUT, -ENAMETOOLONG, -ECANCELED,     -ENOMEM, -EINVAL, -EMFILE,
                                 -EIO};
    enum { COUNT = sizeof errors / sizeof errors[0] };
    for (int i = 0; i < COUNT; i++) {
        check(filch_resolve_error(errors[i])[0] != '\0');
        for (int j = 0; j < i; j++) check(strcmp(filch_resolve_error(errors[i]), filch_resolve_error(errors[j])) != 0);
    }
}

/* -------------------------------------------------------------------------------------------------------- cut short */

/* All helpers of the lane are kept busy, so that no look-up begins. */
struct gate {
    atomic_bool open;
    atomic_int inside;
};

static int stand(void *arg) {
    struct gate *gate = arg;
    atomic_fetch_add(&gate->inside, 1);
    while (!atomic_load(&gate->open)) nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return 0;
}

static int occupy(void *arg) {
    return filch__blocking_resolve(stand, arg, NULL, FILCH_NEVER);
}

enum { HELPERS = 8 };

static void occupy_all(struct gate *gate, filch_task **tasks) {
    for (int i = 0; i < HELPERS; i++) tasks[i] = start(occupy, gate);
    while (atomic_load(&gate->inside) < HELPERS) filch_sleep(FILCH_US(100));
}

static void let_go(struct gate *gate, filch_task **tasks) {
    atomic_store(&gate->open, true);
    for (int i = 0; i < HELPERS; i++) check_int(result_of(tasks[i]), 0);
}

static int resolve_any(void *arg) {
    filch_address addresses[MAX];
    (void)arg;
    return filch_resolve(NULL, "80", NULL, addresses, MAX, FILCH_NEVER);
}

static int be_cut_short(void *arg) {
    struct gate gate = {0};
    filch_task *tasks[HELPERS];
    filch_address addresses[MAX];
    (void)arg;
    occupy_all(&gate, tasks);
    check_int(filch_resolve(NULL, "80", NULL, addresses, MAX, (filch_deadline){0}), -ETIMEDOUT);
    check_int(filch_resolve(NULL, "80", NULL, addresses, MAX, filch_after(FILCH_MS(3))), -ETIMEDOUT);
    for (int i = 0; i < 10; i++) check_is_cancelled(resolve_any, NULL);
    filch_task *waiting = start(resolve_any, NULL);
    let_go(&gate, tasks);
    check(result_of(waiting) >= 1);
    return 0;
}

TEST(resolve, a_caller_is_cut_short_though_no_look_up_comes_to_its_end) {
    size_t before = filch__heap_objects();
    run_clean(be_cut_short, NULL);
    check_int(filch__heap_objects(), before);
}

static int find_in_hosts(void *arg) {
    struct gate gate = {0};
    filch_task *tasks[HELPERS];
    filch_address addresses[MAX];
    (void)arg;
    occupy_all(&gate, tasks);
    check(filch_resolve("localhost", "80", NULL, addresses, MAX, FILCH_NEVER) >= 1);
    check(is_loopback(&addresses[0], 80));
    let_go(&gate, tasks);
    return 0;
}

TEST(resolve, names_of_the_file_of_hosts_are_found_while_all_look_ups_hang) {
    run_clean(find_in_hosts, NULL);
}

static int resolve_when_cancelled(void *arg) {
    filch_address addresses[MAX];
    (void)arg;
    filch_task_cancel(filch_self());
    check_int(filch_resolve("127.0.0.1", "80", NULL, addresses, MAX, FILCH_NEVER), -ECANCELED);
    return filch_resolve(NULL, "80", NULL, addresses, MAX, FILCH_NEVER);
}

static int cancel_before(void *arg) {
    (void)arg;
    check_int(result_of(start(resolve_when_cancelled, NULL)), -ECANCELED);
    return 0;
}

TEST(resolve, a_cancelled_task_asks_nothing) {
    run_clean(cancel_before, NULL);
}

/* Look-ups are given up at every moment, before and while they are made, and at their end. */
static int ask_shortly(void *arg) {
    atomic_int *answered = arg;
    filch_address addresses[MAX];
    for (int i = 0; i < 60; i++) {
        int count = filch_resolve(NULL, "80", NULL, addresses, MAX, filch_after(FILCH_US(i % 13 * 20)));
        if (count == -ECANCELED) return 0;
        check(count == -ETIMEDOUT || count >= 1);
        if (count >= 1) atomic_fetch_add(answered, 1);
    }
    return 0;
}

static int ask_in_a_storm(void *arg) {
    atomic_int answered = 0;
    filch_task *tasks[20];
    (void)arg;
    for (int i = 0; i < 20; i++) tasks[i] = start(ask_shortly, &answered);
    for (int i = 0; i < 20; i += 4) {
        filch_sleep(FILCH_US(50));
        filch_task_cancel(tasks[i]);
    }
    for (int i = 0; i < 20; i++) {
        int result = result_of(tasks[i]);
        check(result == 0 || result == -ECANCELED); /* one may have been cancelled before it had begun */
    }
    check(resolve_any(NULL) >= 1);
    return 0;
}

TEST(resolve, nothing_is_left_of_look_ups_that_were_given_up) {
    size_t before = filch__heap_objects();
    run_clean(ask_in_a_storm, NULL);
    check_int(filch__heap_objects(), before);
}

/* The runtime ends while look-ups that nobody waits for have not begun. */
static int leave_them_behind(void *arg) {
    struct gate *gate = arg;
    filch_task *tasks[HELPERS];
    filch_address addresses[MAX];
    atomic_store(&gate->open, false);
    atomic_store(&gate->inside, 0);
    occupy_all(gate, tasks);
    for (int i = 0; i < 20; i++) {
        check_int(filch_resolve(NULL, "80", NULL, addresses, MAX, (filch_deadline){0}), -ETIMEDOUT);
    }
    let_go(gate, tasks);
    return 0;
}

TEST(resolve, a_runtime_ends_with_the_look_ups_that_were_left_behind) {
    size_t before = filch__heap_objects();
    struct gate gate = {0};
    run_clean(leave_them_behind, &gate);
    check_int(filch__heap_objects(), before);
}

/* ------------------------------------------------------------------------------------------------------- no memory */

static int resolve_without_memory(void *arg) {
    filch_address addresses[MAX];
    (void)arg;
    for (uint64_t nth = 1;; nth++) {
        filch__alloc_fail(nth, false);
        int count = filch_resolve(NULL, "80", NULL, addresses, MAX, FILCH_NEVER);
        bool failed = filch__alloc_requests() >= nth;
        filch__alloc_fail(0, false);
        check(count >= 1 || count == -ENOMEM || count == -EAGAIN);
        if (!failed) {
            check(count >= 1);
            return 0;
        }
    }
}

TEST(resolve, without_memory_it_says_so_and_leaves_nothing) {
    size_t before = filch__heap_objects();
    run_clean(resolve_without_memory, NULL);
    check_int(filch__heap_objects(), before);
}

/* --------------------------------------------------------------------------------------------------- the file of hosts */

static void write_hosts(char *path, const char *text) {
    strcpy(path, "/tmp/filch-hosts-XXXXXX");
    int fd = mkstemp(path);
    check(fd >= 0);
    check_int(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void check_hosts(const char *path, const char *name, int family, int expected, const char *first) {
    filch_address addresses[3], wanted;
    check_int(filch__hosts_find(path, name, family, addresses, 3), expected);
    if (expected == 0) return;
    check_int(filch_address_parse(&wanted, first), 0);
    check(filch_address_equal(&addresses[0], &wanted));
}

TEST(resolve, a_file_of_hosts_is_read_as_it_is_meant) {
    char path[64];
    write_hosts(path, "# a remark\n"
                      "127.0.0.1 localhost  here\t# remark names\n"
                      "::1\tlocalhost ip6\n\n"
                      "10.0.0.1 many\n10.0.0.2 many\n10.0.0.2 many\n10.0.0.3 x many\n10.0.0.4 many\n"
                      "not-an-address wrong\n"
                      "10.0.0.9\r\n"
                      "10.0.0.8 last");
    check_hosts(path, "localhost", AF_UNSPEC, 2, "127.0.0.1:0");
    check_hosts(path, "LOCALHOST", AF_INET6, 1, "[::1]:0");
    check_hosts(path, "here", AF_UNSPEC, 1, "127.0.0.1:0");
    check_hosts(path, "here", AF_INET6, 0, NULL);
    check_hosts(path, "remark", AF_UNSPEC, 0, NULL);
    check_hosts(path, "names", AF_UNSPEC, 0, NULL);
    check_hosts(path, "many", AF_UNSPEC, 3, "10.0.0.1:0");
    filch_address many[3], third;
    check_int(filch__hosts_find(path, "many", AF_UNSPEC, many, 3), 3);
    check_int(filch_address_parse(&third, "10.0.0.3:0"), 0); /* the second stands there twice */
    check(filch_address_equal(&many[2], &third));
    check_hosts(path, "wrong", AF_UNSPEC, 0, NULL);
    check_hosts(path, "10.0.0.9", AF_UNSPEC, 0, NULL);
    check_hosts(path, "man", AF_UNSPEC, 0, NULL);
    check_hosts(path, "last", AF_UNSPEC, 1, "10.0.0.8:0");
    unlink(path);
    check_hosts(path, "last", AF_UNSPEC, 0, NULL);
}
