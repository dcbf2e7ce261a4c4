/* SPDX-License-Identifier: MIT */
/*
 * Queues.
 *
 * Values are copied without the latch, however large they are: a put copies its value into memory of its own first, and
 * then hands that memory over; a get is handed it, and copies then. So the latch is held for a few links only.
 *
 * Invariants, whenever the latch is free
 *   I1  somebody waits to get only where nothing is inside, and to put only where as much is inside as may be;
 *       neither once the queue is shut.
 *   I2  memory belongs to who has made it until it is inside, or in the clause of a getter that has been taken out;
 *       then to
 *       the queue, or that getter.
 *   I3  `unfinished` counts what is inside and what was taken out and is not done; nobody waits to join where it is 0.
 */
#include <errno.h>
#include <filch/queue.h>
#include <string.h>

#include "alloc/heap.h"
#include "base/tasksan.h"
#include "sync/object.h"
#include "sync/values.h"

/* How many bytes a queue keeps for values to come. */
enum { SPARE_BYTES = 16384 };

/* ------------------------------------------------------------------------------------------------------- memory */

static size_t bytes_of_value(const filch_queue *queue) {
    return sizeof(struct filch__value) + queue->filch__size;
}

static struct filch__value *value_get(filch_queue *queue) {
    filch__latch_take(&queue->filch__latch);
    struct filch__value *spare = queue->filch__spares;
    if (spare != NULL) {
        queue->filch__spares = spare->left;
        queue->filch__spare_count--;
    }
    filch__latch_leave(&queue->filch__latch);
    return spare != NULL ? spare : filch__heap_get(bytes_of_value(queue), _Alignof(struct filch__value));
}

static void value_free(filch_queue *queue, struct filch__value *value) {
    filch__heap_put(value, bytes_of_value(queue), _Alignof(struct filch__value));
}

static void value_put(filch_queue *queue, struct filch__value *value) {
    filch__latch_take(&queue->filch__latch);
    bool keep = queue->filch__spare_count < SPARE_BYTES / bytes_of_value(queue);
    if (keep) {
        value->left = queue->filch__spares;
        queue->filch__spares = value;
        queue->filch__spare_count++;
    }
    filch__latch_leave(&queue->filch__latch);
    if (!keep) value_free(queue, value);
}

static void free_all(filch_queue *queue, struct filch__value *values) {
    struct filch__value *value;
    while ((value = filch__values_strip(&values)) != NULL) value_free(queue, value);
}

/* ------------------------------------------------------------------------------------------------ init and fini */

static bool options_are_good(const filch_queue_options *options) {
    switch (options->order) {
    case FILCH_QUEUE_FIFO:
    case FILCH_QUEUE_LIFO:
        return options->compare == NULL;
    case FILCH_QUEUE_PRIORITY:
        return options->compare != NULL;
    }
    return false;
}

int filch_queue_init(filch_queue *queue, size_t size, const filch_queue_options *options) {
    filch_queue_options chosen = options != NULL ? *options : (filch_queue_options){0};
    if (queue == NULL || size == 0 || size > PTRDIFF_MAX - sizeof(struct filch__value)) return -EINVAL;
    if (!options_are_good(&chosen)) return -EINVAL;
    *queue = (filch_queue){
        .filch__order = chosen.order,
        .filch__compare = chosen.compare,
        .filch__size = size,
        .filch__capacity = chosen.capacity != 0 ? chosen.capacity : SIZE_MAX,
    };
    return 0;
}

void filch_queue_fini(filch_queue *queue) {
    if (queue == NULL) return;
    object_end(&queue->filch__latch, &queue->filch__getters, "queue", queue);
    object_end(&queue->filch__latch, &queue->filch__putters, "queue", queue);
    object_end(&queue->filch__latch, &queue->filch__joiners, "queue", queue);
    free_all(queue, queue->filch__first);
    for (struct filch__value *spare = queue->filch__spares, *next; spare != NULL; spare = next) {
        next = spare->left;
        value_free(queue, spare);
    }
    queue->filch__first = queue->filch__spares = NULL;
}

/* ---------------------------------------------------------------------------------------------------------- put */

static void set_length(filch_queue *queue, size_t length) {
    store_relaxed(&queue->filch__length, length); /* under the latch; filch_queue_length only looks */
}

static void add_inside(filch_queue *queue, struct filch__value *value) {
    filch__values_add(queue, value);
    set_length(queue, queue->filch__length + 1);
    queue->filch__unfinished++;
}

/* Hands `value` over if that can be done at once, and leaves the latch; else -EAGAIN. */
static int put_at_once(filch_queue *queue, struct filch__value *value) {
    if (queue->filch__shut) {
        edge_acquire(&queue->filch__shut);
        filch__latch_leave(&queue->filch__latch);
        return -EPIPE;
    }
    struct filch__clause *getter = filch__waitlist_take(&queue->filch__getters);
    if (getter != NULL) {
        getter->value = value;
        queue->filch__unfinished++;
        filch__latch_leave(&queue->filch__latch);
        filch__grant(getter->waiter, 0);
        return 0;
    }
    if (queue->filch__length == queue->filch__capacity) return -EAGAIN;
    add_inside(queue, value);
    filch__latch_leave(&queue->filch__latch);
    return 0;
}

static int put(filch_queue *queue, struct filch__value *value, filch_deadline deadline) {
    filch__latch_take(&queue->filch__latch);
    int answer = put_at_once(queue, value);
    if (answer != -EAGAIN) {
        filch__spend();
        return answer;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "queue put", queue);
    struct filch__clause clause = {.waiter = &waiter, .value = value};
    filch__waitlist_add(&queue->filch__putters, &clause);
    answer = filch__wait(&queue->filch__latch, &clause, deadline);
    if (answer == -EPIPE) edge_acquire(&queue->filch__shut);
    return answer;
}

static struct filch__value *copy_in(filch_queue *queue, const void *bytes) {
    struct filch__value *value = value_get(queue);
    if (value == NULL) return NULL;
    seen_read(bytes, queue->filch__size);
    memcpy(value->bytes, bytes, queue->filch__size);
    edge_set(value); /* put -> get: each value for itself */
    return value;
}

int filch_queue_put(filch_queue *queue, const void *value, filch_deadline deadline) {
    if (queue == NULL || value == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    struct filch__value *copy = copy_in(queue, value);
    if (copy == NULL) return -ENOMEM;
    int answer = put(queue, copy, deadline);
    if (answer != 0) value_put(queue, copy);
    return answer;
}

int filch_queue_try_put(filch_queue *queue, const void *value) {
    if (queue == NULL || value == NULL) return -EINVAL;
    struct filch__value *copy = copy_in(queue, value);
    if (copy == NULL) return -ENOMEM;
    filch__latch_take(&queue->filch__latch);
    int answer = put_at_once(queue, copy);
    if (answer == -EAGAIN) filch__latch_leave(&queue->filch__latch);
    if (answer != 0) value_put(queue, copy);
    return answer;
}

/* ---------------------------------------------------------------------------------------------------------- get */

/*
 * Takes a value out into `*value` if there is one, or answers for a queue that is shut, and leaves the latch; else
 * -EAGAIN.
 */
static int get_at_once(filch_queue *queue, struct filch__value **value) {
    if (queue->filch__length == 0) {
        if (!queue->filch__shut) return -EAGAIN;
        edge_acquire(&queue->filch__shut);
        filch__latch_leave(&queue->filch__latch);
        return -EPIPE;
    }
    *value = filch__values_take(queue);
    set_length(queue, queue->filch__length - 1);
    struct filch__clause *putter = filch__waitlist_take(&queue->filch__putters);
    if (putter != NULL) add_inside(queue, putter->value);
    filch__latch_leave(&queue->filch__latch);
    if (putter != NULL) filch__grant(putter->waiter, 0);
    return 0;
}

static void copy_out(filch_queue *queue, struct filch__value *value, void *bytes) {
    edge_acquire(value);
    seen_write(bytes, queue->filch__size);
    memcpy(bytes, value->bytes, queue->filch__size);
    value_put(queue, value);
}

int filch_queue_get(filch_queue *queue, void *value, filch_deadline deadline) {
    if (queue == NULL || value == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    struct filch__value *taken = NULL;
    filch__latch_take(&queue->filch__latch);
    int answer = get_at_once(queue, &taken);
    if (answer != -EAGAIN) {
        if (answer == 0) copy_out(queue, taken, value);
        filch__spend();
        return answer;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "queue get", queue);
    struct filch__clause clause = {.waiter = &waiter};
    filch__waitlist_add(&queue->filch__getters, &clause);
    answer = filch__wait(&queue->filch__latch, &clause, deadline);
    if (answer == -EPIPE) edge_acquire(&queue->filch__shut);
    if (answer == 0) copy_out(queue, clause.value, value);
    return answer;
}

int filch_queue_try_get(filch_queue *queue, void *value) {
    if (queue == NULL || value == NULL) return -EINVAL;
    struct filch__value *taken = NULL;
    filch__latch_take(&queue->filch__latch);
    int answer = get_at_once(queue, &taken);
    if (answer == -EAGAIN) filch__latch_leave(&queue->filch__latch);
    if (answer == 0) copy_out(queue, taken, value);
    return answer;
}

/* ------------------------------------------------------------------------------------------------ done and join */

/* Takes out who waits to join where nothing is left. Under the latch. */
static struct filch__clause *take_joiners(filch_queue *queue) {
    return queue->filch__unfinished == 0 ? filch__waitlist_take_all(&queue->filch__joiners) : NULL;
}

void filch_queue_task_done(filch_queue *queue) {
    filch__latch_take(&queue->filch__latch);
    if (unlikely(queue->filch__unfinished == 0)) {
        filch__die("queue %p: more values done than were put, by task \"%s\"", (void *)queue, caller_name());
    }
    edge_release(&queue->filch__unfinished); /* task_done -> join */
    queue->filch__unfinished--;
    struct filch__clause *chain = take_joiners(queue);
    filch__latch_leave(&queue->filch__latch);
    filch__grant_all(chain, 0);
}

int filch_queue_join(filch_queue *queue, filch_deadline deadline) {
    if (queue == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    filch__latch_take(&queue->filch__latch);
    if (queue->filch__unfinished == 0) {
        edge_acquire(&queue->filch__unfinished);
        filch__latch_leave(&queue->filch__latch);
        filch__spend();
        return 0;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "queue join", queue);
    struct filch__clause clause = {.waiter = &waiter};
    filch__waitlist_add(&queue->filch__joiners, &clause);
    int answer = filch__wait(&queue->filch__latch, &clause, deadline);
    if (answer == 0) edge_acquire(&queue->filch__unfinished);
    return answer;
}

int filch_queue_try_join(filch_queue *queue) {
    if (queue == NULL) return -EINVAL;
    filch__latch_take(&queue->filch__latch);
    bool done = queue->filch__unfinished == 0;
    if (done) edge_acquire(&queue->filch__unfinished);
    filch__latch_leave(&queue->filch__latch);
    return done ? 0 : -EAGAIN;
}

/* ----------------------------------------------------------------------------------------------------- shutdown */

/* Empties the queue. Under the latch; the caller frees what it gets without it. */
static struct filch__value *take_all_values(filch_queue *queue) {
    struct filch__value *values = queue->filch__first;
    queue->filch__first = NULL;
    queue->filch__unfinished -= queue->filch__length;
    set_length(queue, 0);
    return values;
}

int filch_queue_shutdown(filch_queue *queue, filch_queue_rest rest) {
    if (queue == NULL || (rest != FILCH_QUEUE_DRAIN && rest != FILCH_QUEUE_DROP)) return -EINVAL;
    filch__latch_take(&queue->filch__latch);
    edge_release(&queue->filch__shut); /* shutdown -> -EPIPE */
    if (rest == FILCH_QUEUE_DROP) edge_release(&queue->filch__unfinished);
    queue->filch__shut = true;
    struct filch__clause *putters = filch__waitlist_take_all(&queue->filch__putters);
    struct filch__clause *getters = filch__waitlist_take_all(&queue->filch__getters); /* I1: nothing is inside */
    struct filch__value *dropped = rest == FILCH_QUEUE_DROP ? take_all_values(queue) : NULL;
    struct filch__clause *joiners = take_joiners(queue);
    filch__latch_leave(&queue->filch__latch);
    free_all(queue, dropped); /* first: who has joined may end the queue */
    filch__grant_all(putters, -EPIPE);
    filch__grant_all(getters, -EPIPE);
    filch__grant_all(joiners, 0);
    return 0;
}

size_t filch_queue_length(const filch_queue *queue) {
    return load_relaxed(&queue->filch__length); /* a glance */
}
