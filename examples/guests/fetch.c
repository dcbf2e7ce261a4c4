/* SPDX-License-Identifier: MIT */
/*
 * Fetches one page many times over at once, with libcurl; and one that never comes, with a deadline.
 *
 *     fetch http://127.0.0.1:8000/page http://127.0.0.1:8001/slow
 */
#include <errno.h>
#include <stdio.h>

#include "multi.h"

enum { TRANSFERS = 64 };

struct job {
    struct multi *multi;
    const char *url;
    long status;
    size_t size;
};

static size_t count(char *data, size_t one, size_t size, void *arg) {
    (void)data;
    *(size_t *)arg += one * size;
    return one * size;
}

static int get(struct job *job, filch_deadline deadline) {
    CURL *easy = curl_easy_init();
    if (easy == NULL) return -ENOMEM;
    curl_easy_setopt(easy, CURLOPT_URL, job->url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &job->size);
    int result = multi_fetch(job->multi, easy, deadline);
    if (result == CURLE_OK) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &job->status);
    if (result > 0) fprintf(stderr, "fetch: %s: %s\n", job->url, curl_easy_strerror((CURLcode)result));
    curl_easy_cleanup(easy);
    return result > 0 ? -EIO : result;
}

static int fetch(void *arg) {
    return get(arg, filch_after(FILCH_SEC(30)));
}

static int fetch_all(struct multi *multi, const char *url) {
    struct job jobs[TRANSFERS];
    filch_scope scope;
    int error = filch_scope_open(&scope, NULL), good = 0;
    if (error != 0) return error;
    for (int i = 0; i < TRANSFERS && error == 0; i++) {
        jobs[i] = (struct job){.multi = multi, .url = url};
        error = filch_scope_spawn(&scope, NULL, fetch, &jobs[i], &(filch_task_options){.stack_size = 256 << 10});
    }
    filch_scope_fail(&scope, error);
    error = filch_scope_close(&scope);
    for (int i = 0; i < TRANSFERS; i++) good += jobs[i].status == 200 && jobs[i].size == jobs[0].size;
    printf("%d of %d fetched, %zu bytes each\n", good, TRANSFERS, jobs[0].size);
    return error;
}

static int run(void *arg) {
    char **urls = arg;
    struct multi multi;
    int error = multi_open(&multi);
    if (error != 0) return error;
    error = fetch_all(&multi, urls[0]);
    struct job slow = {.multi = &multi, .url = urls[1]};
    int late = get(&slow, filch_after(FILCH_MS(200)));
    printf("the slow one: %s\n", late == -ETIMEDOUT ? "time was up" : "no time-out");
    int closed = multi_close(&multi);
    return error != 0 ? error : late != -ETIMEDOUT ? -EPROTO : closed;
}

int main(int arguments, char **argument) {
    if (arguments != 3) {
        fprintf(stderr, "usage: fetch URL SLOW-URL\n");
        return 2;
    }
    curl_global_init(CURL_GLOBAL_ALL);
    /* libcurl calls back from within, on whatever stack its caller has: more than the default. */
    int error = filch_run(run, argument + 1, &(filch_options){.stack_size = 256 << 10});
    curl_global_cleanup();
    return error == 0 ? 0 : 1;
}
