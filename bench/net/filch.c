/* SPDX-License-Identifier: MIT */
/* A task for each connection, whose calls look as if they blocked. */
#include <filch/io.h>
#include <stdlib.h>
#include <string.h>

#include "../common/filch.h"
#include "serve.h"

static const struct protocol *protocol;
static filch_poller poller;

static bool answer(filch_fd fd, void *state, const char *in, size_t count, char *room) {
    const char *out;
    ssize_t length;
    while ((length = protocol->answer(state, &in, &count, room, &out)) > 0)
        if (filch_fd_write_all(fd, out, (size_t)length, NULL, FILCH_NEVER) != 0) return false;
    return length == 0;
}

static int talk(filch_fd fd, const filch_address *peer, void *arg) {
    (void)peer;
    (void)arg;
    char input[INPUT_SIZE];
    if (filch_tcp_set_nodelay(fd, true) != 0) fail("filch_tcp_set_nodelay");
    void *state = protocol->state ? calloc(1, protocol->state) : NULL;
    char *room = protocol->room ? must_alloc(protocol->room) : NULL;
    ssize_t count;
    while ((count = filch_fd_recv(fd, input, sizeof input, 0, FILCH_NEVER)) > 0)
        if (!answer(fd, state, input, (size_t)count, room)) break;
    if (protocol->end) protocol->end(state);
    free(state);
    free(room);
    return 0;
}

static int hog(void *arg) {
    (void)arg;
    serve_hog();
}

/* Where io_uring is not to be had, the runtime makes do with epoll, which is measured as such. */
static void check_poller(void) {
    const char *name = filch_runtime_poller(filch_runtime_current());
    if (poller == FILCH_POLLER_IO_URING && (!name || strcmp(name, "io_uring") != 0))
        skip("the runtime has no io_uring");
}

static int serve_all(void *arg) {
    const struct serving *serving = arg;
    filch_fd listener;
    int error = filch_fd_adopt(&listener, serving->listener, NULL);
    if (error != 0) fail("filch_fd_adopt: %s", strerror(-error));
    check_poller();
    for (unsigned i = 0; i < serving->hogs; i++)
        if (filch_spawn(NULL, hog, NULL, NULL) != 0) fail("filch_spawn");
    error = filch_serve(listener, talk, NULL, NULL);
    fail("filch_serve: %s", strerror(-error));
}

void serve_filch(const struct serving *serving) {
    protocol = serving->protocol;
    int error = filch_run(serve_all, (void *)serving, &(filch_options){.workers = serving->workers, .poller = poller});
    fail("filch_run: %d", error);
}

void serve_filch_uring(const struct serving *serving) {
    poller = FILCH_POLLER_IO_URING;
    serve_filch(serving);
}
