/* SPDX-License-Identifier: MIT */
/*
 * With filch: the serial program, with a task for each directory, and a parallel loop over the files of each.
 *
 * Everything that a task or a part of a loop works on stands in the frame of the task that started it, or is freed by
 * it: that one awaits them before it returns. There is no queue, no count of what is left, and no lock here.
 */
#include "ways.h"

#include <errno.h>
#include <filch/filch.h>
#include <stdlib.h>

struct directory {
    struct sum *sum;
    char *path;
    struct listing listing;
    filch_task *task; /* NULL: not started */
};

/* A part of the files. How many that are is found by the loop: few while others are idle. */
static int sum_files(int64_t first, int64_t last, void *arg) {
    const struct directory *directory = arg;
    for (int64_t i = first; i < last; i++) sum_file(directory->sum, directory->path, directory->listing.files[i]);
    return 0;
}

static int sum_directory(void *arg);

/* Starts a task for the directory `name` below `parent`. Where there is no memory for one, does its work at once. */
static void start(struct directory *below, const struct directory *parent, const char *name) {
    below->sum = parent->sum;
    below->path = path_join(parent->path, name);
    below->task = NULL;
    if (below->path == NULL) {
        sum_note_error(parent->sum, name, -ENOMEM);
    } else if (filch_spawn(&below->task, sum_directory, below, NULL) != 0) {
        sum_directory(below);
    }
}

static void finish(struct directory *below) {
    int result;
    /* Without a deadline, a valid handle is always awaited to the end. */
    if (below->task != NULL && filch_await(below->task, &result, FILCH_NEVER) != 0) abort();
    free(below->path);
}

static int sum_directory(void *arg) {
    struct directory *directory = arg;
    struct listing *listing = &directory->listing;
    sum_list(directory->sum, directory->path, listing);

    size_t count = listing->directory_count;
    struct directory *below = calloc(count + 1, sizeof(*below)); /* not on the task's small stack */
    if (below == NULL) {
        sum_note_error(directory->sum, directory->path, -ENOMEM);
        count = 0;
    }
    for (size_t i = 0; i < count; i++) start(&below[i], directory, listing->directories[i]);
    int result = filch_parallel_for(0, (int64_t)listing->file_count, 0, sum_files, directory);
    for (size_t i = 0; i < count; i++) finish(&below[i]);

    free(below);
    listing_free(listing);
    return result;
}

int run_filch(struct sum *sum, unsigned workers) {
    struct directory root = {.sum = sum, .path = (char *)sum->root};
    filch_options options = {.name = "treesum", .workers = workers};
    return filch_run(sum_directory, &root, &options);
}
