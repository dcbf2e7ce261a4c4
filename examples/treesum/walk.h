/* SPDX-License-Identifier: MIT */
/* Listing directories. */
#ifndef TREESUM_WALK_H
#define TREESUM_WALK_H

#include <stddef.h>

/* The names in a directory. Symbolic links are not followed, and what is neither file nor directory is left out. */
struct listing {
    char **files, **directories;
    size_t file_count, directory_count;
    size_t left_out;
};

/*
 * Lists the directory at `path`. Returns 0 or a negative errno, and then the listing is empty. A regular file is
 * listed as a directory of one file without a name, so that a whole tree may be one file. The directory is open only
 * within this call.
 */
int listing_read(struct listing *listing, const char *path);
void listing_free(struct listing *listing);

/* "`directory`/`name`", or a copy of `directory` where `name` is empty. From malloc; NULL: no memory. */
char *path_join(const char *directory, const char *name);

#endif
