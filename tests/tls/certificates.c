/* SPDX-License-Identifier: MIT */
/* Certificates for tests, by OpenSSL's functions. */
#include "tests/tls/certificates.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

char *bio_text(BIO *bio) {
    char *bytes, *text;
    long length = BIO_get_mem_data(bio, &bytes);
    check(length >= 0 && (text = malloc((size_t)length + 1)) != NULL);
    memcpy(text, bytes, (size_t)length);
    text[length] = '\0';
    BIO_free(bio);
    return text;
}

static void extend(X509 *x509, X509 *issuer, int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    check(extension != NULL);
    check_int(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void set_times(X509 *x509, const struct certificate_wish *wish) {
    enum { DAY = 24 * 60 * 60 };
    check(X509_gmtime_adj(X509_getm_notBefore(x509), (wish->from_days == 0 ? -1 : wish->from_days) * (long)DAY));
    check(X509_gmtime_adj(X509_getm_notAfter(x509), (wish->to_days == 0 ? 10 : wish->to_days) * (long)DAY));
}

static void write_pem(struct certificate *made) {
    BIO *bio = BIO_new(BIO_s_mem());
    check_int(PEM_write_bio_X509(bio, made->x509), 1);
    made->pem = bio_text(bio);
    bio = BIO_new(BIO_s_mem());
    check_int(PEM_write_bio_PrivateKey(bio, made->key, NULL, NULL, 0, NULL, NULL), 1);
    made->key_pem = bio_text(bio);
}

struct certificate certificate_make(const struct certificate_wish *wish) {
    static long serial = 1000;
    struct certificate made = {.x509 = X509_new(), .key = wish->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")};
    check(made.x509 != NULL && made.key != NULL);
    const struct certificate *issuer = wish->issuer == NULL ? &made : wish->issuer;
    X509_set_version(made.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.x509), ++serial);
    set_times(made.x509, wish);
    X509_NAME *name = X509_get_subject_name(made.x509);
    check_int(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->name, -1, -1, 0), 1);
    X509_set_issuer_name(made.x509, X509_get_subject_name(issuer->x509));
    X509_set_pubkey(made.x509, made.key);
    extend(made.x509, issuer->x509, NID_subject_key_identifier, "hash");
    extend(made.x509, issuer->x509, NID_basic_constraints, wish->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!wish->authority)
        extend(made.x509, issuer->x509, NID_ext_key_usage, wish->usage == NULL ? "serverAuth,clientAuth" : wish->usage);
    if (wish->names != NULL) extend(made.x509, issuer->x509, NID_subject_alt_name, wish->names);
    check(X509_sign(made.x509, issuer->key, EVP_sha256()) > 0);
    write_pem(&made);
    return made;
}

void certificate_free(struct certificate *certificate) {
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    free(certificate->pem);
    free(certificate->key_pem);
}

char *pem_chain(const char *pem, const char *more) {
    char *text = NULL;
    check(asprintf(&text, "%s%s", pem, more) > 0);
    return text;
}
