/* SPDX-License-Identifier: MIT */
/*
 * Proves that Unix sockets talk, by path, by abstract name and as pairs, streams and datagrams; that stale files are
 * replaced and live ones are not; that descriptors arrive, closed on exec, and that none leaks when there are too many;
 * that who is at the other side is known; and that full queues are waited for.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/io/net.h"

static filch_address address_of(const char *form, const char *folder) {
    char text[FILCH_ADDRESS_TEXT_MAX];
    filch_address address;
    snprintf(text, sizeof text, form, folder);
    check_int(filch_address_parse(&address, text), 0);
    return address;
}

/* -------------------------------------------------------------------------------------------------------------- streams */

static int talk(void *arg) {
    char folder[32];
    filch_address seen;
    filch_fd listener, client, server;
    make_folder(folder, sizeof folder);
    filch_address address = address_of(arg, folder);
    check_int(filch_unix_listen(&listener, &address, NULL), 0);
    check_int(filch_unix_connect(&client, &address, NULL, FILCH_NEVER), 0);
    check_int(filch_unix_accept(listener, &server, &seen, FILCH_NEVER), 0);
    char text[FILCH_ADDRESS_TEXT_MAX];
    check(strcmp(filch_address_format(&seen, text, sizeof text), "unix:") == 0);
    check_int(filch_fd_address(client, true, &seen), 0);
    check(filch_address_equal(&seen, &address));
    exchange(client, server, "there");
    exchange(server, client, "and back");
    check_int(filch_tcp_shutdown(client, SHUT_WR), 0);
    char byte;
    check_int(filch_fd_read(server, &byte, 1, FILCH_NEVER), 0);
    exchange(server, client, "still open");
    filch_fd_close(client);
    filch_fd_close(server);
    filch_fd_close(listener);
    if (address.local.sun_path[0] != '\0') check_int(unlink(address.local.sun_path), 0);
    check_int(rmdir(folder), 0);
    return 0;
}

TEST(unix_sockets, streams_talk_by_path_and_by_abstract_name) {
    run_clean(talk, "unix:%s/socket");
    run_clean(talk, "unix:@%s");
}

static int answer(filch_fd connection, const filch_address *peer, void *arg) {
    (void)peer;
    (void)arg;
    return filch_fd_write_all(connection, "hi", 2, NULL, FILCH_NEVER);
}

struct served {
    filch_fd listener;
    filch_server server;
};

static int serve(void *arg) {
    struct served *served = arg;
    return filch_serve(served->listener, answer, NULL, &(filch_serve_options){.server = &served->server});
}

static int be_served(void *arg) {
    char folder[32], text[3] = "";
    struct served served = {0};
    filch_fd client;
    (void)arg;
    make_folder(folder, sizeof folder);
    check_int(rmdir(folder), 0);
    filch_address address = address_of("unix:@%s", folder);
    check_int(filch_unix_listen(&served.listener, &address, NULL), 0);
    filch_task *task = start(serve, &served);
    check_int(filch_unix_connect(&client, &address, NULL, FILCH_NEVER), 0);
    check_int(filch_fd_read_exactly(client, text, 2, NULL, FILCH_NEVER), 0);
    check(strcmp(text, "hi") == 0);
    filch_fd_close(client);
    filch_server_stop(&served.server);
    check_int(result_of(task), 0);
    filch_fd_close(served.listener);
    return 0;
}

TEST(unix_sockets, a_server_serves_them_as_well) {
    run_clean(be_served, NULL);
}

static int replace_stale(void *arg) {
    char folder[32];
    filch_fd listener, second, client;
    (void)arg;
    make_folder(folder, sizeof folder);
    filch_address address = address_of("unix:%s/socket", folder), nowhere = address_of("unix:%s/no/socket", folder);
    const char *path = address.local.sun_path;
    check_int(filch_unix_listen(&listener, &nowhere, NULL), -ENOENT);
    check_int(filch_unix_listen(&listener, &address, NULL), 0);
    check_int(filch_unix_listen(&second, &address, NULL), -EADDRINUSE); /* somebody listens, who does not notice */
    check_int(filch_fd_wait(listener, FILCH_READABLE, (filch_deadline){0}), -ETIMEDOUT);
    check_int(filch_unix_connect(&client, &address, NULL, FILCH_NEVER), 0);
    filch_fd_close(client);
    filch_fd_close(listener);

    filch_unix_listen_options keep = {.keep_stale = true};
    check_int(filch_unix_listen(&listener, &address, &keep), -EADDRINUSE);
    check_int(filch_unix_connect(&client, &address, NULL, FILCH_NEVER), -ECONNREFUSED);
    check_int(filch_unix_listen(&listener, &address, NULL), 0); /* nobody does */
    check_int(filch_unix_connect(&client, &address, NULL, FILCH_NEVER), 0);
    filch_fd_close(client);
    filch_fd_close(listener);
    check_int(unlink(path), 0);

    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    check(file >= 0);
    close(file);
    check_int(filch_unix_listen(&listener, &address, NULL), -EADDRINUSE); /* it is no socket */
    check_int(access(path, F_OK), 0);
    check_int(unlink(path), 0);
    check_int(filch_unix_connect(&client, &address, NULL, FILCH_NEVER), -ENOENT);
    check_int(rmdir(folder), 0);
    return 0;
}

TEST(unix_sockets, a_stale_file_is_replaced_and_no_other) {
    run_clean(replace_stale, NULL);
}

/* -------------------------------------------------------------------------------------------------------- full queues */

static int connect_for_ever(void *arg) {
    filch_fd fd;
    int error = filch_unix_connect(&fd, arg, NULL, FILCH_NEVER);
    return error != 0 ? error : filch_fd_close(fd);
}

static int fill_queue(void *arg) {
    char folder[32];
    filch_fd listener, clients[10], fd;
    int count = 0, error = 0;
    (void)arg;
    make_folder(folder, sizeof folder);
    check_int(rmdir(folder), 0);
    filch_address address = address_of("unix:@%s", folder);
    check_int(filch_unix_listen(&listener, &address, &(filch_unix_listen_options){.backlog = 1}), 0);
    while (count < 10 && (error = filch_unix_connect(&clients[count], &address, NULL, filch_after(FILCH_MS(3)))) == 0) {
        count++;
    }
    check_int(error, -ETIMEDOUT);
    check(count > 0);
    check_int(filch_unix_connect(&fd, &address, NULL, (filch_deadline){0}), -ETIMEDOUT);
    check_is_cancelled(connect_for_ever, &address);
    filch_task *task = start(connect_for_ever, &address);
    while (filch_task_each(filch_runtime_current(), waits_now, task) == 0) filch_sleep(FILCH_US(100));
    for (int i = 0; i < count; i++) {
        check_int(filch_unix_accept(listener, &fd, NULL, FILCH_NEVER), 0);
        filch_fd_close(fd);
        filch_fd_close(clients[i]);
    }
    check_int(result_of(task), 0);
    filch_fd_close(listener);
    return 0;
}

TEST(unix_sockets, a_full_queue_is_waited_for) {
    run_clean(fill_queue, NULL);
}

/* ----------------------------------------------------------------------------------------------------------- datagrams */

static int send_datagrams(void *arg) {
    char folder[32], buffer[16];
    filch_address from;
    filch_fd one, two, three;
    bool truncated;
    make_folder(folder, sizeof folder);
    char form[2][64];
    for (int i = 0; i < 2; i++) snprintf(form[i], sizeof form[i], "%s.%d", (const char *)arg, i);
    filch_address first = address_of(form[0], folder), second = address_of(form[1], folder);
    check_int(filch_unix_datagram(&one, &first, NULL, NULL), 0);
    check_int(filch_unix_datagram(&two, &second, NULL, NULL), 0);
    check_int(filch_unix_datagram(&three, NULL, &first, NULL), 0);
    check_int(filch_udp_send_to(one, "hello", 5, &second, FILCH_NEVER), 5);
    check_int(filch_udp_send_to(one, "", 0, &second, FILCH_NEVER), 0);
    check_int(filch_udp_recv_from(two, buffer, sizeof buffer, &from, &truncated, FILCH_NEVER), 5);
    check(!truncated && filch_address_equal(&from, &first));
    check_int(filch_udp_recv_from(two, buffer, sizeof buffer, &from, &truncated, FILCH_NEVER), 0);
    check_int(filch_udp_send_to(three, "from none", 9, NULL, FILCH_NEVER), 9);
    check_int(filch_udp_recv_from(one, buffer, 4, &from, &truncated, FILCH_NEVER), 4);
    check(truncated);

    filch_datagram out[3] = {{.data = "a", .size = 1, .address = second},
                             {.data = "b", .size = 1, .address = second},
                             {.data = "c", .size = 1, .address = second}},
                   in[3];
    char bytes[3];
    check_int(filch_udp_send_many(one, out, 3, FILCH_NEVER), 3);
    for (int i = 0; i < 3; i++) in[i] = (filch_datagram){.data = &bytes[i], .room = 1};
    check_int(filch_udp_recv_many(two, in, 3, FILCH_NEVER), 3);
    check(memcmp(bytes, "abc", 3) == 0 && filch_address_equal(&in[2].address, &first));

    filch_fd_close(two);
    check_int(filch_udp_send_to(one, "x", 1, &second, FILCH_NEVER), -ECONNREFUSED);
    if (second.local.sun_path[0] != '\0') { /* stale by now, and replaced */
        check_int(filch_unix_datagram(&two, &second, NULL, NULL), 0);
        filch_fd again;
        check_int(filch_unix_datagram(&again, &second, NULL, NULL), -EADDRINUSE);
        filch_fd_close(two);
        check_int(unlink(first.local.sun_path), 0);
        check_int(unlink(second.local.sun_path), 0);
    }
    filch_fd_close(one);
    filch_fd_close(three);
    check_int(rmdir(folder), 0);
    return 0;
}

TEST(unix_sockets, datagrams_arrive_by_path_and_by_abstract_name) {
    run_clean(send_datagrams, "unix:%s/socket");
    run_clean(send_datagrams, "unix:@%s");
}

/*
 * A path of others may fill its place to the last byte, without a zero; the kernel counts one in all the same, for which
 * there is no room. What is told is an address all the same: it can be written, compared and answered.
 */
static filch_address address_that_fills_its_place(const char *folder) {
    filch_address address = {.length = sizeof address.local, .local = {.sun_family = AF_UNIX}};
    size_t length = strlen(folder), room = sizeof address.local.sun_path;
    memset(address.local.sun_path, 'x', room);
    memcpy(address.local.sun_path, folder, length);
    address.local.sun_path[length] = '/';
    return address;
}

static void check_is_whole(const filch_address *told, const filch_address *address) {
    char text[FILCH_ADDRESS_TEXT_MAX];
    check_int(told->length, sizeof told->local);
    check(filch_address_equal(told, address));
    filch_address_format(told, text, sizeof text);
    check_int(strlen(text), strlen("unix:") + sizeof address->local.sun_path);
}

static int answer_to_a_long_path(void *arg) {
    (void)arg;
    char folder[32], name[sizeof(struct sockaddr_un)] = "", buffer[8];
    filch_address told = {0};
    make_folder(folder, sizeof folder);
    filch_address here = address_of("unix:%s/here", folder), there = address_that_fills_its_place(folder);
    memcpy(name, there.local.sun_path, sizeof there.local.sun_path);
    int number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check_int(bind(number, &there.any, there.length), 0);
    filch_fd fd, theirs;
    check_int(filch_unix_datagram(&fd, &here, NULL, NULL), 0);
    for (int i = 0; i < 2; i++) check_int(sendto(number, "ask", 3, 0, &here.any, here.length), 3);
    check_int(filch_udp_recv_from(fd, buffer, sizeof buffer, &told, NULL, FILCH_NEVER), 3);
    check_is_whole(&told, &there);
    check_int(filch_udp_send_to(fd, "told", 4, &told, FILCH_NEVER), 4);
    check_int(recv(number, buffer, sizeof buffer, 0), 4);
    filch_datagram datagram = {.data = buffer, .room = sizeof buffer};
    check_int(filch_udp_recv_many(fd, &datagram, 1, FILCH_NEVER), 1);
    check_is_whole(&datagram.address, &there);
    check_int(filch_fd_adopt(&theirs, number, NULL), 0);
    check_int(filch_fd_address(theirs, false, &told), 0);
    check_is_whole(&told, &there);
    check_int(unlink(here.local.sun_path), 0);
    check_int(unlink(name), 0);

    filch_fd listener, connection;
    filch_stream *stream;
    check_int(filch_fd_close(theirs), 0);
    check_int(filch_unix_listen(&listener, &here, NULL), 0);
    number = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_int(bind(number, &there.any, there.length), 0);
    check_int(connect(number, &here.any, here.length), 0);
    check_int(filch_unix_accept(listener, &connection, &told, FILCH_NEVER), 0);
    check_is_whole(&told, &there);
    check_int(filch_stream_open_fd(&stream, connection, NULL), 0);
    check_int(filch_stream_address(stream, true, &told), 0);
    check_is_whole(&told, &there);
    filch_stream_destroy(stream);
    check_int(filch_fd_close(listener), 0);
    check_int(filch_fd_close(fd), 0);
    check_int(close(number), 0);
    check_int(unlink(here.local.sun_path), 0);
    check_int(unlink(name), 0);
    check_int(rmdir(folder), 0);
    return 0;
}

TEST(unix_sockets, a_path_that_fills_its_place_can_be_answered) {
    run_clean(answer_to_a_long_path, NULL);
}

/* A receiver whose queue is full, once as the peer of the sender, once not: the sender waits, and none is lost. */
struct flood {
    filch_fd fd;
    const filch_address *to;
    int count;
};

static int flood(void *arg) {
    struct flood *flood = arg;
    for (int i = 0; i < flood->count; i++) {
        ssize_t sent = filch_udp_send_to(flood->fd, &i, sizeof i, flood->to, FILCH_NEVER);
        if (sent < 0) return (int)sent;
    }
    return 0;
}

static int flood_receiver(void *arg) {
    char folder[32];
    filch_fd receiver, sender;
    bool as_peer = *(bool *)arg;
    make_folder(folder, sizeof folder);
    check_int(rmdir(folder), 0);
    filch_address address = address_of("unix:@%s", folder);
    check_int(filch_unix_datagram(&receiver, &address, NULL, NULL), 0);
    check_int(filch_unix_datagram(&sender, NULL, as_peer ? &address : NULL, NULL), 0);
    struct flood endless = {sender, as_peer ? NULL : &address, 1 << 30}, some = {sender, endless.to, 2000};
    check_is_cancelled(flood, &endless);
    int number, error = 0;
    while (error == 0) { /* what the cancelled one has sent */
        ssize_t got = filch_udp_recv_from(receiver, &number, sizeof number, NULL, NULL, (filch_deadline){0});
        error = got < 0 ? (int)got : 0;
    }
    check_int(error, -ETIMEDOUT);
    filch_task *task = start(flood, &some);
    for (int i = 0; i < some.count; i++) {
        check_int(filch_udp_recv_from(receiver, &number, sizeof number, NULL, NULL, FILCH_NEVER), sizeof number);
        check_int(number, i);
    }
    check_int(result_of(task), 0);
    while (filch_udp_send_to(sender, &number, sizeof number, some.to, (filch_deadline){0}) > 0) continue;
    check_int(filch_udp_send_to(sender, &number, sizeof number, some.to, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    filch_fd_close(receiver);
    filch_fd_close(sender);
    return 0;
}

TEST(unix_sockets, a_sender_waits_for_room_in_the_receivers_queue) {
    bool as_peer[] = {true, false};
    for (int i = 0; i < 2; i++) run_clean(flood_receiver, &as_peer[i]);
}

static int make_pairs(void *arg) {
    static const int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    filch_fd one, other;
    char buffer[8];
    (void)arg;
    for (int i = 0; i < 3; i++) {
        check_int(filch_unix_pair(&one, &other, kinds[i], NULL), 0);
        check_int(filch_fd_send(one, "abc", 3, 0, FILCH_NEVER), 3);
        check_int(filch_fd_send(one, "de", 2, 0, FILCH_NEVER), 2);
        check_int(filch_fd_recv(other, buffer, sizeof buffer, 0, FILCH_NEVER), kinds[i] == SOCK_STREAM ? 5 : 3);
        filch_fd_close(one);
        filch_fd_close(other);
    }
    return 0;
}

TEST(unix_sockets, pairs_of_every_kind) {
    run_clean(make_pairs, NULL);
}

/* --------------------------------------------------------------------------------------------------------- descriptors */

/* A pipe, whose reading end is sent, and through whose writing end it is recognised. */
struct pipes {
    int reading[8], writing[8];
};

static void make_pipes(struct pipes *pipes, int count) {
    for (int i = 0; i < count; i++) {
        int ends[2];
        check_int(pipe(ends), 0);
        pipes->reading[i] = ends[0];
        pipes->writing[i] = ends[1];
    }
}

/* `number` is another descriptor of the reading end of pipe `i`; it is closed. */
static void check_is_pipe(struct pipes *pipes, int i, int number) {
    char sent = (char)('a' + i), got = 0;
    check(number != pipes->reading[i]);
    check_int(fcntl(number, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    check_int(write(pipes->writing[i], &sent, 1), 1);
    check_int(read(number, &got, 1), 1);
    check_int(got, sent);
    close(number);
}

static void close_pipes(struct pipes *pipes, int count) {
    for (int i = 0; i < count; i++) {
        close(pipes->reading[i]);
        close(pipes->writing[i]);
    }
}

static int pass_fds(void *arg) {
    struct pipes pipes;
    filch_fd one, other;
    char buffer[8];
    int numbers[8];
    make_pipes(&pipes, 3);
    check_int(filch_unix_pair(&one, &other, *(int *)arg, NULL), 0);
    check_int(filch_unix_send_fds(one, "abc", 3, pipes.reading, 3, FILCH_NEVER), 3);
    filch_unix_fds fds = {.numbers = numbers, .room = 8, .lost = true};
    check_int(filch_unix_recv_fds(other, buffer, sizeof buffer, &fds, FILCH_NEVER), 3);
    check_int(fds.count, 3);
    check(!fds.lost);
    for (int i = 0; i < 3; i++) check_is_pipe(&pipes, i, numbers[i]);

    check_int(filch_fd_send(one, "plain", 5, 0, FILCH_NEVER), 5);
    fds.count = 77;
    check_int(filch_unix_recv_fds(other, buffer, sizeof buffer, &fds, FILCH_NEVER), 5);
    check_int(fds.count, 0);
    check(!fds.lost);
    close_pipes(&pipes, 3);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(unix_sockets, descriptors_are_passed_and_closed_on_exec) {
    int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++) run_clean(pass_fds, &kinds[i]);
}

/* In a stream they end what is received at a time: what was sent before comes with them, and what was sent after does not. */
static int pass_between_bytes(void *arg) {
    struct pipes pipes;
    filch_fd one, other;
    char buffer[8] = "";
    int number;
    (void)arg;
    make_pipes(&pipes, 1);
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    check_int(filch_fd_write(one, "ab", 2, FILCH_NEVER), 2);
    check_int(filch_unix_send_fds(one, "cd", 2, pipes.reading, 1, FILCH_NEVER), 2);
    check_int(filch_fd_write(one, "ef", 2, FILCH_NEVER), 2);
    filch_unix_fds fds = {.numbers = &number, .room = 1};
    check_int(filch_unix_recv_fds(other, buffer, sizeof buffer, &fds, FILCH_NEVER), 4);
    check_int(fds.count, 1);
    check_is_pipe(&pipes, 0, number);
    check(memcmp(buffer, "abcd", 4) == 0);
    check_int(filch_unix_recv_fds(other, buffer, sizeof buffer, &fds, FILCH_NEVER), 2);
    check_int(fds.count, 0);
    close_pipes(&pipes, 1);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(unix_sockets, descriptors_end_what_is_received_at_a_time) {
    run_clean(pass_between_bytes, NULL);
}

static int pass_too_many(void *arg) {
    struct pipes pipes;
    filch_fd one, other;
    char buffer[8];
    int numbers[8];
    (void)arg;
    make_pipes(&pipes, 8);
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    for (size_t room = 0; room <= 8; room++) {
        int before = open_fds();
        check_int(filch_unix_send_fds(one, "x", 1, pipes.reading, 8, FILCH_NEVER), 1);
        memset(numbers, 0xff, sizeof numbers);
        filch_unix_fds fds = {.numbers = numbers, .room = room};
        check_int(filch_unix_recv_fds(other, buffer, sizeof buffer, &fds, FILCH_NEVER), 1);
        check_int(fds.count, room);
        check_int(fds.lost, room < 8);
        for (size_t i = 0; i < 8; i++) check_int(numbers[i] >= 0, i < room);
        check_int(open_fds(), before + (int)room);
        for (size_t i = 0; i < room; i++) check_is_pipe(&pipes, (int)i, numbers[i]);
    }
    close_pipes(&pipes, 8);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(unix_sockets, descriptors_for_which_there_is_no_room_are_closed_and_said_to_be_lost) {
    run_clean(pass_too_many, NULL);
}

/* A datagram that does not fit is an error, and its descriptors are not left open. */
static int pass_with_too_much(void *arg) {
    struct pipes pipes;
    filch_fd one, other;
    char buffer[2];
    int numbers[8];
    (void)arg;
    make_pipes(&pipes, 2);
    check_int(filch_unix_pair(&one, &other, SOCK_DGRAM, NULL), 0);
    int before = open_fds();
    check_int(filch_unix_send_fds(one, "long", 4, pipes.reading, 2, FILCH_NEVER), 4);
    filch_unix_fds fds = {.numbers = numbers, .room = 8};
    check_int(filch_unix_recv_fds(other, buffer, sizeof buffer, &fds, FILCH_NEVER), -EMSGSIZE);
    check_int(fds.count, 0);
    check_int(open_fds(), before);
    close_pipes(&pipes, 2);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(unix_sockets, descriptors_of_a_datagram_that_does_not_fit_are_closed) {
    run_clean(pass_with_too_much, NULL);
}

/* The process can have no more: those that cannot be made are lost, and the others arrive. */
static int pass_to_a_full_process(void *arg) {
    enum { MAX = 300 };
    static int taken[MAX];
    struct pipes pipes;
    filch_fd one, other;
    char byte;
    int numbers[8], count = 0;
    (void)arg;
    make_pipes(&pipes, 4);
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    check_int(filch_unix_send_fds(one, "x", 1, pipes.reading, 4, FILCH_NEVER), 1);
    while (count < MAX && (taken[count] = dup(STDERR_FILENO)) >= 0) count++;
    for (int i = 0; i < 2; i++) close(taken[--count]);
    filch_unix_fds fds = {.numbers = numbers, .room = 8};
    check_int(filch_unix_recv_fds(other, &byte, 1, &fds, FILCH_NEVER), 1);
    while (count > 0) close(taken[--count]);
    check_int(fds.count, 2);
    check(fds.lost);
    for (int i = 0; i < 2; i++) check_is_pipe(&pipes, i, numbers[i]);
    close_pipes(&pipes, 4);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(unix_sockets, descriptors_that_the_process_cannot_have_are_said_to_be_lost) {
    run_scarce(pass_to_a_full_process, NULL);
}

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

/* The kernel has one more descriptor made of who has sent, if its receiver is set so. */
static int pass_the_sender(void *arg) {
    struct pipes pipes;
    filch_fd one, other;
    char byte;
    int numbers[8], on = 1;
    (void)arg;
    make_pipes(&pipes, 1);
    check_int(filch_unix_pair(&one, &other, SOCK_DGRAM, NULL), 0);
    if (setsockopt(filch_fd_number(other), SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on) != 0) {
        fprintf(stderr, "SKIPPED: SO_PASSPIDFD, which this kernel does not have\n");
    }
    check_int(filch_unix_send_fds(one, "x", 1, pipes.reading, 1, FILCH_NEVER), 1);
    check_int(filch_fd_send(one, "y", 1, 0, FILCH_NEVER), 1);
    filch_unix_fds fds = {.numbers = numbers, .room = 8};
    check_int(filch_unix_recv_fds(other, &byte, 1, &fds, FILCH_NEVER), 1);
    check_int(fds.count, 1);
    check_is_pipe(&pipes, 0, numbers[0]);
    check_int(filch_unix_recv_fds(other, &byte, 1, &fds, FILCH_NEVER), 1);
    check_int(fds.count, 0);
    close_pipes(&pipes, 1);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(unix_sockets, a_descriptor_for_the_sender_is_not_left_open) {
    run_clean(pass_the_sender, NULL);
}

static int pass_the_most(void *arg) {
    static int sent[FILCH_UNIX_FDS_MAX + 1], numbers[FILCH_UNIX_FDS_MAX + 1];
    filch_fd one, other;
    char byte;
    (void)arg;
    for (unsigned i = 0; i <= FILCH_UNIX_FDS_MAX; i++) sent[i] = STDERR_FILENO;
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    check_int(filch_unix_send_fds(one, "x", 1, sent, FILCH_UNIX_FDS_MAX, FILCH_NEVER), 1);
    filch_unix_fds fds = {.numbers = numbers, .room = FILCH_UNIX_FDS_MAX};
    check_int(filch_unix_recv_fds(other, &byte, 1, &fds, FILCH_NEVER), 1);
    check_int(fds.count, FILCH_UNIX_FDS_MAX);
    for (size_t i = 0; i < fds.count; i++) close(numbers[i]);
    check_int(filch_unix_send_fds(one, "x", 1, sent, FILCH_UNIX_FDS_MAX + 1, FILCH_NEVER), -EINVAL);
    fds.room = FILCH_UNIX_FDS_MAX + 1;
    check_int(filch_unix_recv_fds(other, &byte, 1, &fds, FILCH_NEVER), -EINVAL);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(unix_sockets, as_many_descriptors_as_a_message_can_have) {
    run_clean(pass_the_most, NULL);
}

static int receive_for_ever(void *arg) {
    char byte;
    int number;
    filch_unix_fds fds = {.numbers = &number, .room = 1};
    return (int)filch_unix_recv_fds(*(filch_fd *)arg, &byte, 1, &fds, FILCH_NEVER);
}

static int cut_fds_short(void *arg) {
    filch_fd one, other;
    char byte;
    int number = STDERR_FILENO;
    filch_unix_fds fds = {.numbers = &number, .room = 1};
    (void)arg;
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    check_int(filch_unix_recv_fds(other, &byte, 1, &fds, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check_is_cancelled(receive_for_ever, &other);
    filch_fd_close(one);
    check_int(filch_unix_recv_fds(other, &byte, 1, &fds, FILCH_NEVER), 0);
    number = STDERR_FILENO;
    check_int(filch_unix_send_fds(other, "x", 1, &number, 1, FILCH_NEVER), -EPIPE);
    filch_fd_close(other);
    check_int(filch_unix_send_fds(other, "x", 1, &number, 1, FILCH_NEVER), -EBADF);
    return 0;
}

TEST(unix_sockets, waits_for_descriptors_are_cut_short) {
    run_clean(cut_fds_short, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- credentials */

static int know_peer(void *arg) {
    filch_fd one, other;
    filch_unix_credentials peer = {0};
    (void)arg;
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    check_int(filch_unix_peer(one, &peer), 0);
    check_int(peer.process, getpid());
    check_int(peer.user, getuid());
    check_int(peer.group, getgid());
    check_int(filch_unix_peer(one, NULL), -EINVAL);
    filch_fd_close(one);
    filch_fd_close(other);
    check_int(filch_unix_peer(one, &peer), -EBADF);
    connect_pair(&one, &other);
    check_int(filch_unix_peer(one, &peer), -EOPNOTSUPP);
    filch_fd_close(one);
    filch_fd_close(other);
    check_int(filch_unix_datagram(&one, NULL, NULL, NULL), 0);
    check_int(filch_unix_peer(one, &peer), -ENOTCONN);
    filch_fd_close(one);
    filch_address name;
    check_int(filch_address_parse(&name, "unix:@filch-test-of-a-peer"), 0);
    name.length += (socklen_t)snprintf(name.local.sun_path + strlen("?filch-test-of-a-peer"), 16, "%d", getpid());
    check_int(filch_unix_listen(&one, &name, NULL), 0);
    check_int(filch_unix_peer(one, &peer), -ENOTCONN); /* and not this process, which is told there */
    filch_fd_close(one);
    return 0;
}

TEST(unix_sockets, who_is_at_the_other_side_is_known) {
    run_clean(know_peer, NULL);
}

/* --------------------------------------------------------------------------------------------------------------- misuse */

static int misuse(void *arg) {
    filch_address ip4 = filch_address_ip4_loopback(0), none = {0}, local = address_of("unix:@%s", "misuse");
    filch_address unbound = {.length = sizeof(sa_family_t), .local = {.sun_family = AF_UNIX}};
    const filch_address *const wrong[] = {NULL, &ip4, &none, &unbound};
    filch_fd fd, one, other;
    char byte = 0;
    int number = STDERR_FILENO;
    filch_unix_fds fds = {.room = 1};
    (void)arg;
    for (int i = 0; i < 4; i++) {
        check_int(filch_unix_listen(&fd, wrong[i], NULL), -EINVAL);
        check_int(filch_unix_connect(&fd, wrong[i], NULL, FILCH_NEVER), -EINVAL);
        if (i == 0) continue;
        check_int(filch_unix_datagram(&fd, wrong[i], NULL, NULL), -EINVAL);
        check_int(filch_unix_datagram(&fd, NULL, wrong[i], NULL), -EINVAL);
    }
    check_int(filch_unix_listen(NULL, &local, NULL), -EINVAL);
    check_int(filch_unix_listen(&fd, &local, &(filch_unix_listen_options){.backlog = -1}), -EINVAL);
    check_int(filch_unix_connect(NULL, &local, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_unix_connect(&fd, &local, NULL, FILCH_NEVER), -ECONNREFUSED);
    check_int(filch_unix_datagram(NULL, NULL, NULL, NULL), -EINVAL);
    check_int(filch_unix_datagram(&fd, NULL, &local, NULL), -ECONNREFUSED);
    check_int(filch_unix_pair(NULL, &other, SOCK_STREAM, NULL), -EINVAL);
    check_int(filch_unix_pair(&one, NULL, SOCK_STREAM, NULL), -EINVAL);
    check_int(filch_unix_pair(&one, &other, SOCK_RAW, NULL), -EINVAL);
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    check_int(filch_unix_accept(one, NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_unix_accept(one, &fd, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_unix_send_fds(one, NULL, 1, &number, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_unix_send_fds(one, &byte, 0, &number, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_unix_send_fds(one, &byte, 1, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_unix_send_fds(one, &byte, 1, &number, 0, FILCH_NEVER), -EINVAL);
    number = 999999;
    check_int(filch_unix_send_fds(one, &byte, 1, &number, 1, FILCH_NEVER), -EBADF);
    check_int(filch_unix_recv_fds(one, NULL, 1, &fds, FILCH_NEVER), -EINVAL);
    check_int(filch_unix_recv_fds(one, &byte, 0, &fds, FILCH_NEVER), -EINVAL);
    check_int(filch_unix_recv_fds(one, &byte, 1, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_unix_recv_fds(one, &byte, 1, &fds, FILCH_NEVER), -EINVAL);
    filch_fd_close(one);
    filch_fd_close(other);
    return 0;
}

TEST(unix_sockets, bad_arguments_are_answered) {
    run_clean(misuse, NULL);
    filch_fd one, other;
    filch_address local = address_of("unix:@%s", "misuse");
    int before = open_fds();
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), -EPERM);
    check_int(filch_unix_listen(&one, &local, NULL), -EPERM);
    check_int(filch_unix_datagram(&one, NULL, NULL, NULL), -EPERM);
    check_int(open_fds(), before);
}
