/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <filch/address.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "io/address.h"

static const size_t PATH_OFFSET = offsetof(struct sockaddr_un, sun_path);

/* ----------------------------------------------------------------------------------------------------------- reading */

bool filch__port_parse(const char *text, uint16_t *port) {
    unsigned value = 0;
    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > UINT16_MAX) return false;
    }
    *port = (uint16_t)value;
    return true;
}

/* The zone of a link-local address: an interface by its name or by its number. 0: there is none such. */
static uint32_t zone_parse(const char *text) {
    uint32_t number = 0;
    if (*text == '\0') return 0;
    for (const char *c = text; *c >= '0' && *c <= '9'; c++) {
        number = number * 10 + (uint32_t)(*c - '0');
        if (number > INT32_MAX / 10) return 0;
        if (c[1] == '\0') return number;
    }
    return if_nametoindex(text);
}

static bool ip6_parse(filch_address *address, const char *host, uint16_t port) {
    char text[INET6_ADDRSTRLEN];
    const char *percent = strchr(host, '%');
    size_t length = percent == NULL ? strlen(host) : (size_t)(percent - host);
    if (length >= sizeof text) return false;
    memcpy(text, host, length);
    text[length] = '\0';
    filch_address made = filch_address_ip6_any(port);
    if (inet_pton(AF_INET6, text, &made.ip6.sin6_addr) != 1) return false;
    if (percent != NULL && (made.ip6.sin6_scope_id = zone_parse(percent + 1)) == 0) return false;
    *address = made;
    return true;
}

static bool ip4_parse(filch_address *address, const char *host, uint16_t port) {
    filch_address made = filch_address_ip4_any(port);
    if (inet_pton(AF_INET, host, &made.ip4.sin_addr) != 1) return false;
    *address = made;
    return true;
}

bool filch__host_parse(filch_address *address, const char *host, uint16_t port) {
    return ip4_parse(address, host, port) || ip6_parse(address, host, port);
}

/* A path keeps its zero within sun_path; an abstract name begins with one, and its length says where it ends. */
static bool local_parse(filch_address *address, const char *name) {
    filch_address made = {.local = {.sun_family = AF_UNIX}};
    size_t length = strlen(name);
    if (length == 0 || length >= sizeof made.local.sun_path) return false;
    bool abstract = name[0] == '@';
    memcpy(made.local.sun_path, name, length);
    if (abstract) made.local.sun_path[0] = '\0';
    made.length = (socklen_t)(PATH_OFFSET + length + (abstract ? 0 : 1));
    *address = made;
    return true;
}

/* "host:port" or "[host]:port". */
static bool internet_parse(filch_address *address, const char *text) {
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
    bool in_brackets = text[0] == '[';
    const char *begin = text + in_brackets, *end = in_brackets ? strchr(begin, ']') : strchr(begin, ':');
    uint16_t port;
    if (end == NULL || (size_t)(end - begin) >= sizeof host) return false;
    if (end[in_brackets] != ':' || !filch__port_parse(end + in_brackets + 1, &port)) return false;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    return in_brackets ? ip6_parse(address, host, port) : ip4_parse(address, host, port);
}

int filch_address_parse(filch_address *address, const char *text) {
    if (address == NULL || text == NULL) return -EINVAL;
    bool local = strncmp(text, "unix:", 5) == 0;
    return (local ? local_parse(address, text + 5) : internet_parse(address, text)) ? 0 : -EINVAL;
}

/* ----------------------------------------------------------------------------------------------------------- writing */

/* How many bytes of the path are its name, the first one of an abstract one included. */
static size_t local_length(const filch_address *address) {
    if (address->length <= PATH_OFFSET) return 0;
    size_t length = address->length - PATH_OFFSET;
    const char *path = address->local.sun_path;
    return path[0] == '\0' ? length : strnlen(path, length);
}

static void local_format(const filch_address *address, char *text) {
    char *to = stpcpy(text, "unix:");
    size_t length = local_length(address);
    for (size_t i = 0; i < length; i++) {
        char c = address->local.sun_path[i];
        *to++ = c != '\0' ? c : i == 0 ? '@' : '?'; /* further zeros of an abstract name have no form */
    }
    *to = '\0';
}

static void ip6_format(const filch_address *address, char *text) {
    char host[INET6_ADDRSTRLEN] = "", zone[IF_NAMESIZE + 1] = "";
    uint32_t scope = address->ip6.sin6_scope_id;
    inet_ntop(AF_INET6, &address->ip6.sin6_addr, host, sizeof host);
    if (scope != 0) {
        zone[0] = '%';
        if (if_indextoname(scope, zone + 1) == NULL) snprintf(zone, sizeof zone, "%%%u", scope);
    }
    snprintf(text, FILCH_ADDRESS_TEXT_MAX, "[%s%s]:%u", host, zone, ntohs(address->ip6.sin6_port));
}

static void ip4_format(const filch_address *address, char *text) {
    char host[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &address->ip4.sin_addr, host, sizeof host);
    snprintf(text, FILCH_ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(address->ip4.sin_port));
}

const char *filch_address_format(const filch_address *address, char *text, size_t size) {
    char whole[FILCH_ADDRESS_TEXT_MAX] = "";
    int family = filch__address_family(address);
    if (text == NULL || size == 0) return text;
    if (family == AF_UNIX) local_format(address, whole);
    if (family == AF_INET6) ip6_format(address, whole);
    if (family == AF_INET) ip4_format(address, whole);
    snprintf(text, size, "%s", whole);
    return text;
}

/* ------------------------------------------------------------------------------------------------------------- parts */

static filch_address ip4(uint32_t host, uint16_t port) {
    filch_address address = {.length = sizeof address.ip4, .ip4 = {.sin_family = AF_INET}};
    address.ip4.sin_addr.s_addr = htonl(host);
    address.ip4.sin_port = htons(port);
    return address;
}

static filch_address ip6(struct in6_addr host, uint16_t port) {
    filch_address address = {.length = sizeof address.ip6, .ip6 = {.sin6_family = AF_INET6, .sin6_addr = host}};
    address.ip6.sin6_port = htons(port);
    return address;
}

filch_address filch_address_ip4_any(uint16_t port) {
    return ip4(INADDR_ANY, port);
}

filch_address filch_address_ip4_loopback(uint16_t port) {
    return ip4(INADDR_LOOPBACK, port);
}

filch_address filch_address_ip6_any(uint16_t port) {
    return ip6(in6addr_any, port);
}

filch_address filch_address_ip6_loopback(uint16_t port) {
    return ip6(in6addr_loopback, port);
}

int filch__address_family(const filch_address *address) {
    if (address == NULL || address->length < sizeof(sa_family_t)) return AF_UNSPEC;
    return address->any.sa_family;
}

uint16_t filch_address_port(const filch_address *address) {
    int family = filch__address_family(address);
    if (family == AF_INET) return ntohs(address->ip4.sin_port);
    return family == AF_INET6 ? ntohs(address->ip6.sin6_port) : 0;
}

void filch__address_set_port(filch_address *address, uint16_t port) {
    int family = filch__address_family(address);
    if (family == AF_INET) address->ip4.sin_port = htons(port);
    if (family == AF_INET6) address->ip6.sin6_port = htons(port);
}

bool filch_address_equal(const filch_address *a, const filch_address *b) {
    int family = filch__address_family(a);
    if (a == NULL || b == NULL || family != filch__address_family(b)) return false;
    if (filch_address_port(a) != filch_address_port(b)) return false;
    if (family == AF_INET) return a->ip4.sin_addr.s_addr == b->ip4.sin_addr.s_addr;
    if (family == AF_INET6) {
        return a->ip6.sin6_scope_id == b->ip6.sin6_scope_id && IN6_ARE_ADDR_EQUAL(&a->ip6.sin6_addr, &b->ip6.sin6_addr);
    }
    size_t length = family == AF_UNIX ? local_length(a) : 0;
    return family != AF_UNIX ||
           (length == local_length(b) && memcmp(a->local.sun_path, b->local.sun_path, length) == 0);
}
