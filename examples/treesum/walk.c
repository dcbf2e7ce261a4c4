/* SPDX-License-Identifier: MIT */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum kind { KIND_FILE, KIND_DIRECTORY, KIND_OTHER };

/* Adds a copy of `name` to a vector that is grown at each power of two. False: no memory. */
static bool append(char ***names, size_t *count, const char *name) {
    if ((*count & (*count - 1)) == 0) {
        char **grown = realloc(*names, (*count == 0 ? 1 : *count * 2) * sizeof(char *));
        if (grown == NULL) return false;
        *names = grown;
    }
    char *copy = strdup(name);
    if (copy == NULL) return false;
    (*names)[(*count)++] = copy;
    return true;
}

static enum kind kind_of(DIR *directory, const struct dirent *entry) {
    if (entry->d_type == DT_REG) return KIND_FILE;
    if (entry->d_type == DT_DIR) return KIND_DIRECTORY;
    if (entry->d_type != DT_UNKNOWN) return KIND_OTHER;
    /* A file system that does not tell. */
    struct stat status;
    if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return KIND_OTHER;
    if (S_ISREG(status.st_mode)) return KIND_FILE;
    return S_ISDIR(status.st_mode) ? KIND_DIRECTORY : KIND_OTHER;
}

static int read_entries(struct listing *listing, DIR *directory) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) return -errno;
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        bool is_kept = true;
        switch (kind_of(directory, entry)) {
        case KIND_FILE:
            is_kept = append(&listing->files, &listing->file_count, name);
            break;
        case KIND_DIRECTORY:
            is_kept = append(&listing->directories, &listing->directory_count, name);
            break;
        case KIND_OTHER:
            listing->left_out++;
            break;
        }
        if (!is_kept) return -ENOMEM;
    }
}

int listing_read(struct listing *listing, const char *path) {
    *listing = (struct listing){0};
    DIR *directory = opendir(path);
    int error;
    if (directory != NULL) {
        error = read_entries(listing, directory);
        closedir(directory);
    } else if (errno == ENOTDIR) {
        error = append(&listing->files, &listing->file_count, "") ? 0 : -ENOMEM;
    } else {
        error = -errno;
    }
    if (error != 0) listing_free(listing);
    return error;
}

static void free_names(char **names, size_t count) {
    for (size_t i = 0; i < count; i++) free(names[i]);
    free(names);
}

void listing_free(struct listing *listing) {
    free_names(listing->files, listing->file_count);
    free_names(listing->directories, listing->directory_count);
    *listing = (struct listing){0};
}

char *path_join(const char *directory, const char *name) {
    if (name[0] == '\0') return strdup(directory);
    size_t length = strlen(directory), name_size = strlen(name) + 1;
    char *path = malloc(length + 1 + name_size);
    if (path == NULL) return NULL;
    memcpy(path, directory, length);
    path[length] = '/';
    memcpy(path + length + 1, name, name_size);
    return path;
}
