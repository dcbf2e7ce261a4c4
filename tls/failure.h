/* SPDX-License-Identifier: MIT */
/*
 * What OpenSSL's queue of errors says, as an errno and as text. The queue is the thread's: it is cleared before a call of
 * OpenSSL that matters, and read right after, without a wait between. Private to tls/.
 */
#ifndef FILCH_TLS_FAILURE_H
#define FILCH_TLS_FAILURE_H

#include <filch/tls.h>
#include <openssl/x509.h>

/* Writes a failure. `format` as printf's; "" for one whose error says it all. Returns `error`. */
int filch__tls_fail(filch_tls_failure *failure, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Writes what the thread's queue says, and empties it. Want of memory is always -ENOMEM, whatever `error` is; "what" is
 * said in front, unless it is NULL. Returns the error.
 */
int filch__tls_fail_by_queue(filch_tls_failure *failure, int error, const char *what);

/* The name as "CN=localhost,O=Example" into `text`, cut off where `size` is too small; "" where it is not to be had. */
void filch__tls_name_text(const X509_NAME *name, char *text, size_t size);

#endif
