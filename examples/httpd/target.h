/* SPDX-License-Identifier: MIT */
/* What a request is for: its target, and the host. */
#ifndef HTTPD_TARGET_H
#define HTTPD_TARGET_H

#include "request.h"

/*
 * Takes request->target apart, into path, query and authority. A target is a path, or a whole URL (as to a proxy), or for
 * CONNECT only a host with a port, or for OPTIONS "*".
 *
 * Returns 0, or -400
 */
int target_parse(struct request *request, bool is_connect, bool is_options);

/* Whether it is a host with or without a port: a name, an IPv4 address, or an IPv6 address in brackets. */
bool target_is_authority(struct text authority);

#endif
