/* SPDX-License-Identifier: MIT */
#include "pg.h"

#include <errno.h>

int pg_connect(PGconn **out, const char *info, filch_deadline deadline) {
    PGconn *conn = *out = PQconnectStart(info);
    if (conn == NULL) return -ENOMEM;
    if (PQstatus(conn) == CONNECTION_BAD) return -ECONNREFUSED;
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    while (wants != PGRES_POLLING_OK) {
        unsigned events = wants == PGRES_POLLING_READING ? FILCH_READABLE : FILCH_WRITABLE;
        int answer = filch_poll(PQsocket(conn), events, deadline);
        if (answer < 0) return answer;
        wants = PQconnectPoll(conn);
        if (wants == PGRES_POLLING_FAILED) return -ECONNREFUSED;
    }
    return PQsetnonblocking(conn, 1) == 0 ? 0 : -EIO;
}

/* Sends what libpq has buffered, and reads meanwhile: the server may want to be rid of something first. */
static int flush(PGconn *conn, filch_deadline deadline) {
    int left;
    while ((left = PQflush(conn)) == 1) {
        int answer = filch_poll(PQsocket(conn), FILCH_READABLE | FILCH_WRITABLE, deadline);
        if (answer < 0) return answer;
        if (answer & FILCH_READABLE && !PQconsumeInput(conn)) return -EIO;
    }
    return left == 0 ? 0 : -EIO;
}

static int wait_for_input(PGconn *conn, filch_deadline deadline) {
    int answer = filch_poll(PQsocket(conn), FILCH_READABLE, deadline);
    if (answer < 0) return answer;
    return PQconsumeInput(conn) ? 0 : -EIO;
}

/* Reads results until there is none; the last is in `*last`. */
static int drain(PGconn *conn, PGresult **last, filch_deadline deadline) {
    for (;;) {
        while (PQisBusy(conn)) {
            int answer = wait_for_input(conn, deadline);
            if (answer != 0) return answer;
        }
        PGresult *next = PQgetResult(conn);
        if (next == NULL) return 0;
        PQclear(*last);
        *last = next;
    }
}

static int cancel(void *arg) {
    char message[256];
    return PQcancel(arg, message, sizeof message) ? 0 : -EIO;
}

/* PQcancel connects and waits by itself: that is for a helper thread. */
static void give_up(PGconn *conn) {
    filch_shield shield;
    filch_shield_begin(&shield); /* whatever cut the query short does not cut this short */
    filch_deadline deadline = filch_after(FILCH_SEC(10));
    PGcancel *handle = PQgetCancel(conn);
    PGresult *last = NULL;
    if (handle != NULL && filch_blocking(cancel, handle, NULL, deadline) == 0) (void)drain(conn, &last, deadline);
    PQfreeCancel(handle);
    PQclear(last);
    filch_shield_end(&shield);
}

int pg_query(PGconn *conn, const char *sql, PGresult **result, filch_deadline deadline) {
    *result = NULL;
    if (!PQsendQuery(conn, sql)) return -EIO;
    int answer = flush(conn, deadline);
    if (answer == 0) answer = drain(conn, result, deadline);
    if (answer == -ETIMEDOUT || answer == -ECANCELED) give_up(conn);
    if (answer == 0 && *result == NULL) answer = -EIO;
    if (answer != 0) {
        PQclear(*result);
        *result = NULL;
    }
    return answer;
}

int pg_notified(PGconn *conn, PGnotify **notification, filch_deadline deadline) {
    while ((*notification = PQnotifies(conn)) == NULL) {
        int answer = wait_for_input(conn, deadline);
        if (answer != 0) return answer;
    }
    return 0;
}
