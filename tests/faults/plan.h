/* SPDX-License-Identifier: MIT */
/* Which faults there are: every call of a clean life, with every answer that such a call may give. */
#ifndef FILCH_TESTS_FAULTS_PLAN_H
#define FILCH_TESTS_FAULTS_PLAN_H

#include <filch/runtime.h>
#include <stddef.h>

#include "tests/faults/seam.h"

/* In which runtime. */
struct setting {
    unsigned workers;
    filch_poller poller;
};

struct trial {
    struct setting setting;
    struct fault fault;
};

struct plan {
    struct trial *trials;
    size_t count, room;
};

/* Adds what may befall a life with so many calls of each kind. */
void plan_add(struct plan *plan, const struct setting *setting, const unsigned counts[SEAM_KINDS]);

/* Puts them into an order that follows from `seed`. */
void plan_shuffle(struct plan *plan, unsigned long seed);

/* How many different faults there are among those that `chosen` marks: in whichever settings. */
size_t plan_different(const struct plan *plan, const unsigned char *chosen);

enum { TRIAL_TEXT_MAX = 120 };

/* The options that have one trial made, and what they mean: false where it is nothing. */
const char *trial_format(const struct trial *trial, char text[TRIAL_TEXT_MAX]);
bool fault_parse(struct fault *fault, const char *text);
bool poller_parse(filch_poller *poller, const char *text);

#endif
