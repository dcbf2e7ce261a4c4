/* SPDX-License-Identifier: MIT */
/*
 * Transports: a two-way stream of bytes behind a small table of functions, which anyone can implement. Streams
 * (filch/stream.h) and TLS (filch-tls) work over any of them: a descriptor, a TLS session, a pair in memory, your own.
 *
 * What a table must keep to: one task may read while another writes; two do not read at a time, and two do not write at a
 * time. Every call takes a deadline as all of filch's do, answers -ECANCELED in a cancelled scope, and -EBADF after
 * `close`. On an error nothing was moved.
 */
#ifndef FILCH_TRANSPORT_H
#define FILCH_TRANSPORT_H

#include <filch/address.h>
#include <filch/base.h>
#include <filch/fd.h>
#include <filch/time.h>
#include <sys/types.h>
#include <sys/uio.h>

FILCH_BEGIN_DECLS

/* `self` is the transport's. Those that may be NULL say so. */
typedef struct filch_transport_ops {
    const char *kind; /* for reports: "socket", "tls" */

    /* Reads at least one byte, or waits; 0: the other side will write no more (or `size` is 0). */
    ssize_t (*read)(void *self, void *buffer, size_t size, filch_deadline deadline);

    /* Writes at least one of the bytes of `parts`, which are not empty, or waits; may take fewer than all. */
    ssize_t (*write)(void *self, const struct iovec *parts, int count, filch_deadline deadline);

    /* Says to the other side that no more will be written: it reads the end. May be NULL: -EOPNOTSUPP. */
    int (*shutdown)(void *self, filch_deadline deadline);

    /* Ends both directions at once and wakes who waits. Does not wait. May be called more than once. */
    void (*close)(void *self);

    /* Frees what belongs to it. After `close`, when nobody is in a call any more. May be NULL. */
    void (*destroy)(void *self);

    /* Its own address, or that of the other side. May be NULL: -EOPNOTSUPP. */
    int (*address)(void *self, bool peer, filch_address *address);

    /* The descriptor below, where bytes written to it are as good as written to the transport (for sendfile). May be NULL. */
    filch_fd (*descriptor)(void *self);

    /*
     * Sends what the transport itself still holds of the bytes that writes have moved (TLS, where a write was cut short
     * behind a record), or waits; 0: it holds none. By whoever may write. May be NULL: it never holds any.
     */
    int (*flush)(void *self, filch_deadline deadline);
} filch_transport_ops;

/* A transport, by value. */
typedef struct filch_transport {
    const filch_transport_ops *ops;
    void *self;
} filch_transport;

/*
 * Makes a transport of descriptor `fd`, which is the transport's from here on. Except on 0 it is still the caller's,
 * and `*transport` is not written. A socket can be shut down and has addresses; what is no socket answers -EOPNOTSUPP.
 *
 * Returns  0         for `ops->close` and `ops->destroy`
 *          -EINVAL   `transport` is NULL
 *          -EBADF    `fd` is closed, or none
 *          -ENOMEM   no memory
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_transport_open_fd(filch_transport *transport, filch_fd fd);

FILCH_END_DECLS

#endif
