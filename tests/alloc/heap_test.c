/* SPDX-License-Identifier: MIT */
/* Objects are zeroed, aligned and counted, and the request that is to fail fails. */
#include "alloc/heap.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

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
