/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <filch/udp.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "io/address.h"
#include "io/attempt.h"
#include "io/io.h"
#include "io/socket.h"

#define SEND_PAUSE_MIN_NS FILCH_US(100)
#define SEND_PAUSE_MAX_NS FILCH_MS(10)

/* ------------------------------------------------------------------------------------------------------------- opening */

/* The family that options and addresses agree on; AF_UNSPEC: they do not, or it is none of UDP's. */
static int agree(const filch_udp_options *options) {
    int given[] = {options->family, filch__address_family(options->local), filch__address_family(options->peer)};
    int family = AF_UNSPEC;
    if (options->local != NULL && given[1] == AF_UNSPEC) return AF_UNSPEC;
    if (options->peer != NULL && given[2] == AF_UNSPEC) return AF_UNSPEC;
    for (int i = 0; i < 3; i++) {
        if (given[i] == AF_UNSPEC) continue;
        if (family != AF_UNSPEC && given[i] != family) return AF_UNSPEC;
        family = given[i];
    }
    if (family == AF_UNSPEC) return AF_INET;
    return family == AF_INET || family == AF_INET6 ? family : AF_UNSPEC;
}

static int set_up(int number, int family, const filch_udp_options *options) {
    int error = 0;
    if (options->reuse_address) error = filch__socket_set(number, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && options->reuse_port) error = filch__socket_set(number, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0 && options->broadcast) error = filch__socket_set(number, SOL_SOCKET, SO_BROADCAST, 1);
    if (error == 0 && family == AF_INET6) {
        error = filch__socket_set(number, IPPROTO_IPV6, IPV6_V6ONLY, options->ipv6_only);
    }
    if (error == 0 && options->local != NULL) error = filch__socket_bind(number, options->local);
    if (error == 0 && options->peer != NULL) error = filch__socket_begin_connect(number, options->peer);
    return error;
}

int filch_udp_open(filch_fd *fd, const filch_udp_options *options) {
    static const filch_udp_options defaults;
    if (options == NULL) options = &defaults;
    int family = agree(options);
    if (fd == NULL || family == AF_UNSPEC) return -EINVAL;
    int number = filch__system_socket(family, SOCK_DGRAM, 0);
    if (number < 0) return number;
    return filch__socket_take(fd, number, false, options->runtime, set_up(number, family, options));
}

static ssize_t connect_to(int number, void *arg) {
    return filch__socket_begin_connect(number, arg);
}

/* An address of another family: the kernel has two answers to that, which differ by the socket's and by the call. */
static ssize_t told(ssize_t answer) {
    return answer == -EAFNOSUPPORT ? -EINVAL : answer;
}

int filch_udp_connect(filch_fd fd, const filch_address *peer) {
    if (peer != NULL && filch__address_family(peer) == AF_UNSPEC) return -EINVAL;
    return (int)told(filch__attempt_once(fd, connect_to, (void *)(uintptr_t)peer));
}

/* --------------------------------------------------------------------------------------------------------- one datagram */

/*
 * Makes `fn(number, arg)`, a call that sends to `to`. Where that is a Unix socket whose queue is full, and not the peer of
 * this one, the kernel says that this one is writable all the time, and nothing when there is room.
 */
static ssize_t send_by(filch_fd fd, filch__attempt_fn *fn, void *arg, const filch_address *to,
                       filch_deadline deadline) {
    if (filch__address_family(to) != AF_UNIX) return filch__attempt(fd, TO_WRITE, fn, arg, deadline);
    int64_t pause_ns = SEND_PAUSE_MIN_NS;
    if (filch__cancelled()) return -ECANCELED;
    ssize_t answer;
    while ((answer = filch__attempt_once(fd, fn, arg)) == -EAGAIN) {
        int error = filch__pause(&pause_ns, SEND_PAUSE_MAX_NS, deadline);
        if (error != 0) return error;
    }
    filch__spend();
    return answer;
}

static ssize_t send_message(int number, void *arg) {
    return filch__system_sendmsg(number, arg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t filch_udp_send_to(filch_fd fd, const void *data, size_t size, const filch_address *to,
                          filch_deadline deadline) {
    if (data == NULL && size != 0) return -EINVAL;
    struct iovec part = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (to != NULL) {
        message.msg_name = (void *)(uintptr_t)&to->any;
        message.msg_namelen = to->length;
    }
    return told(send_by(fd, send_message, &message, to, deadline));
}

ssize_t filch_udp_recv_from(filch_fd fd, void *buffer, size_t size, filch_address *from, bool *truncated,
                            filch_deadline deadline) {
    if (buffer == NULL && size != 0) return -EINVAL;
    filch_address sender = {0};
    struct iovec part = {buffer, size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_name = &sender.any, .msg_namelen = sizeof sender.local};
    ssize_t got = filch_fd_recvmsg(fd, &message, 0, deadline);
    if (got < 0) return got;
    bool cut = message.msg_flags & MSG_TRUNC;
    if (cut && truncated == NULL) return -EMSGSIZE;
    if (truncated != NULL) *truncated = cut;
    sender.length = message.msg_namelen;
    filch__address_told(&sender);
    if (from != NULL) *from = sender;
    return got;
}

/* ------------------------------------------------------------------------------------------------------------- several */

enum { BATCH = 32 }; /* their headers stand on the stack: 2,560 bytes */

struct batch {
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    unsigned count;
};

static void batch_add(struct batch *batch, void *data, size_t size, const filch_address *address, socklen_t length) {
    unsigned i = batch->count++;
    batch->parts[i] = (struct iovec){data, size};
    batch->headers[i].msg_hdr = (struct msghdr){.msg_iov = &batch->parts[i], .msg_iovlen = 1};
    if (length == 0) return;
    batch->headers[i].msg_hdr.msg_name = (void *)(uintptr_t)&address->any;
    batch->headers[i].msg_hdr.msg_namelen = length;
}

static never_inline ssize_t send_batch(int number, void *arg) {
    struct batch *batch = arg;
    int sent;
    do {
        sent = sendmmsg(number, batch->headers, batch->count, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : -errno;
}

static never_inline ssize_t receive_batch(int number, void *arg) {
    struct batch *batch = arg;
    int received;
    do {
        received = recvmmsg(number, batch->headers, batch->count, MSG_DONTWAIT, NULL);
    } while (received < 0 && errno == EINTR);
    return received >= 0 ? received : -errno;
}

static bool are_valid(const filch_datagram *datagrams, size_t count, bool sending) {
    if ((datagrams == NULL && count != 0) || count > INT_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        size_t size = sending ? datagrams[i].size : datagrams[i].room;
        if (datagrams[i].data == NULL && size != 0) return false;
    }
    return true;
}

/* Sends the first so many, as many as one call takes. */
static ssize_t send_some(filch_fd fd, const filch_datagram *datagrams, size_t count, filch_deadline deadline) {
    struct batch batch = {.count = 0};
    for (size_t i = 0; i < count && i < BATCH; i++) {
        batch_add(&batch, datagrams[i].data, datagrams[i].size, &datagrams[i].address, datagrams[i].address.length);
    }
    return told(send_by(fd, send_batch, &batch, &datagrams[0].address, deadline));
}

int filch_udp_send_many(filch_fd fd, const filch_datagram *datagrams, size_t count, filch_deadline deadline) {
    size_t sent = 0;
    if (!are_valid(datagrams, count, true)) return -EINVAL;
    while (sent < count) {
        ssize_t more = send_some(fd, datagrams + sent, count - sent, deadline);
        if (more < 0) return sent > 0 ? (int)sent : (int)more;
        sent += (size_t)more;
    }
    return (int)sent;
}

static ssize_t receive_some(filch_fd fd, filch_datagram *datagrams, size_t count, filch_deadline deadline) {
    struct batch batch = {.count = 0};
    for (size_t i = 0; i < count && i < BATCH; i++) {
        batch_add(&batch, datagrams[i].data, datagrams[i].room, &datagrams[i].address, sizeof(struct sockaddr_un));
    }
    ssize_t received = filch__attempt(fd, TO_READ, receive_batch, &batch, deadline);
    for (ssize_t i = 0; i < received; i++) {
        datagrams[i].size = batch.headers[i].msg_len;
        datagrams[i].truncated = batch.headers[i].msg_hdr.msg_flags & MSG_TRUNC;
        datagrams[i].address.length = batch.headers[i].msg_hdr.msg_namelen;
        filch__address_told(&datagrams[i].address);
    }
    return received;
}

/* After a full batch there may be more, for which it does not wait. */
int filch_udp_recv_many(filch_fd fd, filch_datagram *datagrams, size_t count, filch_deadline deadline) {
    size_t received = 0;
    if (!are_valid(datagrams, count, false)) return -EINVAL;
    while (received < count) {
        filch_deadline until = received == 0 ? deadline : (filch_deadline){0};
        ssize_t more = receive_some(fd, datagrams + received, count - received, until);
        if (more < 0) return received > 0 ? (int)received : (int)more;
        received += (size_t)more;
        if (more < BATCH) break;
    }
    return (int)received;
}

/* -------------------------------------------------------------------------------------------------------------- groups */

/* AF_INET or AF_INET6, or -errno: to which level an option of this socket belongs. */
static int family_of(filch_fd fd) {
    filch_address address;
    int error = filch_fd_address(fd, false, &address);
    if (error != 0) return error;
    int family = filch__address_family(&address);
    return family == AF_INET || family == AF_INET6 ? family : -EOPNOTSUPP;
}

static bool is_group(const filch_address *address) {
    int family = filch__address_family(address);
    if (family == AF_INET) return IN_MULTICAST(ntohl(address->ip4.sin_addr.s_addr));
    return family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&address->ip6.sin6_addr);
}

static int set_membership(filch_fd fd, const filch_address *group, unsigned interface, int option) {
    if (!is_group(group) || interface > INT_MAX) return -EINVAL;
    struct group_req request = {.gr_interface = interface};
    memcpy(&request.gr_group, &group->any, group->length);
    int level = filch__address_family(group) == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    return filch__fd_set_bytes(fd, level, option, &request, sizeof request);
}

int filch_udp_join(filch_fd fd, const filch_address *group, unsigned interface) {
    return set_membership(fd, group, interface, MCAST_JOIN_GROUP);
}

int filch_udp_leave(filch_fd fd, const filch_address *group, unsigned interface) {
    return set_membership(fd, group, interface, MCAST_LEAVE_GROUP);
}

int filch_udp_set_ttl(filch_fd fd, int ttl) {
    if (ttl < 0 || ttl > 255) return -EINVAL;
    int family = family_of(fd);
    if (family < 0) return family;
    return family == AF_INET ? filch__fd_set(fd, IPPROTO_IP, IP_MULTICAST_TTL, ttl)
                             : filch__fd_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl);
}

int filch_udp_set_interface(filch_fd fd, unsigned interface) {
    if (interface > INT_MAX) return -EINVAL;
    int family = family_of(fd);
    if (family < 0) return family;
    if (family == AF_INET6) return filch__fd_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface);
    struct ip_mreqn request = {.imr_ifindex = (int)interface};
    int error = filch__fd_set_bytes(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
    return error == -EADDRNOTAVAIL ? -ENODEV : error; /* what IPv4 says of an interface that there is not */
}

int filch_udp_set_loop(filch_fd fd, bool loop) {
    int family = family_of(fd);
    if (family < 0) return family;
    return family == AF_INET ? filch__fd_set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, loop)
                             : filch__fd_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, loop);
}

int filch_udp_set_broadcast(filch_fd fd, bool broadcast) {
    return filch__fd_set(fd, SOL_SOCKET, SO_BROADCAST, broadcast);
}
