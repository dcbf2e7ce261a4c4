/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL from tasks: libpq's non-blocking calls, with filch_poll where libpq would wait. A connection is used by one
 * task at a time, as libpq demands.
 */
#ifndef EXAMPLES_PG_H
#define EXAMPLES_PG_H

#include <filch/fd.h>
#include <filch/filch.h>
#include <libpq-fe.h>

/*
 * Connects. 0, and `*conn` is for PQfinish; or -ETIMEDOUT, -ECANCELED, -ENOMEM, or -ECONNREFUSED: then PQerrorMessage of
 * `*conn`, which is for PQfinish unless it is NULL, tells more. A host name would be looked up on the worker: use hostaddr.
 */
int pg_connect(PGconn **conn, const char *info, filch_deadline deadline);

/*
 * Makes a query and waits for its last result, which is for PQclear. Where the deadline passes or the scope is cancelled,
 * the server is asked to give the query up, and its answer is waited for: the connection can be used again. 0, -ETIMEDOUT,
 * -ECANCELED, or -EIO: the connection is lost.
 */
int pg_query(PGconn *conn, const char *sql, PGresult **result, filch_deadline deadline);

/* Waits for a notification, after LISTEN. It is for PQfreemem. 0, -ETIMEDOUT, -ECANCELED, or -EIO. */
int pg_notified(PGconn *conn, PGnotify **notification, filch_deadline deadline);

#endif
