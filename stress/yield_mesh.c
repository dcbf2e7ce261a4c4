/* SPDX-License-Identifier: MIT */
/*
 * Many tasks that yield, sleep, and pass tokens to one another by plain flags: each token must arrive, and no task may
 * be run by two workers at once.
 */
#include "stress/stress.h"

enum { TASKS = 64, STEPS = 200 };

struct member {
    atomic_uint running; /* 1 while it runs between two yields */
    atomic_uint inbox;
    uint64_t plain; /* only its own, whatever worker runs it */
    unsigned index;
    struct filch__random random;
};

struct mesh {
    struct member members[TASKS];
    atomic_ullong sent, received;
};

static struct mesh *mesh;

static void give_way(struct member *member) {
    must(atomic_exchange(&member->running, 0) == 1);
    if (below(&member->random, 64) == 0) {
        filch_sleep(below(&member->random, 10000));
    } else {
        filch_yield();
    }
    must(atomic_exchange(&member->running, 1) == 0);
}

static void receive(struct member *member) {
    unsigned got = atomic_exchange(&member->inbox, 0);
    if (got > 0) atomic_fetch_add(&mesh->received, got);
}

static int take_part(void *arg) {
    struct member *member = arg;
    must(atomic_exchange(&member->running, 1) == 0);
    for (uint64_t step = 0; step < STEPS; step++) {
        must(member->plain++ == step);
        atomic_fetch_add(&mesh->members[below(&member->random, TASKS)].inbox, 1);
        atomic_fetch_add(&mesh->sent, 1);
        receive(member);
        give_way(member);
    }
    must(atomic_exchange(&member->running, 0) == 1);
    return 0;
}

static int main_task(void *arg) {
    struct filch__random *random = arg;
    filch_task *tasks[TASKS];
    for (unsigned i = 0; i < TASKS; i++) {
        mesh->members[i] = (struct member){.index = i};
        filch__random_init(&mesh->members[i].random, filch__random_next(random), i);
    }
    mesh->sent = mesh->received = 0;
    for (unsigned i = 0; i < TASKS; i++) must(filch_spawn(&tasks[i], take_part, &mesh->members[i], NULL) == 0);
    for (unsigned i = 0; i < TASKS; i++) must(filch_await(tasks[i], NULL, FILCH_NEVER) == 0);
    for (unsigned i = 0; i < TASKS; i++) receive(&mesh->members[i]);
    must(mesh->sent == TASKS * STEPS && mesh->received == mesh->sent);
    return 0;
}

static int rounds(void *arg) {
    do {
        must(main_task(arg) == 0);
    } while (stress_go_on(TASKS * STEPS));
    return 0;
}

int main(int count, char **arguments) {
    stress_begin("yield_mesh", count, arguments);
    struct filch__random random = stress_random(0);
    mesh = calloc(1, sizeof *mesh);
    must(mesh != NULL);
    stress_run(rounds, &random);
    free(mesh);
    return stress_end();
}
