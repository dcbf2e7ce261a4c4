/* SPDX-License-Identifier: MIT */
/*
 * A planted bug: a lost update. Each access to the balance is locked, but not the reading and the writing together. One
 * deposit is made at once and the other after some work, so that they do not meet in normal runs. But nothing keeps them
 * apart, and FILCH_SIM finds a schedule in which they do: docs/SIMULATION.md.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdio.h>

struct account {
    filch_mutex mutex;
    int balance;
};

static int read_balance(struct account *account, int *balance) {
    int error = filch_mutex_lock(&account->mutex, FILCH_NEVER);
    if (error != 0) return error;
    *balance = account->balance;
    filch_mutex_unlock(&account->mutex);
    return 0;
}

static int write_balance(struct account *account, int balance) {
    int error = filch_mutex_lock(&account->mutex, FILCH_NEVER);
    if (error != 0) return error;
    account->balance = balance;
    filch_mutex_unlock(&account->mutex);
    return 0;
}

/* Another deposit, between the two calls, is lost. */
static int deposit(void *arg) {
    int balance;
    int error = read_balance(arg, &balance);
    return error != 0 ? error : write_balance(arg, balance + 1);
}

static int work_and_deposit(void *arg) {
    volatile unsigned digest = 1;
    for (unsigned i = 0; i < 1000000; i++) digest = digest * 31 + i;
    return deposit(arg);
}

static int two_deposits(void *arg) {
    (void)arg;
    static struct account account;
    filch_scope scope;
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    error = filch_scope_spawn(&scope, NULL, deposit, &account, NULL);
    if (error == 0) error = filch_scope_spawn(&scope, NULL, work_and_deposit, &account, NULL);
    filch_scope_fail(&scope, error);
    error = filch_scope_close(&scope);
    if (error != 0) return error;
    printf("two deposits, and a balance of %d\n", account.balance);
    return account.balance == 2 ? 0 : -EPROTO;
}

int main(void) {
    return filch_run(two_deposits, NULL, NULL) == 0 ? 0 : 1;
}
