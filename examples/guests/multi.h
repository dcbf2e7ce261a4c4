/* SPDX-License-Identifier: MIT */
/*
 * libcurl from tasks: its multi-socket interface, driven by filch. Each transfer is a task's call that waits; all of them
 * share connections and a cache of names.
 */
#ifndef EXAMPLES_MULTI_H
#define EXAMPLES_MULTI_H

#include <curl/curl.h>
#include <filch/filch.h>

/*
 * libcurl says which sockets are to be watched, for what, and when it wants to be called again. A task watches each, and one
 * keeps the time; they call libcurl under the lock. Who fetches waits at its own future.
 *
 * A watcher must be out of filch_poll before libcurl closes its socket, which it may as soon as it has said REMOVE. So
 * whoever is told that, under the lock, cancels the watcher and waits for its end. It does not wait for the lock by then,
 * since a cancelled task does not wait. But the one that has called libcurl may be told to end its own watch: it notes that.
 */
struct multi {
    filch_mutex lock; /* over the rest */
    CURLM *curl;
    filch_scope scope;   /* of the watchers and of the timekeeper */
    filch_event changed; /* the time has */
    filch_deadline at;
};

/* Begins and ends, in the same task. 0 or -errno. */
int multi_open(struct multi *multi);
int multi_close(struct multi *multi);

/*
 * Makes the transfer that `easy` describes, and waits for its end. CURLE_OK or another CURLcode, or -ETIMEDOUT or
 * -ECANCELED: then it was given up, and `easy` is the caller's again in any case. Its callbacks may be called by any task.
 */
int multi_fetch(struct multi *multi, CURL *easy, filch_deadline deadline);

#endif
