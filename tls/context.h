/* SPDX-License-Identifier: MIT */
/* A context, behind its pointer. Private to tls/. */
#ifndef FILCH_TLS_CONTEXT_H
#define FILCH_TLS_CONTEXT_H

#include <filch/tls.h>
#include <openssl/ssl.h>

enum { CONTEXT_ID = 32, CONTEXT_ALPN_MAX = 65535 };

/*
 * Edge
 *   LAST   put: uses (acq_rel), down to 0   all that others did with it comes before it is freed
 */
struct filch_tls_context {
    /* any thread, atomic */
    uint64_t uses; /* its creator, and sessions and tickets */

    /* read-only after it is made */
    SSL_CTX *native;
    filch_tls_role role;
    filch_tls_version min_version, max_version;
    bool no_verify, no_name_check;
    filch_tls_select_fn *select;
    void *select_arg;
    unsigned char *alpn; /* as on the wire: each name after its length */
    size_t alpn_size;
    unsigned char id[CONTEXT_ID]; /* random: a session of one context is not resumed by another */
};

/* One more, and one fewer, who uses it. The last one frees it. From any thread. */
filch_tls_context *filch__tls_context_get(filch_tls_context *context);
void filch__tls_context_put(filch_tls_context *context);

/* What the options say of certificate, key and trust. 0, or the answer of filch_tls_context_create with its reason. */
int filch__tls_load(filch_tls_context *context, const filch_tls_context_options *options, filch_tls_failure *failure);

/* Installs what chooses context and ALPN in a server's handshake (tls/select.c). */
void filch__tls_select_install(filch_tls_context *context);

/* OpenSSL's number of a version; 0 for ANY. */
static inline int filch__tls_version_number(filch_tls_version version) {
    return version == FILCH_TLS_1_2 ? TLS1_2_VERSION : version == FILCH_TLS_1_3 ? TLS1_3_VERSION : 0;
}

#endif
