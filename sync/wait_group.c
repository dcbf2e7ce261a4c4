/* SPDX-License-Identifier: MIT */
/* Wait groups. Whenever the latch is free, nobody waits at a count of 0. */
#include <errno.h>
#include <filch/wait_group.h>
#include <inttypes.h>

#include "base/tasksan.h"
#include "sync/object.h"

int filch_wait_group_init(filch_wait_group *group) {
    if (group == NULL) return -EINVAL;
    *group = (filch_wait_group){0};
    return 0;
}

void filch_wait_group_fini(filch_wait_group *group) {
    if (group != NULL) object_end(&group->filch__latch, &group->filch__waiters, "wait group", group);
}

void filch_wait_group_add(filch_wait_group *group, int64_t count) {
    struct filch__clause *chain = NULL;
    filch__latch_take(&group->filch__latch);
    int64_t sum;
    if (unlikely(__builtin_add_overflow(group->filch__count, count, &sum) || sum < 0)) {
        filch__die("wait group %p counted below 0 or too far: %" PRId64 " and %" PRId64 " more, by task \"%s\"",
                   (void *)group, group->filch__count, count, caller_name());
    }
    edge_release(group);
    group->filch__count = sum;
    if (sum == 0) chain = filch__waitlist_take_all(&group->filch__waiters);
    filch__latch_leave(&group->filch__latch);
    filch__grant_all(chain, 0);
}

void filch_wait_group_done(filch_wait_group *group) {
    filch_wait_group_add(group, -1);
}

int filch_wait_group_wait(filch_wait_group *group, filch_deadline deadline) {
    if (group == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    filch__latch_take(&group->filch__latch);
    if (group->filch__count == 0) {
        edge_acquire(group);
        filch__latch_leave(&group->filch__latch);
        filch__spend();
        return 0;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "wait group", group);
    struct filch__clause clause = {.waiter = &waiter};
    filch__waitlist_add(&group->filch__waiters, &clause);
    int answer = filch__wait(&group->filch__latch, &clause, deadline);
    if (answer == 0) edge_acquire(group);
    return answer;
}

int filch_wait_group_try_wait(filch_wait_group *group) {
    if (group == NULL) return -EINVAL;
    filch__latch_take(&group->filch__latch);
    bool zero = group->filch__count == 0;
    if (zero) edge_acquire(group);
    filch__latch_leave(&group->filch__latch);
    return zero ? 0 : -EAGAIN;
}
