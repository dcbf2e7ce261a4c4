/* SPDX-License-Identifier: MIT */
/*
 * Many tasks at one PostgreSQL server: a pool of connections in a channel, queries with deadlines, a notification.
 *
 *     postgres "host=/run/postgresql dbname=postgres"
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pg.h"

enum { CONNECTIONS = 4, TASKS = 32, QUERIES = 20 };

static filch_chan *pool; /* of PGconn *: whoever has taken one is its only user */

static filch_deadline soon(void) {
    return filch_after(FILCH_SEC(30));
}

/* Makes a query on a connection of the pool; the first field of its result, as a number. */
static int number_of(const char *sql, long *number, filch_deadline deadline) {
    PGconn *conn;
    PGresult *result;
    int error = filch_chan_recv(pool, &conn, soon());
    if (error != 0) return error;
    error = pg_query(conn, sql, &result, deadline);
    if (error == 0 && PQresultStatus(result) != PGRES_TUPLES_OK) error = -EPROTO;
    if (error == 0) *number = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    filch_shield shield;
    filch_shield_begin(&shield); /* a connection goes back to the pool, cancelled or not */
    int back = filch_chan_send(pool, &conn, soon());
    filch_shield_end(&shield);
    return error != 0 ? error : back;
}

static int ask(void *arg) {
    long *sum = arg, number = 0, first = *sum;
    *sum = 0;
    for (long i = 0; i < QUERIES; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "select %ld * 1000 + %ld", first, i);
        int error = number_of(sql, &number, soon());
        if (error != 0) return error;
        if (number != first * 1000 + i) return -EPROTO;
        *sum += number;
    }
    return 0;
}

static int ask_with_many(void) {
    filch_scope scope;
    long sums[TASKS], total = 0;
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    for (int i = 0; i < TASKS && error == 0; i++) {
        sums[i] = i;
        error = filch_scope_spawn(&scope, NULL, ask, &sums[i], NULL);
    }
    filch_scope_fail(&scope, error);
    error = filch_scope_close(&scope);
    for (int i = 0; i < TASKS; i++) total += sums[i];
    printf("%d tasks, %d queries each, over %d connections: %s, sum %ld\n", TASKS, QUERIES, CONNECTIONS,
           error == 0 ? "all answered" : "failed", total);
    return error;
}

/* A query that takes too long is given up at the server as well, and its connection can be used again. */
static int give_up_after_deadline(void) {
    long number = 0;
    int late = number_of("select 1 from pg_sleep(60)", &number, filch_after(FILCH_MS(200)));
    int error = number_of("select count(*) from pg_stat_activity where query like '%pg_sleep(60)' and state = 'active'",
                          &number, soon());
    printf("a slow query: %s; %ld of it left at the server\n", late == -ETIMEDOUT ? "time was up" : "no time-out",
           error == 0 ? number : -1);
    return late == -ETIMEDOUT && error == 0 && number == 0 ? 0 : -EPROTO;
}

static int notify(void *arg) {
    (void)arg;
    PGconn *conn;
    PGresult *result;
    int error = filch_chan_recv(pool, &conn, soon());
    if (error != 0) return error;
    error = pg_query(conn, "notify news, 'the pool says hello'", &result, soon());
    PQclear(result);
    int back = filch_chan_send(pool, &conn, soon());
    return error != 0 ? error : back;
}

static int hear_news(PGconn *conn) {
    PGresult *result;
    PGnotify *news = NULL;
    int error = pg_query(conn, "listen news", &result, soon());
    PQclear(result);
    filch_task *task;
    if (error == 0) error = filch_spawn(&task, notify, NULL, NULL);
    if (error != 0) return error;
    error = pg_notified(conn, &news, soon());
    printf("notified: %s\n", error == 0 ? news->extra : "never");
    PQfreemem(news);
    int sent = 0, awaited = filch_await(task, &sent, FILCH_NEVER);
    return error != 0 ? error : awaited != 0 ? awaited : sent;
}

static int fill_pool(PGconn **conns, const char *info) {
    int error = filch_chan_create(&pool, sizeof(PGconn *), CONNECTIONS);
    for (int i = 0; i < CONNECTIONS + 1 && error == 0; i++) {
        error = pg_connect(&conns[i], info, soon());
        if (error != 0) fprintf(stderr, "postgres: %s", conns[i] != NULL ? PQerrorMessage(conns[i]) : "no memory\n");
        if (error == 0 && i < CONNECTIONS) error = filch_chan_send(pool, &conns[i], soon()); /* one more, to listen */
    }
    return error;
}

static int run(void *info) {
    PGconn *conns[CONNECTIONS + 1] = {NULL};
    int error = fill_pool(conns, info);
    if (error == 0) error = ask_with_many();
    if (error == 0) error = give_up_after_deadline();
    if (error == 0) error = hear_news(conns[CONNECTIONS]);
    for (int i = 0; i < CONNECTIONS + 1; i++) PQfinish(conns[i]);
    filch_chan_destroy(pool);
    return error;
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: postgres CONNINFO\n");
        return 2;
    }
    return filch_run(run, arguments[1], NULL) == 0 ? 0 : 1;
}
