/* SPDX-License-Identifier: MIT */
/*
 * A token bucket: a semaphore whose permits are the tokens, and a ticker that puts one in every so often, up to as many
 * as the bucket holds. Each request takes one: a few may come at once, and after that no more than one a tick.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdatomic.h>
#include <stdio.h>

enum { REQUESTS = 20, BUCKET = 5 };
#define PERIOD FILCH_MS(2)

struct limiter {
    filch_sem tokens;
    filch_ticker ticker;
    int64_t begin_ns;
    atomic_int served, too_early;
};

static int fill(void *arg) {
    struct limiter *limiter = arg;
    for (;;) {
        int64_t ticks = filch_ticker_wait(&limiter->ticker, FILCH_NEVER); /* more than one where this is late */
        if (ticks < 0) return (int)ticks;
        size_t room = BUCKET - filch_sem_value(&limiter->tokens); /* nobody else makes it less */
        filch_sem_release_n(&limiter->tokens, (size_t)ticks < room ? (size_t)ticks : room);
    }
}

static int request(void *arg) {
    struct limiter *limiter = arg;
    int error = filch_sem_acquire(&limiter->tokens, filch_after(FILCH_SEC(30)));
    if (error != 0) return error;
    int before = atomic_fetch_add(&limiter->served, 1);
    int64_t passed_ns = filch_now() - limiter->begin_ns;
    if (before - BUCKET >= passed_ns / PERIOD) atomic_fetch_add(&limiter->too_early, 1);
    return 0;
}

static int make_requests(struct limiter *limiter) {
    filch_scope scope;
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    for (int i = 0; i < REQUESTS && error == 0; i++) error = filch_scope_spawn(&scope, NULL, request, limiter, NULL);
    if (error != 0) filch_scope_fail(&scope, error);
    return filch_scope_close(&scope);
}

static int limit(void *arg) {
    struct limiter limiter = {.begin_ns = filch_now()};
    filch_scope scope;
    (void)arg;
    int error = filch_sem_init(&limiter.tokens, BUCKET, BUCKET);
    if (error == 0) error = filch_ticker_init(&limiter.ticker, PERIOD);
    if (error == 0) error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    error = filch_scope_spawn(&scope, NULL, fill, &limiter, NULL);
    if (error == 0) error = make_requests(&limiter);
    filch_scope_cancel(&scope); /* the filler goes on until then */
    int closed = filch_scope_close(&scope);
    if (error == 0 && closed != -ECANCELED) error = closed;
    filch_sem_fini(&limiter.tokens);
    if (error == 0) printf("%d requests served, %d of them too early\n", limiter.served, limiter.too_early);
    return error;
}

int main(void) {
    return filch_run(limit, NULL, NULL) == 0 ? 0 : 1;
}
