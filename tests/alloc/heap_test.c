/* SPDX-License-Identifier: MIT */
/* Objects are zeroed, aligned and counted, and the request that is to fail fails. */
#include "alloc/heap.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alloc/arena.h"

#include "tests/test.h"

TEST(heap, objects_are_zeroed_aligned_and_counted) {
    static const size_t sizes[] = {1, 8, 24, 64, 1000, 4096, 65536, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t align = 8; align <= 4096; align *= 2) {
            for (int again = 0; again < 3; again++) {
                char *object = filch__heap_get(sizes[i], align);
                check(object != NULL);
                check_int((uintptr_t)object % align, 0);
                check_int(filch__heap_objects(), 1);
                check(object[0] == 0 && memcmp(object, object + 1, sizes[i] - 1) == 0);
                memset(object, 0xa5, sizes[i]);
                filch__heap_put(object, sizes[i], align);
                check_int(filch__heap_objects(), 0);
            }
        }
    }
    filch__heap_put(NULL, 8, 8);
    check_int(filch__heap_objects(), 0);
}

/* Bit i is set where request i + 1 of eight fails. */
static unsigned failures(void) {
    unsigned pattern = 0;
    for (unsigned i = 0; i < 8; i++) {
        void *object = filch__heap_get(16, 8);
        if (object == NULL) pattern |= 1u << i;
        filch__heap_put(object, 16, 8);
    }
    return pattern;
}

TEST(heap, the_request_that_is_to_fail_fails) {
    check_int(failures(), 0);
    filch__alloc_fail(1, false);
    check_int(failures(), 0x01);
    check_int(filch__alloc_requests(), 8);
    filch__alloc_fail(3, false);
    check_int(failures(), 0x04);
    filch__alloc_fail(6, true);
    check_int(failures(), 0xe0);
    check_int(failures(), 0xff);
    filch__alloc_fail(0, true);
    check_int(failures(), 0);
    check_int(filch__alloc_requests(), 8);
}

static void *many(void *failed) {
    for (int i = 0; i < 20000; i++) {
        void *object = filch__heap_get(32, 8);
        if (object == NULL) __atomic_fetch_add((int *)failed, 1, __ATOMIC_RELAXED);
        filch__heap_put(object, 32, 8);
    }
    return NULL;
}

TEST(heap, exactly_one_of_many_racing_requests_fails) {
    pthread_t threads[4];
    int failed = 0;
    filch__alloc_fail(40000, false);
    for (int i = 0; i < 4; i++) check_int(pthread_create(&threads[i], NULL, many, &failed), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    check_int(failed, 1);
    check_int(filch__alloc_requests(), 80000);
    check_int(filch__heap_objects(), 0);
}

#if FILCH_JEMALLOC

/* The bytes of addresses that the process uses. Asks for no memory itself: it is to be a thread's first to do so. */
static rlim_t addresses(void) {
    char text[128] = "";
    int number = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    check(number >= 0 && read(number, text, sizeof text - 1) > 0);
    close(number);
    return (rlim_t)strtoul(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void limit_addresses(rlim_t bytes) {
    struct rlimit limit;
    check_int(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    check_int(setrlimit(RLIMIT_AS, &limit), 0);
}

/* `room`: what is left to the process, too little for jemalloc to set the thread up. */
static void *first_requests(void *room) {
    unsigned arena = 0;
    limit_addresses(addresses() + *(rlim_t *)room);
    check(filch__heap_get(100, 8) == NULL);
    check(filch__arena_get(0, 1 << 16) == NULL);
    check(!filch__arena_create(&arena));
    filch__heap_begin_thread();
    check(filch__heap_get(100, 8) == NULL);
    limit_addresses(RLIM_INFINITY);
    void *object = filch__heap_get(100, 8);
    check(object != NULL);
    limit_addresses(addresses());
    check(filch__heap_get((size_t)64 << 20, 8) == NULL);
    limit_addresses(RLIM_INFINITY);
    filch__heap_put(object, 100, 8);
    return NULL;
}

/* Where it is set up without memory, jemalloc crashes. */
TEST(heap, a_threads_first_request_without_memory_is_answered) {
    static const rlim_t rooms[] = {0, 1 << 16, 1 << 20, 3 << 20, 5 << 20};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        pthread_t thread;
        rlim_t room = rooms[i];
        check_int(pthread_create(&thread, NULL, first_requests, &room), 0);
        check_int(pthread_join(thread, NULL), 0);
    }
    check_int(filch__heap_objects(), 0);
}

static void *give_back(void *object) {
    limit_addresses(addresses());
    filch__heap_put(object, 100, 8);
    limit_addresses(RLIM_INFINITY);
    return NULL;
}

TEST(heap, a_thread_that_has_never_asked_for_memory_gives_some_back) {
    pthread_t thread;
    void *object = filch__heap_get(100, 8);
    check(object != NULL);
    check_int(pthread_create(&thread, NULL, give_back, object), 0);
    check_int(pthread_join(thread, NULL), 0);
    check_int(filch__heap_objects(), 0);
}

#endif
