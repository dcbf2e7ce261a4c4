/* SPDX-License-Identifier: MIT */
/* The race of attempts to connect, for tests. */
#ifndef FILCH_IO_HAPPY_EYEBALLS_H
#define FILCH_IO_HAPPY_EYEBALLS_H

#include <filch/tcp.h>

/* Puts addresses of different families in turn, without changing the order within a family; the first stays first. */
void filch__interleave(filch_address *addresses, int count);

/* As filch_tcp_connect, to whichever of `addresses`, at most 16, answers first. Interleaves them. */
int filch__connect_to_any(filch_fd *connection, filch_address *addresses, int count,
                          const filch_tcp_connect_options *options, filch_deadline deadline);

#endif
