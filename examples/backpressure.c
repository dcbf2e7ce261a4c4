/* SPDX-License-Identifier: MIT */
/*
 * Back-pressure: a producer that is faster than its consumers waits at a queue that holds so many values and no more,
 * and memory does not grow. The count of what has been dealt with tells when all is done.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdatomic.h>
#include <stdio.h>

enum { ORDERS = 60, CAPACITY = 4, COOKS = 2 };

struct kitchen {
    filch_queue orders;
    atomic_int cooked;
    size_t longest; /* the producer's */
    int held_back;
};

static int cook(void *arg) {
    struct kitchen *kitchen = arg;
    int order, error;
    while ((error = filch_queue_get(&kitchen->orders, &order, FILCH_NEVER)) == 0) {
        filch_sleep(FILCH_MS(1)); /* cut short where the scope is cancelled; then so is the next get */
        atomic_fetch_add(&kitchen->cooked, 1);
        filch_queue_task_done(&kitchen->orders);
    }
    return error == -EPIPE ? 0 : error; /* shut down, and empty */
}

static int wait_at_table(void *arg) {
    struct kitchen *kitchen = arg;
    for (int order = 0; order < ORDERS; order++) {
        int error = filch_queue_try_put(&kitchen->orders, &order);
        if (error == -EAGAIN) {
            kitchen->held_back++;
            error = filch_queue_put(&kitchen->orders, &order, FILCH_NEVER);
        }
        if (error != 0) return error;
        size_t length = filch_queue_length(&kitchen->orders);
        if (length > kitchen->longest) kitchen->longest = length;
    }
    int error = filch_queue_join(&kitchen->orders, FILCH_NEVER); /* until all are dealt with, not only got */
    filch_queue_shutdown(&kitchen->orders, FILCH_QUEUE_DRAIN);
    return error;
}

static int serve(struct kitchen *kitchen) {
    filch_scope scope;
    int error = filch_scope_open(&scope, &(filch_scope_options){.name = "kitchen"});
    if (error != 0) return error;
    for (int i = 0; i < COOKS && error == 0; i++) error = filch_scope_spawn(&scope, NULL, cook, kitchen, NULL);
    if (error == 0) error = filch_scope_spawn(&scope, NULL, wait_at_table, kitchen, NULL);
    if (error != 0) filch_scope_fail(&scope, error);
    return filch_scope_close(&scope);
}

static int evening(void *arg) {
    struct kitchen kitchen = {.longest = 0};
    (void)arg;
    int error = filch_queue_init(&kitchen.orders, sizeof(int), &(filch_queue_options){.capacity = CAPACITY});
    if (error != 0) return error;
    error = serve(&kitchen);
    filch_queue_fini(&kitchen.orders);
    if (error != 0) return error;
    printf("%d orders, %d cooked\n", ORDERS, kitchen.cooked);
    printf("never more than %d in the queue: %s\n", CAPACITY, kitchen.longest <= CAPACITY ? "yes" : "no");
    printf("the producer had to wait: %s\n", kitchen.held_back > 0 ? "yes" : "no");
    return 0;
}

int main(void) {
    return filch_run(evening, NULL, NULL) == 0 ? 0 : 1;
}
