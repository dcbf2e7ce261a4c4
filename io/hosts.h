/* SPDX-License-Identifier: MIT */
/* Files of the form of /etc/hosts. */
#ifndef FILCH_IO_HOSTS_H
#define FILCH_IO_HOSTS_H

#include <filch/address.h>

/*
 * Looks for `name` in the file at `path` and writes up to `max` of its addresses of `family` (AF_UNSPEC: any), with port 0,
 * in the order of the file. Upper and lower case are the same. Reads the file, which blocks.
 *
 * Returns how many there are; 0: none, or no such file; -ENOMEM.
 */
int filch__hosts_find(const char *path, const char *name, int family, filch_address *addresses, size_t max);

#endif
