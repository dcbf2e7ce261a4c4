/* SPDX-License-Identifier: MIT */
/*
 * Datagrams: UDP, and by the same calls those of Unix sockets (filch_unix_datagram opens them).
 *
 *     filch_fd fd;
 *     filch_address at = filch_address_ip4_loopback(5353), from;
 *     int error = filch_udp_open(&fd, &(filch_udp_options){.local = &at});
 *     bool truncated;
 *     ssize_t size = filch_udp_recv_from(fd, buffer, sizeof buffer, &from, &truncated, FILCH_NEVER);
 *     size = filch_udp_send_to(fd, buffer, (size_t)size, &from, FILCH_NEVER);
 *
 * A datagram is sent whole or not at all, and is received whole or cut off, which is said. One of no bytes is one too, and
 * no end. What a peer's system says of an earlier datagram (-ECONNREFUSED: nobody is there) may be the answer of a later
 * call, once.
 */
#ifndef FILCH_UDP_H
#define FILCH_UDP_H

#include <filch/address.h>
#include <filch/base.h>
#include <filch/fd.h>
#include <filch/socket.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* How to open. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_udp_options {
    const filch_address *local; /* to receive at; default: a free port, once something was sent */
    const filch_address *peer;  /* the only one to send to and receive from; default: everybody */
    int family;                 /* AF_INET or AF_INET6; default: that of the addresses, or else AF_INET */
    bool reuse_address;         /* several programs receive at the port what is sent to a group, or to all */
    bool reuse_port;            /* several sockets share the port, and the kernel its datagrams among them */
    bool ipv6_only;             /* IPv6 alone; default: IPv4 as well */
    bool broadcast;             /* may send to all of a net */
    filch_runtime *runtime;     /* default: the caller's, who must be a task then */
} filch_udp_options;

/*
 * Opens a socket for UDP. Except on 0, `*fd` is not written.
 *
 * Returns  0
 *          -EINVAL      `fd` is NULL, an address is neither IPv4 nor IPv6, or families do not agree
 *          -EADDRINUSE, -EADDRNOTAVAIL, -EACCES   as filch_tcp_listen
 *          -ENETUNREACH there is no way to `peer`
 *          -EMFILE, -ENFILE, -ENOMEM, -EPERM, -ESHUTDOWN   as filch_fd_adopt
 * Call     from a task, or from any thread that names a runtime
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_udp_open(filch_fd *fd, const filch_udp_options *options);

/*
 * Sends one datagram to `to`; NULL: to the socket's peer. Except on a size, nothing was sent.
 *
 * Returns  `size`
 *          -EMSGSIZE    too large for one datagram
 *          -EDESTADDRREQ, -ENOTCONN   `to` is NULL, and there is no peer
 *          -EACCES      to all of a net, without `broadcast`
 *          -ETIMEDOUT, -ECANCELED, -EBADF   as the calls of filch/fd.h
 *          -EINVAL      `data` is NULL, and `size` is not 0; or `to` is of another family (of IPv4, over a socket of IPv6
 *                       alone: -ENETUNREACH)
 *          -errno       what sendmsg(2) answered
 * Call     from a task or from any thread
 * Waits    yes, while the socket's buffer is full; a task may continue on another worker
 * Keeps    nothing
 */
FILCH_API FILCH_CHECK ssize_t filch_udp_send_to(filch_fd fd, const void *data, size_t size, const filch_address *to,
                                                filch_deadline deadline);

/*
 * Receives one datagram, waiting for one. Where it has more than `size` bytes, the rest is lost, and `*truncated` is true.
 * `from` and `truncated` may be NULL; without the latter, a datagram that is cut off is an error, and is lost. Otherwise,
 * on an error nothing was received or written.
 *
 * Returns  how many bytes were written to `buffer`, 0 for a datagram of none
 *          -EMSGSIZE    it had more than `size`, and `truncated` is NULL
 *          -ETIMEDOUT, -ECANCELED, -EBADF   as the calls of filch/fd.h
 *          -EINVAL      `buffer` is NULL, and `size` is not 0
 *          -errno       what recvmsg(2) answered
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK ssize_t filch_udp_recv_from(filch_fd fd, void *buffer, size_t size, filch_address *from,
                                                  bool *truncated, filch_deadline deadline);

/* One of several datagrams. */
typedef struct filch_datagram {
    void *data;
    size_t room;           /* receiving: how many bytes `data` has room for */
    size_t size;           /* sending: how many to send; receiving: how many were written to `data` */
    bool truncated;        /* receiving: it had more than `room`, and the rest is lost */
    filch_address address; /* sending: where to, zeroed for the socket's peer; receiving: where from */
} filch_datagram;

/*
 * Sends `count` datagrams, up to 32 with each system call, in their order. When it is cut short, the first so many have been
 * sent, and the others have not.
 *
 * Returns  how many were sent: `count`, or fewer: then the next one cannot be sent, and the next call says why
 *          -errno       as filch_udp_send_to: the first one could not
 *          -EINVAL      `datagrams` is NULL and `count` is not 0, `count` is above INT_MAX, or a datagram has a size and no
 *                       data; none was sent
 * Call     from a task or from any thread
 * Waits    yes, while the socket's buffer is full; a task may continue on another worker
 * Keeps    `datagrams` and their data until it returns
 */
FILCH_API FILCH_CHECK int filch_udp_send_many(filch_fd fd, const filch_datagram *datagrams, size_t count,
                                              filch_deadline deadline);

/*
 * Receives up to `count` datagrams, up to 32 with each system call: waits until there is one, and takes those that there
 * are then.
 *
 * Returns  how many were received; 0: `count` is 0
 *          -errno       as filch_udp_recv_from; none was received
 *          -EINVAL      `datagrams` is NULL and `count` is not 0, `count` is above INT_MAX, or a datagram has room and no
 *                       data
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    `datagrams` and their data until it returns
 */
FILCH_API FILCH_CHECK int filch_udp_recv_many(filch_fd fd, filch_datagram *datagrams, size_t count,
                                              filch_deadline deadline);

/*
 * Makes `peer` the only one to send to and receive from, or with NULL everybody again. What was received before stays.
 *
 * Returns  0, or -EBADF; or -EINVAL: it is of another family, or of none; or -errno of connect(2)
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_udp_connect(filch_fd fd, const filch_address *peer);

/*
 * Joins or leaves a group: what is sent to the group's address and the socket's port is received from then on. The port of
 * `group` is nothing. `interface` is the number of a network interface (if_nametoindex(3)), or 0: the system chooses.
 *
 * Returns  0
 *          -EADDRINUSE     joining: it is in the group already
 *          -EADDRNOTAVAIL  leaving: it is not
 *          -ENODEV      there is no such interface
 *          -EINVAL      `group` is NULL, or no group's address
 *          -EBADF, or -errno of setsockopt(2)
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_udp_join(filch_fd fd, const filch_address *group, unsigned interface);
FILCH_API FILCH_CHECK int filch_udp_leave(filch_fd fd, const filch_address *group, unsigned interface);

/*
 * How what is sent to groups is sent: over how many routers at most (0 to 255; the system begins with 1), through which
 * interface (0: the system chooses), and whether sockets of this machine that are in the group get it too (the system
 * begins with: yes).
 *
 * Returns  0, or -EINVAL: out of range; -ENODEV: no such interface; -EBADF; or -errno of setsockopt(2)
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_udp_set_ttl(filch_fd fd, int ttl);
FILCH_API FILCH_CHECK int filch_udp_set_interface(filch_fd fd, unsigned interface);
FILCH_API FILCH_CHECK int filch_udp_set_loop(filch_fd fd, bool loop);

/* Whether it may send to all of a net. 0, or -EBADF, or -errno of setsockopt(2). From anywhere; does not wait. */
FILCH_API FILCH_CHECK int filch_udp_set_broadcast(filch_fd fd, bool broadcast);

FILCH_END_DECLS

#endif
