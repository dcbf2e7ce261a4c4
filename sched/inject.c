/* SPDX-License-Identifier: MIT */
#include "sched/inject.h"

void filch__inject_init(struct filch__inject *inject) {
    filch__lock_init(&inject->lock);
    inject->length = inject->pushed = 0;
    inject->first = inject->last = NULL;
}

void filch__inject_fini(struct filch__inject *inject) {
    filch__lock_fini(&inject->lock);
}

void filch__inject_push(struct filch__inject *inject, void *item) {
    store_relaxed(item_link(item), NULL); /* the lock orders the links */
    filch__lock_take(&inject->lock);
    if (inject->last == NULL) {
        inject->first = item;
    } else {
        store_relaxed(item_link(inject->last), item);
    }
    inject->last = item;
    count_up(&inject->pushed, 1);
    store_seq_cst(&inject->length, load_relaxed(&inject->length) + 1); /* WAKE */
    filch__lock_leave(&inject->lock);
}

void *filch__inject_pop(struct filch__inject *inject) {
    if (filch__inject_length(inject) == 0) return NULL;
    filch__lock_take(&inject->lock);
    void *item = inject->first;
    if (item != NULL) {
        inject->first = load_relaxed(item_link(item));
        if (inject->first == NULL) inject->last = NULL;
        store_seq_cst(&inject->length, load_relaxed(&inject->length) - 1);
    }
    filch__lock_leave(&inject->lock);
    return item;
}
