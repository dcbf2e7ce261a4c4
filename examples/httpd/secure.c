/* SPDX-License-Identifier: MIT */
#include "secure.h"

#include <errno.h>
#include <stdio.h>

#ifdef HTTPD_TLS

#include <filch/tls.h>

/* A context of libfilch-tls under another name, so that nobody else needs to know of it. */
static filch_tls_context *context_of(struct tls *tls) {
    return (filch_tls_context *)tls;
}

int secure_open(struct tls **tls, const char *certificate, const char *key) {
    static const char *const protocols[] = {"http/1.1", NULL};
    filch_tls_failure failure = {0};
    filch_tls_context *context;
    int error = filch_tls_context_create(&context, &(filch_tls_context_options){
                                                       .role = FILCH_TLS_SERVER,
                                                       .certificate_file = certificate,
                                                       .key_file = key,
                                                       .alpn = protocols,
                                                       .failure = &failure,
                                                   });
    if (error != 0) {
        fprintf(stderr, "httpd: no TLS: %s\n", failure.text);
        return error;
    }
    *tls = (struct tls *)context;
    return 0;
}

void secure_close(struct tls *tls) {
    filch_tls_context_destroy(context_of(tls));
}

int secure(struct tls *tls, filch_stream *stream, filch_deadline deadline) {
    filch_transport below, above;
    /* Nothing has been read yet, so that nothing is left over. */
    ssize_t left = filch_stream_detach(stream, &below, NULL, 0);
    if (left < 0) return (int)left;
    int error = filch_tls_server(&above, below, context_of(tls), NULL, deadline);
    if (filch_stream_attach(stream, error == 0 ? above : below) != 0) {
        /* Not with a stream that was just emptied; but what nobody owns would be lost. */
        filch_transport lost = error == 0 ? above : below;
        lost.ops->close(lost.self);
        if (lost.ops->destroy != NULL) lost.ops->destroy(lost.self);
        return -EBADF;
    }
    return error;
}

#else

int secure_open(struct tls **tls, const char *certificate, const char *key) {
    (void)tls, (void)certificate, (void)key;
    fprintf(stderr, "httpd: it was built without TLS\n");
    return -EOPNOTSUPP;
}

void secure_close(struct tls *tls) {
    (void)tls;
}

int secure(struct tls *tls, filch_stream *stream, filch_deadline deadline) {
    (void)tls, (void)stream, (void)deadline;
    return -EOPNOTSUPP;
}

#endif
