/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024, TRIES = 1000 };

pthread_t thread_start(void *(*fn)(void *), void *arg) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    int error = EAGAIN;
    for (unsigned i = 0; i < TRIES && error == EAGAIN; i++) {
        if (i > 0) usleep(1000);
        error = pthread_create(&thread, &attributes, fn, arg);
    }
    pthread_attr_destroy(&attributes);
    if (error) fail("the system gives no more threads");
    return thread;
}

void inside_threads(struct run *run, const struct job *job, body_fn *body) {
    cpu_set_t allowed, kept;
    CPU_ZERO(&kept);
    sched_getaffinity(0, sizeof allowed, &allowed);
    unsigned count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && count < run->workers; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        CPU_SET(cpu, &kept);
        count++;
    }
    sched_setaffinity(0, sizeof kept, &kept);
    body(run, job);
}
