/* SPDX-License-Identifier: MIT */
/*
 * A planted bug: a deadlock. A transfer locks both accounts, the one it takes from first, so that two in opposite directions
 * may each hold what the other wants. One is made at once and the other after some work: they do not meet in normal runs.
 * FILCH_SIM finds a schedule in which they do, and tells who holds what: docs/SIMULATION.md.
 */
#include <filch/filch.h>
#include <stdio.h>

struct account {
    filch_mutex mutex;
    int balance;
};

static struct account left = {.mutex = FILCH_MUTEX_INIT, .balance = 100}, right = {.mutex = FILCH_MUTEX_INIT};

static int transfer(struct account *from, struct account *to, int amount) {
    int error = filch_mutex_lock(&from->mutex, FILCH_NEVER);
    if (error != 0) return error;
    error = filch_mutex_lock(&to->mutex, FILCH_NEVER);
    if (error == 0) {
        from->balance -= amount;
        to->balance += amount;
        filch_mutex_unlock(&to->mutex);
    }
    filch_mutex_unlock(&from->mutex);
    return error;
}

static int pay(void *arg) {
    (void)arg;
    return transfer(&left, &right, 30);
}

static int work_and_pay_back(void *arg) {
    (void)arg;
    volatile unsigned digest = 1;
    for (unsigned i = 0; i < 1000000; i++) digest = digest * 31 + i;
    return transfer(&right, &left, 10);
}

static int two_transfers(void *arg) {
    (void)arg;
    filch_scope scope;
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    error = filch_scope_spawn(&scope, NULL, pay, NULL, &(filch_task_options){.name = "pay"});
    if (error == 0) {
        error = filch_scope_spawn(&scope, NULL, work_and_pay_back, NULL, &(filch_task_options){.name = "pay back"});
    }
    filch_scope_fail(&scope, error);
    error = filch_scope_close(&scope);
    if (error == 0) printf("%d left, %d right\n", left.balance, right.balance);
    return error;
}

int main(void) {
    return filch_run(two_transfers, NULL, NULL) == 0 ? 0 : 1;
}
