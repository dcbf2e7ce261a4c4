/* SPDX-License-Identifier: MIT */
/*
 * Timeout and retry: each attempt stands in a scope with a deadline, which cuts short whatever it waits for; between
 * two attempts there is a pause, twice as long each time. Clean-up that must wait, though its scope is cancelled, stands
 * in a shield.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdio.h>

enum { ATTEMPTS = 5 };

struct request {
    int attempt;
    int answer;
};

/* As a server that is overloaded at first. */
static int ask_server(struct request *request) {
    int error = filch_sleep(request->attempt < 3 ? FILCH_SEC(60) : 0);
    if (error == 0) request->answer = 42;
    return error;
}

static int hang_up(struct request *request) {
    filch_shield shield;
    filch_shield_begin(&shield);
    int error = filch_sleep(FILCH_MS(1)); /* without the shield: -ECANCELED at once */
    filch_shield_end(&shield);
    printf("attempt %d: hung up%s\n", request->attempt, error == 0 ? "" : " without a word");
    return error;
}

static int converse(void *arg) {
    struct request *request = arg;
    int error = ask_server(request);
    int parting = hang_up(request);
    return error != 0 ? error : parting;
}

/* -ETIMEDOUT where it took too long; -ECANCELED where somebody has cancelled the caller: that is not for trying again. */
static int attempt(struct request *request, int64_t patience_ns) {
    filch_scope scope;
    int error = filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(patience_ns)});
    if (error != 0) return error;
    error = filch_scope_spawn(&scope, NULL, converse, request, NULL);
    if (error != 0) filch_scope_fail(&scope, error);
    return filch_scope_close(&scope);
}

static int retry(void *arg) {
    struct request *request = arg;
    int64_t pause_ns = FILCH_MS(5);
    for (request->attempt = 1;; request->attempt++) {
        int error = attempt(request, FILCH_MS(500));
        if (error == 0) printf("attempt %d: the answer is %d\n", request->attempt, request->answer);
        if (error != -ETIMEDOUT || request->attempt == ATTEMPTS) return error;
        printf("attempt %d: timed out\n", request->attempt);
        error = filch_sleep(pause_ns);
        if (error != 0) return error;
        pause_ns *= 2;
    }
}

int main(void) {
    struct request request = {0};
    return filch_run(retry, &request, NULL) == 0 ? 0 : 1;
}
