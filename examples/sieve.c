/* SPDX-License-Identifier: MIT */
/*
 * The sieve of Eratosthenes as a chain of tasks, one for each prime: it passes on what its prime does not divide. The
 * first number to come out at the end is the next prime, and gets a task of its own, behind the others.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdio.h>

enum { PRIMES = 40 };

struct filter {
    int prime;
    filch_chan *in, *out;
};

static int count(void *arg) {
    struct filter *filter = arg;
    int error = 0;
    for (int n = 2; error == 0; n++) error = filch_chan_send(filter->out, &n, FILCH_NEVER);
    return error;
}

static int pass(void *arg) {
    struct filter *filter = arg;
    for (;;) {
        int n, error = filch_chan_recv(filter->in, &n, FILCH_NEVER);
        if (error == 0 && n % filter->prime != 0) error = filch_chan_send(filter->out, &n, FILCH_NEVER);
        if (error != 0) return error;
    }
}

/* Starts `filter` at the end of the chain, behind `in`. */
static int lengthen(filch_scope *scope, struct filter *filter, filch_fn *fn, filch_chan *in) {
    filter->in = in;
    int error = filch_chan_create(&filter->out, sizeof(int), 0);
    return error != 0 ? error : filch_scope_spawn(scope, NULL, fn, filter, NULL);
}

static int find(filch_scope *scope, struct filter *filters) {
    int error = lengthen(scope, &filters[0], count, NULL);
    for (int i = 1; i <= PRIMES && error == 0; i++) {
        filch_chan *end = filters[i - 1].out;
        error = filch_chan_recv(end, &filters[i].prime, FILCH_NEVER);
        if (error != 0) break;
        printf("%d%c", filters[i].prime, i % 10 == 0 ? '\n' : ' ');
        if (i < PRIMES) error = lengthen(scope, &filters[i], pass, end);
    }
    return error;
}

static int sieve(void *arg) {
    struct filter filters[PRIMES + 1] = {0};
    filch_scope scope;
    (void)arg;
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    error = find(&scope, filters);
    filch_scope_cancel(&scope); /* they would go on for ever */
    int closed = filch_scope_close(&scope);
    for (int i = 0; i <= PRIMES; i++) filch_chan_destroy(filters[i].out);
    if (error != 0) return error;
    return closed == -ECANCELED ? 0 : closed;
}

int main(void) {
    return filch_run(sieve, NULL, NULL) == 0 ? 0 : 1;
}
