/* SPDX-License-Identifier: MIT */
/*
 * Task-locals. A task has a list of bindings, which its children share when they are spawned: a list is never changed
 * while it is shared. Lists and values are counted; a list that is set anew is a copy but for one binding, and the values
 * are shared by both. So a spawn costs one count, whatever is set, and nothing if nothing is.
 *
 * Edge
 *   COUNT   release: count (acq_rel) -> the last release (acq_rel)   carries what all who had the value did with it
 */
#include <filch/local.h>

#include <errno.h>

#include "alloc/heap.h"
#include "base/tasksan.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

struct value {
    ATOMIC(uint64_t) count;
    const filch_local *key;
    void *value;
    void (*destroy)(void *value);
};

struct filch__locals {
    ATOMIC(uint64_t) count;
    size_t length;
    struct value *values[];
};

static size_t size_of(size_t length) {
    return sizeof(struct filch__locals) + length * sizeof(struct value *);
}

static void value_release(struct value *value) {
    edge_release(value);
    if (sub_acq_rel(&value->count, 1) != 1) return; /* COUNT */
    edge_acquire(value);
    if (value->destroy != NULL) value->destroy(value->value);
    filch__heap_put(value, sizeof *value, _Alignof(struct value));
}

struct filch__locals *filch__locals_share(struct filch__locals *locals) {
    add_relaxed(&locals->count, 1); /* the caller has it, so that it cannot end meanwhile */
    return locals;
}

void filch__locals_release(struct filch__locals *locals) {
    edge_release(locals);
    if (sub_acq_rel(&locals->count, 1) != 1) return; /* COUNT */
    edge_acquire(locals);
    for (size_t i = 0; i < locals->length; i++) value_release(locals->values[i]);
    filch__heap_put(locals, size_of(locals->length), _Alignof(struct filch__locals));
}

/* Here, and not only when the record is given back: a handle may be kept for long, or for ever. */
void filch__locals_end(struct filch_task *task) {
    struct filch__task_extra *extra = load_acquire(&task->extra);
    filch__latch_take(&extra->latch);
    struct filch__locals *locals = extra->locals;
    extra->locals = NULL;
    filch__latch_leave(&extra->latch);
    if (locals != NULL) filch__locals_release(locals);
}

/* The place of `key`, or the length. */
static size_t find(const struct filch__locals *locals, const filch_local *key) {
    size_t length = locals == NULL ? 0 : locals->length;
    for (size_t i = 0; i < length; i++) {
        if (locals->values[i]->key == key) return i;
    }
    return length;
}

/* A copy of `locals`, which may be NULL, that has `value` in the place of its key. NULL: no memory. */
static struct filch__locals *copy_with(struct filch__locals *locals, struct value *value) {
    size_t before = locals == NULL ? 0 : locals->length, at = find(locals, value->key);
    size_t length = at == before ? before + 1 : before;
    struct filch__locals *copy = filch__heap_get(size_of(length), _Alignof(struct filch__locals));
    if (copy == NULL) return NULL;
    copy->count = 1;
    copy->length = length;
    for (size_t i = 0; i < before; i++) {
        if (i == at) continue;
        copy->values[i] = locals->values[i];
        add_relaxed(&copy->values[i]->count, 1); /* as filch__locals_share */
    }
    copy->values[at] = value;
    return copy;
}

/* Several strands of a task may set at a time: the later one begins anew. */
static int bind(struct filch__task_extra *extra, struct value *value) {
    for (;;) {
        filch__latch_take(&extra->latch);
        struct filch__locals *seen = extra->locals == NULL ? NULL : filch__locals_share(extra->locals);
        filch__latch_leave(&extra->latch);
        struct filch__locals *copy = copy_with(seen, value), *before = NULL;
        if (copy != NULL) {
            filch__latch_take(&extra->latch);
            if (extra->locals == seen) {
                before = extra->locals;
                extra->locals = copy;
                filch__latch_leave(&extra->latch);
                if (before != NULL) filch__locals_release(before);
                if (seen != NULL) filch__locals_release(seen);
                return 0;
            }
            filch__latch_leave(&extra->latch);
            add_relaxed(&value->count, 1); /* the copy's end does not end the value */
            filch__locals_release(copy);
        }
        if (seen != NULL) filch__locals_release(seen);
        if (copy == NULL) return -ENOMEM;
    }
}

int filch_local_set(const filch_local *key, void *value, void (*destroy)(void *value)) {
    if (key == NULL) return -EINVAL;
    struct filch_task *task = filch_self();
    if (task == NULL) return filch__debug_no_task("filch_local_set");
    struct filch__task_extra *extra = filch__task_extra(task);
    struct value *made = extra == NULL ? NULL : filch__heap_get(sizeof *made, _Alignof(struct value));
    if (made == NULL) return -ENOMEM;
    *made = (struct value){1, key, value, destroy};
    int answer = bind(extra, made);
    if (answer != 0) filch__heap_put(made, sizeof *made, _Alignof(struct value));
    return answer;
}

void *filch_local_get(const filch_local *key) {
    struct filch_task *task = filch_self();
    struct filch__task_extra *extra = task == NULL ? NULL : load_acquire(&task->extra);
    if (extra == NULL) return NULL;
    filch__latch_take(&extra->latch);
    size_t at = find(extra->locals, key);
    void *value = extra->locals == NULL || at == extra->locals->length ? NULL : extra->locals->values[at]->value;
    filch__latch_leave(&extra->latch);
    return value;
}
