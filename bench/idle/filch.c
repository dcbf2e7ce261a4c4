/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "idle.h"

uint64_t idle_filch(struct run *run) {
    /* The workers that have just been started have their first search, and then sleep. */
    filch_sleep(FILCH_MS(20));
    int64_t before = idle_cpu_ns();
    filch_sleep(FILCH_MS(run->n));
    return idle_charge(run, before);
}
