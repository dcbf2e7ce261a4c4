/* SPDX-License-Identifier: MIT */
/*
 * A seed is the number of a schedule, and says all: which program is run (seeds that follow one another have the same, and
 * cut it short at one step after the other), with how many workers, and every choice of the schedule.
 */
#ifndef FILCH_TESTS_HISTORY_SEED_H
#define FILCH_TESTS_HISTORY_SEED_H

#include "history.h"

enum { SEEDS_IN_ROW = 512 }; /* with the same number of workers */

struct tally {
    uint64_t schedules, differ, points;
};

/* From now on a seed that the process dies of is told. */
void seeds_watch(void);

/* Runs SEEDS_IN_ROW seeds from `first` on, or fewer: up to one that fails, which is made smaller and shown. */
bool seeds_run(const struct object *object, uint64_t first, struct tally *tally);

/* Runs one, as the environment says if it does, and shows what happens; 0, or other than 0: it fails. */
int seed_show(const struct object *object, uint64_t seed, uint64_t left_out);

#endif
