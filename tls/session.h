/* SPDX-License-Identifier: MIT */
/*
 * A session, and the protocol by which one reader and one writer share it. Private to tls/.
 *
 * OpenSSL's session is not for two threads at once, and it must never wait: it reads from `in` and writes to `made`, by a
 * BIO of ours (tls/bio.c), and says when it needs more.
 *
 *   who has it                              what belongs to that
 *   `lock`, a pthread mutex; held over      ssl, made, answers, stuck, failed, failure, ended,
 *   calls of OpenSSL, never over a wait     ticket
 *   `sending`, a filch_mutex; held over     out, and writing to the transport below
 *   waits for the network
 *   the reader: a transport has one at a    in, and reading from the transport below. OpenSSL reads `in` in the reader's
 *   time                                    calls alone (and before there are two: in the handshake)
 *
 * `sending` is taken before `lock`. A reader never waits for `sending`, but where told below.
 *
 *   write:   bytes -(SSL_write)-> made -(swap)-> out -> below
 *   read:    below -> in -(SSL_read)-> bytes; and answers to the peer -> made
 *
 * Order. OpenSSL numbers records and puts them into `made` under one hold of the lock, so `made` is in the order of the
 * numbers. `made` becomes `out` only when that is empty, and only the holder of `sending` does it and sends. So the wire
 * sees the records in order, without a gap, whoever made them.
 *
 * Nothing is lost. What was sent leaves `out` as soon as the transport below has taken it; a call that is cut short leaves
 * the rest there, and whoever takes `sending` next begins with it. A write encrypts nothing while older bytes are
 * queued, so that at most one batch is, plus the answers.
 *
 * Who flushes. A writer (write, shutdown) takes `sending`, and waits for the network with it. A reader that has made an
 * answer tries: if `sending` is free, it sends what goes at once. If it is not, the holder will see the answer:
 * whoever leaves `sending` after a flush looks at `made` once more (LOOK). What could not go at once is sent by the next
 * write or shutdown, and tried by each read. Only where more than ANSWERS_MAX bytes of answers are in `made` does a reader
 * wait to send them before it reads on from below: else a peer that asks and never reads would fill the memory.
 *
 * LOOK. The reader adds to `made` under the lock, then fails to take `sending`. The holder leaves `sending`, then looks at
 * `made` under the lock. Either its look comes after the reader's addition, and finds it; or before: then it had left
 * `sending` before the reader tried, and the try succeeds.
 *
 * A message that comes after the handshake may be cut into several records; while OpenSSL has it by half, it encrypts
 * nothing, but would read on in the writer's call. A writer that finds it so waits until a read has gone on: it clears
 * `progress`, looks, and waits; the reader goes on, and sets it.
 */
#ifndef FILCH_TLS_SESSION_H
#define FILCH_TLS_SESSION_H

#include <filch/event.h>
#include <filch/mutex.h>
#include <filch/tls.h>
#include <openssl/ssl.h>

#include "base/lock.h"
#include "tls/buffer.h"
#include "tls/context.h"

enum {
    RECORD = 16 * 1024,     /* bytes that one record holds at most */
    RECORD_OVERHEAD = 1024, /* more than what encryption adds to a record, a KeyUpdate before it included */
    BATCH = 2 * RECORD,     /* bytes that one write encrypts at most, to be sent in one call */
    ANSWERS_MAX = 4 * 1024, /* see above */
    READ_MIN = 2 * 1024,    /* what is read from below at once: doubles when a read has filled it */
    READ_MAX = 2 * RECORD,
    KEPT_MAX = 4 * 1024,       /* an empty `out` keeps no more memory than this */
    HOST_NAME_MAX_LENGTH = 253 /* of a name in the DNS, without its last dot */
};

struct filch__tls_session {
    /* read-only after filch__tls_session_create */
    filch_transport below;
    filch_tls_context *context;
    char host_name[HOST_NAME_MAX_LENGTH + 1]; /* client: whom it wants; "": nobody */
    bool server;

    /* under `lock` */
    struct filch__lock lock;
    SSL *ssl;
    struct filch__tls_buffer made;
    size_t answers; /* how many bytes of `made` reads have put there */
    int failed;     /* what every call answers, since OpenSSL's session is at its end */
    bool stuck;     /* a flush was cut short: there are bytes in `out` */
    bool ended;     /* close_notify is in `made`, or went through it */
    bool no_memory; /* the BIO had none, in the present call of OpenSSL */
    filch_tls_failure failure;
    SSL_SESSION *ticket;
    filch_tls_context *chosen; /* server: by the client's host name; or NULL */

    /* the holder of `sending` */
    filch_mutex sending;
    struct filch__tls_buffer out;

    /* the reader */
    struct filch__tls_buffer in;
    bool filled; /* the last read from below took all the room */

    /* any thread */
    filch_event progress; /* set when OpenSSL has read; cleared by a writer that has to wait for that */
    bool closed;          /* atomic */
};

/* A session over `below` that has done nothing yet, or NULL: no memory. It owns no `below` until it is begun. */
struct filch__tls_session *filch__tls_session_create(filch_transport below, filch_tls_context *context);
/* Frees all but the transport below. */
void filch__tls_session_free(struct filch__tls_session *session);

/* The BIO over `in` and `made`; NULL: no memory. */
BIO *filch__tls_bio_create(struct filch__tls_session *session);

/*
 * What became of a call of OpenSSL's that answered `result`, which did not succeed: -EAGAIN: it needs bytes of the peer;
 * -ENOMEM; 0: the peer's close_notify; or why the session is at its end, which is written into it. Under the lock, right
 * after the call, before which filch__tls_begin was called.
 */
int filch__tls_outcome(struct filch__tls_session *session, int result);

/* To be called under the lock before each call of OpenSSL that may fail. */
void filch__tls_begin(struct filch__tls_session *session);

/* OpenSSL's callback where a certificate is not good: notes why. */
int filch__tls_on_verified(int good, X509_STORE_CTX *store);

/* --------------------------------------------------------------------------------------------------------- flush.c */

/* Sends all that is queued. 0, or why not; the rest stays queued. By the holder of `sending`. */
int filch__tls_flush(struct filch__tls_session *session, filch_deadline deadline);

/* Leaves `sending`; with what came in meanwhile sent, as far as it goes at once, if `look`. See LOOK. */
void filch__tls_leave_sending(struct filch__tls_session *session, bool look);

/* After a read: sends answers, or has them sent. 0; or why the reader, which has to wait for that, must not go on. */
int filch__tls_flush_answers(struct filch__tls_session *session, filch_deadline deadline);

/* Reads from below into `in`. 0; -ECONNABORTED: the end; or what the transport below answers. By the reader. */
int filch__tls_fill(struct filch__tls_session *session, filch_deadline deadline);

/* ----------------------------------------------------------------------------------------------------- transport.c */

extern const filch_transport_ops filch__tls_ops;

/* The session of a transport; NULL: it is none of this library. */
static inline struct filch__tls_session *filch__tls_session_of(filch_transport tls) {
    return tls.ops == &filch__tls_ops ? tls.self : NULL;
}

#endif
