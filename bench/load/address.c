/* SPDX-License-Identifier: MIT */
/* Addresses as text. Only the machine itself is taken: a load is not to be sent to others by a slip. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

/* Parts `text` at its last colon; the host without brackets. False where it does not look so. */
static bool part(const char *text, char *host, size_t room, unsigned long *port) {
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= room) return false;
    char *end;
    *port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || *port < 1 || *port > 65535) return false;
    size_t length = (size_t)(colon - text);
    if (length > 1 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    memcpy(host, text, length);
    host[length] = 0;
    return true;
}

const char *load_address_parse(struct load_address *address, const char *text) {
    char host[64];
    unsigned long port;
    struct load_address parsed = {0};
    if (!part(text, host, sizeof host, &port)) return "an address looks like 127.0.0.1:8080 or [::1]:8080";
    if (host[0] == 0 || strcmp(host, "localhost") == 0) strcpy(host, "127.0.0.1");
    if (inet_pton(AF_INET, host, &parsed.socket.v4.sin_addr) == 1) {
        if (ntohl(parsed.socket.v4.sin_addr.s_addr) >> 24 != 127) return "only addresses of this machine, 127.0.0.0/8";
        parsed.socket.v4.sin_family = AF_INET;
        parsed.socket.v4.sin_port = htons((uint16_t)port);
        parsed.length = sizeof parsed.socket.v4;
    } else if (inet_pton(AF_INET6, host, &parsed.socket.v6.sin6_addr) == 1) {
        if (!IN6_IS_ADDR_LOOPBACK(&parsed.socket.v6.sin6_addr)) return "only the address of this machine, ::1";
        parsed.socket.v6.sin6_family = AF_INET6;
        parsed.socket.v6.sin6_port = htons((uint16_t)port);
        parsed.length = sizeof parsed.socket.v6;
    } else {
        return "the address is not numeric";
    }
    *address = parsed;
    return NULL;
}
