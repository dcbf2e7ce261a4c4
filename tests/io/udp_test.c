/* SPDX-License-Identifier: MIT */
/*
 * Proves that datagrams arrive as they were sent, whole or cut off and so flagged, one by one and in batches; that waits
 * are cut short and lose nothing; that peers and groups are as the calls say; and that bad arguments are answered.
 */
#include <net/if.h>
#include <netinet/in.h>
#include <stdatomic.h>

#include "tests/io/net.h"

static filch_fd open_at(filch_address at, filch_address *address) {
    filch_fd fd;
    check_int(filch_udp_open(&fd, &(filch_udp_options){.local = &at}), 0);
    check_int(filch_fd_address(fd, false, address), 0);
    return fd;
}

static filch_fd open_here(filch_address *address) {
    return open_at(filch_address_ip4_loopback(0), address);
}

static void check_text(filch_fd fd, const char *text, const filch_address *from) {
    char buffer[64];
    filch_address sender;
    bool truncated = true;
    ssize_t got = filch_udp_recv_from(fd, buffer, sizeof buffer, &sender, &truncated, FILCH_NEVER);
    check_int(got, (ssize_t)strlen(text));
    check(memcmp(buffer, text, (size_t)got) == 0);
    check(!truncated);
    if (from != NULL) check(filch_address_equal(&sender, from));
}

static void send_text(filch_fd fd, const char *text, const filch_address *to) {
    ssize_t size = (ssize_t)strlen(text);
    check_int(filch_udp_send_to(fd, text, (size_t)size, to, FILCH_NEVER), size);
}

/* ---------------------------------------------------------------------------------------------------------- one by one */

static int exchange_datagrams(void *arg) {
    filch_address at = *(filch_address *)arg, one_address, other_address;
    filch_fd one = open_at(at, &one_address), other = open_at(at, &other_address);
    send_text(one, "there", &other_address);
    check_text(other, "there", &one_address);
    send_text(other, "and back", &one_address);
    send_text(other, "", &one_address);
    send_text(other, "again", &one_address);
    check_text(one, "and back", &other_address);
    check_text(one, "", &other_address);
    check_text(one, "again", &other_address);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(udp, datagrams_arrive_one_by_one_empty_ones_too) {
    filch_address ip4 = filch_address_ip4_loopback(0), ip6 = filch_address_ip6_loopback(0);
    run_clean(exchange_datagrams, &ip4);
    run_clean(exchange_datagrams, &ip6);
}

static int be_too_long(void *arg) {
    filch_address address;
    filch_fd fd = open_here(&address);
    char buffer[5] = "xxxx";
    bool truncated = false;
    (void)arg;
    for (int i = 0; i < 3; i++) send_text(fd, "longer than that", &address);
    send_text(fd, "fits", &address);
    check_int(filch_udp_recv_from(fd, buffer, 4, NULL, &truncated, FILCH_NEVER), 4);
    check(truncated);
    check(strcmp(buffer, "long") == 0);
    check_int(filch_udp_recv_from(fd, buffer, 4, NULL, NULL, FILCH_NEVER), -EMSGSIZE);
    check_int(filch_udp_recv_from(fd, NULL, 0, NULL, &truncated, FILCH_NEVER), 0);
    check(truncated);
    check_int(filch_udp_recv_from(fd, buffer, 4, NULL, &truncated, FILCH_NEVER), 4);
    check(!truncated);
    check(strcmp(buffer, "fits") == 0);
    static char large[70000];
    check_int(filch_udp_send_to(fd, large, sizeof large, &address, FILCH_NEVER), -EMSGSIZE);
    filch_fd_close(fd);
    return 0;
}

TEST(udp, a_datagram_that_is_cut_off_is_flagged) {
    run_clean(be_too_long, NULL);
}

static int receive_for_ever(void *arg) {
    char byte;
    return (int)filch_udp_recv_from(*(filch_fd *)arg, &byte, 1, NULL, NULL, FILCH_NEVER);
}

static int receive_many_for_ever(void *arg) {
    char byte;
    filch_datagram datagram = {.data = &byte, .room = 1};
    return filch_udp_recv_many(*(filch_fd *)arg, &datagram, 1, FILCH_NEVER);
}

static int be_cut_short(void *arg) {
    filch_address address;
    filch_fd fd = open_here(&address);
    char byte;
    filch_datagram datagram = {.data = &byte, .room = 1};
    (void)arg;
    check_int(filch_udp_recv_from(fd, &byte, 1, NULL, NULL, (filch_deadline){0}), -ETIMEDOUT);
    check_int(filch_udp_recv_from(fd, &byte, 1, NULL, NULL, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check_int(filch_udp_recv_many(fd, &datagram, 1, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check_is_cancelled(receive_for_ever, &fd);
    check_is_cancelled(receive_many_for_ever, &fd);
    filch_task *one = start(receive_for_ever, &fd), *many = start(receive_many_for_ever, &fd);
    while (filch_task_each(filch_runtime_current(), waits_now, one) == 0) filch_sleep(FILCH_US(100));
    while (filch_task_each(filch_runtime_current(), waits_now, many) == 0) filch_sleep(FILCH_US(100));
    filch_fd_close(fd);
    check_int(result_of(one), -EBADF);
    check_int(result_of(many), -EBADF);
    check_int(filch_udp_send_to(fd, &byte, 1, &address, FILCH_NEVER), -EBADF);
    check_int(filch_udp_send_many(fd, &datagram, 1, FILCH_NEVER), -EBADF);
    return 0;
}

TEST(udp, waits_are_cut_short_by_deadline_cancellation_and_close) {
    run_clean(be_cut_short, NULL);
}

/* Receivers are cancelled while datagrams come: each of these is received once. */
static int receive_some(void *arg) {
    atomic_int *received = ((void **)arg)[1];
    for (;;) {
        int number;
        ssize_t got =
            filch_udp_recv_from(*(filch_fd *)((void **)arg)[0], &number, sizeof number, NULL, NULL, FILCH_NEVER);
        if (got < 0) return (int)got;
        check_int(got, sizeof number);
        atomic_fetch_add(&received[number], 1);
    }
}

static int receive_in_a_storm(void *arg) {
    enum { SENT = 300, RECEIVERS = 8, WINDOW = 50 };
    filch_address address;
    filch_fd fd = open_here(&address);
    static atomic_int received[SENT];
    memset(received, 0, sizeof received);
    void *arguments[] = {&fd, received};
    filch_task *tasks[RECEIVERS];
    (void)arg;
    for (int i = 0; i < RECEIVERS; i++) tasks[i] = start(receive_some, arguments);
    for (int i = 0; i < SENT; i++) {
        while (i >= WINDOW && atomic_load(&received[i - WINDOW]) == 0) filch_sleep(FILCH_US(100)); /* or it is lost */
        check_int(filch_udp_send_to(fd, &i, sizeof i, &address, FILCH_NEVER), sizeof i);
        int which = i % RECEIVERS;
        if (i % 7 != 0) continue;
        filch_task_cancel(tasks[which]);
        check_int(result_of(tasks[which]), -ECANCELED);
        tasks[which] = start(receive_some, arguments);
    }
    for (int i = 0; i < SENT; i++) {
        while (atomic_load(&received[i]) == 0) filch_sleep(FILCH_US(100));
    }
    for (int i = 0; i < RECEIVERS; i++) filch_task_cancel(tasks[i]);
    for (int i = 0; i < RECEIVERS; i++) check_int(result_of(tasks[i]), -ECANCELED);
    for (int i = 0; i < SENT; i++) check_int(received[i], 1);
    filch_fd_close(fd);
    return 0;
}

TEST(udp, receivers_that_are_cancelled_lose_nothing) {
    run_clean(receive_in_a_storm, NULL);
}

/* -------------------------------------------------------------------------------------------------------------- batches */

enum { BATCH = 70 };

static int send_batches(void *arg) {
    static int numbers[BATCH], got[BATCH];
    static filch_datagram out[BATCH], in[BATCH + 10];
    filch_address one_address, other_address;
    filch_fd one = open_here(&one_address), other = open_here(&other_address);
    (void)arg;
    for (int i = 0; i < BATCH; i++) {
        numbers[i] = i;
        out[i] = (filch_datagram){.data = &numbers[i], .size = sizeof numbers[i], .address = other_address};
    }
    out[BATCH - 1].size = 0;
    check_int(filch_udp_send_many(one, out, BATCH, FILCH_NEVER), BATCH);
    for (int done = 0; done < BATCH;) {
        for (int i = 0; i < BATCH; i++)
            in[i] = (filch_datagram){.data = &got[i], .room = sizeof got[i], .truncated = true};
        int more = filch_udp_recv_many(other, in, BATCH, FILCH_NEVER);
        check(more > 0 && done + more <= BATCH);
        for (int i = 0; i < more; i++, done++) {
            check(filch_address_equal(&in[i].address, &one_address));
            check(!in[i].truncated);
            check_int(in[i].size, done == BATCH - 1 ? 0 : sizeof(int));
            if (done < BATCH - 1) check_int(got[i], done);
        }
    }
    check_int(filch_udp_recv_many(other, in, 0, FILCH_NEVER), 0);
    check_int(filch_udp_send_many(one, out, 0, FILCH_NEVER), 0);

    char small[2];
    send_text(one, "too long", &other_address);
    in[0] = (filch_datagram){.data = small, .room = 2};
    check_int(filch_udp_recv_many(other, in, 5, FILCH_NEVER), 1);
    check(in[0].truncated);
    check_int(in[0].size, 2);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(udp, batches_arrive_in_order_whatever_their_size) {
    run_clean(send_batches, NULL);
}

/* The third of five is too large: two are sent, and the next call says why. */
static int fail_in_a_batch(void *arg) {
    static char large[70000];
    filch_address address;
    filch_fd fd = open_here(&address);
    filch_datagram out[5];
    char byte = 'x';
    (void)arg;
    for (int i = 0; i < 5; i++) out[i] = (filch_datagram){.data = &byte, .size = 1, .address = address};
    out[2].data = large;
    out[2].size = sizeof large;
    check_int(filch_udp_send_many(fd, out, 5, FILCH_NEVER), 2);
    check_int(filch_udp_send_many(fd, out + 2, 3, FILCH_NEVER), -EMSGSIZE);
    check_text(fd, "x", &address);
    check_text(fd, "x", &address);
    filch_fd_close(fd);
    return 0;
}

TEST(udp, a_batch_that_is_cut_short_says_how_far_it_came) {
    run_clean(fail_in_a_batch, NULL);
}

/* --------------------------------------------------------------------------------------------------------------- peers */

static int have_peer(void *arg) {
    filch_address one_address, two_address, three_address;
    filch_fd one = open_here(&one_address), two = open_here(&two_address), three;
    (void)arg;
    check_int(filch_udp_open(&three, &(filch_udp_options){.peer = &one_address}), 0);
    check_int(filch_fd_address(three, false, &three_address), 0);
    send_text(three, "to the peer", NULL);
    check_text(one, "to the peer", &three_address);
    send_text(two, "from somebody else", &three_address);
    send_text(one, "from the peer", &three_address);
    check_text(three, "from the peer", &one_address);
    check_int(filch_udp_send_to(two, "x", 1, NULL, FILCH_NEVER), -EDESTADDRREQ);

    check_int(filch_udp_connect(two, &one_address), 0);
    send_text(two, "now a peer", NULL);
    check_text(one, "now a peer", &two_address);
    check_int(filch_udp_connect(two, NULL), 0);
    check_int(filch_udp_send_to(two, "x", 1, NULL, FILCH_NEVER), -EDESTADDRREQ);

    filch_fd_close(one); /* nobody is there any more, and the system says so */
    send_text(three, "to nobody", NULL);
    char byte;
    check_int(filch_udp_recv_from(three, &byte, 1, NULL, NULL, FILCH_NEVER), -ECONNREFUSED);
    filch_fd_close(two);
    filch_fd_close(three);
    check_int(filch_udp_connect(two, NULL), -EBADF);
    return 0;
}

TEST(udp, with_a_peer_others_are_not_heard) {
    run_clean(have_peer, NULL);
}

/* --------------------------------------------------------------------------------------------------------------- groups */

static int join_group(void *arg) {
    filch_address group, own, at = filch_address_ip4_any(0);
    unsigned loopback = if_nametoindex("lo");
    filch_fd one, two;
    (void)arg;
    check_int(filch_address_parse(&group, "239.255.7.7:0"), 0);
    check_int(filch_udp_open(&one, &(filch_udp_options){.local = &at, .reuse_address = true}), 0);
    check_int(filch_fd_address(one, false, &own), 0);
    check_int(filch_udp_open(&two, NULL), 0);
    check_int(filch_udp_join(one, &group, loopback), 0);
    check_int(filch_udp_join(one, &group, loopback), -EADDRINUSE);
    check_int(filch_udp_set_interface(two, loopback), 0);
    check_int(filch_udp_set_ttl(two, 0), 0); /* it does not leave the machine */
    check_int(filch_udp_set_loop(two, true), 0);
    group.ip4.sin_port = htons(filch_address_port(&own));
    send_text(two, "to the group", &group);
    check_text(one, "to the group", NULL);
    check_int(filch_udp_leave(one, &group, loopback), 0);
    check_int(filch_udp_leave(one, &group, loopback), -EADDRNOTAVAIL);
    filch_fd_close(one);
    filch_fd_close(two);
    return 0;
}

TEST(udp, what_is_sent_to_a_group_reaches_who_has_joined) {
    run_clean(join_group, NULL);
}

static int set_options(void *arg) {
    filch_address group4, group6, address;
    filch_fd ip4 = open_here(&address), ip6 = open_at(filch_address_ip6_loopback(0), &address);
    (void)arg;
    check_int(filch_address_parse(&group4, "239.255.7.7:0"), 0);
    check_int(filch_address_parse(&group6, "[ff01::7]:0"), 0);
    check_int(filch_udp_join(ip6, &group6, if_nametoindex("lo")), 0);
    check_int(filch_udp_leave(ip6, &group6, if_nametoindex("lo")), 0);
    check_int(filch_udp_set_ttl(ip4, 7), 0);
    check_int(filch_udp_set_ttl(ip6, 7), 0);
    int value = 0;
    check_int(getsockopt(filch_fd_number(ip4), IPPROTO_IP, IP_MULTICAST_TTL, &value, &(socklen_t){sizeof value}), 0);
    check_int(value, 7);
    check_int(getsockopt(filch_fd_number(ip6), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &value, &(socklen_t){sizeof value}),
              0);
    check_int(value, 7);
    check_int(filch_udp_set_loop(ip4, false), 0);
    check_int(filch_udp_set_loop(ip6, false), 0);
    check_int(filch_udp_set_interface(ip4, 0), 0);
    check_int(filch_udp_set_interface(ip6, if_nametoindex("lo")), 0);
    check_int(filch_udp_set_broadcast(ip4, true), 0);
    check_int(getsockopt(filch_fd_number(ip4), SOL_SOCKET, SO_BROADCAST, &value, &(socklen_t){sizeof value}), 0);
    check(value != 0);
    check_int(filch_udp_set_broadcast(ip4, false), 0);
    check_int(
        filch_udp_send_to(
            ip4, "x", 1,
            &(filch_address){.length = sizeof(struct sockaddr_in),
                             .ip4 = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(0x7fffffff)}}},
            FILCH_NEVER),
        -EACCES);

    check_int(filch_udp_set_ttl(ip4, -1), -EINVAL);
    check_int(filch_udp_set_ttl(ip4, 256), -EINVAL);
    check_int(filch_udp_join(ip4, NULL, 0), -EINVAL);
    check_int(filch_udp_join(ip4, &address, 0), -EINVAL);
    check_int(filch_udp_leave(ip4, NULL, 0), -EINVAL);
    check_int(filch_udp_join(ip4, &group4, 2000000000u), -ENODEV);
    check_int(filch_udp_join(ip4, &group4, 3000000000u), -EINVAL);
    check_int(filch_udp_set_interface(ip4, 2000000000u), -ENODEV);
    check_int(filch_udp_set_interface(ip6, 2000000000u), -ENODEV);
    check_int(filch_udp_set_interface(ip6, 3000000000u), -EINVAL);
    filch_fd_close(ip4);
    filch_fd_close(ip6);
    check_int(filch_udp_set_ttl(ip4, 1), -EBADF);
    check_int(filch_udp_set_loop(ip4, true), -EBADF);
    check_int(filch_udp_set_interface(ip4, 0), -EBADF);
    check_int(filch_udp_set_broadcast(ip4, true), -EBADF);
    check_int(filch_udp_join(ip4, &group4, 0), -EBADF);
    return 0;
}

TEST(udp, options_arrive_in_the_kernel_and_bad_ones_are_answered) {
    run_clean(set_options, NULL);
}

/* --------------------------------------------------------------------------------------------------------------- misuse */

static int misuse(void *arg) {
    filch_address ip4 = filch_address_ip4_loopback(0), ip6 = filch_address_ip6_loopback(9), local, none = {0}, address;
    filch_fd fd, other;
    (void)arg;
    check_int(filch_address_parse(&local, "unix:/tmp/x"), 0);
    check_int(filch_udp_open(NULL, NULL), -EINVAL);
    check_int(filch_udp_open(&fd, &(filch_udp_options){.local = &ip4, .peer = &ip6}), -EINVAL);
    check_int(filch_udp_open(&fd, &(filch_udp_options){.local = &ip4, .family = AF_INET6}), -EINVAL);
    check_int(filch_udp_open(&fd, &(filch_udp_options){.local = &local}), -EINVAL);
    check_int(filch_udp_open(&fd, &(filch_udp_options){.local = &none}), -EINVAL);
    check_int(filch_udp_open(&fd, &(filch_udp_options){.peer = &none}), -EINVAL);
    check_int(filch_udp_open(&fd, &(filch_udp_options){.family = AF_UNIX}), -EINVAL);
    fd = open_here(&address);
    check_int(filch_udp_open(&other, &(filch_udp_options){.local = &address}), -EADDRINUSE);
    char byte = 0;
    filch_datagram datagram = {.size = 1, .room = 1, .address = address};
    check_int(filch_udp_send_to(fd, NULL, 1, &address, FILCH_NEVER), -EINVAL);
    check_int(filch_udp_recv_from(fd, NULL, 1, NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_udp_send_many(fd, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_udp_recv_many(fd, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_udp_send_many(fd, &datagram, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_udp_recv_many(fd, &datagram, 1, FILCH_NEVER), -EINVAL);
    datagram.data = &byte;
    check_int(filch_udp_send_many(fd, &datagram, (size_t)1 << 40, FILCH_NEVER), -EINVAL);
    check_int(filch_udp_recv_many(fd, &datagram, (size_t)1 << 40, FILCH_NEVER), -EINVAL);
    check_int(filch_udp_connect(fd, &none), -EINVAL);
    check_int(filch_udp_connect(fd, &ip6), -EINVAL);
    check_int(filch_udp_connect(fd, &local), -EINVAL);
    check_int(filch_udp_send_to(fd, &byte, 1, &ip6, FILCH_NEVER), -EINVAL);
    check_int(filch_udp_send_to(fd, &byte, 1, &local, FILCH_NEVER), -EINVAL);
    datagram.address = ip6;
    check_int(filch_udp_send_many(fd, &datagram, 1, FILCH_NEVER), -EINVAL);
    filch_fd_close(fd);
    return 0;
}

TEST(udp, bad_arguments_are_answered) {
    run_clean(misuse, NULL);
    filch_fd fd;
    int before = open_fds();
    check_int(filch_udp_open(&fd, NULL), -EPERM);
    check_int(open_fds(), before);
}
