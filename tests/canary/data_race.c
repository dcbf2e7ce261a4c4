/* SPDX-License-Identifier: MIT */
/* A planted data race: two threads write the same word. ThreadSanitizer must report it. */
#include <pthread.h>
#include <stddef.h>

static int shared;

static void *write_it(void *arg) {
    (void)arg;
    for (int i = 0; i < 1000; i++) shared++;
    return NULL;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, write_it, NULL) != 0) return 0;
    write_it(NULL);
    pthread_join(thread, NULL);
    return 0;
}
