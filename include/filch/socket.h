/* SPDX-License-Identifier: MIT */
/* What sockets of all kinds have in common, beside filch/fd.h. */
#ifndef FILCH_SOCKET_H
#define FILCH_SOCKET_H

#include <filch/address.h>
#include <filch/base.h>
#include <filch/fd.h>

FILCH_BEGIN_DECLS

/*
 * The address of a socket, or with `peer` that of the other side. Except on 0, `*address` is not written. A Unix socket
 * that was not bound has an address of family AF_UNIX without a path: "unix:".
 *
 * Returns  0
 *          -EBADF     it was closed, or `fd` is none
 *          -ENOTCONN  it has no other side
 *          -ENOTSOCK  it is no socket
 *          -EAFNOSUPPORT   of a family that a filch_address cannot be
 *          -EINVAL    `address` is NULL
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_fd_address(filch_fd fd, bool peer, filch_address *address);

/*
 * Sets the sizes of a socket's buffers in the kernel, in bytes; 0 leaves one as it is. The kernel makes what it likes of
 * them: it doubles them and has limits. For a listener: those of its connections.
 *
 * Returns  0, or -EBADF; or -EINVAL: a size is above INT_MAX; or -errno of setsockopt(2)
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_fd_set_buffers(filch_fd fd, size_t sending, size_t receiving);

/*
 * Times since the start of the program that an accept, by whichever call, had no descriptor or no memory (EMFILE, ENFILE,
 * ENOBUFS, ENOMEM) and slept before it tried again. From anywhere; does not wait.
 */
FILCH_API uint64_t filch_accept_shortages(void);

FILCH_END_DECLS

#endif
