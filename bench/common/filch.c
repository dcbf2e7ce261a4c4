/* SPDX-License-Identifier: MIT */
#include "filch.h"

struct inside {
    struct run *run;
    const struct job *job;
    body_fn *body;
};

static int main_task(void *arg) {
    struct inside *inside = arg;
    inside->body(inside->run, inside->job);
    return 0;
}

void inside_filch(struct run *run, const struct job *job, body_fn *body) {
    struct inside inside = {run, job, body};
    filch_options options = {.workers = run->workers};
    int error = filch_run(main_task, &inside, &options);
    if (error) fail("filch_run: %d", error);
}
