/* SPDX-License-Identifier: MIT */
/* Sockets: opened, bound, accepted, connected and asked, whatever their kind. */
#ifndef FILCH_IO_SOCKET_H
#define FILCH_IO_SOCKET_H

#include <filch/socket.h>

/*
 * Calls on a raw number, each 0 or -errno, and never inlined, for the reason that io/system.h gives. An option is a plain
 * int, or bytes. `address` of NULL, to be connected to: nobody any more. `backlog` 0: as many as the system allows.
 */
int filch__socket_set(int number, int level, int option, int value);
int filch__socket_set_bytes(int number, int level, int option, const void *value, size_t size);
int filch__socket_get(int number, int level, int option, int *value);
int filch__socket_bind(int number, const filch_address *address);
int filch__socket_listen(int number, int backlog);
int filch__socket_begin_connect(int number, const filch_address *address);
int filch__socket_name(int number, bool peer, filch_address *address);

/* Options of an adopted one: 0, -EBADF or another error. */
int filch__fd_set(filch_fd fd, int level, int option, int value);
int filch__fd_set_bytes(filch_fd fd, int level, int option, const void *value, size_t size);

/*
 * Has the library take charge of the socket `number`, for `runtime`, or with NULL for the caller's: 0, or -EPERM, -ESHUTDOWN,
 * or as filch_fd_adopt. On an error, or with one in `error` already, which it then answers, the number is closed. `tcp`: a
 * short read says that it is empty, which is so of nothing else (see filch__system_prepare).
 */
int filch__socket_take(filch_fd *fd, int number, bool tcp, filch_runtime *runtime, int error);

/*
 * Connects `fd`, a fresh socket, to `address`, and waits until that has come about. Where a Unix listener's queue is full,
 * of which the kernel tells nobody the end, it tries again after pauses. On an error it is closed, else it is `*connection`.
 */
int filch__socket_connect(filch_fd *connection, filch_fd fd, const filch_address *address, filch_deadline deadline);

/* As filch_tcp_accept, of any listener. */
int filch__accept(filch_fd listener, filch_fd *connection, filch_address *peer, filch_deadline deadline);

#endif
