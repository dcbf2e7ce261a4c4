/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "hog.h"

static int hog_task(void *arg) {
    hog(arg);
    return 0;
}

static void sleep_until(int64_t at_ns) {
    filch_sleep_until((filch_deadline){at_ns});
}

uint64_t hog_filch(struct run *run) {
    struct hogs *hogs = hogs_make(run);
    filch_task *tasks[HOGS_MAX];
    for (unsigned i = 0; i < hogs->count; i++) {
        if (filch_spawn(&tasks[i], hog_task, hogs, NULL) != 0) fail("no memory for a task");
    }
    tick(hogs, sleep_until);
    for (unsigned i = 0; i < hogs->count; i++) {
        if (filch_await(tasks[i], NULL, FILCH_NEVER) != 0) fail("await failed");
    }
    return hogs_report(hogs, run);
}
