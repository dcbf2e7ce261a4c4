/* SPDX-License-Identifier: MIT */
/*
 * Those who live in the world of stress/mix.h, tasks and threads, what they start and whom they cancel; and the whole of
 * a runtime with them, checked at its end.
 */
#ifndef FILCH_STRESS_MIX_ACTORS_H
#define FILCH_STRESS_MIX_ACTORS_H

#include "alloc/alloc.h"
#include "sched/runtime.h"
#include "stress/mix_objects.h"
#include "stress/mix_world.h"

enum { THREADS = 4, CHILDREN_MAX = 6, NUDGES = 6 };

static filch_local birthmark;

/* --------------------------------------------------------------------------------------------- tasks and scopes */

static void live(struct actor *actor);

static int task(void *arg) {
    struct actor *actor = arg;
    must(!actor->ran);
    actor->ran = true;
    must(filch_local_get(&birthmark) == actor->inherited);
    live(actor);
    int result = maybe(actor, 16) ? FAILURE : 0;
    atomic_fetch_add(&world->ended, 1);
    return result;
}

/* A new task's, or NULL: there have been enough. */
static struct actor *actor_make(struct actor *parent) {
    unsigned index = atomic_fetch_add(&world->actors_used, 1);
    if (index >= ACTORS_MAX) return NULL;
    struct actor *actor = &world->actors[index];
    *actor = (struct actor){.nesting = parent->nesting + 1, .index = index};
    actor->inherited = filch_local_get(&birthmark);
    actor->steps = (int)below(&parent->random, 12);
    filch__random_init(&actor->random, filch__random_next(&parent->random), index);
    return actor;
}

static filch_task *spawn(struct actor *actor, filch_scope *scope, doomed *doom, struct actor **child, bool detached) {
    filch_task *handle = NULL, **wanted = detached ? NULL : &handle;
    if ((*child = actor_make(actor)) == NULL) return NULL;
    (*child)->scope = scope;
    (*child)->doom = doom;
    int answer;
    if (scope != NULL) {
        answer = filch_scope_spawn(scope, wanted, task, *child, NULL);
        must(answer == 0 || answer == -ECANCELED);
    } else if (actor->foreign) {
        must(filch_runtime_spawn(world->runtime, wanted, task, *child, NULL) == 0);
    } else {
        must(filch_spawn(wanted, task, *child, NULL) == 0);
    }
    return handle;
}

/* While it stands there, anybody may cancel it. */
static uint32_t expose(struct actor *actor, filch_task *handle, filch_scope *scope, doomed *doom) {
    uint32_t which = below(&actor->random, VICTIMS);
    pthread_mutex_lock(&world->victims[which].lock);
    bool free = world->victims[which].task == NULL && world->victims[which].scope == NULL;
    if (free) {
        world->victims[which].task = handle;
        world->victims[which].scope = scope;
        world->victims[which].doom = doom;
    }
    pthread_mutex_unlock(&world->victims[which].lock);
    return free ? which : VICTIMS;
}

static void cover(uint32_t which) {
    if (which == VICTIMS) return;
    pthread_mutex_lock(&world->victims[which].lock);
    world->victims[which].task = NULL;
    world->victims[which].scope = NULL;
    pthread_mutex_unlock(&world->victims[which].lock);
}

/* Nobody in the scope may wait without end from now on. */
static void doom_scope(filch_scope *scope, doomed *doom) {
    filch_scope_cancel(scope);
    if (doom != NULL) *doom = true;
}

static void strike(struct actor *actor) {
    uint32_t which = below(&actor->random, VICTIMS), how = below(&actor->random, 4);
    pthread_mutex_lock(&world->victims[which].lock);
    filch_scope *scope = world->victims[which].scope;
    filch_task_cancel(world->victims[which].task);
    if (scope != NULL && how == 0) filch_scope_fail(scope, FAILURE);
    if (scope != NULL && how == 1) (void)!filch_scope_set_deadline(scope, some_deadline(actor));
    if (scope != NULL && how >= 2) doom_scope(scope, world->victims[which].doom);
    pthread_mutex_unlock(&world->victims[which].lock);
}

/* Awaits until it has ended; where the caller is cancelled, behind a shield. */
static void collect(struct actor *actor, filch_task *handle, struct actor *child) {
    int result = 1, answer;
    for (;;) {
        struct wait wait = wait_long(actor, 2, NULL);
        answer = filch_await(handle, &result, wait.deadline);
        if (wait_over(&wait, answer)) break;
        must(result == 1);
        if (answer == -ETIMEDOUT) continue;
        filch_shield shield;
        filch_shield_begin(&shield);
        must(!filch_cancelled());
        if (maybe(actor, 2)) filch_task_cancel(handle);
        atomic_fetch_add(&world->endless, 1);
        must(filch_await(handle, &result, FILCH_NEVER) == 0);
        atomic_fetch_sub(&world->endless, 1);
        filch_shield_end(&shield);
        break;
    }
    must(result == 0 || result == FAILURE || result == -ECANCELED);
    must(child->ran == (result != -ECANCELED));
}

static void await_some(struct actor *actor, filch_task **handles, size_t count) {
    size_t order[CHILDREN_MAX], wanted = below(&actor->random, (uint32_t)count + 1);
    struct wait wait = wait_long(actor, 2, NULL);
    ssize_t ended = filch_await_n(handles, count, wanted, order, wait.deadline);
    if (!wait_over(&wait, ended)) return;
    must((size_t)ended >= wanted && (size_t)ended <= count);
    for (ssize_t i = 0; i < ended; i++) must(order[i] < count && filch_task_done(handles[order[i]]));
}

static void have_children(struct actor *actor, filch_scope *scope, doomed *doom) {
    filch_task *handles[CHILDREN_MAX];
    struct actor *children[CHILDREN_MAX];
    uint32_t exposed[CHILDREN_MAX], count = 0;
    for (uint32_t i = below(&actor->random, CHILDREN_MAX + 1); i > 0; i--) {
        handles[count] = spawn(actor, scope, doom, &children[count], maybe(actor, 4));
        if (handles[count] == NULL) continue;
        exposed[count] = maybe(actor, 2) ? expose(actor, handles[count], NULL, NULL) : VICTIMS;
        if (maybe(actor, 8)) filch_task_cancel(handles[count]);
        count++;
    }
    if (maybe(actor, 2)) use_something(actor);
    if (count > 0 && maybe(actor, 2)) await_some(actor, handles, count);
    for (uint32_t i = 0; i < count; i++) {
        cover(exposed[i]);
        if (maybe(actor, 8)) {
            filch_task_detach(handles[i]);
        } else {
            collect(actor, handles[i], children[i]);
        }
    }
}

static void open_scope(struct actor *actor) {
    filch_scope scope;
    filch_scope_options options = {.policy = (filch_scope_policy)below(&actor->random, 3)};
    options.runtime = actor->foreign ? world->runtime : NULL;
    bool timed = maybe(actor, 2);
    if (timed) options.deadline = filch_after(below(&actor->random, 400000));
    must(filch_scope_open(&scope, &options) == 0);
    unsigned index = atomic_fetch_add(&world->dooms_used, 1);
    doomed *doom = index < ACTORS_MAX ? &world->dooms[index] : NULL;
    uint32_t exposed = maybe(actor, 2) ? expose(actor, NULL, &scope, doom) : VICTIMS;
    actor->nesting++;
    have_children(actor, &scope, doom);
    if (maybe(actor, 2)) use_something(actor);
    if (maybe(actor, 8)) doom_scope(&scope, doom);
    bool cancelled = filch_scope_cancelled(&scope);
    if (cancelled && !actor->foreign) must(filch_cancelled());
    struct actor *late;
    if (maybe(actor, 4)) spawn(actor, &scope, doom, &late, true);
    actor->nesting--;
    cover(exposed);
    atomic_fetch_add(&world->endless, 1);
    int answer = filch_scope_close(&scope);
    atomic_fetch_sub(&world->endless, 1);
    must(answer == 0 || answer == -ETIMEDOUT || answer == -ECANCELED || answer == FAILURE);
    if (cancelled && options.policy != FILCH_SCOPE_SUPERVISE) must(answer != 0);
}

static void take_shield(struct actor *actor) {
    filch_shield shield;
    filch_shield_begin(&shield);
    must(!filch_cancelled());
    bool hurried = actor->hurried;
    actor->hurried = true; /* no wait without end, which would not be cut short here */
    use_something(actor);
    actor->hurried = hurried;
    must(!filch_cancelled());
    filch_shield_end(&shield);
}

static int forked(void *arg) {
    struct actor *actor = arg;
    use_something(actor);
    return 5;
}

static void fork_and_join(struct actor *actor) {
    struct actor child = *actor;
    filch__random_init(&child.random, filch__random_next(&actor->random), 1);
    filch_frame frame;
    filch_fork(&frame, forked, &child);
    dawdle(actor);
    must(filch_join(&frame) == 5);
}

static void forget(void *value) {
    free(value);
    atomic_fetch_sub(&world->values, 1);
}

static void set_local(struct actor *actor) {
    char *value = maybe(actor, 4) ? NULL : malloc(1);
    if (value != NULL) atomic_fetch_add(&world->values, 1);
    must(filch_local_set(&birthmark, value, value == NULL ? NULL : forget) == 0);
    use_something(actor);
    must(filch_local_get(&birthmark) == value);
}

static void step(struct actor *actor) {
    switch (below(&actor->random, 32)) {
    case 0:
        if (actor->nesting < NESTING_MAX) open_scope(actor);
        break;
    case 1:
        if (actor->nesting < NESTING_MAX) have_children(actor, NULL, NULL);
        break;
    case 2:
        strike(actor);
        break;
    case 3:
        if (!actor->foreign) take_shield(actor);
        break;
    case 4:
        if (!actor->foreign) fork_and_join(actor);
        break;
    case 5:
        if (!actor->foreign) set_local(actor);
        break;
    case 6:
        if (actor->scope != NULL && maybe(actor, 4)) doom_scope(actor->scope, actor->doom);
        break;
    default:
        use_something(actor);
    }
}

static void live(struct actor *actor) {
    while (actor->steps-- > 0) step(actor);
}

static void *foreign(void *argument) {
    live(argument);
    atomic_fetch_sub(&world->threads, 1);
    return NULL;
}

/* ---------------------------------------------------------------------------------------------------------- rounds */

static void progress(void) {
    if (stress.cycles == 0) atomic_fetch_add_explicit(&stress.rounds, 1, memory_order_relaxed);
}

static uint64_t one_round(filch_runtime *runtime, struct filch__random *random, bool cancels) {
    static const uint32_t sizes[] = {4, 8, 20, 20, 50, 200, 200, 3000};
    struct actor threads[THREADS], root = {.foreign = true, .nesting = -1};
    pthread_t handles[THREADS];
    world_make(runtime);
    filch__random_init(&root.random, filch__random_next(random), 0);
    if (maybe(&root, 2)) { /* where few objects are used, somebody who is forgotten is not saved by the next to come */
        for (int i = 0; i < 2; i++) world->uses[i] = all_uses[below(random, ALL_USES)];
    }
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct actor){.foreign = true, .steps = 30};
        filch__random_init(&threads[i].random, filch__random_next(random), (uint64_t)i);
        atomic_fetch_add(&world->threads, 1);
        must(pthread_create(&handles[i], NULL, foreign, &threads[i]) == 0);
    }
    struct actor *ignored;
    for (uint32_t count = sizes[below(random, 8)]; count > 0; count--) spawn(&root, NULL, NULL, &ignored, true);
    for (int turn = 0; turn < NUDGES && !all_gone(); turn++) {
        until_quiet();
        progress();
        nudge(turn);
        if (cancels && turn == NUDGES / 2) filch_runtime_cancel(runtime);
    }
    until_quiet();
    while (!all_gone()) {
        close_all();
        usleep(100);
    }
    must(atomic_fetch_add(&world->ended, 0) <= world->actors_used);
    close_all();
    for (int i = 0; i < THREADS; i++) pthread_join(handles[i], NULL);
    world_end();
    return world->operations;
}

/* Of a timer that should have fired it is told in whose hands it is. */
static void tell_timers(filch_runtime *runtime) {
    for (unsigned i = 0; i < filch__runtime_known(runtime); i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        filch__latch_take(&worker->timers.latch);
        fprintf(stderr, "worker %u, which rests %u: %llu timers, the earliest in %g s\n", i,
                load_relaxed(&worker->rests), (unsigned long long)worker->timers.count,
                (double)(worker->timers.earliest_ns - filch_now()) / 1e9);
        filch__latch_leave(&worker->timers.latch);
    }
}

static void tell_stuck(void) {
    const char *found = fault();
    fprintf(stderr, "%llu tasks and %u threads live, %u of them wait without end; %s\n",
            (unsigned long long)tasks_alive(), world->threads, world->endless, found == NULL ? "no fault" : found);
    for (int i = 0; i < CHANS; i++) {
        fprintf(stderr, "channel %d at %p: %zu inside, %u send, %u receive\n", i, (void *)world->chans[i].chan,
                filch_chan_length(world->chans[i].chan), world->chans[i].sending, world->chans[i].receiving);
    }
    for (int i = 0; i < QUEUES; i++) {
        fprintf(stderr, "queue %d at %p: %zu inside, %u put, %u get, %u join\n", i, (void *)&world->queues[i].queue,
                filch_queue_length(&world->queues[i].queue), world->queues[i].putting, world->queues[i].getting,
                world->queues[i].joining);
    }
    fprintf(stderr, "waits at [%p, %p) are at the objects of the program\n", (void *)world, (void *)(world + 1));
    tell_timers(world->runtime);
    (void)!filch_runtime_report(world->runtime, STDERR_FILENO);
}

/* A timer that is left would fire for somebody who is gone. */
static void no_timer_is_set(filch_runtime *runtime) {
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        struct filch__timers *timers = &runtime->workers[i].timers;
        filch__latch_take(&timers->latch);
        must(timers->count == 0);
        filch__latch_leave(&timers->latch);
    }
}

static uint64_t one_runtime(struct filch__random *random) {
    filch_runtime *runtime = stress_runtime();
    uint64_t operations = 0;
    uint32_t rounds = 1 + below(random, 3);
    bool cancels = maybe(&(struct actor){.random = *random}, 2);
    for (uint32_t i = 1; i <= rounds; i++) {
        operations += one_round(runtime, random, cancels && i == rounds);
        no_timer_is_set(runtime);
        progress();
    }
    must(filch_runtime_shutdown(runtime, FILCH_NEVER) == 0);
    must(tasks_alive() == 0);
    must(filch_runtime_destroy(runtime) == 0);
    must(world->values == 0);
    return operations;
}

static void mix_begin(void) {
    world = calloc(1, sizeof *world);
    must(world != NULL && (world->actors = calloc(ACTORS_MAX, sizeof *world->actors)) != NULL);
}

static void mix_end(void) {
    free(world->actors);
    free(world);
}

#endif
