/* SPDX-License-Identifier: MIT */
/*
 * Unix sockets: connections and datagrams within a machine, over which open descriptors can be sent, and which know who
 * the other side is. Addresses are paths or abstract names (filch/address.h). Bytes are moved by filch/fd.h, datagrams by
 * filch/udp.h; filch_tcp_shutdown and filch_serve serve here as well.
 *
 * A socket with a path leaves its file behind when it is closed: unlink(2) it. An abstract name goes with its socket.
 */
#ifndef FILCH_UNIX_H
#define FILCH_UNIX_H

#include <filch/address.h>
#include <filch/base.h>
#include <filch/fd.h>
#include <filch/socket.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* How to listen. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_unix_listen_options {
    int backlog;            /* connections that wait to be accepted; default: as many as the system allows */
    bool keep_stale;        /* a file that was left behind is an error; default: it is replaced */
    filch_runtime *runtime; /* default: the caller's, who must be a task then */
} filch_unix_listen_options;

/*
 * Listens for streams at `address`, a path or an abstract name. Except on 0, `*listener` is not written.
 *
 * Where the path is taken by a socket at which nobody listens any more (a connection to it is refused), the file is stale
 * and is replaced. What is no socket, and one at which somebody listens, is left alone. Two programs that find the same
 * stale file at the same moment may both replace it: the later one has the path then.
 *
 * Returns  0
 *          -EADDRINUSE  somebody listens there, or the file is stale and `keep_stale` set, or it is no socket
 *          -ENOENT, -ENOTDIR, -EACCES, -EROFS   the file cannot be made
 *          -EINVAL      an argument is NULL, `address` is not of this family, or `backlog` is negative
 *          -EMFILE, -ENFILE, -ENOMEM, -EPERM, -ESHUTDOWN   as filch_fd_adopt
 * Call     from a task, or from any thread that names a runtime
 * Waits    no (the file system may block the thread)
 */
FILCH_API FILCH_CHECK int filch_unix_listen(filch_fd *listener, const filch_address *address,
                                            const filch_unix_listen_options *options);

/* As filch_tcp_accept. `*peer` has a path only where the other side was bound to one. */
FILCH_API FILCH_CHECK int filch_unix_accept(filch_fd listener, filch_fd *connection, filch_address *peer,
                                            filch_deadline deadline);

/*
 * Connects to who listens at `address`. Where its queue is full, this tries again after sleeps of 1 ms and then up to
 * 50 ms, since the kernel tells nobody when there is room. Except on 0, `*connection` is not written.
 *
 * Returns  0
 *          -ENOENT, -ECONNREFUSED   nobody listens there
 *          -EPROTOTYPE  it is a socket for datagrams
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      an argument is NULL, or `address` is not of this family
 *          -EMFILE, -ENFILE, -ENOMEM, -EPERM, -ESHUTDOWN   as filch_fd_adopt
 * Call     from a task, or from any thread that names a runtime
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_unix_connect(filch_fd *connection, const filch_address *address,
                                             const filch_fd_options *options, filch_deadline deadline);

/*
 * Opens a socket for datagrams, at `local` and with the peer `peer`, each of which may be NULL. Who is to get answers needs
 * a local address. Files that were left behind are replaced as by filch_unix_listen. Sending waits where the receiver's
 * queue is full; to one that is not the socket's peer by sleeps of up to 10 ms, since the kernel tells nobody.
 *
 * Returns  0, or as filch_unix_listen; of the peer as filch_unix_connect
 * Call     from a task, or from any thread that names a runtime
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_unix_datagram(filch_fd *fd, const filch_address *local, const filch_address *peer,
                                              const filch_fd_options *options);

/*
 * Two sockets that are connected to each other: `kind` is SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. Except on 0, neither
 * is written.
 *
 * Returns  0, or -EINVAL; or -EMFILE, -ENFILE, -ENOMEM, -EPERM, -ESHUTDOWN as filch_fd_adopt
 * Call     from a task, or from any thread that names a runtime
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_unix_pair(filch_fd *one, filch_fd *other, int kind, const filch_fd_options *options);

/* --------------------------------------------------------------------------------------------------------- descriptors */

/* The most descriptors with one message. */
#define FILCH_UNIX_FDS_MAX 253u

/*
 * Sends up to `size` bytes, at least one, and with the first of them the open descriptors `numbers`: the receiver gets
 * descriptors of its own. They stay the caller's, who may close them afterwards. On an error nothing was sent.
 *
 * Returns  how many bytes, which may be fewer than `size`, with all descriptors
 *          -EBADF       `fd` was closed, or one of the numbers is no open descriptor
 *          -ETOOMANYREFS   too many are on their way
 *          -EPIPE, -ETIMEDOUT, -ECANCELED   as filch_fd_write
 *          -EINVAL      an array is NULL, `size` or `count` is 0, or `count` is above FILCH_UNIX_FDS_MAX
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK ssize_t filch_unix_send_fds(filch_fd fd, const void *data, size_t size, const int *numbers,
                                                  size_t count, filch_deadline deadline);

/* Descriptors that are received. */
typedef struct filch_unix_fds {
    int *numbers; /* written: they are the caller's, and are closed on exec; filch_fd_adopt them, or close(2) them */
    size_t room;  /* for how many */
    size_t count; /* written: how many there are */
    bool lost;    /* written: there were more than `room`, or than the process can have; those were closed */
} filch_unix_fds;

/*
 * Receives up to `size` bytes, at least one, and the descriptors that were sent with them. Of a stream, bytes that
 * were sent after descriptors are not received together with those; such that were sent before them may be. On an error
 * nothing was received.
 *
 * Returns  how many bytes; 0: the end
 *          -EMSGSIZE    a datagram had more than `size`; it is lost, and its descriptors are closed
 *          -ETIMEDOUT, -ECANCELED, -EBADF   as filch_fd_read
 *          -EINVAL      `buffer` or `fds` is NULL, `size` is 0, or `numbers` is NULL, and `room` is not 0; or `room` is
 *                       above FILCH_UNIX_FDS_MAX
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK ssize_t filch_unix_recv_fds(filch_fd fd, void *buffer, size_t size, filch_unix_fds *fds,
                                                  filch_deadline deadline);

/* Who has made the other side of a connection: at connect(2), or at listen(2), or of a pair. */
typedef struct filch_unix_credentials {
    pid_t process;
    uid_t user;
    gid_t group;
} filch_unix_credentials;

/*
 * Asks who is at the other side. The kernel says it, and it cannot be forged; the process may have ended since.
 *
 * Returns  0
 *          -ENOTCONN    nobody is
 *          -EINVAL      `credentials` is NULL
 *          -EBADF, -ENOTSOCK, or -EOPNOTSUPP: it is no Unix socket
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_unix_peer(filch_fd fd, filch_unix_credentials *credentials);

FILCH_END_DECLS

#endif
