/* SPDX-License-Identifier: MIT */
/* What the race of attempts in io/happy_eyeballs.c needs of io/tcp.c. */
#ifndef FILCH_IO_TCP_H
#define FILCH_IO_TCP_H

#include <filch/tcp.h>

bool filch__tcp_options_are_valid(const filch_tcp_connect_options *options);

/* As filch_tcp_connect_address, of arguments that are known to be valid. */
int filch__tcp_attempt(filch_fd *connection, const filch_address *address, const filch_tcp_connect_options *options,
                       filch_deadline deadline);

#endif
