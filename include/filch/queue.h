/* SPDX-License-Identifier: MIT */
/*
 * Queues of values between tasks and threads, with the count of what has been dealt with (asyncio.Queue and its kin).
 *
 * Values have one size each and are copied in and out. They leave in the order they came, or the last one first, or by
 * a comparison of the program's own. Who waits to put or to get is served in the order they came; a newcomer does not
 * overtake.
 *
 * A call that is cut short, by its deadline or by cancellation, has moved nothing: a put has put nothing in, and a get
 * has taken nothing out. A call that was served first succeeds, also where it is cancelled at the same time.
 *
 * A value inside costs 32 bytes beside its own. For a stream of values without the count and the orders, channels
 * (filch/chan.h) cost less.
 */
#ifndef FILCH_QUEUE_H
#define FILCH_QUEUE_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* In which order values leave. */
typedef enum filch_queue_order {
    FILCH_QUEUE_FIFO = 0,
    FILCH_QUEUE_LIFO = 1,
    FILCH_QUEUE_PRIORITY = 2, /* the least first; of equal ones the one that was put first */
} filch_queue_order;

/*
 * Says which of two values leaves first: negative for the left one, positive for the right one, 0 for the one that was
 * put first. Called with the queue locked: it computes, shortly, and calls nothing of filch.
 *
 * Orders   what was done before the puts of both values, and in earlier calls for this queue, before this one; and this one
 *          before what follows the get of either value
 */
typedef int filch_queue_compare_fn(const void *left, const void *right);

/* How a queue is made. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_queue_options {
    filch_queue_order order;
    filch_queue_compare_fn *compare; /* for FILCH_QUEUE_PRIORITY, and only for that */
    size_t capacity;                 /* how many values may be inside; default: as many as memory holds */
} filch_queue_options;

/* What becomes of the values that are inside when a queue is shut down. */
typedef enum filch_queue_rest {
    FILCH_QUEUE_DRAIN = 0, /* they can still be got */
    FILCH_QUEUE_DROP = 1,  /* they are dropped, and counted as done */
} filch_queue_rest;

/* All fields belong to the library from filch_queue_init to filch_queue_fini. */
typedef struct filch_queue {
    struct filch__latch filch__latch; /* over what is written after init */
    filch_queue_order filch__order;
    filch_queue_compare_fn *filch__compare;
    size_t filch__size, filch__capacity;
    size_t filch__length;       /* atomic */
    uint64_t filch__unfinished; /* values that were put and are not done */
    uint64_t filch__puts;       /* values that were ever inside: breaks ties */
    void *filch__first;         /* of the list, or the root of the heap */
    void *filch__last;          /* of the list */
    void *filch__spares;        /* memory for values, to be used again */
    size_t filch__spare_count;
    bool filch__shut;
    struct filch__waitlist filch__getters, filch__putters, filch__joiners;
} filch_queue;

/*
 * Makes an empty queue for values of `size` bytes in the caller's memory.
 *
 * Returns  0
 *          -EINVAL   `queue` is NULL, `size` is 0 or beyond memory, or an option is out of range; or there is a
 *                    comparison
 *                    without FILCH_QUEUE_PRIORITY, or none with it
 * Call     from anywhere
 * Waits    no
 * Keeps    `queue` until filch_queue_fini
 */
FILCH_API FILCH_CHECK int filch_queue_init(filch_queue *queue, size_t size, const filch_queue_options *options);

/*
 * Ends a queue that nobody uses any more, and drops the values inside; who waits at it then makes this abort. NULL is
 * nothing. From anywhere; does not wait.
 */
FILCH_API void filch_queue_fini(filch_queue *queue);

/*
 * Puts a copy of `*value` in, waiting while the queue is full. Except on 0, nothing was put in.
 *
 * Returns  0            the value is in the queue, or with who waited for it
 *          -EPIPE       the queue has been shut down
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -ENOMEM      no memory
 *          -EINVAL      `queue` or `value` is NULL
 * Call     from a task or from any thread
 * Waits    yes, if the queue has a capacity; a task may continue on another worker
 * Orders   what the caller did before, before what follows the get of this value
 * Keeps    nothing: the value is copied
 */
FILCH_API FILCH_CHECK int filch_queue_put(filch_queue *queue, const void *value, filch_deadline deadline);

/*
 * Puts a copy of `*value` in if that needs no waiting.
 *
 * Returns  0, or -EAGAIN: it is full; or -EPIPE, -ENOMEM, -EINVAL as filch_queue_put. Except on 0, nothing was put in
 * Call     from a task or from any thread; also where the scope is cancelled
 * Waits    no
 * Orders, Keeps   as filch_queue_put
 */
FILCH_API FILCH_CHECK int filch_queue_try_put(filch_queue *queue, const void *value);

/*
 * Takes the next value out into `*value`, waiting while there is none. Except on 0, `*value` is not written and nothing
 * leaves the queue.
 *
 * Returns  0            a value was taken out
 *          -EPIPE       the queue has been shut down, and is empty
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `queue` or `value` is NULL
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Orders   what was done before the put of this value, before what follows this call
 * Keeps    nothing: the value is copied
 */
FILCH_API FILCH_CHECK int filch_queue_get(filch_queue *queue, void *value, filch_deadline deadline);

/*
 * Takes the next value out if there is one.
 *
 * Returns  0, or -EAGAIN: it is empty; or -EPIPE, -EINVAL as filch_queue_get
 * Call     from a task or from any thread; also where the scope is cancelled
 * Waits    no
 * Orders, Keeps   as filch_queue_get
 */
FILCH_API FILCH_CHECK int filch_queue_try_get(filch_queue *queue, void *value);

/*
 * Says that one value that was got has been dealt with. Aborts where that is said more often than values were put.
 *
 * Call     from a task or from any thread
 * Waits    no
 * Orders   what the caller did before, before what follows the filch_queue_join that this lets go on
 */
FILCH_API void filch_queue_task_done(filch_queue *queue);

/*
 * Waits until every value that was put has been got and dealt with, or dropped.
 *
 * Returns  0            none was left, at one moment at least
 *          -ETIMEDOUT   `deadline` passed first
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `queue` is NULL
 * Call     from a task or from any thread; any number at once
 * Waits    yes; a task may continue on another worker
 * Orders   what was done before each filch_queue_task_done, before what follows this call
 * Keeps    nothing; a wait that was cut short has changed nothing
 */
FILCH_API FILCH_CHECK int filch_queue_join(filch_queue *queue, filch_deadline deadline);

/*
 * As filch_queue_join, but without waiting: 0, or -EAGAIN: some are left; or -EINVAL. Also where the scope is
 * cancelled.
 */
FILCH_API FILCH_CHECK int filch_queue_try_join(filch_queue *queue);

/*
 * Shuts the queue down, for good: puts are refused from now on, who waits to put gets -EPIPE, and so does who gets or
 * waits to get once nothing is left. Once more, with FILCH_QUEUE_DROP, drops what is left by then.
 *
 * Returns  0
 *          -EINVAL   `queue` is NULL, or `rest` is neither
 * Call     from a task or from any thread
 * Waits    no
 * Orders   what the caller did before, before what follows a call that answers -EPIPE for it
 */
FILCH_API int filch_queue_shutdown(filch_queue *queue, filch_queue_rest rest);

/* How many values are inside. Others change it meanwhile. From anywhere; does not wait. */
FILCH_API size_t filch_queue_length(const filch_queue *queue);

FILCH_END_DECLS

#endif
