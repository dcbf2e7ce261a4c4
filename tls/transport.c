/* SPDX-License-Identifier: MIT */
/* What a session is to its users: a transport. The protocol between its reader and its writer is told in tls/session.h. */
#include <errno.h>
#include <filch/scope.h>
#include <string.h>

#include "base/atomic.h"
#include "tls/failure.h"
#include "tls/session.h"

/* A glance: a call that comes just before a close is told by the transport below. */
static bool is_closed(struct filch__tls_session *session) {
    return load_relaxed(&session->closed);
}

/* -------------------------------------------------------------------------------------------------------------- read */

/* -EAGAIN: more is needed from below; else what the read answers. */
static ssize_t decrypt(struct filch__tls_session *session, void *buffer, size_t size) {
    size_t length = 0;
    filch__lock_take(&session->lock);
    size_t made = filch__tls_buffer_length(&session->made);
    ssize_t answer = session->failed;
    if (answer == 0) {
        filch__tls_begin(session);
        int result = SSL_read_ex(session->ssl, buffer, size, &length);
        answer = result > 0 ? (ssize_t)length : filch__tls_outcome(session, result);
        session->answers += filch__tls_buffer_length(&session->made) - made;
    }
    filch__lock_leave(&session->lock);
    filch_event_set(&session->progress);
    return answer;
}

/* The transport below has ended, and close_notify has not come. Noted for filch_tls_error_text; the next read says so too. */
static int cut_off(struct filch__tls_session *session) {
    filch__lock_take(&session->lock);
    if (session->failure.error == 0)
        filch__tls_fail(&session->failure, -ECONNABORTED, "the connection ended without close_notify");
    filch__lock_leave(&session->lock);
    return -ECONNABORTED;
}

static ssize_t read_some(void *self, void *buffer, size_t size, filch_deadline deadline) {
    struct filch__tls_session *session = self;
    if (is_closed(session)) return -EBADF;
    if (filch_cancelled()) return -ECANCELED;
    if (size == 0) return 0;
    for (;;) {
        ssize_t answer = decrypt(session, buffer, size);
        /* What was read is not kept back for what is to be sent. */
        int error = filch__tls_flush_answers(session, answer == -EAGAIN ? deadline : (filch_deadline){0});
        if (answer != -EAGAIN) return answer;
        if (error == 0) error = filch__tls_fill(session, deadline);
        if (error == -ECONNABORTED) return cut_off(session);
        if (error != 0) return error;
    }
}

/* ------------------------------------------------------------------------------------------------------------- write */

/* Where a write stands in its parts. */
struct cursor {
    const struct iovec *part;
    int left; /* parts, `part` included */
    size_t at;
};

/* Copies up to `size` bytes from where the cursor stands to `into`, or with NULL skips them. Says how many. */
static size_t advance(struct cursor *cursor, unsigned char *into, size_t size) {
    for (size_t done = 0;;) {
        for (; cursor->left > 0 && cursor->at == cursor->part->iov_len; cursor->part++, cursor->left--) cursor->at = 0;
        if (cursor->left == 0 || done == size) return done;
        size_t some = cursor->part->iov_len - cursor->at;
        if (some > size - done) some = size - done;
        if (into != NULL) memcpy(into + done, (const char *)cursor->part->iov_base + cursor->at, some);
        done += some;
        cursor->at += some;
    }
}

/* Where `length` bytes from the cursor on stand in a row: in their part, or, if they go over several, in `*gathered`. */
static const void *in_a_row(const struct cursor *cursor, size_t length, unsigned char **gathered) {
    if (cursor->part->iov_len - cursor->at >= length) return (const char *)cursor->part->iov_base + cursor->at;
    *gathered = OPENSSL_malloc(length);
    struct cursor copying = *cursor;
    if (*gathered != NULL) advance(&copying, *gathered, length);
    return *gathered;
}

/* Makes a record of `length` bytes at `bytes`. How many it took, or why none. Under the lock. */
static ssize_t make_record(struct filch__tls_session *session, const void *bytes, size_t length) {
    size_t done = 0;
    if (bytes == NULL || !filch__tls_buffer_reserve(&session->made, length + RECORD_OVERHEAD)) return -ENOMEM;
    filch__tls_begin(session);
    int result = SSL_write_ex(session->ssl, bytes, length, &done);
    return result > 0 ? (ssize_t)done : filch__tls_outcome(session, result);
}

/*
 * Whether OpenSSL is in the middle of a message of the peer. It is "in init" too where a KeyUpdate of its own is to be
 * sent before the next bytes, but that stands in no state of a message.
 */
static bool has_half_a_message(const SSL *ssl) {
    return SSL_in_init(ssl) && SSL_get_state(ssl) != TLS_ST_OK;
}

/* Not before a read has gone on. It is no errno, which the transport below might answer. */
enum { NOT_YET = -10000 };

/* Whether a writer may go on: 0, NOT_YET, or what it answers. Under the lock. */
static int may_write(const struct filch__tls_session *session) {
    if (session->failed != 0) return session->failed;
    if (session->ended) return -EPIPE;
    return has_half_a_message(session->ssl) ? NOT_YET : 0;
}

/* One record of what the cursor stands at, which moves. How many bytes, 0 at the end; or why not. */
static ssize_t encrypt_record(struct filch__tls_session *session, struct cursor *cursor) {
    struct cursor ahead = *cursor;
    size_t length = advance(&ahead, NULL, RECORD);
    unsigned char *gathered = NULL;
    advance(cursor, NULL, 0);
    const void *bytes = length == 0 ? NULL : in_a_row(cursor, length, &gathered);
    filch__lock_take(&session->lock);
    ssize_t answer = may_write(session);
    if (answer == 0 && length > 0) answer = make_record(session, bytes, length);
    filch__lock_leave(&session->lock);
    OPENSSL_free(gathered);
    if (answer > 0) advance(cursor, NULL, (size_t)answer);
    return answer;
}

/*
 * OpenSSL has a message of the peer by half: waits until a read has gone on. 0: try again; or why not. Not with `sending`,
 * for which that reader may be waiting.
 */
static int wait_for_reader(struct filch__tls_session *session, filch_deadline deadline) {
    filch_event_clear(&session->progress);
    filch__lock_take(&session->lock);
    int answer = may_write(session);
    filch__lock_leave(&session->lock);
    if (answer != NOT_YET) return 0;
    if (is_closed(session)) return -EBADF; /* after the clear: the close sets `progress` when it has said so */
    return filch_event_wait(&session->progress, deadline);
}

/* A batch of records. How many bytes, 0 where there are none; or why none. By the holder of `sending`. */
static ssize_t encrypt(struct filch__tls_session *session, struct cursor *cursor) {
    ssize_t done = 0;
    while (done < BATCH) {
        ssize_t answer = encrypt_record(session, cursor);
        if (answer <= 0) return done > 0 ? done : answer;
        done += answer;
    }
    return done;
}

/* By the holder of `sending`. */
static ssize_t send_some(struct filch__tls_session *session, struct cursor *cursor, filch_deadline deadline) {
    int error = filch__tls_flush(session, deadline);
    if (error != 0) return error;
    ssize_t done = encrypt(session, cursor);
    if (done > 0) (void)filch__tls_flush(session, deadline); /* they count as written, whatever that answers */
    return done;
}

static ssize_t write_some(void *self, const struct iovec *parts, int count, filch_deadline deadline) {
    struct filch__tls_session *session = self;
    struct cursor cursor = {.part = parts, .left = count};
    if (is_closed(session)) return -EBADF;
    if (count < 0 || (count > 0 && parts == NULL)) return -EINVAL;
    for (;;) {
        int error = filch_mutex_lock(&session->sending, deadline);
        if (error != 0) return error;
        ssize_t done = send_some(session, &cursor, deadline);
        filch__tls_leave_sending(session, done >= 0 || done == NOT_YET);
        if (done != NOT_YET) return done;
        error = wait_for_reader(session, deadline);
        if (error != 0) return error;
    }
}

/* Nothing that was written is held back here, nor in the transport below. By the holder of `sending`. */
static int send_all(struct filch__tls_session *session, filch_deadline deadline) {
    const filch_transport *below = &session->below;
    int error = filch__tls_flush(session, deadline);
    return error != 0 || below->ops->flush == NULL ? error : below->ops->flush(below->self, deadline);
}

static int flush(void *self, filch_deadline deadline) {
    struct filch__tls_session *session = self;
    if (is_closed(session)) return -EBADF;
    int error = filch_mutex_lock(&session->sending, deadline);
    if (error != 0) return error;
    error = send_all(session, deadline);
    filch__tls_leave_sending(session, error == 0);
    return error;
}

/* Puts close_notify behind all that was written, once. */
static int put_end(struct filch__tls_session *session) {
    filch__lock_take(&session->lock);
    int answer = may_write(session);
    if (answer == 0) {
        filch__tls_begin(session);
        int result = SSL_shutdown(session->ssl);
        if (result < 0) answer = filch__tls_outcome(session, result);
        session->ended = answer == 0;
    }
    filch__lock_leave(&session->lock);
    return answer;
}

/* By the holder of `sending`. */
static int send_end(struct filch__tls_session *session, filch_deadline deadline) {
    int error = filch__tls_flush(session, deadline);
    if (error != 0) return error;
    error = put_end(session);
    if (error != 0 && error != -EPIPE) return error; /* -EPIPE: it is there already, sent or not */
    return send_all(session, deadline);
}

static int shut_down(void *self, filch_deadline deadline) {
    struct filch__tls_session *session = self;
    if (is_closed(session)) return -EBADF;
    for (;;) {
        int error = filch_mutex_lock(&session->sending, deadline);
        if (error != 0) return error;
        int answer = send_end(session, deadline);
        filch__tls_leave_sending(session, answer == 0 || answer == NOT_YET);
        if (answer != NOT_YET) return answer;
        error = wait_for_reader(session, deadline);
        if (error != 0) return error;
    }
}

/* --------------------------------------------------------------------------------------------------------- the others */

static void close_both(void *self) {
    struct filch__tls_session *session = self;
    store_relaxed(&session->closed, true);
    session->below.ops->close(session->below.self);
    filch_event_set(&session->progress);
}

static void destroy(void *self) {
    struct filch__tls_session *session = self;
    filch_transport below = session->below;
    filch__tls_session_free(session);
    if (below.ops->destroy != NULL) below.ops->destroy(below.self);
}

static int address(void *self, bool peer, filch_address *into) {
    const filch_transport *below = &((struct filch__tls_session *)self)->below;
    return below->ops->address == NULL ? -EOPNOTSUPP : below->ops->address(below->self, peer, into);
}

const filch_transport_ops filch__tls_ops = {
    .kind = "tls",
    .read = read_some,
    .write = write_some,
    .shutdown = shut_down,
    .close = close_both,
    .destroy = destroy,
    .address = address,
    .flush = flush,
};
