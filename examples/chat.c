/* SPDX-License-Identifier: MIT */
/*
 * A chat room with a few seats, each with a channel for the lines that its guest is to hear. A guest has two tasks: one
 * writes what comes by the channel of the seat, one reads what the guest says and sends it to the channels of all seats.
 */
#include <errno.h>
#include <filch/filch.h>
#include <filch/io.h>
#include <stdatomic.h>
#include <stdio.h>

enum { SEATS = 3, LINE = 8 };

static filch_fd listener;
static filch_server server = FILCH_SERVER_INIT;
static filch_chan *seats[SEATS];
static atomic_int taken;

static int hear(void *connection) {
    char line[LINE];
    int error;
    while ((error = filch_fd_read_exactly(*(filch_fd *)connection, line, LINE, NULL, FILCH_NEVER)) == 0) {
        for (int i = SEATS; i-- > 0;) (void)!filch_chan_try_send(seats[i], line); /* full: that one misses it */
    }
    return error; /* -ENODATA: the guest leaves */
}

static int welcome(filch_fd connection, const filch_address *peer, void *arg) {
    char line[LINE];
    filch_scope scope;
    int seat = atomic_fetch_add(&taken, 1), error = seat < SEATS ? filch_scope_open(&scope, NULL) : -EBUSY;
    (void)peer, (void)arg;
    if (error != 0) return error;
    error = filch_scope_spawn(&scope, NULL, hear, &connection, NULL); /* its failure cancels what follows */
    while (error == 0 && (error = filch_chan_recv(seats[seat], line, FILCH_NEVER)) == 0) {
        error = filch_fd_write_all(connection, line, LINE, NULL, FILCH_NEVER);
    }
    filch_scope_fail(&scope, error);
    return filch_scope_close(&scope);
}

static int serve(void *arg) {
    return filch_serve(listener, welcome, arg, &(filch_serve_options){.server = &server});
}

/* One guest after the other comes, says something, and hears what was said before it came; the others hear it too. */
static int chat(void *arg) {
    static const char words[SEATS][LINE] = {"hello?", "hello!", "bye"};
    filch_fd guests[SEATS] = {{0}};
    filch_address address = filch_address_ip4_loopback(0);
    char heard[LINE];
    filch_task *task = NULL;
    int error = filch_tcp_listen(&listener, &address, NULL);
    if (error == 0) error = filch_fd_address(listener, false, &address);
    if (error == 0) error = filch_spawn(&task, serve, arg, NULL);
    for (int i = 0; i < SEATS && error == 0; i++) {
        error = filch_tcp_connect_address(&guests[i], &address, NULL, FILCH_NEVER);
        if (error == 0) error = filch_fd_write_all(guests[i], words[i], LINE, NULL, FILCH_NEVER);
        for (int line = 0; line <= i + i && error == 0; line++) { /* its own seat's first, then one of each other */
            int who = line <= i ? i : line - i - 1;
            error = filch_fd_read_exactly(guests[who], heard, LINE, NULL, FILCH_NEVER);
            if (error == 0) printf("guest %d hears \"%s\"\n", who, heard);
        }
    }
    for (int i = 0; i < SEATS; i++) filch_fd_close(guests[i]);
    filch_server_stop(&server);
    if (task != NULL && filch_await(task, NULL, FILCH_NEVER) != 0) error = -ECANCELED;
    filch_fd_close(listener);
    return error;
}

int main(void) {
    int error = 0;
    for (int i = 0; i < SEATS && error == 0; i++) error = filch_chan_create(&seats[i], LINE, 16);
    if (error == 0) error = filch_run(chat, NULL, NULL);
    for (int i = 0; i < SEATS; i++) filch_chan_destroy(seats[i]);
    return error == 0 ? 0 : 1;
}
