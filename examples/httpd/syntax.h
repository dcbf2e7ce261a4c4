/* SPDX-License-Identifier: MIT */
/* Classes of characters, as HTTP (RFC 9110 and 9112) and URIs (RFC 3986) name them. */
#ifndef HTTPD_SYNTAX_H
#define HTTPD_SYNTAX_H

#include <stdbool.h>
#include <string.h>

static inline bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What a token is made of: names of fields, methods. */
static inline bool is_token(char c) {
    return is_alphanumeric(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* What a field's value is made of: visible characters, blanks, and bytes that are not ASCII; no control characters. */
static inline bool is_value(char c) {
    unsigned char byte = (unsigned char)c;
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

/*
 * What a request's target is made of: visible ASCII, without "#", which begins what is never sent. Some of it would have to
 * be percent-encoded by the letter of RFC 3986, and is sent as it is by browsers.
 */
static inline bool is_target(char c) {
    return c > 0x20 && c < 0x7f && c != '#';
}

/* What the name of a host is made of, beyond brackets and colons: unreserved, percent-encoded, and sub-delims. */
static inline bool is_host(char c) {
    return is_alphanumeric(c) || (c != '\0' && strchr("!$%&'()*+,;=-._~", c) != NULL);
}

/* The value of a hexadecimal digit, or -1. */
static inline int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

#endif
