/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

/* Both ends of a connection. */
struct pair {
    int near, far; /* who asks, who answers */
};

static char input[64 * 1024];

static int64_t thread_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static int open_listener(struct sockaddr_in *address) {
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)address, length) != 0 || listen(fd, 4096) != 0)
        fail("cannot listen: %s", strerror(errno));
    getsockname(fd, (struct sockaddr *)address, &length);
    return fd;
}

static int connect_to(const struct sockaddr_in *address) {
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        fail("cannot connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static int accept_from(int listener) {
    int yes = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) fail("cannot accept: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void put(int fd, const char *data, size_t size) {
    if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) fail("cannot send: %s", strerror(errno));
}

static void take(int fd, size_t size) {
    for (size_t got = 0; got < size;) {
        ssize_t count = recv(fd, input, sizeof input, 0);
        if (count <= 0) fail("cannot receive: %s", count ? strerror(errno) : "the end");
        got += (size_t)count;
    }
}

static void reset(int fd) {
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd);
}

/* A request on each connection, and its answer; returns what the answering took. */
static int64_t serve_once(const struct floor_work *work, const struct pair *pairs, unsigned count) {
    for (unsigned i = 0; i < count; i++) put(pairs[i].near, work->request, work->request_size);
    int64_t begin = thread_ns();
    for (unsigned i = 0; i < count; i++) {
        take(pairs[i].far, work->request_size);
        put(pairs[i].far, work->reply, work->reply_size);
    }
    int64_t used = thread_ns() - begin;
    for (unsigned i = 0; i < count; i++) take(pairs[i].near, work->reply_size);
    return used;
}

static int64_t serve_flow(const struct floor_work *work, struct run *run, struct pair *pairs, unsigned count) {
    int64_t used = 0;
    serve_once(work, pairs, count);
    for (int64_t done = 0; done < run->n; done += count) {
        unsigned now = run->n - done < count ? (unsigned)(run->n - done) : count;
        used += serve_once(work, pairs, now);
    }
    return used;
}

static int64_t serve_storm(const struct floor_work *work, struct run *run, struct pair *pairs, unsigned count,
                           int listener, const struct sockaddr_in *address) {
    int64_t used = 0;
    for (int64_t done = 0; done < run->n; done += count) {
        unsigned now = run->n - done < count ? (unsigned)(run->n - done) : count;
        for (unsigned i = 0; i < now; i++) pairs[i].near = connect_to(address);
        int64_t begin = thread_ns();
        for (unsigned i = 0; i < now; i++) pairs[i].far = accept_from(listener);
        used += thread_ns() - begin + serve_once(work, pairs, now);
        for (unsigned i = 0; i < now; i++) reset(pairs[i].near);
        begin = thread_ns();
        for (unsigned i = 0; i < now; i++) {
            if (recv(pairs[i].far, input, 1, 0) >= 0) fail("the other end was not reset");
            close(pairs[i].far);
        }
        used += thread_ns() - begin;
    }
    return used;
}

static void allow_descriptors(unsigned wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    if (limit.rlim_max < wanted) skip("the limit of descriptors is %llu", (unsigned long long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

uint64_t net_floor(struct run *run, const struct floor_work *work) {
    struct sockaddr_in address;
    unsigned count = work->connections < run->n ? work->connections : (unsigned)run->n;
    if (count > 9000) count = 9000; /* two descriptors each, and 20,000 is what many systems allow */
    allow_descriptors(2 * count + 64);
    struct pair *pairs = must_alloc(count * sizeof *pairs);
    int listener = open_listener(&address);
    for (unsigned i = 0; i < count && !work->storm; i++) {
        pairs[i].near = connect_to(&address);
        pairs[i].far = accept_from(listener);
    }
    run->charged_ns =
        work->storm ? serve_storm(work, run, pairs, count, listener, &address) : serve_flow(work, run, pairs, count);
    for (unsigned i = 0; i < count && !work->storm; i++) {
        reset(pairs[i].near);
        close(pairs[i].far);
    }
    close(listener);
    free(pairs);
    return (uint64_t)run->n;
}
