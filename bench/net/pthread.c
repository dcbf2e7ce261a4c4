/* SPDX-License-Identifier: MIT */
/* A thread for each connection, whose calls block. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/bench.h"
#include "serve.h"

enum { STACK_SIZE = 64 * 1024 };

static const struct protocol *protocol;

static bool answer(int fd, void *state, const char *in, size_t count, char *room) {
    const char *out;
    ssize_t length;
    while ((length = protocol->answer(state, &in, &count, room, &out)) > 0)
        if (!serve_send(fd, out, (size_t)length)) return false;
    return length == 0;
}

static void *talk(void *arg) {
    int fd = (int)(intptr_t)arg;
    char input[INPUT_SIZE];
    void *state = calloc(1, protocol->state + 1);
    char *room = protocol->room ? must_alloc(protocol->room) : NULL;
    ssize_t count;
    while ((count = recv(fd, input, sizeof input, 0)) > 0)
        if (!answer(fd, state, input, (size_t)count, room)) break;
    if (protocol->end) protocol->end(state);
    close(fd);
    free(state);
    free(room);
    return NULL;
}

static void *hog(void *arg) {
    (void)arg;
    serve_hog();
}

static void start(void *(*fn)(void *), void *arg) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, fn, arg) != 0) skip("the system gives no more threads");
    pthread_attr_destroy(&attributes);
}

void serve_pthread(const struct serving *serving) {
    protocol = serving->protocol;
    for (unsigned i = 0; i < serving->hogs; i++) start(hog, NULL);
    for (;;) {
        int fd = serve_accept(serving->listener, 0);
        if (fd >= 0)
            start(talk, (void *)(intptr_t)fd);
        else if (fd == -EAGAIN)
            poll(&(struct pollfd){.fd = serving->listener, .events = POLLIN}, 1, -1);
        else if (fd != -ECONNABORTED && fd != -EINTR)
            fail("accept: %s", strerror(-fd));
    }
}
