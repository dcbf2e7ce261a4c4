/* SPDX-License-Identifier: MIT */
/*
 * Thousands of tasks and some foreign threads that do random things with objects of each kind, in scopes, under shields,
 * with deadlines, and cancel one another meanwhile.
 *
 * At the end of each round: what went into each object has come out of it, what was acquired was released, nobody waits,
 * every task has ended, no timer is set; at the end of a runtime, all that it had from the heap is given back. And
 * whenever nobody can go on by himself, no object may have what one of its waiters waits for, and nobody who is cancelled
 * may wait.
 */
#include "stress/mix_actors.h"

int main(int count, char **arguments) {
    stress_begin("wait_mix", count, arguments);
    struct filch__random random = stress_random(0);
    mix_begin();
    size_t objects = filch__heap_objects();
    uint64_t operations;
    stress.tell_stuck = tell_stuck;
    do {
        operations = one_runtime(&random);
        must(filch__heap_objects() == objects);
    } while (stress_go_on(operations));
    mix_end();
    return stress_end();
}
