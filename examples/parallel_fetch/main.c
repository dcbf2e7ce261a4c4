/* SPDX-License-Identifier: MIT */
/*
 * parallel_fetch: fetches many URLs at once, a task each, but no more than some at a time; and prints what came of each, in
 * the order in which they were named, as soon as that is known.
 *
 *     parallel_fetch [--at-once N] [--seconds S] URL ...
 *
 * A semaphore holds the tasks back: who has no permit has no connection yet.
 */
#include <errno.h>
#include <filch/filch.h>
#include <filch/resolve.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"

struct batch {
    char **urls;
    size_t count;
    int64_t patience_ns; /* for each, from when it begins */
    size_t at_once;
    filch_sem permits;
};

struct job {
    struct batch *batch;
    const char *url;
    struct fetched fetched;
    filch_task *task;
};

static int run_job(void *arg) {
    struct job *job = arg;
    int error = filch_sem_acquire(&job->batch->permits, FILCH_NEVER);
    if (error != 0) return error;
    error = fetch(&job->fetched, job->url, filch_after(job->batch->patience_ns));
    filch_sem_release(&job->batch->permits);
    return error;
}

/* Errors in looking a host up have texts of their own; these are of nothing else here. */
static const char *text_of(int error) {
    if (error == -EINVAL) return "not a URL that is understood";
    if (error == -ENOENT || error == -EAGAIN || error == -EREMOTEIO) return filch_resolve_error(error);
    return strerror(-error);
}

/* Whether it was fetched, and the status says that it is what was asked for. */
static bool report(const struct job *job, int error) {
    if (error != 0) {
        printf("%s: %s\n", job->url, text_of(error));
    } else {
        printf("%s: %d, %llu bytes, %016llx\n", job->url, job->fetched.status, (unsigned long long)job->fetched.bytes,
               (unsigned long long)job->fetched.digest);
    }
    fflush(stdout);
    return error == 0 && job->fetched.status / 100 == 2;
}

/* Starts all jobs, and reports on them in their order. Returns how many were not fetched, or a negative errno. */
static int run_jobs(struct batch *batch, struct job *jobs) {
    filch_scope scope;
    int failures = 0;
    int error = filch_scope_open(&scope, &(filch_scope_options){.policy = FILCH_SCOPE_SUPERVISE});
    if (error != 0) return error;
    size_t started = 0;
    for (; started < batch->count && error == 0; started++) {
        struct job *job = &jobs[started];
        *job = (struct job){.batch = batch, .url = batch->urls[started]};
        error = filch_scope_spawn(&scope, &job->task, run_job, job, NULL);
        if (error != 0) break;
    }
    for (size_t i = 0; i < started; i++) {
        int result;
        int awaited = filch_await(jobs[i].task, &result, FILCH_NEVER);
        if (!report(&jobs[i], awaited != 0 ? awaited : result)) failures++;
    }
    filch_scope_close(&scope);
    return error != 0 ? error : failures;
}

static int fetch_all(void *arg) {
    struct batch *batch = arg;
    struct job *jobs = calloc(batch->count, sizeof(*jobs));
    if (jobs == NULL) return -ENOMEM;
    int result = filch_sem_init(&batch->permits, batch->at_once, 0);
    if (result == 0) {
        result = run_jobs(batch, jobs);
        filch_sem_fini(&batch->permits);
    }
    free(jobs);
    return result;
}

static _Noreturn void usage(int status) {
    fputs("Usage: parallel_fetch [--at-once N] [--seconds S] URL ...\n"
          "\n"
          "Fetches all URLs (http:// only) in parallel, N of them at once (default: 8), each within S seconds\n"
          "(default: 30); prints status, length and digest (64-bit FNV-1a) of each, in order.\n"
          "\n"
          "Exit status: 0 when all were fetched with a status 2xx, 1 when not, 2 when nothing could be done.\n",
          status == 0 ? stdout : stderr);
    exit(status);
}

/* The number in argv[*at], which is moved behind it. */
static long number(char **argv, int *at, long most) {
    const char *text = argv[*at];
    char *end;
    long value = text == NULL ? 0 : strtol(text, &end, 10);
    if (text == NULL || *end != '\0' || value < 1 || value > most) usage(2);
    ++*at;
    return value;
}

int main(int argc, char **argv) {
    struct batch batch = {.at_once = 8, .patience_ns = FILCH_SEC(30)};
    int at = 1;
    while (argv[at] != NULL && strncmp(argv[at], "--", 2) == 0) {
        const char *option = argv[at++];
        if (strcmp(option, "--help") == 0) usage(0);
        if (strcmp(option, "--at-once") == 0) {
            batch.at_once = (size_t)number(argv, &at, 100000);
        } else if (strcmp(option, "--seconds") == 0) {
            batch.patience_ns = FILCH_SEC(number(argv, &at, 100000));
        } else {
            usage(2);
        }
    }
    batch.urls = &argv[at];
    batch.count = (size_t)(argc - at);
    if (batch.count == 0) usage(2);
    int result = filch_run(fetch_all, &batch, NULL);
    if (result < 0) fprintf(stderr, "parallel_fetch: %s\n", strerror(-result));
    return result < 0 ? 2 : result > 0 ? 1 : 0;
}
