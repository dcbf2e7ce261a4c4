/* SPDX-License-Identifier: MIT */
/* The door of io/ within the library: what its sockets, files and processes are made of. */
#ifndef FILCH_IO_IO_H
#define FILCH_IO_IO_H

#include <filch/fd.h>

#include "io/record.h"
#include "io/system.h"

/*
 * Takes charge of a socket that is non-blocking already, for `runtime`: as filch_fd_adopt, without the system calls. On an
 * error the number is closed. `tcp`: it is TCP, whose short reads say that it is empty.
 */
int filch__fd_take(filch_fd *fd, int number, bool tcp, struct filch_runtime *runtime);

/* The runtime that watches an open descriptor, or NULL. */
struct filch_runtime *filch__fd_runtime(filch_fd fd);

#endif
