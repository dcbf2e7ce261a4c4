/* SPDX-License-Identifier: MIT */
#include "sync/values.h"

#include "base/tasksan.h"

/*
 * Comparisons are made one after the other, under the latch. What is compared may lead to memory of who has put it, and of
 * who gets it later.
 */
static bool is_before(const filch_queue *queue, const struct filch__value *left, const struct filch__value *right) {
    edge_acquire(&queue->filch__compare);
    edge_acquire(left);
    edge_acquire(right);
    int difference = queue->filch__compare(left->bytes, right->bytes);
    edge_release(&queue->filch__compare);
    edge_release(left);
    edge_release(right);
    return difference != 0 ? difference < 0 : left->order < right->order;
}

static uint32_t rank_of(const struct filch__value *heap) {
    return heap != NULL ? heap->rank : 0;
}

/* Goes down the right sides, each of which is no longer than the logarithm of what hangs there. */
static struct filch__value *merge(const filch_queue *queue, struct filch__value *one, struct filch__value *other) {
    if (one == NULL) return other;
    if (other == NULL) return one;
    if (is_before(queue, other, one)) {
        struct filch__value *swapped = one;
        one = other;
        other = swapped;
    }
    one->right = merge(queue, one->right, other);
    if (rank_of(one->left) < rank_of(one->right)) {
        struct filch__value *swapped = one->left;
        one->left = one->right;
        one->right = swapped;
    }
    one->rank = rank_of(one->right) + 1;
    return one;
}

static void add_last(filch_queue *queue, struct filch__value *value) {
    struct filch__value *last = queue->filch__last;
    if (queue->filch__first == NULL) {
        queue->filch__first = value;
    } else {
        last->left = value;
    }
    queue->filch__last = value;
}

void filch__values_add(filch_queue *queue, struct filch__value *value) {
    value->left = value->right = NULL;
    value->order = queue->filch__puts++;
    value->rank = 1;
    switch (queue->filch__order) {
    case FILCH_QUEUE_FIFO:
        add_last(queue, value);
        break;
    case FILCH_QUEUE_LIFO:
        value->left = queue->filch__first;
        queue->filch__first = value;
        break;
    case FILCH_QUEUE_PRIORITY:
        queue->filch__first = merge(queue, queue->filch__first, value);
        break;
    }
}

struct filch__value *filch__values_take(filch_queue *queue) {
    struct filch__value *value = queue->filch__first;
    queue->filch__first =
        queue->filch__order == FILCH_QUEUE_PRIORITY ? merge(queue, value->left, value->right) : value->left;
    return value;
}

/* Turns each left side into a right side on the way, so that it needs neither a stack nor two visits. */
struct filch__value *filch__values_strip(struct filch__value **first) {
    struct filch__value *value = *first;
    if (value == NULL) return NULL;
    while (value->left != NULL) {
        struct filch__value *left = value->left;
        value->left = left->right;
        left->right = value;
        value = left;
    }
    *first = value->right;
    return value;
}
