/* SPDX-License-Identifier: MIT */
/* TLS, where the program was built with libfilch-tls; where not, it says so. */
#ifndef HTTPD_SECURE_H
#define HTTPD_SECURE_H

#include <filch/stream.h>

struct tls;

/*
 * Reads certificate and key; `key` NULL: it is in the certificate's file. Except on 0, it has said on standard error what is
 * wrong, and `*tls` is not written.
 */
int secure_open(struct tls **tls, const char *certificate, const char *key);

/* NULL is nothing. */
void secure_close(struct tls *tls);

/*
 * Makes the handshake on a new connection: from then on the stream's transport is the session. 0, or a negative errno, and
 * the stream is good for nothing.
 */
int secure(struct tls *tls, filch_stream *stream, filch_deadline deadline);

#endif
