/* SPDX-License-Identifier: MIT */
/*
 * Where the scheduler's choices come from. Every choice that is free (which victim, which of several) is asked here,
 * with its kind, so that a simulation can make it instead.
 */
#ifndef FILCH_BASE_RANDOM_H
#define FILCH_BASE_RANDOM_H

#include <stdint.h>

/* xoroshiro128++ (Blackman and Vigna 2021). One owner; not for secrets. */
struct filch__random {
    uint64_t state[2];
};

enum filch__choice {
    CHOICE_VICTIM, /* whom a searching worker visits first */
    CHOICE_WAKE,   /* which sleeping worker is woken */
    CHOICE_BRANCH, /* which of the cases of a select that can go on */
};

/* Two generators seeded with different (seed, stream) are independent. */
void filch__random_init(struct filch__random *random, uint64_t seed, uint64_t stream);

/* A seed that differs from one call to the next. */
uint64_t filch__random_seed(void);

static inline uint64_t filch__random_next(struct filch__random *random) {
    uint64_t a = random->state[0], b = random->state[1], sum = a + b;
    uint64_t result = ((sum << 17) | (sum >> 47)) + a;
    b ^= a;
    random->state[0] = ((a << 49) | (a >> 15)) ^ b ^ (b << 21);
    random->state[1] = (b << 28) | (b >> 36);
    return result;
}

/* A number below `count`, which is not 0; the bias of the multiplication is below count / 2^32. */
static inline uint32_t filch__choose(struct filch__random *random, enum filch__choice kind, uint32_t count) {
    (void)kind;
    return (uint32_t)(((filch__random_next(random) >> 32) * count) >> 32);
}

#endif
