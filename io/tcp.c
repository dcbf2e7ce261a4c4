/* SPDX-License-Identifier: MIT */
#include <filch/tcp.h>
#include <netinet/tcp.h>

#include "io/address.h"
#include "io/attempt.h"
#include "io/io.h"
#include "io/socket.h"
#include "io/tcp.h"

static bool is_internet(int family) {
    return family == AF_INET || family == AF_INET6;
}

/* ----------------------------------------------------------------------------------------------------------- listening */

static int set_up_listener(int number, const filch_address *address, const filch_tcp_listen_options *options) {
    int error = 0;
    if (!options->no_reuse_address) error = filch__socket_set(number, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && options->reuse_port) error = filch__socket_set(number, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0 && filch__address_family(address) == AF_INET6) {
        error = filch__socket_set(number, IPPROTO_IPV6, IPV6_V6ONLY, options->ipv6_only);
    }
    if (error == 0) error = filch__socket_bind(number, address);
    return error != 0 ? error : filch__socket_listen(number, options->backlog);
}

int filch_tcp_listen(filch_fd *listener, const filch_address *address, const filch_tcp_listen_options *options) {
    static const filch_tcp_listen_options defaults;
    if (options == NULL) options = &defaults;
    int family = filch__address_family(address);
    if (listener == NULL || !is_internet(family) || options->backlog < 0) return -EINVAL;
    int number = filch__system_socket(family, SOCK_STREAM, 0);
    if (number < 0) return number;
    return filch__socket_take(listener, number, true, options->runtime, set_up_listener(number, address, options));
}

int filch_tcp_accept(filch_fd listener, filch_fd *connection, filch_address *peer, filch_deadline deadline) {
    return filch__accept(listener, connection, peer, deadline);
}

/* ---------------------------------------------------------------------------------------------------------- connecting */

bool filch__tcp_options_are_valid(const filch_tcp_connect_options *options) {
    int local = filch__address_family(options->local);
    return (options->family == AF_UNSPEC || is_internet(options->family)) &&
           (options->local == NULL || is_internet(local)) &&
           (options->attempt_delay_ns == 0 || options->attempt_delay_ns >= FILCH_MS(10));
}

/* Without a port of its own, the local address need not have one to itself before it is known who the other side is. */
static int bind_local(int number, const filch_address *local) {
    if (filch_address_port(local) == 0) {
        int error = filch__socket_set(number, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (error != 0) return error;
    }
    return filch__socket_bind(number, local);
}

static int open_for(const filch_address *address, const filch_tcp_connect_options *options, filch_fd *fd) {
    int number = filch__system_socket(filch__address_family(address), SOCK_STREAM, 0);
    if (number < 0) return number;
    int error = options->nodelay ? filch__socket_set(number, IPPROTO_TCP, TCP_NODELAY, 1) : 0;
    if (error == 0 && options->local != NULL) error = bind_local(number, options->local);
    return filch__socket_take(fd, number, true, options->runtime, error);
}

int filch__tcp_attempt(filch_fd *connection, const filch_address *address, const filch_tcp_connect_options *options,
                       filch_deadline deadline) {
    filch_fd fd;
    int error = open_for(address, options, &fd);
    return error != 0 ? error : filch__socket_connect(connection, fd, address, deadline);
}

int filch_tcp_connect_address(filch_fd *connection, const filch_address *address,
                              const filch_tcp_connect_options *options, filch_deadline deadline) {
    static const filch_tcp_connect_options defaults;
    if (options == NULL) options = &defaults;
    if (connection == NULL || !is_internet(filch__address_family(address))) return -EINVAL;
    if (!filch__tcp_options_are_valid(options)) return -EINVAL;
    return filch__tcp_attempt(connection, address, options, deadline);
}

/* ------------------------------------------------------------------------------------------------------------- options */

/* It would end a listener, for those who have it open in other processes too. */
static never_inline ssize_t shut_down(int number, void *arg) {
    int listens = 0, error = filch__socket_get(number, SOL_SOCKET, SO_ACCEPTCONN, &listens);
    if (error != 0 || listens) return error != 0 ? error : -ENOTCONN;
    return shutdown(number, *(int *)arg) == 0 ? 0 : -errno;
}

int filch_tcp_shutdown(filch_fd connection, int how) {
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return -EINVAL;
    return (int)filch__attempt_once(connection, shut_down, &how);
}

int filch_tcp_set_nodelay(filch_fd connection, bool nodelay) {
    return filch__fd_set(connection, IPPROTO_TCP, TCP_NODELAY, nodelay);
}

int filch_tcp_set_keepalive(filch_fd connection, const filch_tcp_keepalive *keepalive) {
    if (keepalive == NULL) return filch__fd_set(connection, SOL_SOCKET, SO_KEEPALIVE, 0);
    const int values[] = {keepalive->idle_s, keepalive->interval_s, keepalive->count};
    const int options[] = {TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT};
    for (int i = 0; i < 3; i++) {
        if (values[i] < 0) return -EINVAL;
        int error = values[i] == 0 ? 0 : filch__fd_set(connection, IPPROTO_TCP, options[i], values[i]);
        if (error != 0) return error;
    }
    return filch__fd_set(connection, SOL_SOCKET, SO_KEEPALIVE, 1);
}

int filch_tcp_set_linger(filch_fd connection, int seconds) {
    if (seconds != 0 && seconds != -1) return -EINVAL;
    struct linger linger = {.l_onoff = seconds == 0};
    return filch__fd_set_bytes(connection, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}
