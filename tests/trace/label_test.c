/* SPDX-License-Identifier: MIT */
/* Labels: that one stands for what it was asked for, for all threads, and what happens when there is no room. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sched/trace.h"
#include "tests/test.h"

static const void *address(uintptr_t number) {
    return (const void *)(number * 16);
}

static void check_is(uint32_t number, const void *fn, const void *site, const char *name) {
    const struct filch__label *label = filch__label_at(number);
    check(label != NULL);
    check(label->fn == fn && label->site == site);
    check(strcmp(label->name, name) == 0);
}

TEST(label, the_same_three_have_the_same_label) {
    char name[32] = "a name", other[32] = "another";
    uint32_t plain = filch__label_of(address(1), address(2), "");
    uint32_t named = filch__label_of(address(1), address(2), name);
    check(plain != 0 && named != 0 && plain != named);
    check(filch__label_of(address(1), address(2), other) != named);
    check(filch__label_of(address(1), address(3), "") != plain);
    check(filch__label_of(address(2), address(2), "") != plain);
    check_int(filch__label_of(address(1), address(2), ""), plain);
    check_int(filch__label_of(address(1), address(2), name), named);
    check_is(plain, address(1), address(2), "");
    check_is(named, address(1), address(2), "a name");
    check(filch__label_at(0) == NULL);
    check(filch__label_at(LABELS) == NULL);
}

TEST(label, without_room_for_a_name_it_is_left_out_and_then_all) {
    unsigned whole = 0, plain = 0, none = 0;
    uint32_t before = filch__label_of(address(1), NULL, "");
    for (unsigned i = 0; i < 2 * LABELS; i++) {
        char name[32] = "";
        snprintf(name, sizeof name, "connection %u", i);
        uint32_t number = filch__label_of(address(1), NULL, name);
        if (number == before) plain++;
        if (number == 0) none++;
        if (number != before && number != 0) {
            whole++;
            check_is(number, address(1), NULL, name);
        }
    }
    check_int(none, 0);
    check(whole > LABELS * 9 / 10 && whole < LABELS);
    for (unsigned i = 2; i < 2 * LABELS; i++) none += filch__label_of(address(i), NULL, "") == 0;
    check(none > LABELS);
    check_int(filch__label_of(address(1), NULL, ""), before);
}

enum { THREADS = 8, DIFFERENT = 1000 };

static void *asks(void *arg) {
    uint32_t *numbers = arg;
    for (unsigned i = 0; i < DIFFERENT; i++) {
        char name[32] = "";
        if (i % 3 == 0) snprintf(name, sizeof name, "task %u", i);
        numbers[i] = filch__label_of(address(i + 1), address(7), name);
        check_is(numbers[i], address(i + 1), address(7), name);
    }
    return NULL;
}

TEST(label, threads_that_ask_at_the_same_time_are_told_the_truth) {
    static uint32_t numbers[THREADS][DIFFERENT];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) check_int(pthread_create(&threads[i], NULL, asks, numbers[i]), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}
