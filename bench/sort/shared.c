/* SPDX-License-Identifier: MIT */
/* The numbers, the same for all systems, and the serial parts. */
#include "sort.h"

#include <string.h>

enum { INSERTION = 24 };

static uint32_t *numbers, *room;

void sort_prepare(int64_t n) {
    if (!numbers) {
        numbers = must_alloc((uint64_t)n * sizeof *numbers);
        room = must_alloc((uint64_t)n * sizeof *room);
        memset(room, 0, (uint64_t)n * sizeof *room);
    }
    uint64_t seed = 88172645463325252u;
    for (int64_t i = 0; i < n; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        numbers[i] = (uint32_t)seed;
    }
}

uint64_t sort_checksum(int64_t n) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum = sum * 31 + numbers[i];
    return sum;
}

struct range sort_whole(int64_t n) {
    return (struct range){numbers, room, n};
}

static void insertion_sort(const struct range *range) {
    for (int64_t i = 1; i < range->count; i++) {
        uint32_t number = range->numbers[i];
        int64_t place = i;
        for (; place > 0 && range->numbers[place - 1] > number; place--)
            range->numbers[place] = range->numbers[place - 1];
        range->numbers[place] = number;
    }
}

void sort_merge(const struct range *range) {
    int64_t middle = range->count / 2;
    memcpy(range->room, range->numbers, (uint64_t)middle * sizeof *range->room);
    const uint32_t *left = range->room, *left_end = left + middle;
    const uint32_t *right = range->numbers + middle, *right_end = range->numbers + range->count;
    uint32_t *out = range->numbers;
    while (left < left_end && right < right_end) {
        bool take_left = *left <= *right;
        *out++ = take_left ? *left : *right;
        left += take_left;
        right += !take_left;
    }
    while (left < left_end) *out++ = *left++;
}

void sort_serially(const struct range *range) {
    if (range->count <= INSERTION) {
        insertion_sort(range);
        return;
    }
    struct range left = sort_left(range), right = sort_right(range);
    sort_serially(&left);
    sort_serially(&right);
    sort_merge(range);
}
