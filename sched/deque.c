/* SPDX-License-Identifier: MIT */
#include "sched/deque.h"

#include <errno.h>
#include <sched.h>

enum {
    FIRST_SLOTS = 256,
    LOOKS_A_SLICE = 64,
    FIRST_INDEX = 1, /* so that no place is 0, which is a listed frame's join word */
};

/* -------------------------------------------------------------------------------------------------- the ring, owned */

static void use_ring(struct filch__deque *deque, struct filch__ring *ring, int64_t oldest) {
    deque->full_at = oldest + ring->mask + 1;
    store_release(&deque->ring, ring); /* GROW */
}

int filch__deque_init(struct filch__deque *deque, bool private_mode) {
    struct filch__ring *ring = filch__ring_create(FIRST_SLOTS, NULL);
    if (ring == NULL) return -ENOMEM;
    deque->hot.young = NULL;
    deque->hot.mode = private_mode ? DEQUE_PRIVATE : DEQUE_SHARED;
    deque->moved = false;
    deque->asks = 0;
    deque->bottom = deque->top = FIRST_INDEX;
    use_ring(deque, ring, FIRST_INDEX);
    return 0;
}

void filch__deque_fini(struct filch__deque *deque) {
    filch__ring_destroy(deque->ring);
    deque->ring = NULL;
}

/* Makes room for `count` more: what thieves have left free, else a larger ring. False: no memory. */
static bool make_room(struct filch__deque *deque, int64_t count) {
    int64_t bottom = load_relaxed(&deque->bottom); /* the owner's own, here and below */
    struct filch__ring *ring = load_relaxed(&deque->ring);
    if (likely(bottom + count <= deque->full_at)) return true;
    int64_t oldest = load_acquire(&deque->top); /* RECYCLE */
    while (bottom + count > oldest + ring->mask + 1) {
        ring = filch__ring_grow(ring, oldest, bottom);
        if (ring == NULL) return false;
        use_ring(deque, ring, oldest);
    }
    deque->full_at = oldest + ring->mask + 1;
    return true;
}

static void ring_put(struct filch__deque *deque, int64_t index, void *item) {
    item_place(item, index);
    store_relaxed(filch__ring_slot(load_relaxed(&deque->ring), index), item); /* PUBLISH orders it */
}

/* False: no memory. */
static bool ring_push(struct filch__deque *deque, void *item) {
    if (unlikely(!make_room(deque, 1))) return false;
    int64_t bottom = load_relaxed(&deque->bottom);
    ring_put(deque, bottom, item);
    store_seq_cst(&deque->bottom, bottom + 1); /* PUBLISH, WAKE */
    return true;
}

static void *ring_pop(struct filch__deque *deque) {
    int64_t place = load_relaxed(&deque->bottom) - 1;
    int64_t top = load_relaxed(&deque->top); /* an old value only says "not empty" too often */
    if (place < top) return NULL;

    /* LAST: this store must come before the next load in the order that thieves see. */
    store_seq_cst(&deque->bottom, place);
    top = load_seq_cst(&deque->top);
    void *item = load_relaxed(filch__ring_slot(load_relaxed(&deque->ring), place)); /* the owner wrote it */
    if (likely(place > top)) return item;
    if (place == top) {
        if (!cas_seq_cst(&deque->top, &top, top + 1)) item = NULL; /* LAST: a thief was faster */
    } else {
        item = NULL;
    }
    store_relaxed(&deque->bottom, place + 1); /* empty: bottom is top again; nothing new is shown */
    return item;
}

/* -------------------------------------------------------------------------------------------- the list, and its mode */

static inline void list_push(struct filch__deque *deque, void *item) {
    item_list(item, load_relaxed(&deque->hot.young)); /* the owner's own */
    store_release(&deque->hot.young, item);           /* REVOKE carries it to who is TAKING */
    compiler_barrier();                               /* REVOKE */
}

/*
 * Takes the youngest, which must be a task: it may have been moved, run and freed by others, and then its link is read
 * for nothing; but a task's record stays readable as long as the runtime.
 */
static inline void *list_pop_task(struct filch__deque *deque) {
    void *item = load_relaxed(&deque->hot.young); /* the owner's own */
    void *next = load_relaxed(item_link(item));
    store_release(&deque->hot.young, next);
    compiler_barrier();          /* REVOKE */
    __builtin_prefetch(next, 1); /* it is likely to be popped next, and of a million tasks it is in no cache */
    return item;
}

/*
 * Moves the list that begins with `young` to the ring, the oldest first; all of it, or nothing for want of memory. By
 * the owner of the list. Slots are written from the young end down, and shown together.
 */
static bool move_to_ring(struct filch__deque *deque, void *young) {
    int64_t count = 0;
    for (void *item = young; item != NULL; item = load_relaxed(item_link(item))) count++; /* GIVEN, REVOKE */
    if (count == 0) return true;
    if (!make_room(deque, count)) return false;
    int64_t end = load_relaxed(&deque->bottom) + count;
    int64_t index = end;
    for (void *item = young, *next; item != NULL; item = next) {
        next = load_relaxed(item_link(item));
        ring_put(deque, --index, item);
    }
    store_seq_cst(&deque->bottom, end); /* PUBLISH, WAKE */
    return true;
}

static void move_own_list(struct filch__deque *deque) {
    if (move_to_ring(deque, load_relaxed(&deque->hot.young))) store_relaxed(&deque->hot.young, NULL);
}

/* Ends TAKING. */
static void end_taking(struct filch__deque *deque, int64_t mode) {
    store_seq_cst(&deque->hot.mode, mode); /* TAKEN */
}

/*
 * The owner has changed the list and then seen that the mode is not PRIVATE. When this returns, the mode is SHARED, and
 * the list is the owner's. Returns whether a thief has moved the list meanwhile, as it was before or after the change.
 */
static bool settle(struct filch__deque *deque) {
    for (unsigned looks = 1;; looks++) {
        int64_t mode = load_acquire(&deque->hot.mode); /* TAKEN */
        if (mode == DEQUE_SHARED) {
            if (likely(!deque->moved)) return false; /* not written in vain: thieves look at this line */
            deque->moved = false;
            return true;
        }
        if (mode == DEQUE_TAKING) {
            spin_pause();
            if (looks % LOOKS_A_SLICE == 0) sched_yield();               /* the thief may have been preempted */
        } else if (cas_seq_cst(&deque->hot.mode, &mode, DEQUE_TAKING)) { /* GIVEN */
            move_own_list(deque);
            end_taking(deque, DEQUE_SHARED);
            return false;
        }
    }
}

/*
 * What the thief has moved is cut off. Its list began with `item` or with what is below it: it saw the owner's change of
 * the list, or the list before that.
 */
void filch__deque_pushed(struct filch__deque *deque, void *item) {
    if (settle(deque)) {
        bool missed = deque->moved_from != item;
        if (missed) item_list(item, NULL);
        store_relaxed(&deque->hot.young, missed ? item : NULL);
    }
    move_own_list(deque);
}

bool filch__deque_popped(struct filch__deque *deque, void *item) {
    if (!settle(deque)) return true;
    store_relaxed(&deque->hot.young, NULL);
    return deque->moved_from != item;
}

/* ------------------------------------------------------------------------------------------------------- the owner */

void filch__deque_tidy(struct filch__deque *deque) {
    if (settle(deque)) store_relaxed(&deque->hot.young, NULL);
}

/* Empties the list into the ring, without giving up that it is private. */
static void flush(struct filch__deque *deque) {
    int64_t mode = DEQUE_PRIVATE;
    if (cas_seq_cst(&deque->hot.mode, &mode, DEQUE_TAKING)) { /* GIVEN: only from itself, but nobody else takes now */
        move_own_list(deque);
        end_taking(deque, DEQUE_PRIVATE);
        return;
    }
    filch__deque_tidy(deque);
    move_own_list(deque);
}

static void *list_pop_head(struct filch__deque *deque) {
    void *item = load_relaxed(&deque->hot.young);
    if (item != NULL) store_relaxed(&deque->hot.young, load_relaxed(item_link(item)));
    return item;
}

/* Takes the youngest, task or frame, while nobody else can be at the list: then its link may be followed. */
static void *list_pop_exclusively(struct filch__deque *deque) {
    int64_t mode = DEQUE_PRIVATE;
    if (!cas_seq_cst(&deque->hot.mode, &mode, DEQUE_TAKING)) { /* GIVEN */
        filch__deque_tidy(deque);
        return list_pop_head(deque); /* what there was no memory for in the ring */
    }
    void *item = list_pop_head(deque);
    end_taking(deque, DEQUE_PRIVATE);
    return item;
}

bool filch__deque_push(struct filch__deque *deque, void *item) {
    if (unlikely(load_relaxed(&deque->hot.mode) != DEQUE_PRIVATE)) { /* TAKEN, in tidy */
        filch__deque_tidy(deque);
        if (ring_push(deque, item)) return true;
    }
    list_push(deque, item);
    if (likely(load_relaxed(&deque->hot.mode) == DEQUE_PRIVATE)) return false; /* REVOKE */
    filch__deque_pushed(deque, item);
    return true;
}

void *filch__deque_pop(struct filch__deque *deque) {
    void *young = load_relaxed(&deque->hot.young); /* the owner's own */
    if (young != NULL && item_kind(young) == ITEM_TASK) {
        young = list_pop_task(deque);
        if (likely(load_relaxed(&deque->hot.mode) == DEQUE_PRIVATE)) return young; /* REVOKE */
        if (filch__deque_popped(deque, young)) return young;
    } else if (young != NULL) {
        young = list_pop_exclusively(deque);
        if (young != NULL) return young;
    }
    return ring_pop(deque);
}

void *filch__deque_pop_oldest(struct filch__deque *deque) {
    flush(deque);
    int64_t top = load_seq_cst(&deque->top);
    if (top >= load_relaxed(&deque->bottom)) return NULL; /* the owner's own */
    void *item = load_relaxed(filch__ring_slot(load_relaxed(&deque->ring), top));
    return cas_seq_cst(&deque->top, &top, top + 1) ? item : NULL; /* LAST: only thieves can come between */
}

bool filch__deque_pop_if_youngest(struct filch__deque *deque, void *item) {
    filch__deque_look(deque);
    void *young = load_relaxed(&deque->hot.young);
    if (young == NULL) {
        int64_t bottom = load_relaxed(&deque->bottom);
        if (bottom <= load_relaxed(&deque->top)) return false; /* an old top: then the pop finds nothing */
        young = load_relaxed(filch__ring_slot(load_relaxed(&deque->ring), bottom - 1));
    }
    if (young != item) return false;
    void *popped = filch__deque_pop(deque);
    /* Another is not possible: what is older than the youngest is stolen before it. */
    assert_internal(popped == item || popped == NULL);
    return popped == item;
}

bool filch__deque_holds(struct filch__deque *deque, filch_frame *frame) {
    filch__deque_look(deque);
    if (load_relaxed(&deque->hot.young) == frame) return true; /* taken off without a move, hence without memory */
    /* relaxed: while nobody waits for the frame, the word only tells where it is; it says 0 too often at most */
    if (load_relaxed(&frame->filch__join) == JOIN_LISTED) flush(deque);
    int64_t place = load_relaxed(&frame->filch__join);
    if (place <= 0 || place >= load_relaxed(&deque->bottom) || place < load_relaxed(&deque->top)) return false;
    /* acquire: since the look a thief may have moved the list, and put the ring in place of a smaller one */
    return load_relaxed(filch__ring_slot(load_acquire(&deque->ring), place)) == frame;
}

void filch__deque_share(struct filch__deque *deque) {
    int64_t mode = DEQUE_PRIVATE;
    if (cas_seq_cst(&deque->hot.mode, &mode, DEQUE_TAKING)) { /* GIVEN */
        move_own_list(deque);
        end_taking(deque, DEQUE_SHARED);
    } else {
        filch__deque_tidy(deque);
    }
}

void filch__deque_close(struct filch__deque *deque) {
    if (load_relaxed(&deque->hot.mode) != DEQUE_SHARED) return; /* the owner's alone to change, while it is SHARED */
    filch__deque_tidy(deque);
    store_seq_cst(&deque->hot.mode, DEQUE_PRIVATE); /* WAKE, with the look that follows */
}

/* ---------------------------------------------------------------------------------------------------------- thieves */

enum steal_answer filch__deque_steal(struct filch__deque *deque, void **item) {
    int64_t top = load_seq_cst(&deque->top);       /* LAST */
    int64_t bottom = load_seq_cst(&deque->bottom); /* LAST, PUBLISH */
    if (top >= bottom) return load_seq_cst(&deque->hot.mode) == DEQUE_SHARED ? STEAL_EMPTY : STEAL_PRIVATE;

    /* The slot is read before the CAS: afterwards the owner may write it anew. */
    struct filch__ring *ring = load_acquire(&deque->ring);           /* GROW */
    void *candidate = load_relaxed(filch__ring_slot(ring, top));     /* PUBLISH orders it */
    __builtin_prefetch(candidate);                                   /* it lies in the owner's cache */
    if (!cas_seq_cst(&deque->top, &top, top + 1)) return STEAL_LOST; /* LAST, RECYCLE */
    *item = candidate;
    return STEAL_TAKEN;
}

int64_t filch__deque_ask(struct filch__deque *deque) {
    int64_t mode = load_seq_cst(&deque->hot.mode);
    if (mode != DEQUE_PRIVATE) return mode;
    int64_t asking = (add_relaxed(&deque->asks, 1) + 1) * (DEQUE_MODE_MASK + 1) + DEQUE_ASKED; /* unique: that is all */
    return cas_seq_cst(&deque->hot.mode, &mode, asking) ? asking : mode;                       /* REVOKE */
}

void filch__deque_share_after_barrier(struct filch__deque *deque, int64_t asking) {
    if ((asking & DEQUE_MODE_MASK) != DEQUE_ASKED) return;
    if (!cas_seq_cst(&deque->hot.mode, &asking, DEQUE_TAKING)) return; /* GIVEN, REVOKE: else another has answered */
    deque->moved_from = load_acquire(&deque->hot.young);
    deque->moved = move_to_ring(deque, deque->moved_from);
    end_taking(deque, DEQUE_SHARED);
}
