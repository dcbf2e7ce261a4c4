/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <sys/random.h>

#include "base/clock.h"

/* splitmix64 (Steele, Lea, Flood 2014), as its authors advise for seeding. */
static uint64_t splitmix(uint64_t *state) {
    uint64_t mixed = (*state += 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

void filch__random_init(struct filch__random *random, uint64_t seed, uint64_t stream) {
    uint64_t state = seed;
    state = splitmix(&state) ^ (stream * 0xd1342543de82ef95u);
    random->state[0] = splitmix(&state);
    random->state[1] = splitmix(&state) | 1; /* the all-zero state is the one that stays */
}

uint64_t filch__random_seed(void) {
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
        seed = (uint64_t)filch__clock_now() ^ (uint64_t)(uintptr_t)&seed;
    }
    return seed;
}
