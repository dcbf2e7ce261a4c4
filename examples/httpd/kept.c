/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void kept_begin(struct kept_files *files, int root, int64_t seconds) {
    files->root = root;
    files->seconds = seconds;
    for (size_t i = 0; i < KEPT_PLACES; i++) {
        pthread_mutex_init(&files->places[i].lock, NULL);
        files->places[i].file = NULL;
    }
    atomic_init(&files->swept, 0);
}

/* acq_rel: all that was done with the number comes before it is closed. */
static void leave(struct kept_file *kept) {
    if (kept == NULL || atomic_fetch_sub_explicit(&kept->users, 1, memory_order_acq_rel) > 1) return;
    close(kept->number);
    free(kept);
}

void kept_end(struct kept_files *files) {
    for (size_t i = 0; i < KEPT_PLACES; i++) {
        leave(files->places[i].file);
        pthread_mutex_destroy(&files->places[i].lock);
    }
}

/* By the hash of Fowler, Noll and Vo. */
static struct kept_place *place_of(struct kept_files *files, const char *name) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++) hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return &files->places[(hash ^ hash >> 32) % KEPT_PLACES];
}

/* The file that is kept under that name, which the caller uses until it leaves it; or NULL. */
static struct kept_file *take(struct kept_place *place, const char *name) {
    pthread_mutex_lock(&place->lock);
    struct kept_file *kept = place->file;
    if (kept != NULL && strcmp(kept->name, name) != 0) kept = NULL;
    /* relaxed: under the lock the place is a user, so that it is not the first */
    if (kept != NULL) atomic_fetch_add_explicit(&kept->users, 1, memory_order_relaxed);
    pthread_mutex_unlock(&place->lock);
    return kept;
}

/* Has `kept` stand in the place, in the stead of what is there. */
static void put(struct kept_place *place, struct kept_file *kept) {
    pthread_mutex_lock(&place->lock);
    struct kept_file *former = place->file;
    place->file = kept;
    pthread_mutex_unlock(&place->lock);
    leave(former);
}

/* A clock that was set back makes it old. */
static bool is_recent(const struct kept_files *files, const struct kept_file *kept, int64_t now) {
    return now >= kept->opened && now - kept->opened < files->seconds;
}

/* Lets go of what stands in the place, if it is `stale` or has been kept for too long. */
static void sweep(const struct kept_files *files, struct kept_place *place, const struct kept_file *stale,
                  int64_t now) {
    pthread_mutex_lock(&place->lock);
    struct kept_file *kept = place->file;
    if (kept != NULL && (kept == stale || !is_recent(files, kept, now))) {
        place->file = NULL;
    } else {
        kept = NULL;
    }
    pthread_mutex_unlock(&place->lock);
    leave(kept);
}

/* A file that was opened becomes one that is kept. Where there is no memory for that, it is not. */
static void keep(struct kept_place *place, struct file *file, const char *name, int64_t now) {
    size_t size = strlen(name) + 1;
    struct kept_file *kept = malloc(sizeof(*kept) + size);
    if (kept == NULL) return;
    atomic_init(&kept->users, 2);
    kept->number = file->number;
    kept->opened = now;
    memcpy(kept->name, name, size);
    file->kept = kept;
    put(place, kept);
}

int kept_open(struct kept_files *files, struct file *file, const char *name, int64_t now) {
    if (files->seconds == 0) return file_open(file, files->root, name);
    struct kept_place *place = place_of(files, name);
    struct kept_file *kept = take(place, name);
    if (kept != NULL && is_recent(files, kept, now) && file_look(file, kept->number)) {
        file->kept = kept;
        return 0;
    }
    sweep(files, place, kept, now);
    leave(kept);
    unsigned turn = atomic_fetch_add_explicit(&files->swept, 1, memory_order_relaxed); /* a count */
    sweep(files, &files->places[turn % KEPT_PLACES], NULL, now);
    int error = file_open(file, files->root, name);
    if (error == 0) keep(place, file, name, now);
    return error;
}

void kept_close(struct file *file) {
    if (file->kept == NULL) {
        file_close(file);
    } else {
        leave(file->kept);
        file->kept = NULL;
        file->number = -1;
    }
}
