/* SPDX-License-Identifier: MIT */
/*
 * With a pool of threads: a queue under a lock, of directories to list and of batches of files to hash. A batch keeps
 * the lock from being taken for each file. The work is over when nothing is queued and nobody works on something that
 * could queue more.
 */
#include "ways.h"

#include <errno.h>
#include <stdlib.h>

#define BATCH 16 /* files */

struct directory {
    char *path;
    struct listing listing;
    atomic_size_t batches; /* not yet done; who does the last one frees the directory */
};

struct job {
    struct job *next;
    struct directory *directory;
    size_t first, last; /* files; none: the directory is to be listed */
};

struct pool {
    struct sum *sum;
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* under the lock */
    struct job *jobs;  /* the youngest first, so that the queue stays short */
    size_t unfinished; /* jobs queued or under way */
    size_t sleepers;
};

static void free_directory(struct directory *directory) {
    listing_free(&directory->listing);
    free(directory->path);
    free(directory);
}

/* Takes `directory` over. False: no memory, and it is still the caller's. */
static bool push(struct pool *pool, struct directory *directory, size_t first, size_t last) {
    struct job *job = malloc(sizeof(*job));
    if (job == NULL) return false;
    *job = (struct job){NULL, directory, first, last};
    pthread_mutex_lock(&pool->lock);
    job->next = pool->jobs;
    pool->jobs = job;
    pool->unfinished++;
    bool wake = pool->sleepers > 0;
    pthread_mutex_unlock(&pool->lock);
    if (wake) pthread_cond_signal(&pool->changed);
    return true;
}

/* Queues the directory `path`, which it takes over; NULL: there was no memory for it. */
static void push_directory(struct pool *pool, char *path, const char *name) {
    struct directory *directory = path == NULL ? NULL : calloc(1, sizeof(*directory));
    if (directory != NULL) {
        directory->path = path;
        if (push(pool, directory, 0, 0)) return;
    }
    sum_note_error(pool->sum, name, -ENOMEM);
    free(directory);
    free(path);
}

static void sum_batch(struct pool *pool, struct directory *directory, size_t first, size_t last) {
    for (size_t i = first; i < last; i++) sum_file(pool->sum, directory->path, directory->listing.files[i]);
    if (atomic_fetch_sub_explicit(&directory->batches, 1, memory_order_acq_rel) == 1) free_directory(directory);
}

static void list_directory(struct pool *pool, struct directory *directory) {
    struct listing *listing = &directory->listing;
    sum_list(pool->sum, directory->path, listing);
    for (size_t i = 0; i < listing->directory_count; i++) {
        push_directory(pool, path_join(directory->path, listing->directories[i]), listing->directories[i]);
    }
    size_t file_count = listing->file_count; /* the directory may be gone once its last batch is queued */
    size_t batches = (file_count + BATCH - 1) / BATCH;
    atomic_init(&directory->batches, batches);
    if (batches == 0) free_directory(directory);
    for (size_t i = 0; i < batches; i++) {
        size_t first = i * BATCH, last = first + BATCH < file_count ? first + BATCH : file_count;
        if (!push(pool, directory, first, last)) sum_batch(pool, directory, first, last);
    }
}

/* The next job, or NULL when there will be none. Under the lock. */
static struct job *pop(struct pool *pool) {
    while (pool->jobs == NULL && pool->unfinished > 0) {
        pool->sleepers++;
        pthread_cond_wait(&pool->changed, &pool->lock);
        pool->sleepers--;
    }
    struct job *job = pool->jobs;
    if (job != NULL) pool->jobs = job->next;
    return job;
}

static void *work(void *arg) {
    struct pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (struct job *job; (job = pop(pool)) != NULL;) {
        pthread_mutex_unlock(&pool->lock);
        if (job->last == 0) {
            list_directory(pool, job->directory);
        } else {
            sum_batch(pool, job->directory, job->first, job->last);
        }
        free(job);
        pthread_mutex_lock(&pool->lock);
        if (--pool->unfinished == 0) pthread_cond_broadcast(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

int run_pthread(struct sum *sum, unsigned workers) {
    struct pool pool = {.sum = sum};
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.changed, NULL);
    push_directory(&pool, path_join(sum->root, ""), sum->root);

    /* The calling thread is one of the workers, and does with fewer where the system gives no more. */
    pthread_t *threads = calloc(workers, sizeof(*threads));
    unsigned started = 0;
    while (threads != NULL && started + 1 < workers && pthread_create(&threads[started], NULL, work, &pool) == 0) {
        started++;
    }
    work(&pool);
    for (unsigned i = 0; i < started; i++) pthread_join(threads[i], NULL);
    free(threads);
    pthread_cond_destroy(&pool.changed);
    pthread_mutex_destroy(&pool.lock);
    return 0;
}
