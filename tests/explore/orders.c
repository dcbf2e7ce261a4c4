/* SPDX-License-Identifier: MIT */
#include "tests/explore/orders.h"

#include <string.h>

enum {
    THREADS = EXPLORE_THREADS,
    HISTORY = 8, /* messages of an object, a power of two */
    STALE_READS = 3,
    OBJECTS_BITS = 13,
    OBJECTS = 1 << OBJECTS_BITS,
};

struct message {
    uint64_t value;
    bool carries;
    struct orders_clock clock;
    uint32_t seen[THREADS];       /* when each thread first read or wrote it; 0: it did not */
    unsigned char stale[THREADS]; /* how often each has read it when it was not the newest */
    uint32_t exact_at;            /* the first event of S that read or wrote it; 0: none did */
};

struct object {
    const void *at;
    uint32_t schedule;       /* in which it was met */
    uint32_t oldest, newest; /* messages, by their place in modification order */
    uint32_t exact;          /* the newest that S has */
    struct message messages[HISTORY];
};

static struct object objects[OBJECTS];
static struct orders_clock clocks[THREADS];
static uint32_t fenced_at[THREADS];
static uint32_t schedule, met, events;

void orders_reset(void) {
    schedule++;
    met = events = 0;
    memset(clocks, 0, sizeof clocks);
    memset(fenced_at, 0, sizeof fenced_at);
    for (unsigned i = 0; i < THREADS; i++) clocks[i].of[i] = 1;
}

/* -------------------------------------------------------------------------------------------------------- clocks */

static void join(struct orders_clock *into, const struct orders_clock *other) {
    for (unsigned i = 0; i < THREADS; i++) {
        if (into->of[i] < other->of[i]) into->of[i] = other->of[i];
    }
}

/* What the thread does from now on is later than what it has carried anywhere. */
static void tick(unsigned thread) {
    clocks[thread].of[thread]++;
}

void orders_then(unsigned from, unsigned to) {
    join(&clocks[to], &clocks[from]);
    tick(from);
}

struct orders_moment orders_now(unsigned thread) {
    return (struct orders_moment){thread, clocks[thread].of[thread]};
}

bool orders_is_before(struct orders_moment moment, unsigned thread) {
    return moment.time <= clocks[thread].of[moment.thread];
}

/* ------------------------------------------------------------------------------------------------------- objects */

static uint64_t in_memory(const void *at, unsigned size) {
    uint64_t value = 0;
    memcpy(&value, at, size);
    return value;
}

static struct message *message_of(struct object *object, uint32_t place) {
    return &object->messages[place % HISTORY];
}

/* All that is known of the object is what is in memory. */
static void begin_anew(struct object *object, uint64_t value) {
    object->oldest = object->newest = 1;
    object->exact = 0;
    *message_of(object, 1) = (struct message){.value = value};
}

static struct object *find(const void *at) {
    size_t i = (size_t)((uintptr_t)at / 4 * 0x9e3779b97f4a7c15u >> (64 - OBJECTS_BITS));
    while (objects[i].schedule == schedule && objects[i].at != at) i = (i + 1) % OBJECTS;
    return &objects[i];
}

static struct object *object_at(const void *at, unsigned size) {
    struct object *object = find(at);
    uint64_t value = in_memory(at, size);
    if (object->schedule != schedule) {
        if (++met == OBJECTS) explore_fail("the explorer's table of atomic objects is full");
        object->at = at;
        object->schedule = schedule;
        begin_anew(object, value);
    } else if (message_of(object, object->newest)->value != value) {
        begin_anew(object, value); /* a plain store that nobody has told of */
    }
    return object;
}

void orders_forget(const void *at) {
    struct object *object = find(at);
    if (object->schedule == schedule) begin_anew(object, ~message_of(object, object->newest)->value);
}

/* -------------------------------------------------------------------------------------------------------- access */

/* Whether the thread may read nothing older, by what it has seen itself, knows that others have seen, or has a fence for. */
static bool is_known(const struct message *message, unsigned thread) {
    for (unsigned i = 0; i < THREADS; i++) {
        if (message->seen[i] != 0 && message->seen[i] <= clocks[thread].of[i]) return true;
    }
    if (message->exact_at != 0 && message->exact_at <= fenced_at[thread]) return true;
    return message->stale[thread] >= STALE_READS;
}

static uint32_t oldest_for(struct object *object, unsigned thread, unsigned order) {
    uint32_t place = object->newest;
    while (place > object->oldest && !is_known(message_of(object, place), thread)) place--;
    if (order & ORDER_EXACT && place < object->exact) place = object->exact;
    if (place < object->newest && message_of(object, place)->stale[thread] >= STALE_READS) place++;
    return place;
}

static void see(struct object *object, uint32_t place, unsigned thread, unsigned order) {
    struct message *message = message_of(object, place);
    if (message->seen[thread] == 0) message->seen[thread] = clocks[thread].of[thread];
    if (place != object->newest) message->stale[thread]++;
    if (order & ORDER_EXACT) {
        if (object->exact < place) object->exact = place;
        if (message->exact_at == 0) message->exact_at = events;
    }
}

static uint64_t read_message(struct object *object, uint32_t place, unsigned thread, unsigned order) {
    struct message *message = message_of(object, place);
    events++;
    see(object, place, thread, order);
    if (order & ORDER_ACQUIRE && message->carries) join(&clocks[thread], &message->clock);
    tick(thread);
    return message->value;
}

uint64_t orders_load(unsigned thread, const void *at, unsigned size, unsigned order, bool fresh, unsigned *age) {
    struct object *object = object_at(at, size);
    uint32_t oldest = fresh ? object->newest : oldest_for(object, thread, order);
    *age = explore_choose_age(object->newest - oldest + 1);
    return read_message(object, object->newest - *age, thread, order);
}

/* Adds a message, which `carried` goes on with. */
static void write_message(struct object *object, unsigned thread, unsigned order, uint64_t value, void *at,
                          unsigned size, const struct message *carried) {
    struct message message = {.carries = order & ORDER_RELEASE};
    memcpy(&message.value, &value, size);
    if (message.carries) message.clock = clocks[thread];
    if (carried != NULL && carried->carries) {
        message.carries = true;
        join(&message.clock, &carried->clock);
    }
    events++;
    if (++object->newest - object->oldest == HISTORY) object->oldest++;
    *message_of(object, object->newest) = message;
    see(object, object->newest, thread, order);
    tick(thread);
    memcpy(at, &value, size);
}

void orders_store(unsigned thread, void *at, unsigned size, unsigned order, uint64_t value) {
    write_message(object_at(at, size), thread, order, value, at, size, NULL);
}

uint64_t orders_newest(const void *at, unsigned size) {
    struct object *object = object_at(at, size);
    return message_of(object, object->newest)->value;
}

void orders_update(unsigned thread, void *at, unsigned size, unsigned order, uint64_t value) {
    struct object *object = object_at(at, size);
    struct message *read = message_of(object, object->newest);
    see(object, object->newest, thread, order);
    if (order & ORDER_ACQUIRE && read->carries) join(&clocks[thread], &read->clock);
    struct message carried = *read;
    write_message(object, thread, order, value, at, size, &carried);
}

bool orders_cas(unsigned thread, void *at, unsigned size, unsigned order, uint64_t expected, uint64_t value,
                uint64_t *seen, unsigned *age) {
    struct object *object = object_at(at, size);
    uint32_t places[HISTORY], count = 0, oldest = oldest_for(object, thread, order);
    for (uint32_t place = object->newest; place >= oldest; place--) {
        if (place == object->newest || message_of(object, place)->value != expected) places[count++] = place;
    }
    uint32_t place = places[explore_choose_age(count)];
    *age = object->newest - place;
    if (message_of(object, place)->value == expected) { /* the newest */
        orders_update(thread, at, size, order, value);
        return true;
    }
    *seen = read_message(object, place, thread, order & ~(unsigned)ORDER_RELEASE);
    return false;
}

/* -------------------------------------------------------------------------------------------------- fences, locks */

void orders_fence(unsigned caller, unsigned other) {
    join(&clocks[other], &clocks[caller]);
    join(&clocks[caller], &clocks[other]);
    fenced_at[other] = fenced_at[caller] = ++events;
    tick(other);
    tick(caller);
}

/* Beside what may be at that address: an object without a value. */
static struct object *lock_of(void *at) {
    return object_at((char *)at + 1, 0);
}

void orders_put(unsigned thread, void *at) {
    struct object *lock = lock_of(at);
    write_message(lock, thread, ORDER_RELEASE, 0, at, 0, NULL);
}

void orders_get(unsigned thread, void *at) {
    struct object *lock = lock_of(at);
    read_message(lock, lock->newest, thread, ORDER_ACQUIRE);
}
