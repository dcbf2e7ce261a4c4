/* SPDX-License-Identifier: MIT */
#include "url.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool copy(char *to, size_t size, const char *from, size_t length) {
    if (length >= size) return false;
    memcpy(to, from, length);
    to[length] = '\0';
    return true;
}

/* "host", "host:port", "[::1]:port" */
static bool parse_authority(struct url *url) {
    const char *text = url->authority, *end = text + url->authority_length;
    bool is_bracketed = text < end && *text == '[';
    const char *host_end = is_bracketed ? memchr(text, ']', url->authority_length) : text + strcspn(text, ":/?#");
    if (host_end == NULL || host_end > end) return false;
    if (is_bracketed) text++;
    if (host_end == text || !copy(url->host, sizeof(url->host), text, (size_t)(host_end - text))) return false;
    const char *port = host_end + (is_bracketed ? 1 : 0);
    if (port == end) return copy(url->port, sizeof(url->port), "80", 2);
    size_t digits = strspn(port + 1, "0123456789");
    return *port == ':' && digits > 0 && port + 1 + digits == end &&
           copy(url->port, sizeof(url->port), port + 1, digits);
}

int url_parse(struct url *url, const char *text) {
    static const char scheme[] = "http://";
    if (strncmp(text, scheme, strlen(scheme)) != 0) return -EINVAL;
    /* What is no visible ASCII would end the request's line, or be another one's. */
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7f) return -EINVAL;
    }
    url->authority = text + strlen(scheme);
    url->authority_length = strcspn(url->authority, "/?#");
    url->target = url->authority + url->authority_length;
    url->target_length = strcspn(url->target, "#");
    return parse_authority(url) ? 0 : -EINVAL;
}
