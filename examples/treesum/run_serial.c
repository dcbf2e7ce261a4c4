/* SPDX-License-Identifier: MIT */
/* One after the other, in the calling thread: what the other ways are measured against. */
#include "ways.h"

#include <errno.h>
#include <stdlib.h>

static void sum_directory(struct sum *sum, const char *path) {
    struct listing listing;
    sum_list(sum, path, &listing);
    for (size_t i = 0; i < listing.file_count; i++) sum_file(sum, path, listing.files[i]);
    for (size_t i = 0; i < listing.directory_count; i++) {
        char *below = path_join(path, listing.directories[i]);
        if (below != NULL) {
            sum_directory(sum, below);
        } else {
            sum_note_error(sum, listing.directories[i], -ENOMEM);
        }
        free(below);
    }
    listing_free(&listing);
}

int run_serial(struct sum *sum, unsigned workers) {
    (void)workers;
    sum_directory(sum, sum->root);
    return 0;
}
