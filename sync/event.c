/* SPDX-License-Identifier: MIT */
/*
 * Events. The flag changes under the latch, together with the list: nobody waits in the list of an event that is set.
 *
 * Edge
 *   SET   set: the flag (release)  ->  who finds it set: the flag (acquire)   carries what the setter did before
 */
#include <errno.h>
#include <filch/event.h>

#include "base/tasksan.h"
#include "sched/sched.h"

void filch_event_init(filch_event *event) {
    *event = (filch_event)FILCH_EVENT_INIT;
}

void filch_event_fini(filch_event *event) {
    if (event == NULL) return;
    filch__latch_take(&event->filch__latch); /* who set it may still be about to leave it */
    if (!filch__waitlist_is_empty(&event->filch__waiters))
        filch__die("event_fini: event %p is waited for", (void *)event);
    filch__latch_leave(&event->filch__latch);
}

void filch_event_set(filch_event *event) {
    filch__latch_take(&event->filch__latch);
    edge_release(event);
    store_release(&event->filch__set, 1); /* SET */
    struct filch__clause *all = filch__waitlist_take_all(&event->filch__waiters);
    filch__latch_leave(&event->filch__latch);
    filch__grant_all(all, 0);
}

void filch_event_clear(filch_event *event) {
    filch__latch_take(&event->filch__latch);
    store_relaxed(&event->filch__set, 0); /* carries nothing */
    filch__latch_leave(&event->filch__latch);
}

bool filch_event_is_set(const filch_event *event) {
    if (load_acquire(&event->filch__set) == 0) return false; /* SET */
    edge_acquire(event);
    return true;
}

int filch_event_wait(filch_event *event, filch_deadline deadline) {
    if (unlikely(event == NULL)) return -EINVAL;
    if (unlikely(filch__cancelled())) return -ECANCELED;
    if (filch_event_is_set(event)) {
        filch__spend();
        return 0;
    }
    filch__latch_take(&event->filch__latch);
    if (filch_event_is_set(event)) {
        filch__latch_leave(&event->filch__latch);
        return 0;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "event", event);
    struct filch__clause clause = {.waiter = &waiter};
    filch__waitlist_add(&event->filch__waiters, &clause);
    int answer = filch__wait(&event->filch__latch, &clause, deadline);
    if (answer == 0) edge_acquire(event); /* SET */
    return answer;
}
