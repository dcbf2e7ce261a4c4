/* SPDX-License-Identifier: MIT */
/*
 * Addresses of sockets: IPv4, IPv6 and Unix, those in the abstract namespace included. As text:
 *
 *     127.0.0.1:80   [::1]:80   [fe80::1%eth0]:80   unix:/run/server.sock   unix:@abstract
 */
#ifndef FILCH_ADDRESS_H
#define FILCH_ADDRESS_H

#include <filch/base.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

FILCH_BEGIN_DECLS

/* An address, by value. Zeroed: none. */
typedef struct filch_address {
    socklen_t length; /* of what follows that is used */
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
        struct sockaddr_un local;
    };
} filch_address;

/* Room for any address as text, its zero included. */
#define FILCH_ADDRESS_TEXT_MAX 128

/*
 * Reads an address in the form above; names are not looked up (filch/resolve.h does). Except on 0, `*address` is not
 * written.
 *
 * Returns  0, or -EINVAL: `text` is not of that form, or an argument is NULL
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_address_parse(filch_address *address, const char *text);

/*
 * Writes it as text into `text`, `size` bytes with the zero, cut off where that is too few. "" for none.
 *
 * Returns  `text`
 */
FILCH_API const char *filch_address_format(const filch_address *address, char *text, size_t size);

/* Addresses of all interfaces (`ip4_any`, `ip6_any`) and of this machine alone, with a port; 0: one that is free. */
FILCH_API filch_address filch_address_ip4_any(uint16_t port);
FILCH_API filch_address filch_address_ip6_any(uint16_t port);
FILCH_API filch_address filch_address_ip4_loopback(uint16_t port);
FILCH_API filch_address filch_address_ip6_loopback(uint16_t port);

/* The port of an IPv4 or IPv6 address, or 0. */
FILCH_API uint16_t filch_address_port(const filch_address *address);

/* Whether they name the same family, host, port and path. */
FILCH_API bool filch_address_equal(const filch_address *a, const filch_address *b);

FILCH_END_DECLS

#endif
