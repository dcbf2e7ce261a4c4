/* SPDX-License-Identifier: MIT */
#include "sum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Figures that nothing else is concluded from while the tree is gone through: no order is needed. */
static void add(_Atomic uint64_t *figure, uint64_t value) {
    atomic_fetch_add_explicit(figure, value, memory_order_relaxed);
}

void sum_init(struct sum *sum, const char *root) {
    memset(sum, 0, sizeof(*sum));
    sum->root = root;
    pthread_mutex_init(&sum->lock, NULL);
}

void sum_fini(struct sum *sum) {
    for (size_t i = 0; i < SUM_ERRORS_SHOWN; i++) free(sum->errors[i].path);
    pthread_mutex_destroy(&sum->lock);
}

void sum_note_error(struct sum *sum, const char *path, int error) {
    pthread_mutex_lock(&sum->lock);
    if (sum->error_count < SUM_ERRORS_SHOWN) {
        sum->errors[sum->error_count] = (struct sum_error){strdup(path), error};
    }
    sum->error_count++;
    pthread_mutex_unlock(&sum->lock);
}

void sum_list(struct sum *sum, const char *directory, struct listing *listing) {
    int error = listing_read(listing, directory);
    if (error != 0) {
        sum_note_error(sum, directory, error);
        return;
    }
    add(&sum->directories, 1);
    add(&sum->left_out, listing->left_out);
}

void sum_file(struct sum *sum, const char *directory, const char *name) {
    char *path = path_join(directory, name);
    if (path == NULL) {
        sum_note_error(sum, name, -ENOMEM);
        return;
    }
    struct file_digest file;
    int error = digest_file(path, path + strlen(sum->root), &file);
    if (error != 0) {
        sum_note_error(sum, path, error);
    } else {
        add(&sum->content_low, file.content.low);
        add(&sum->content_high, file.content.high);
        add(&sum->stamp_low, file.stamp.low);
        add(&sum->stamp_high, file.stamp.high);
        add(&sum->changed, file.has_changed);
        add(&sum->bytes, file.bytes);
        add(&sum->files, 1);
    }
    free(path);
}
