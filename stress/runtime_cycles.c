/* SPDX-License-Identifier: MIT */
/*
 * Runtimes made and destroyed over and over, with nothing, little or much to do meanwhile. Every task must have run,
 * and nothing of a runtime may be left on the heap. --cycles 10000 is the long form.
 */
#include "alloc/alloc.h"
#include "stress/stress.h"

struct cycle {
    atomic_uint ran;
};

static int work(void *arg) {
    struct cycle *cycle = arg;
    atomic_fetch_add(&cycle->ran, 1);
    filch_yield();
    return 0;
}

static int spread(void *arg) {
    for (int i = 0; i < 10; i++) must(filch_spawn(NULL, work, arg, NULL) == 0);
    filch_frame frame;
    filch_fork(&frame, work, arg);
    filch_sleep(1000);
    must(filch_join(&frame) == 0);
    return work(arg);
}

static uint64_t one_cycle(struct filch__random *random) {
    struct cycle cycle = {0};
    filch_runtime *runtime = stress_runtime();
    uint32_t little = below(random, 3), much = below(random, 3) == 0 ? below(random, 6) : 0;
    for (uint32_t i = 0; i < little; i++) must(filch_runtime_spawn(runtime, NULL, work, &cycle, NULL) == 0);
    for (uint32_t i = 0; i < much; i++) must(filch_runtime_spawn(runtime, NULL, spread, &cycle, NULL) == 0);
    if (below(random, 2) == 0) (void)!filch_runtime_shutdown(runtime, filch_after(below(random, 100000)));
    must(filch_runtime_destroy(runtime) == 0);
    must(cycle.ran == little + 12 * much);
    return 1;
}

int main(int count, char **arguments) {
    stress_begin("runtime_cycles", count, arguments);
    struct filch__random random = stress_random(0);
    size_t objects = filch__heap_objects();
    do {
        one_cycle(&random);
        must(filch__heap_objects() == objects);
    } while (stress_go_on(1));
    return stress_end();
}
