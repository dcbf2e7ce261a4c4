/* SPDX-License-Identifier: MIT */
/* Certificates for tests, made when they are needed: authorities, and good and bad ones that these have signed. */
#ifndef FILCH_TESTS_TLS_CERTIFICATES_H
#define FILCH_TESTS_TLS_CERTIFICATES_H

#include <openssl/bio.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct certificate {
    X509 *x509;
    EVP_PKEY *key;
    char *pem, *key_pem;
};

/* What is wished for. Zero is the default of a field. */
struct certificate_wish {
    const char *name;                 /* of its owner (CN) */
    const char *names;                /* whom it is good for, as OpenSSL writes it: "DNS:localhost,IP:127.0.0.1" */
    const struct certificate *issuer; /* default: itself */
    bool authority;
    bool rsa;          /* default: an elliptic curve, which is faster */
    int from_days;     /* from when it is good, from today; default: yesterday */
    int to_days;       /* until when; default: in ten days */
    const char *usage; /* default: "serverAuth,clientAuth" */
};

/* Checks that it worked. For certificate_free. */
struct certificate certificate_make(const struct certificate_wish *wish);
void certificate_free(struct certificate *certificate);

/* What was written to a memory BIO, which is freed; for free(). */
char *bio_text(BIO *bio);

/* `pem` and then `more`, for free(). */
char *pem_chain(const char *pem, const char *more);

#endif
