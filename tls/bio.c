/* SPDX-License-Identifier: MIT */
/* The BIO by which OpenSSL reads `in` and writes `made` of a session. It never waits. */
#include <pthread.h>

#include "tls/session.h"

static BIO_METHOD *method;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* In the reader's call, under the lock. */
static int take(BIO *bio, char *into, int length) {
    struct filch__tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (length <= 0) return 0;
    size_t taken = filch__tls_buffer_take(&session->in, into, (size_t)length);
    if (taken > 0) return (int)taken;
    BIO_set_retry_read(bio);
    return -1;
}

/* Under the lock. Without memory OpenSSL keeps the record, and offers it again with its next call. */
static int put(BIO *bio, const char *bytes, int length) {
    struct filch__tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (length <= 0) return 0;
    if (filch__tls_buffer_add(&session->made, bytes, (size_t)length)) return length;
    session->no_memory = true;
    BIO_set_retry_write(bio);
    return -1;
}

static long control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* Made once, for the life of the process: BIOs may outlive whoever would free it. */
static void make_method(void) {
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "filch-tls");
    if (made == NULL) return;
    BIO_meth_set_read(made, take);
    BIO_meth_set_write(made, put);
    BIO_meth_set_ctrl(made, control);
    method = made;
}

BIO *filch__tls_bio_create(struct filch__tls_session *session) {
    pthread_once(&once, make_method);
    BIO *bio = method == NULL ? NULL : BIO_new(method);
    if (bio == NULL) return NULL;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
}
