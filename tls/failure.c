/* SPDX-License-Identifier: MIT */
/* Failures: from OpenSSL's queue to errno and text. */
#include "tls/failure.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int filch__tls_fail(filch_tls_failure *failure, int error, const char *format, ...) {
    va_list args;
    failure->error = error;
    failure->verify = 0;
    va_start(args, format);
    vsnprintf(failure->text, sizeof failure->text, format, args);
    va_end(args);
    return error;
}

/*
 * Of the errors of one call, the one that names its cause: the last that libssl itself put there, else the first. Those of
 * other libraries that stand before it are details ("cipher operation failed"). Empties the queue.
 */
static unsigned long take_cause(bool *no_memory) {
    unsigned long cause = 0, code;
    while ((code = ERR_get_error()) != 0) {
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) *no_memory = true;
        if (cause == 0 || ERR_GET_LIB(code) == ERR_LIB_SSL) cause = code;
    }
    return cause;
}

/* What a code means. Alerts of the peer come as reasons from SSL_AD_REASON_OFFSET on. */
static void explain(unsigned long code, char *text, size_t size) {
    int reason = ERR_GET_REASON(code);
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        snprintf(text, size, "alert from the peer: %s", SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
        return;
    }
    const char *known = code == 0 ? NULL : ERR_reason_error_string(code);
    if (known != NULL) {
        snprintf(text, size, "%s", known);
    } else if (code == 0) {
        snprintf(text, size, "OpenSSL does not say why");
    } else {
        snprintf(text, size, "error %lx of OpenSSL", code);
    }
}

int filch__tls_fail_by_queue(filch_tls_failure *failure, int error, const char *what) {
    bool no_memory = false;
    char text[128];
    unsigned long cause = take_cause(&no_memory);
    if (no_memory || (cause == 0 && error == -ENOMEM)) return filch__tls_fail(failure, -ENOMEM, "no memory");
    explain(cause, text, sizeof text);
    return filch__tls_fail(failure, error, "%s%s%s", what == NULL ? "" : what, what == NULL ? "" : ": ", text);
}

void filch__tls_name_text(const X509_NAME *name, char *text, size_t size) {
    text[0] = '\0';
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        int length = BIO_read(bio, text, (int)size - 1);
        text[length > 0 ? length : 0] = '\0';
    }
    BIO_free(bio);
}
