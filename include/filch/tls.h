/* SPDX-License-Identifier: MIT */
/*
 * TLS 1.2 and 1.3 over any transport, by OpenSSL 3: a library of its own, libfilch-tls (-lfilch-tls).
 *
 *     filch_tls_context *context;                                once for many connections
 *     int error = filch_tls_context_create(&context, NULL);      a client that trusts what the system trusts
 *     filch_transport tls;
 *     error = filch_tls_client(&tls, socket, context, "example.org", NULL, filch_after(FILCH_SEC(10)));
 *     ssize_t length = tls.ops->read(tls.self, buffer, sizeof buffer, filch_after(FILCH_SEC(10)));
 *
 * What comes out is a transport (filch/transport.h) over the one that went in, with what was said there: one task may read
 * while another writes, all calls have deadlines and are cancelled, on an error nothing was moved. Beyond that:
 *
 *   - Verification of the peer is on. A client is told who the peer must be (`host_name`) and connects to nobody else,
 *     unless the context says no_verify or no_name_check.
 *   - `shutdown` says by close_notify that no more will be written; reading goes on. The transport below is not shut
 *     down. An end below that comes without the peer's close_notify is no end: a read answers -ECONNABORTED, since
 *     somebody may have cut off the rest.
 *   - A write has written bytes as soon as they are encrypted, and counts them in its answer. Where it is cut short then,
 *     or the transport below fails, they stay in the session, in order, and are sent by the next write, flush or shutdown
 *     before anything else (a read tries too), which answers what is wrong below.
 *   - A read also sends what the protocol has it answer (alerts, new keys; to a single request for new keys OpenSSL answers
 *     before the next bytes that are written). It never waits to send these, unless the peer lets more than some kilobytes
 *     of them pile up.
 *   - `close` closes the transport below at once, without a close_notify: the other side sees that it was cut off. For an
 *     orderly end, `shutdown` before.
 *   - `destroy` frees the session and destroys the transport below. After `close`, when nobody is in a call any more.
 *
 * Reads and writes answer, besides what the transport below does:
 *
 *     -ECONNABORTED   read: the transport below ended, and the peer had not said that it would write no more
 *     -EPIPE          write: after shutdown
 *     -EPROTO         the peer does not keep to the protocol, or ended the session by an alert; filch_tls_error_text says
 *                     more. From then on every call answers so
 *     -ENOMEM         no memory; try again
 *
 * OpenSSL keeps state for each thread, so no task waits inside it: functions that are called from within a handshake (to
 * choose a context) must not wait.
 */
#ifndef FILCH_TLS_H
#define FILCH_TLS_H

#include <filch/base.h>
#include <filch/time.h>
#include <filch/transport.h>

FILCH_BEGIN_DECLS

struct ssl_st; /* OpenSSL's SSL and SSL_CTX */
struct ssl_ctx_st;

/* ---------------------------------------------------------------------------------------------------------- failures */

/* Room for what went wrong, its zero included. */
#define FILCH_TLS_TEXT_MAX 256

/* Why a call failed, for people to read. Written on failure alone. */
typedef struct filch_tls_failure {
    int error;                     /* what the call answered */
    int verify;                    /* why the peer's certificate was refused: OpenSSL's X509_V_ERR_..., or 0 */
    char text[FILCH_TLS_TEXT_MAX]; /* "certificate has expired: CN=localhost"; "" where the error says it all */
} filch_tls_failure;

/* ---------------------------------------------------------------------------------------------------------- contexts */

/*
 * A context: certificate, key, whom to trust, and what to agree to; for any number of sessions at once, on any threads. It
 * does not change once it is made: for a new certificate, make another, and give that to the sessions to come.
 */
typedef struct filch_tls_context filch_tls_context;

typedef enum filch_tls_role {
    FILCH_TLS_CLIENT = 0,
    FILCH_TLS_SERVER = 1,
} filch_tls_role;

typedef enum filch_tls_version {
    FILCH_TLS_ANY = 0, /* as minimum: 1.2; as maximum: the latest that OpenSSL has */
    FILCH_TLS_1_2 = 12,
    FILCH_TLS_1_3 = 13,
} filch_tls_version;

/* What a server wants of its clients. A certificate that comes must be good in any case. */
typedef enum filch_tls_ask {
    FILCH_TLS_ASK_NOTHING = 0,
    FILCH_TLS_ASK_IF_ANY = 1,  /* a certificate, if the client has one */
    FILCH_TLS_ASK_REQUIRE = 2, /* a certificate; without one there is no session */
} filch_tls_ask;

/*
 * Chooses the context for a client that asks for `host_name` (NULL: it does not say), in a handshake of the server whose
 * context has this function: certificate, trust, ALPN and versions are the chosen one's. Must not wait. The context must
 * be a server's, and must not be destroyed before the call that makes the handshake has returned.
 *
 * Returns  a context, maybe the one that asks; NULL: the client is refused ("unrecognized name")
 */
typedef filch_tls_context *filch_tls_select_fn(void *arg, const char *host_name);

/*
 * How a context is made. NULL in place of options, and zero in a field, is the default. All text is copied.
 *
 * Certificates and keys are PEM, in a file or as text; not both. A certificate is followed by those that lead from it to
 * one that the other side trusts. Without a key of its own, the key is looked for where the certificate is.
 */
typedef struct filch_tls_context_options {
    filch_tls_role role;

    const char *certificate_file; /* a server needs one, or `select` */
    const char *certificate_pem;
    const char *key_file;
    const char *key_pem;
    const char *key_password; /* of an encrypted key; nobody is ever asked for one */

    const char *trust_file; /* certificates of authorities: whoever they vouch for is trusted */
    const char *trust_pem;
    bool trust_system; /* those of the system as well; a client with neither of the above has them anyway */

    bool no_verify;     /* client: ANYBODY may be at the other side; nothing of its certificate is looked at */
    bool no_name_check; /* client: whoever has any certificate that is trusted may be */

    filch_tls_ask ask; /* server; with IF_ANY and REQUIRE whom to trust must be said */

    const char *const *alpn; /* names of protocols, best first, NULL at the end; a server chooses by its own order */
    filch_tls_version min_version, max_version;
    bool no_tickets; /* server: no session is resumed */

    filch_tls_select_fn *select; /* server: by the name that the client asks for */
    void *select_arg;

    filch_tls_failure *failure; /* written on failure, with a text that names the option or file; NULL: not wanted */
} filch_tls_context_options;

/*
 * Makes a context. Except on 0, `*context` is not written.
 *
 * Returns  0               `*context` is the context, for filch_tls_context_destroy
 *          -EINVAL         `context` is NULL; options that are out of range, or do not go together, or are the other
 *                          role's; a server without a certificate; a key without a certificate; a server that asks for
 *                          certificates and trusts nobody
 *          -EBADMSG        what should be PEM is not, or the password is not right
 *          -EKEYREJECTED   the key is not the certificate's, or the certificate does not satisfy OpenSSL's security level
 *          -EFBIG          a file is above 16 MiB
 *          -ENOMEM         no memory
 *          -errno          what open(2) or read(2) of a file answered
 * Call     from a task or from any thread
 * Waits    no; but reads the files, which blocks the worker: make contexts at the start, or by filch_blocking
 */
FILCH_API FILCH_CHECK int filch_tls_context_create(filch_tls_context **context,
                                                   const filch_tls_context_options *options);

/*
 * Gives the context up; NULL is nothing. Sessions and tickets that were made with it keep what they need.
 * Call     from a task or from any thread; nobody may be in a call of filch_tls_client or filch_tls_server with it, or
 *          about to choose it
 * Waits    no
 */
FILCH_API void filch_tls_context_destroy(filch_tls_context *context);

/*
 * OpenSSL's own context, an SSL_CTX, for what has no option here (ciphers, revocation lists): to be used before the first
 * session only. Its callbacks, modes and session cache are the library's. NULL for NULL.
 */
FILCH_API struct ssl_ctx_st *filch_tls_context_native(filch_tls_context *context);

/* ---------------------------------------------------------------------------------------------------------- sessions */

typedef struct filch_tls_ticket filch_tls_ticket;

/* How a session is begun. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_tls_options {
    const void *initial; /* bytes that the peer has sent and somebody has read ahead: they come first. Copied */
    size_t initial_size;
    filch_tls_ticket *ticket;   /* client: of an earlier session, to resume it; still the caller's */
    filch_tls_failure *failure; /* written on failure; NULL: not wanted */
} filch_tls_options;

/*
 * Begins a session as a client over `below`: makes the handshake, and sees to it that the peer is `host_name`: a name of
 * the DNS, which the peer is also told (SNI), or an IPv4 or IPv6 address. Except on 0, `*tls` is not written and `below`
 * is still the caller's, fit for nothing but to be closed.
 *
 * For a connection that begins in plain text (STARTTLS), pass what a buffered reader has read ahead as `initial`.
 *
 * A server that wants no certificate of this client, or not the one that it has, may say so only after the handshake (TLS
 * 1.3): then the first read answers -EPROTO.
 *
 * Returns  0               `*tls` is the session, and owns `below`
 *          -EKEYREJECTED   the peer's certificate is refused: expired, of another name, of nobody who is trusted ...;
 *                          `failure` says why
 *          -EPROTO         no agreement: garbage, an alert of the peer, no version or cipher in common
 *          -ECONNABORTED   the transport below ended
 *          -ETIMEDOUT, -ECANCELED   `deadline` passed, or the scope was cancelled
 *          -EINVAL         `tls` or `context` is NULL; `context` is a server's; `below` lacks read, write or close;
 *                          `host_name` is NULL (unless the context says no_verify or no_name_check), empty, or too long
 *                          to be one; the ticket is of another context or another name
 *          -ENOMEM         no memory
 *          or what the transport below answers
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker. It needs some 15 kB of stack
 * Keeps    `context`, until the session is destroyed: it may be given up by filch_tls_context_destroy
 */
FILCH_API FILCH_CHECK int filch_tls_client(filch_transport *tls, filch_transport below, filch_tls_context *context,
                                           const char *host_name, const filch_tls_options *options,
                                           filch_deadline deadline);

/*
 * Begins a session as a server over `below`. Except on 0, `*tls` is not written and `below` is still the caller's, fit
 * for nothing but to be closed.
 *
 * Returns  as filch_tls_client; -EKEYREJECTED: of the client's certificate, or it has none
 *          -EINVAL   `context` is a client's, a ticket was given, or as there
 * Call, Waits, Keeps   as filch_tls_client
 */
FILCH_API FILCH_CHECK int filch_tls_server(filch_transport *tls, filch_transport below, filch_tls_context *context,
                                           const filch_tls_options *options, filch_deadline deadline);

/* What was agreed on, and with whom. Text that is too long is cut off. */
typedef struct filch_tls_info {
    char version[16];     /* "TLSv1.3" */
    char cipher[64];      /* "TLS_AES_256_GCM_SHA384" */
    char alpn[256];       /* the protocol agreed on; "": none */
    char host_name[256];  /* client: whom it asked for; server: whom the client asked for; "": nobody */
    char subject[256];    /* of the peer's certificate, "CN=localhost,O=Example"; "": it has none */
    uint8_t sha256[32];   /* the fingerprint of the peer's certificate; zeroes: it has none */
    bool has_certificate; /* the peer has one */
    bool verified;        /* and it was found good */
    bool resumed;         /* an earlier session was resumed, with that one's certificate */
} filch_tls_info;

/*
 * Tells about the session `tls`.
 *
 * Returns  0
 *          -EINVAL   `info` is NULL, or `tls` is no session of this library
 * Call     from a task or from any thread, before `destroy`
 * Waits    no
 */
FILCH_API int filch_tls_describe(filch_transport tls, filch_tls_info *info);

/*
 * Why `tls` has failed, for people to read; "": it has not, or it is no session of this library. Valid until `destroy`.
 * From a task or from any thread; does not wait.
 */
FILCH_API const char *filch_tls_error_text(filch_transport tls);

/*
 * Calls `fn(ssl, arg)` with OpenSSL's own session, an SSL, for what has no function here (exporting keys, asking for a
 * KeyUpdate). Nobody else uses it meanwhile. `fn` must neither wait, nor read, write or end the session.
 *
 * Returns  what `fn` returned
 *          -EINVAL   `fn` is NULL, or `tls` is no session of this library
 * Call     from a task or from any thread, before `destroy`
 * Waits    no
 */
FILCH_API int filch_tls_use(filch_transport tls, int (*fn)(struct ssl_st *ssl, void *arg), void *arg);

/* ----------------------------------------------------------------------------------------------------------- tickets */

/*
 * Takes the ticket that the server has given to this client, to resume the session later, which spares both sides the
 * costly half of a handshake. It is good for the same context and the same host name. In TLS 1.3 it comes after the
 * handshake, with the first reads, and each is to be used once; the next comes with the session that it began. In TLS 1.2
 * it may be used again, and a session that it began may bring none. What was verified of the peer then is not verified
 * again. Except on 0, `*ticket` is not written.
 *
 * Returns  0         `*ticket` is the caller's, for filch_tls_ticket_destroy
 *          -EAGAIN   none has come, or it has been taken
 *          -EINVAL   `ticket` is NULL, or `tls` is no client's session of this library
 *          -ENOMEM   no memory
 * Call     from a task or from any thread, before `destroy`
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_tls_ticket_take(filch_tls_ticket **ticket, filch_transport tls);

/* Frees a ticket; NULL is nothing. From any thread; does not wait. */
FILCH_API void filch_tls_ticket_destroy(filch_tls_ticket *ticket);

FILCH_END_DECLS

#endif
