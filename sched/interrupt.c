/* SPDX-License-Identifier: MIT */
#include "sched/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/futex.h"
#include "base/signals.h"
#include "sched/runtime.h"

/* Waits for one: false, it is to end. */
static bool wait_for_signal(struct filch__interrupt *interrupt) {
    uint32_t *word = filch__signals_word();
    for (;;) {
        uint32_t seen = load_seq_cst(word); /* ARRIVED, of base/signals.h; and of `ending`, which comes before it too */
        if (filch__signals_count(SIGINT) != interrupt->before) return true;
        if (load_seq_cst(&interrupt->ending)) return false;
        filch__futex_wait(word, seen, INT64_MAX);
    }
}

/* From the first one on nobody is watched for: the next does what it does by default, to a program that does not end. */
static void *watch(void *arg) {
    struct filch_runtime *runtime = arg;
    bool came = wait_for_signal(&runtime->interrupt);
    filch__signals_unwatch(SIGINT);
    if (came) filch_runtime_cancel(runtime);
    return NULL;
}

/* Who has started the program does not want it to be interrupted: a shell, of what a script has in the background. */
static bool is_ignored(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

int filch__interrupt_start(struct filch_runtime *runtime) {
    struct filch__interrupt *interrupt = &runtime->interrupt;
    if (interrupt->on && is_ignored(SIGINT)) interrupt->on = false;
    if (!interrupt->on) return 0;
    interrupt->before = filch__signals_count(SIGINT);
    if (filch__signals_watch(SIGINT) != 0) return -EAGAIN;
    if (pthread_create(&interrupt->thread, NULL, watch, runtime) == 0) {
        char name[32];
        snprintf(name, sizeof name, "%.10s-int", runtime->name);
        pthread_setname_np(interrupt->thread, name);
        return 0;
    }
    filch__signals_unwatch(SIGINT);
    interrupt->on = false;
    return -EAGAIN;
}

void filch__interrupt_stop(struct filch_runtime *runtime) {
    struct filch__interrupt *interrupt = &runtime->interrupt;
    if (!interrupt->on) return;
    store_seq_cst(&interrupt->ending, 1);
    filch__signals_rouse();
    pthread_join(interrupt->thread, NULL);
}
