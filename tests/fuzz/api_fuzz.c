/* SPDX-License-Identifier: MIT */
/*
 * An input: two bytes of seed, one that says how many workers there are, by which policy they are chosen, and how waits
 * that last are ended; then operations of three bytes each: whose it is, what, and how.
 */
#include "tests/fuzz/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 3, OPERATIONS_MAX = 300, STEPS_MAX = 3000000 };

bool api_next(struct program *program, uint8_t *what, uint8_t *how) {
    while (program->size >= OPERATION) {
        const uint8_t *bytes = program->bytes;
        program->bytes += OPERATION;
        program->size -= OPERATION;
        if (bytes[0] % PROGRAMS != program->number) continue;
        *what = bytes[1];
        *how = bytes[2];
        return true;
    }
    return false;
}

static bool one_operation(struct actor *actor, unsigned what, uint8_t how) {
    static const struct {
        unsigned count;
        void (*operation)(struct actor *actor, unsigned what, uint8_t how);
    } kinds[] = {{LOCK_OPERATIONS, api_lock},
                 {OBJECT_OPERATIONS, api_object},
                 {FLOW_OPERATIONS, api_flow},
                 {TASK_OPERATIONS, api_task}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; what -= kinds[i++].count) {
        if (what >= kinds[i].count) continue;
        kinds[i].operation(actor, what, how);
        return true;
    }
    return false;
}

void api_run(struct actor *actor) {
    enum { KINDS = LOCK_OPERATIONS + OBJECT_OPERATIONS + FLOW_OPERATIONS + TASK_OPERATIONS, ENDS_OF_BLOCKS = 4 };
    uint8_t what, how;
    if (actor->depth == DEPTH_MAX) return;
    actor->depth++;
    while (api_next(&actor->program, &what, &how)) {
        bool goes_on = one_operation(actor, what % (KINDS + ENDS_OF_BLOCKS), how);
        if (!goes_on && actor->depth > 1) break;
    }
    actor->depth--;
}

/* The clock gets there only when all have come to rest. */
static void until_all_rest(void) {
    must(filch_sleep(FILCH_SEC(3600)) == 0);
    api_world_must_rest();
}

static int supervise(void *arg) {
    const uint8_t *config = arg;
    filch_shield shield;
    filch_scope scope;
    filch_shield_begin(&shield); /* what is cancelled in the end is the others */
    must(filch_scope_open(&scope, &(filch_scope_options){.policy = FILCH_SCOPE_SUPERVISE}) == 0);
    struct region region = {&scope, NULL};
    for (unsigned i = 0; i < ACTORS_FIRST; i++) api_spawn(&region, NULL, i, NULL);
    until_all_rest();
    if (world->live > 0 && (*config & 16)) {
        api_world_close();
        until_all_rest();
    }
    if (world->live > 0) {
        filch_runtime_cancel(filch_runtime_current());
        until_all_rest();
    }
    must(world->live == 0);
    must(filch_scope_close(&scope) == 0);
    api_world_must_balance();
    filch_shield_end(&shield);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEADER + OPERATION) return 0;
    if (size > HEADER + OPERATION * OPERATIONS_MAX) size = HEADER + OPERATION * OPERATIONS_MAX;
    for (unsigned i = 0; i < PROGRAMS; i++) world->programs[i] = (struct program){data + HEADER, size - HEADER, i};
    api_world_begin();
    uint8_t config = data[2];
    filch_simulation simulation = {.seed = data[0] | (uint64_t)data[1] << 8, .quiet = true, .steps_max = STEPS_MAX};
    simulation.policy = config & 1 ? FILCH_PCT : FILCH_RANDOM_WALK;
    filch_options options = {.workers = 1 + (config >> 1 & 7) % 4, .stack_size = 64 << 10, .simulation = &simulation};
    must(filch_run(supervise, &config, &options) == 0);
    return 0;
}
