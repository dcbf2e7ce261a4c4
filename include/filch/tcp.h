/* SPDX-License-Identifier: MIT */
/*
 * TCP: listeners and connections. A connection is a filch_fd: filch/fd.h reads, writes and closes it.
 *
 *     filch_fd listener, connection;
 *     filch_address at = filch_address_ip4_loopback(8080);
 *     int error = filch_tcp_listen(&listener, &at, NULL);
 *     if (error == 0) error = filch_tcp_accept(listener, &connection, NULL, FILCH_NEVER);     filch/serve.h does it in a loop
 *
 *     error = filch_tcp_connect(&connection, "example.org", "80", NULL, filch_after(FILCH_SEC(10)));
 *
 * Options are set by the calls below, and others by setsockopt(2) on filch_fd_number.
 */
#ifndef FILCH_TCP_H
#define FILCH_TCP_H

#include <filch/address.h>
#include <filch/base.h>
#include <filch/fd.h>
#include <filch/socket.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* How to listen. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_tcp_listen_options {
    int backlog;            /* connections that wait to be accepted; default: as many as the system allows */
    bool reuse_port;        /* several listeners share the port, and the kernel its connections among them */
    bool no_reuse_address;  /* not while connections of an earlier listener are about to end; default: then too */
    bool ipv6_only;         /* at [::], IPv6 alone; default: IPv4 as well */
    filch_runtime *runtime; /* default: the caller's, who must be a task then */
} filch_tcp_listen_options;

/*
 * Listens at `address`, IPv4 or IPv6; filch_fd_address tells the port where it names none. Except on 0, `*listener` is not
 * written.
 *
 * Returns  0
 *          -EINVAL      an argument is NULL, `address` is neither IPv4 nor IPv6, or `backlog` is negative
 *          -EADDRINUSE  somebody else has it
 *          -EADDRNOTAVAIL   it is none of this machine's
 *          -EACCES      not allowed
 *          -EMFILE, -ENFILE, -ENOMEM, -EPERM, -ESHUTDOWN   as filch_fd_adopt
 * Call     from a task, or from any thread that names a runtime
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_tcp_listen(filch_fd *listener, const filch_address *address,
                                           const filch_tcp_listen_options *options);

/*
 * Accepts a connection, waiting for one. `*peer`, unless `peer` is NULL, says where it comes from. Except on 0, neither is
 * written, and no connection was taken out of the queue.
 *
 * A connection that was broken off while it waited is passed over. Where there is no descriptor or no memory for one, this
 * sleeps, 5 ms and then up to 100 ms at a time, and tries again; filch_accept_shortages counts, and a line on standard
 * error says so at most each 10 s. (A connection for which there was a descriptor but no memory is lost.) A listener that
 * is closed during such a sleep is found out after it.
 *
 * Returns  0
 *          -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM   `deadline` came before there was one
 *          -ETIMEDOUT   `deadline` passed first, and there was no connection
 *          -ECANCELED   the scope was cancelled first
 *          -EBADF       the listener was closed, before or meanwhile
 *          -EINVAL      `connection` is NULL, or `listener` is a connection
 *          -EOPNOTSUPP, -ENOTSOCK   `listener` is a socket that cannot listen, or none
 *          -errno       what accept4(2) answered
 * Call     from a task, whose runtime watches the connection then, or from any thread: then the listener's does; any number
 *          at once
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_tcp_accept(filch_fd listener, filch_fd *connection, filch_address *peer,
                                           filch_deadline deadline);

/* How to connect. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_tcp_connect_options {
    const filch_address
        *local;               /* where from; addresses of the other family are not tried; default: the system chooses */
    bool nodelay;             /* as filch_tcp_set_nodelay */
    int family;               /* AF_INET or AF_INET6; default: both */
    int64_t attempt_delay_ns; /* an attempt's time before the next begins beside it; at least 10 ms; default 250 ms */
    filch_runtime *runtime;   /* default: the caller's, who must be a task then */
} filch_tcp_connect_options;

/*
 * Looks `host` and `service` up as filch_resolve does, and connects to whichever address answers first (RFC 8305, "happy
 * eyeballs"): the addresses, of the two families in turn, are tried one after the other, each next one when the one before
 * it has failed, or has been tried for 250 ms, which then goes on beside it. The first to succeed is the connection; the
 * others are closed. At most 16 addresses are tried. Except on 0, `*connection` is not written, and nothing is left open.
 *
 * Returns  0
 *          what filch_resolve answers
 *          -errno       why the first address of all could not be connected to: -ECONNREFUSED, -EHOSTUNREACH ...
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `connection`, `host` or `service` is NULL, or an option is out of range
 *          -EMFILE, -ENFILE, -ENOMEM, -EPERM, -ESHUTDOWN   as filch_fd_adopt
 * Call     from a task, or from any thread that names a runtime
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_tcp_connect(filch_fd *connection, const char *host, const char *service,
                                            const filch_tcp_connect_options *options, filch_deadline deadline);

/* The same to one address, IPv4 or IPv6, without looking anything up. */
FILCH_API FILCH_CHECK int filch_tcp_connect_address(filch_fd *connection, const filch_address *address,
                                                    const filch_tcp_connect_options *options, filch_deadline deadline);

/*
 * Ends one direction of a connection or both: `how` is SHUT_RD, SHUT_WR or SHUT_RDWR. After SHUT_WR the other side reads
 * the end once it has read all that was written, and may still write. Of any stream socket, Unix ones too.
 *
 * Returns  0, or -EBADF; or -ENOTCONN: there is no connection (any more), or it listens; or -ENOTSOCK; or -EINVAL: `how` is
 *          none of them
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_tcp_shutdown(filch_fd connection, int how);

/*
 * Whether what is written is sent at once, however little it is: for who writes whole messages. Default: a small rest
 * waits until what was sent before has been acknowledged.
 *
 * Returns  0, or -EBADF, or -errno of setsockopt(2)
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_tcp_set_nodelay(filch_fd connection, bool nodelay);

/* When a connection over which nothing comes is asked for life; 0 in a field is the system's default. */
typedef struct filch_tcp_keepalive {
    int idle_s;     /* after so many seconds without a byte */
    int interval_s; /* again after so many without an answer */
    int count;      /* given up after so many: calls answer -ETIMEDOUT */
} filch_tcp_keepalive;

/*
 * Has the system ask the other side for life; `keepalive` NULL ends that.
 *
 * Returns  0, or -EBADF; or -EINVAL: a field is negative or too large; or -errno of setsockopt(2)
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_tcp_set_keepalive(filch_fd connection, const filch_tcp_keepalive *keepalive);

/*
 * What closing does with what has not been sent yet. By default the system goes on sending it. `seconds` 0: it is thrown
 * away, and the other side is told by a reset. Above that, closing would block the thread for so long, and is refused. -1
 * is the default again.
 *
 * Returns  0, or -EBADF; or -EINVAL: `seconds` is neither 0 nor -1; or -errno of setsockopt(2)
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_tcp_set_linger(filch_fd connection, int seconds);

FILCH_END_DECLS

#endif
