/* SPDX-License-Identifier: MIT */
/* Moving encrypted bytes: from `made` by `out` to the transport below, and from there to `in`. */
#include <errno.h>
#include <openssl/crypto.h>

#include "tls/failure.h"
#include "tls/session.h"

/* A deadline that has passed: what goes at once, and no wait. */
static const filch_deadline at_once = {0};

/* `out` is empty: what has been made takes its place. False: nothing has. */
static bool swap(struct filch__tls_session *session) {
    if (session->out.size > KEPT_MAX) filch__tls_buffer_free(&session->out);
    filch__lock_take(&session->lock);
    bool any = filch__tls_buffer_length(&session->made) > 0;
    if (any) {
        struct filch__tls_buffer empty = session->out;
        session->out = session->made;
        session->made = empty;
        session->answers = 0;
    }
    session->stuck = false;
    filch__lock_leave(&session->lock);
    return any;
}

/* `out` could not be sent now. Returns `error`. */
static int stick(struct filch__tls_session *session, int error) {
    filch__lock_take(&session->lock);
    session->stuck = true;
    filch__lock_leave(&session->lock);
    return error;
}

int filch__tls_flush(struct filch__tls_session *session, filch_deadline deadline) {
    struct filch__tls_buffer *out = &session->out;
    for (;;) {
        if (filch__tls_buffer_length(out) == 0 && !swap(session)) return 0;
        struct iovec part = {out->bytes + out->at, filch__tls_buffer_length(out)};
        ssize_t sent = session->below.ops->write(session->below.self, &part, 1, deadline);
        if (sent < 0) return stick(session, (int)sent);
        out->at += (size_t)sent;
        if (out->at == out->end) out->at = out->end = 0;
    }
}

/* Whether there is anything to send; in `*answers`, unless that is NULL, how many bytes of it reads have made. */
static bool any_waits(struct filch__tls_session *session, size_t *answers) {
    filch__lock_take(&session->lock);
    bool any = session->stuck || filch__tls_buffer_length(&session->made) > 0;
    if (answers != NULL) *answers = session->answers;
    filch__lock_leave(&session->lock);
    return any;
}

/* LOOK: the look comes after the unlock. A flush that did not get through is the end of it: more would not go either. */
void filch__tls_leave_sending(struct filch__tls_session *session, bool look) {
    filch_mutex_unlock(&session->sending);
    while (look && any_waits(session, NULL)) {
        if (filch_mutex_try_lock(&session->sending) != 0) return; /* its holder looks in turn */
        look = filch__tls_flush(session, at_once) == 0;
        filch_mutex_unlock(&session->sending);
    }
}

/* A reader with too many answers: waits until they are sent. */
static int wait_to_flush(struct filch__tls_session *session, filch_deadline deadline) {
    int error = filch_mutex_lock(&session->sending, deadline);
    if (error != 0) return error;
    error = filch__tls_flush(session, deadline);
    filch__tls_leave_sending(session, error == 0);
    return error;
}

int filch__tls_flush_answers(struct filch__tls_session *session, filch_deadline deadline) {
    size_t answers;
    if (!any_waits(session, &answers)) return 0;
    if (answers > ANSWERS_MAX) return wait_to_flush(session, deadline);
    if (filch_mutex_try_lock(&session->sending) != 0) return 0; /* LOOK: its holder will see them */
    int error = filch__tls_flush(session, at_once);
    filch__tls_leave_sending(session, error == 0);
    return 0;
}

int filch__tls_fill(struct filch__tls_session *session, filch_deadline deadline) {
    struct filch__tls_buffer *in = &session->in;
    size_t want = session->filled ? 2 * in->size : READ_MIN;
    if (want > READ_MAX) want = READ_MAX;
    if (!filch__tls_buffer_reserve(in, want)) return -ENOMEM;
    size_t room = in->size - in->end;
    ssize_t length = session->below.ops->read(session->below.self, in->bytes + in->end, room, deadline);
    if (length < 0) return (int)length;
    if (length == 0) return -ECONNABORTED;
    in->end += (size_t)length;
    session->filled = (size_t)length == room;
    return 0;
}
