/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/bench.h"

static const struct {
    const char *system;
    serve_fn *serve;
} servers[] = {
    {"epoll", serve_epoll}, {"io-uring", serve_io_uring},       {"pthread", serve_pthread},
    {"filch", serve_filch}, {"filch-uring", serve_filch_uring}, {0},
};

static const struct protocol *const protocols[] = {&echo_protocol, &http_hello_protocol, &http_file_protocol, NULL};

static serve_fn *server_named(const char *system) {
    unsigned place = 0;
    while (servers[place].system && strcmp(servers[place].system, system) != 0) place++;
    return servers[place].serve;
}

bool serve_has(const char *system) {
    return server_named(system) != NULL;
}

static const struct protocol *protocol_named(const char *what) {
    const struct protocol *const *protocol = protocols;
    while (*protocol && strcmp((*protocol)->what, what) != 0) protocol++;
    return *protocol;
}

/* By hand: a socket of its own, and where it is. */
static int listen_somewhere(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 4096) != 0)
        fail("cannot listen: %s", strerror(errno));
    getsockname(fd, (struct sockaddr *)&address, &length);
    printf("127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static int the_listener(void) {
    int listening = 0;
    socklen_t length = sizeof listening;
    if (getsockopt(LISTENER, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening) return LISTENER;
    return listen_somewhere();
}

int serve_main(int count, char **arguments) {
    if (count != 7) fail("a server wants: --serve what system workers hogs argument");
    const struct protocol *protocol = protocol_named(arguments[2]);
    serve_fn *serve = server_named(arguments[3]);
    if (!protocol || !serve) fail("%s by %s is not in this program", arguments[2], arguments[3]);
    struct serving serving = {.listener = the_listener(),
                              .workers = (unsigned)atoi(arguments[4]),
                              .hogs = (unsigned)atoi(arguments[5]),
                              .protocol = protocol};
    if (protocol->prepare) protocol->prepare(arguments[6]);
    fcntl(serving.listener, F_SETFL, O_NONBLOCK);
    serve(&serving);
    return 1;
}

int serve_accept(int listener, int flags) {
    int yes = 1, fd = accept4(listener, NULL, NULL, flags | SOCK_CLOEXEC);
    if (fd < 0) return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

bool serve_send(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t count = send(fd, data, size, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        data += count;
        size -= (size_t)count;
    }
    return true;
}

void serve_hog(void) {
    for (volatile uint64_t turns = 0;; turns++) continue;
}
