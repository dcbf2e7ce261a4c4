/* SPDX-License-Identifier: MIT */
/*
 * The bare loop: one thread, one epoll(7) descriptor, connections registered once and edge-triggered. A short
 * read means that there is no more until the next event: a request costs one recv and one send.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/bench.h"
#include "serve.h"

enum { EVENTS = 256 };

struct talk {
    int fd;
    char *unsent; /* what the socket did not take, or NULL */
    size_t unsent_size;
    max_align_t state[];
};

struct loop {
    const struct protocol *protocol;
    int epoll;
    char *room;
    char input[INPUT_SIZE];
};

static void end(struct loop *loop, struct talk *talk) {
    if (loop->protocol->end) loop->protocol->end(talk->state);
    close(talk->fd);
    free(talk->unsent);
    free(talk);
}

/* Sends what goes; keeps the rest. False where the other end is gone. */
static bool say(struct talk *talk, const char *data, size_t size) {
    ssize_t count = talk->unsent ? 0 : send(talk->fd, data, size, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return false;
    size_t sent = count > 0 ? (size_t)count : 0;
    if (sent == size) return true;
    talk->unsent = realloc(talk->unsent, talk->unsent_size + size - sent);
    if (!talk->unsent) fail("no memory");
    memcpy(talk->unsent + talk->unsent_size, data + sent, size - sent);
    talk->unsent_size += size - sent;
    return true;
}

/* Sends what was kept. False where the other end is gone. */
static bool say_rest(struct talk *talk) {
    char *rest = talk->unsent;
    size_t size = talk->unsent_size;
    talk->unsent = NULL;
    talk->unsent_size = 0;
    bool said = !rest || say(talk, rest, size);
    free(rest);
    return said;
}

static bool answer(struct loop *loop, struct talk *talk, size_t count) {
    const char *in = loop->input, *out;
    ssize_t length;
    while ((length = loop->protocol->answer(talk->state, &in, &count, loop->room, &out)) > 0)
        if (!say(talk, out, (size_t)length)) return false;
    return length == 0;
}

/* Reads while there may be something, unless the other end does not take what it is answered. False at the end. */
static bool hear(struct loop *loop, struct talk *talk, bool to_the_end) {
    while (!talk->unsent) {
        ssize_t count = recv(talk->fd, loop->input, INPUT_SIZE, 0);
        if (count < 0) return errno == EAGAIN || errno == EINTR;
        if (count == 0 || !answer(loop, talk, (size_t)count)) return false;
        if (count < INPUT_SIZE && !to_the_end) return true;
    }
    return true;
}

static void meet(struct loop *loop, int listener) {
    for (int fd; (fd = serve_accept(listener, SOCK_NONBLOCK)) != -EAGAIN;) {
        if (fd == -ECONNABORTED || fd == -EINTR) continue;
        if (fd < 0) fail("accept: %s", strerror(-fd));
        struct talk *talk = calloc(1, sizeof *talk + loop->protocol->state);
        if (!talk) fail("no memory");
        talk->fd = fd;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = talk};
        if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
        if (!hear(loop, talk, false)) end(loop, talk);
    }
}

static void handle(struct loop *loop, struct talk *talk, unsigned events) {
    bool was_full = talk->unsent != NULL;
    bool alive = !was_full || say_rest(talk);
    bool to_the_end = was_full || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    if (alive && (to_the_end || (events & EPOLLIN))) alive = hear(loop, talk, to_the_end);
    if (!alive) end(loop, talk);
}

void serve_epoll(const struct serving *serving) {
    static struct loop loop;
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN | EPOLLET};
    loop.protocol = serving->protocol;
    loop.room = must_alloc(loop.protocol->room);
    loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(loop.epoll, EPOLL_CTL_ADD, serving->listener, &event) != 0) fail("epoll: %s", strerror(errno));
    for (;;) {
        int count = epoll_wait(loop.epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                handle(&loop, events[i].data.ptr, events[i].events);
            else
                meet(&loop, serving->listener);
        }
    }
}
