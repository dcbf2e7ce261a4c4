/* SPDX-License-Identifier: MIT */
/* The objects: what they are made of, what must hold when all have come to rest, and when all is over. */
#include "tests/fuzz/api.h"

static struct world the_world;
struct world *world = &the_world;

static int compare(const void *left, const void *right) {
    uint64_t a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return a % 8 < b % 8 ? -1 : a % 8 > b % 8;
}

static void begin_flows(void) {
    static const size_t capacities[CHANS] = {0, 1, 3};
    static const filch_queue_options options[QUEUES] = {
        {.order = FILCH_QUEUE_FIFO, .capacity = 1},
        {.order = FILCH_QUEUE_LIFO},
        {.order = FILCH_QUEUE_PRIORITY, .compare = compare, .capacity = 2},
    };
    for (int i = 0; i < CHANS; i++) {
        world->chans[i].capacity = capacities[i];
        must(filch_chan_create(&world->chans[i].chan, sizeof(uint64_t), capacities[i]) == 0);
    }
    for (int i = 0; i < QUEUES; i++) {
        world->queues[i].capacity = options[i].capacity;
        must(filch_queue_init(&world->queues[i].queue, sizeof(uint64_t), &options[i]) == 0);
    }
    filch_transport transports[ENDS];
    must(filch_pair_create(transports, STREAM_BYTES) == 0);
    for (int i = 0; i < ENDS; i++) {
        filch_stream_options limits = {.read_limit = 64, .high_water = 32};
        must(filch_stream_create(&world->ends[i].stream, transports[i], &limits) == 0);
    }
}

void api_world_begin(void) {
    struct program programs[PROGRAMS];
    memcpy(programs, world->programs, sizeof programs);
    memset(world, 0, sizeof *world);
    memcpy(world->programs, programs, sizeof programs);
    must(filch_sem_init(&world->permits.sem, PERMITS, PERMITS) == 0);
    must(filch_barrier_init(&world->barrier.barrier, PARTIES) == 0);
    must(filch_wait_group_init(&world->group.group) == 0);
    must(filch_future_init(&world->future.future) == 0);
    begin_flows();
}

/* -------------------------------------------------------------------------------------------------------- all at rest */

static void locks_must_rest(void) {
    for (int i = 0; i < MUTEXES; i++) {
        if (world->locks[i].waiting > 0) must(world->locks[i].held);
    }
    if (world->shelf.readers_wait > 0) must(world->shelf.writing > 0 || world->shelf.writers_wait > 0);
    if (world->shelf.writers_wait > 0) must(world->shelf.writing > 0 || world->shelf.reading > 0);
    must(!world->box.held); /* nobody waits for anything who holds it */
    if (world->box.waiting > 0) must(world->box.tokens == 0 && !world->closing);
    for (unsigned count = PERMITS; count > 0; count--) {
        if (world->permits.waiting[count] == 0) continue;
        must(filch_sem_value(&world->permits.sem) < count); /* the first in line wants that much at the most */
        break;
    }
}

static void objects_must_rest(void) {
    if (world->event.waiting > 0) must(!filch_event_is_set(&world->event.event));
    must(world->barrier.waiting == filch_barrier_waiting(&world->barrier.barrier));
    must(world->barrier.waiting < PARTIES);
    if (filch_barrier_broken(&world->barrier.barrier)) must(world->barrier.waiting == 0);
    must(world->once.waiting == 0 && world->once.running == 0); /* its function ends by itself */
    if (world->group.waiting > 0) must(world->group.count > 0);
    if (world->future.waiting > 0) must(!world->future.set);
}

static void chans_must_rest(void) {
    for (int i = 0; i < CHANS; i++) {
        const struct chan_waits *waits = &world->chans[i].waits;
        size_t length = filch_chan_length(world->chans[i].chan);
        if (waits->senders > 0) must(length == world->chans[i].capacity && !world->chans[i].closed);
        if (waits->receivers > 0) must(length == 0 && !world->chans[i].closed);
        bool itself =
            waits->senders == 1 && waits->receivers == 1 && waits->both == 1; /* a select never meets itself */
        must(waits->senders == 0 || waits->receivers == 0 || itself);
    }
}

static void queues_must_rest(void) {
    for (int i = 0; i < QUEUES; i++) {
        size_t length = filch_queue_length(&world->queues[i].queue);
        bool shut = world->queues[i].shut;
        if (world->queues[i].getting > 0) must(length == 0 && !shut);
        if (world->queues[i].putting > 0) must(length == world->queues[i].capacity && !shut);
        if (world->queues[i].joining > 0) must(world->queues[i].flow.in > world->queues[i].done);
    }
}

static void streams_must_rest(void) {
    for (int i = 0; i < ENDS; i++) {
        if (world->ends[i].waiting == 0) continue;
        must(!world->ends[i].closed && !world->ends[1 - i].closed);
        must(!world->ends[1 - i].writing); /* it would wait for room, and there would be bytes to be read */
        must(world->ends[i].received == world->ends[1 - i].sent || world->ends[1 - i].undrained);
    }
}

static unsigned count_ended(const struct actor *actor) {
    unsigned ended = 0;
    for (int i = 0; i < HANDLES; i++) ended += actor->handles[i] != NULL && filch_task_done(actor->handles[i]);
    return ended;
}

/* Whether something around it is cancelled. Behind a shield nobody waits without a deadline. */
static bool is_cancelled(const struct actor *actor) {
    const struct region *region = actor->region;
    while (region != NULL && region->scope != NULL && !filch_scope_cancelled(region->scope)) region = region->outer;
    return actor->doomed || (region != NULL && region->scope != NULL);
}

static void tasks_must_rest(void) {
    for (unsigned i = 0; i < world->actor_count; i++) {
        const struct actor *actor = world->actors[i];
        /* Who awaits one may have called it in place: then it goes on after that only. */
        if (actor->lasts && actor->awaits_one == NULL) must(!is_cancelled(actor));
        if (actor->awaits > 0) must(count_ended(actor) < actor->awaits);
        if (actor->awaits_one != NULL) must(!filch_task_done(actor->awaits_one));
    }
}

void api_world_must_rest(void) {
    locks_must_rest();
    objects_must_rest();
    chans_must_rest();
    queues_must_rest();
    streams_must_rest();
    tasks_must_rest();
}

void api_world_close(void) {
    world->closing = true;
    filch_cond_broadcast(&world->box.filled);
    filch_event_set(&world->event.event);
    filch_barrier_abort(&world->barrier.barrier);
    filch_wait_group_add(&world->group.group, -(int64_t)world->group.count);
    world->group.count = 0;
    world->future.set = true;
    (void)filch_future_set(&world->future.future, 5, &world->future);
    for (int i = 0; i < CHANS; i++) {
        world->chans[i].closed = true;
        must(filch_chan_close(world->chans[i].chan) == 0);
    }
    for (int i = 0; i < QUEUES; i++) {
        world->queues[i].shut = true;
        must(filch_queue_shutdown(&world->queues[i].queue, FILCH_QUEUE_DRAIN) == 0);
    }
    for (int i = 0; i < ENDS; i++) {
        world->ends[i].closed = true;
        filch_stream_abort(world->ends[i].stream);
    }
}

/* ----------------------------------------------------------------------------------------------------------- all over */

static void must_balance(const struct flow *flow) {
    must(flow->in == flow->out && flow->in_sum == flow->out_sum);
}

static void end_chans(void) {
    for (int i = 0; i < CHANS; i++) {
        uint64_t value;
        while (filch_chan_try_recv(world->chans[i].chan, &value) == 0) {
            world->chans[i].flow.out++;
            world->chans[i].flow.out_sum += value;
        }
        must_balance(&world->chans[i].flow);
        filch_chan_destroy(world->chans[i].chan);
    }
}

static void end_queues(void) {
    for (int i = 0; i < QUEUES; i++) {
        filch_queue *queue = &world->queues[i].queue;
        uint64_t value;
        while (filch_queue_try_get(queue, &value) == 0) {
            world->queues[i].flow.out++;
            world->queues[i].flow.out_sum += value;
        }
        must_balance(&world->queues[i].flow);
        must(filch_queue_try_join(queue) == (world->queues[i].done == world->queues[i].flow.in ? 0 : -EAGAIN));
        for (; world->queues[i].done < world->queues[i].flow.in; world->queues[i].done++) filch_queue_task_done(queue);
        must(filch_queue_try_join(queue) == 0);
        filch_queue_fini(queue);
    }
}

static void end_objects(void) {
    for (int i = 0; i < MUTEXES; i++) {
        must(!filch_mutex_locked(&world->locks[i].mutex));
        filch_mutex_fini(&world->locks[i].mutex);
    }
    filch_rwlock_fini(&world->shelf.lock);
    filch_cond_fini(&world->box.filled);
    filch_mutex_fini(&world->box.mutex);
    must(filch_sem_value(&world->permits.sem) == PERMITS);
    filch_sem_fini(&world->permits.sem);
    filch_event_fini(&world->event.event);
    filch_barrier_fini(&world->barrier.barrier);
    filch_once_fini(&world->once.once);
    must(filch_wait_group_try_wait(&world->group.group) == (world->group.count == 0 ? 0 : -EAGAIN));
    filch_wait_group_fini(&world->group.group);
    must(filch_future_is_done(&world->future.future) == world->future.set);
    filch_future_fini(&world->future.future);
}

void api_world_must_balance(void) {
    end_chans();
    end_queues();
    end_objects();
    for (int i = 0; i < ENDS; i++) filch_stream_destroy(world->ends[i].stream);
    must(world->values == 0);
    for (unsigned i = 0; i < world->actor_count; i++) free(world->actors[i]);
}
