/* SPDX-License-Identifier: MIT */
/* Of addresses, what the other files of io/ need beside filch/address.h. */
#ifndef FILCH_IO_ADDRESS_H
#define FILCH_IO_ADDRESS_H

#include <filch/address.h>

/* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC of none and of NULL. */
int filch__address_family(const filch_address *address);

/*
 * After the kernel has written it: of a path that fills its place to the last byte the length counts a zero in that would
 * come after it, and is longer than what there is room for.
 */
static inline void filch__address_told(filch_address *address) {
    if (address->length > sizeof address->local) address->length = sizeof address->local;
}

/* Nothing where the address has no port. */
void filch__address_set_port(filch_address *address, uint16_t port);

/* Reads a port, digits only, and a host as digits, IPv4 or IPv6 without brackets. False: it is of no such form. */
bool filch__port_parse(const char *text, uint16_t *port);
bool filch__host_parse(filch_address *address, const char *host, uint16_t port);

#endif
