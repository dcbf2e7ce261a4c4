/* SPDX-License-Identifier: MIT */
/* URLs of the form http://host:port/path?query. */
#ifndef PARALLEL_FETCH_URL_H
#define PARALLEL_FETCH_URL_H

#include <stddef.h>

enum { URL_HOST_MAX = 255 };

struct url {
    char host[URL_HOST_MAX + 1]; /* without the brackets of an IPv6 address */
    char port[6];
    const char *authority; /* host and port as they stand in the URL */
    size_t authority_length;
    const char *target; /* from the path on; "" is "/". Ends the URL's text, but for what follows a "#" */
    size_t target_length;
};

/* Takes `text` apart, which must live as long as `*url`. 0, or -EINVAL. */
int url_parse(struct url *url, const char *text);

#endif
