/* SPDX-License-Identifier: MIT */
#include "multi.h"

#include <errno.h>
#include <filch/fd.h>
#include <stdlib.h>

/* A socket that is watched; under the lock, but for what its own task reads. */
struct watch {
    struct multi *multi;
    curl_socket_t socket;
    unsigned events;
    filch_task *task;
    bool calls; /* its task is the one that calls libcurl just now */
    bool over;  /* ... and has been told to end */
};

/* ------------------------------------------------------------------------------------------- calls of libcurl, locked */

static void tell_who_waits(struct multi *multi) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi->curl, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        char *future = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &future);
        curl_multi_remove_handle(multi->curl, easy);
        filch_future_set((filch_future *)(void *)future, (int)result, NULL);
    }
}

static void act(struct multi *multi, curl_socket_t socket, int flags) {
    int running;
    curl_multi_socket_action(multi->curl, socket, flags, &running);
    tell_who_waits(multi);
}

/* ------------------------------------------------------------------------------------------------------------ watches */

/* Polls and calls libcurl until it is told to end. Who cancels it frees `watch`; else it does so itself. */
static int watch_socket(void *arg) {
    struct watch *watch = arg;
    struct multi *multi = watch->multi;
    bool over = false;
    while (!over) {
        int events = filch_poll(watch->socket, watch->events, FILCH_NEVER);
        if (events == -ECANCELED || filch_mutex_lock(&multi->lock, FILCH_NEVER) != 0) return 0;
        int flags = events < 0 ? CURL_CSELECT_ERR
                               : (events & FILCH_READABLE ? CURL_CSELECT_IN : 0) |
                                     (events & FILCH_WRITABLE ? CURL_CSELECT_OUT : 0);
        watch->calls = true;
        act(multi, watch->socket, flags);
        watch->calls = false;
        over = watch->over;
        filch_mutex_unlock(&multi->lock);
    }
    filch_task_detach(watch->task);
    free(watch);
    return 0;
}

static void watch_end(struct watch *watch) {
    if (watch == NULL) return;
    if (watch->calls) {
        watch->over = true;
        return;
    }
    filch_shield shield;
    filch_shield_begin(&shield);
    filch_task_cancel(watch->task);
    if (filch_await(watch->task, NULL, FILCH_NEVER) != 0) abort(); /* in a shield, without a deadline */
    filch_shield_end(&shield);
    free(watch);
}

static struct watch *watch_begin(struct multi *multi, curl_socket_t socket, int what) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) return NULL;
    watch->multi = multi;
    watch->socket = socket;
    if (what & CURL_POLL_IN) watch->events |= FILCH_READABLE; /* CURL_POLL_INOUT is both */
    if (what & CURL_POLL_OUT) watch->events |= FILCH_WRITABLE;
    if (filch_scope_spawn(&multi->scope, &watch->task, watch_socket, watch, NULL) == 0) return watch;
    free(watch);
    return NULL;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *of_socket) {
    (void)easy;
    struct multi *multi = arg;
    watch_end(of_socket);
    struct watch *watch = what == CURL_POLL_REMOVE ? NULL : watch_begin(multi, socket, what);
    curl_multi_assign(multi->curl, socket, watch);
    return what == CURL_POLL_REMOVE || watch != NULL ? 0 : -1;
}

/* --------------------------------------------------------------------------------------------------------------- time */

static int on_timer(CURLM *curl, long timeout_ms, void *arg) {
    (void)curl;
    struct multi *multi = arg;
    multi->at = timeout_ms < 0 ? FILCH_NEVER : filch_after(FILCH_MS(timeout_ms));
    filch_event_set(&multi->changed);
    return 0;
}

static int keep_time(void *arg) {
    struct multi *multi = arg;
    for (;;) {
        filch_event_clear(&multi->changed); /* before the time is read: what is set later changes it later */
        if (filch_mutex_lock(&multi->lock, FILCH_NEVER) != 0) return 0;
        filch_deadline at = multi->at;
        filch_mutex_unlock(&multi->lock);
        int answer = filch_event_wait(&multi->changed, at);
        if (answer == 0) continue;
        if (answer == -ECANCELED || filch_mutex_lock(&multi->lock, FILCH_NEVER) != 0) return 0;
        if (multi->at.at_ns == at.at_ns) multi->at = FILCH_NEVER;
        act(multi, CURL_SOCKET_TIMEOUT, 0);
        filch_mutex_unlock(&multi->lock);
    }
}

/* ------------------------------------------------------------------------------------------------------------ the rest */

int multi_open(struct multi *multi) {
    *multi = (struct multi){.curl = curl_multi_init(), .at = FILCH_NEVER};
    if (multi->curl == NULL) return -ENOMEM;
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    filch_mutex_init(&multi->lock);
    filch_event_init(&multi->changed);
    int error = filch_scope_open(&multi->scope, &(filch_scope_options){.policy = FILCH_SCOPE_SUPERVISE});
    if (error != 0) {
        curl_multi_cleanup(multi->curl);
        return error;
    }
    error = filch_scope_spawn(&multi->scope, NULL, keep_time, multi, NULL);
    if (error != 0) (void)multi_close(multi);
    return error;
}

/* Nobody fetches any more; but libcurl keeps connections, and closes them here. */
int multi_close(struct multi *multi) {
    filch_shield shield;
    filch_shield_begin(&shield);
    int error = filch_mutex_lock(&multi->lock, FILCH_NEVER);
    if (error == 0) {
        curl_multi_cleanup(multi->curl);
        filch_mutex_unlock(&multi->lock);
    }
    filch_shield_end(&shield);
    filch_scope_cancel(&multi->scope);
    (void)filch_scope_close(&multi->scope);
    filch_event_fini(&multi->changed);
    filch_mutex_fini(&multi->lock);
    return error;
}

/* Takes a transfer back that nobody waits for any more, unless it has ended just now. */
static void give_up(struct multi *multi, CURL *easy, filch_future *future) {
    filch_shield shield;
    filch_shield_begin(&shield);
    if (filch_mutex_lock(&multi->lock, FILCH_NEVER) == 0) {
        if (!filch_future_is_done(future)) curl_multi_remove_handle(multi->curl, easy);
        filch_mutex_unlock(&multi->lock);
    }
    filch_shield_end(&shield);
}

int multi_fetch(struct multi *multi, CURL *easy, filch_deadline deadline) {
    filch_future future;
    int result = 0, error = filch_future_init(&future);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &future);
    if (error == 0) error = filch_mutex_lock(&multi->lock, deadline);
    if (error != 0) return error;
    CURLMcode added = curl_multi_add_handle(multi->curl, easy);
    filch_mutex_unlock(&multi->lock);
    if (added != CURLM_OK) return -EINVAL;
    error = filch_future_wait(&future, &result, NULL, deadline);
    if (error != 0) give_up(multi, easy, &future);
    filch_future_fini(&future);
    return error != 0 ? error : result;
}
