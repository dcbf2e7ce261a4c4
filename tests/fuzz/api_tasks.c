/* SPDX-License-Identifier: MIT */
/* Tasks: how they are started, awaited and cancelled; scopes and shields; what belongs to a task; time. */
#include "tests/fuzz/api.h"

static int act(void *arg) {
    struct actor *actor = arg;
    world->live++;
    actor->begun = true;
    must(filch_local_get(&world->local) == actor->local);
    api_run(actor);
    for (int i = 0; i < HANDLES; i++) filch_task_detach(actor->handles[i]);
    must(filch_local_get(&world->local) == actor->local);
    world->live--;
    actor->result = actor->program.number == PROGRAMS - 1 ? -EIO : (int)actor->program.number;
    return actor->result;
}

struct actor *api_spawn(const struct region *region, filch_task **task, unsigned number, void *local) {
    if (world->actor_count == ACTORS_MAX) return NULL;
    struct actor *actor = calloc(1, sizeof *actor);
    must(actor != NULL);
    actor->program = world->programs[number];
    actor->local = local;
    actor->home = actor->region = region;
    filch_scope *scope = region == NULL ? NULL : region->scope;
    world->actors[world->actor_count++] = actor; /* also one that never begins: it goes with the others */
    int answer = scope != NULL ? filch_scope_spawn(scope, task, act, actor, NULL) : filch_spawn(task, act, actor, NULL);
    if (answer == 0) return actor;
    must(answer == -ECANCELED && scope != NULL && filch_scope_cancelled(scope));
    return NULL;
}

/* Whether the innermost of the regions that it has open is a scope. */
static bool has_scope(const struct actor *actor) {
    return actor->region != actor->home && actor->region->scope != NULL;
}

static void spawn(struct actor *actor, uint8_t how) {
    unsigned slot = (how >> 1 & 3) % HANDLES, number = ACTORS_FIRST + (how >> 3 & 3);
    bool keep = actor->handles[slot] == NULL;
    const struct region *region = how & 1 && has_scope(actor) ? actor->region : NULL;
    struct actor *child = api_spawn(region, keep ? &actor->handles[slot] : NULL, number, actor->local);
    if (keep) actor->children[slot] = child;
}

static void await(struct actor *actor, uint8_t how) {
    unsigned slot = (how & 3) % HANDLES;
    if (actor->handles[slot] == NULL) return;
    int result = 1000;
    struct wait wait = wait_begin(actor, how / 4, NULL);
    if (wait.deadline.at_ns == INT64_MAX) actor->awaits_one = actor->handles[slot];
    bool ended = wait_over(&wait, filch_await(actor->handles[slot], &result, wait.deadline));
    actor->awaits_one = NULL;
    if (!ended) {
        must(result == 1000);
        return;
    }
    const struct actor *child = actor->children[slot];
    must(result == (child->begun ? child->result : -ECANCELED));
    actor->handles[slot] = NULL;
}

static void await_several(struct actor *actor, uint8_t how) {
    filch_task *tasks[HANDLES];
    size_t order[HANDLES], count = 0;
    for (int i = 0; i < HANDLES; i++) {
        if (actor->handles[i] != NULL) tasks[count++] = actor->handles[i];
    }
    if (count == 0) return;
    size_t wanted = 1 + how % count;
    struct wait wait = wait_begin(actor, how / 4, NULL);
    if (wait.deadline.at_ns == INT64_MAX) actor->awaits = (unsigned)wanted;
    ssize_t ended = filch_await_n(tasks, count, wanted, order, wait.deadline);
    actor->awaits = 0;
    if (!wait_over(&wait, ended)) return;
    must((size_t)ended >= wanted && (size_t)ended <= count);
    for (ssize_t i = 0; i < ended; i++) {
        must(order[i] < count && filch_task_done(tasks[order[i]]));
        for (ssize_t j = 0; j < i; j++) must(order[i] != order[j]);
    }
}

static void detach(struct actor *actor, uint8_t how) {
    unsigned slot = (how & 3) % HANDLES;
    filch_task_detach(actor->handles[slot]);
    actor->handles[slot] = NULL;
}

static void cancel(struct actor *actor, uint8_t how) {
    unsigned slot = (how & 3) % HANDLES;
    if (actor->handles[slot] == NULL) return;
    actor->children[slot]->doomed = true;
    filch_task_cancel(actor->handles[slot]);
}

/* ----------------------------------------------------------------------------------------------------------- scopes */

static void open_scope(struct actor *actor, uint8_t how) {
    filch_scope scope;
    struct region region = {&scope, actor->region};
    filch_scope_options options = {.policy = (filch_scope_policy)((how >> 1 & 3) % 3)};
    if (how & 1) options.deadline = api_deadline(how / 8);
    must(filch_scope_open(&scope, &options) == 0);
    actor->region = &region;
    api_run(actor);
    int result = filch_scope_close(&scope);
    actor->region = region.outer;
    must(result == 0 || result == -ECANCELED || result == -ETIMEDOUT || result == -EIO);
    if (options.policy == FILCH_SCOPE_SUPERVISE) must(result != -EIO);
}

static void shield(struct actor *actor, uint8_t how) {
    filch_shield shield;
    struct region region = {NULL, actor->region};
    (void)how;
    actor->shields++;
    filch_shield_begin(&shield);
    actor->region = &region;
    must(!filch_cancelled());
    api_run(actor);
    actor->region = region.outer;
    filch_shield_end(&shield);
    actor->shields--;
}

static void cancel_scope(struct actor *actor, uint8_t how) {
    if (!has_scope(actor) || how % 2 == 0) return;
    filch_scope_cancel(actor->region->scope);
    must(filch_cancelled() && filch_scope_cancelled(actor->region->scope));
}

static void fail_scope(struct actor *actor, uint8_t how) {
    if (has_scope(actor) && how % 2 == 1) filch_scope_fail(actor->region->scope, -EIO);
}

static void set_deadline(struct actor *actor, uint8_t how) {
    if (!has_scope(actor)) return;
    int answer = filch_scope_set_deadline(actor->region->scope, how & 1 ? FILCH_NEVER : api_deadline(how));
    must(answer == 0 || answer == -ETIMEDOUT || answer == -ECANCELED);
    if (answer != 0) must(filch_cancelled());
}

/* ------------------------------------------------------------------------------------------------------------- time */

static void let_time_pass(struct actor *actor, uint8_t how) {
    (void)actor;
    if (how < 64) {
        filch_yield();
        return;
    }
    struct wait wait = wait_begin(actor, 0, NULL);
    wait.deadline = api_deadline(how);
    int answer = filch_sleep_until(wait.deadline);
    if (wait_over(&wait, answer)) must(filch_now() >= wait.deadline.at_ns);
}

static void tick(struct actor *actor, uint8_t how) {
    filch_ticker ticker;
    must(filch_ticker_init(&ticker, 1 + how * 100) == 0);
    int64_t next_ns = filch_ticker_next(&ticker).at_ns;
    struct wait wait = wait_begin(actor, 0, NULL);
    wait.deadline = FILCH_NEVER;
    int64_t ticks = filch_ticker_wait(&ticker, wait.deadline);
    if (wait_over(&wait, ticks)) must(ticks >= 1 && filch_now() >= next_ns);
}

/* ------------------------------------------------------------------------------------------------------- of the task */

static void destroy_value(void *value) {
    free(value);
    world->values--;
}

static void set_local(struct actor *actor, uint8_t how) {
    void *value = NULL;
    if (how & 1) {
        value = malloc(1);
        must(value != NULL);
        world->values++;
    }
    must(filch_local_set(&world->local, value, value == NULL ? NULL : destroy_value) == 0);
    must(filch_local_get(&world->local) == value);
    actor->local = value;
}

static int call_outside(void *arg) {
    must(filch_self() == NULL);
    return *(uint8_t *)arg;
}

static int call_forked(void *arg) {
    api_dawdle(*(uint8_t *)arg);
    return *(uint8_t *)arg;
}

static void call(struct actor *actor, uint8_t how) {
    if (how & 2) {
        int result = -1;
        struct wait wait = wait_begin(actor, 1, NULL);
        if (wait_over(&wait, filch_blocking(call_outside, &how, &result, wait.deadline))) must(result == how);
        return;
    }
    filch_frame frames[2];
    filch_task *self = filch_self();
    for (int i = 0; i < 2; i++) filch_fork(&frames[i], call_forked, &how);
    api_dawdle(how / 4);
    for (int i = 1; i >= 0; i--) must(filch_join(&frames[i]) == how);
    must(filch_self() == self);
}

void api_task(struct actor *actor, unsigned what, uint8_t how) {
    static void (*const operations[TASK_OPERATIONS])(struct actor * actor, uint8_t how) = {
        spawn,        await,      await_several, detach, cancel,    open_scope, shield,
        cancel_scope, fail_scope, set_deadline,  tick,   set_local, call,       let_time_pass,
    };
    operations[what](actor, how);
}
