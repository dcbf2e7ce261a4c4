/* SPDX-License-Identifier: MIT */
/*
 * Events: a flag that can be waited for. Once set, all who wait go on, and so do all who come, until it is cleared.
 *
 * A zeroed event is not set; its memory is the caller's and does not move. Its use may be ended by filch_event_fini when
 * the last call of filch_event_wait has returned, though the call that set it may not have returned yet.
 */
#ifndef FILCH_EVENT_H
#define FILCH_EVENT_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

typedef struct filch_event {
    uint32_t filch__set; /* atomic; written under the latch */
    struct filch__latch filch__latch;
    struct filch__waitlist filch__waiters;
} filch_event;

#ifdef __cplusplus
#define FILCH_EVENT_INIT                                                                                               \
    {}
#else
#define FILCH_EVENT_INIT                                                                                               \
    { 0 }
#endif

/* Makes an event that is not set in the caller's memory, as FILCH_EVENT_INIT does. Does not wait. */
FILCH_API void filch_event_init(filch_event *event);

/*
 * Ends the use of `event`: its memory is the caller's. Aborts if it is waited for. NULL is nothing. From any
 * thread; does not wait.
 */
FILCH_API void filch_event_fini(filch_event *event);

/*
 * Sets `event`: all who wait by now go on, even if it is cleared again at once. Nothing if it is set.
 *
 * Call     from any thread
 * Waits    no
 * Orders   what the caller did before, before what follows the waits that it ends
 */
FILCH_API void filch_event_set(filch_event *event);

/* Clears `event`: who comes from now on waits. From any thread; does not wait. */
FILCH_API void filch_event_clear(filch_event *event);

/* Whether `event` is set; if so, what was done before that is seen. From any thread; does not wait. */
FILCH_API bool filch_event_is_set(const filch_event *event);

/*
 * Waits until `event` is set.
 *
 * Returns  0            it is set, or was set while the caller waited
 *          -ETIMEDOUT   `deadline` passed first; an event that is set answers 0 whatever the deadline
 *          -ECANCELED   the scope was cancelled first; also if the event is set
 *          -EINVAL      `event` is NULL
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Orders   what was done before the event was set, before what follows this call
 */
FILCH_API FILCH_CHECK int filch_event_wait(filch_event *event, filch_deadline deadline);

FILCH_END_DECLS

#endif
