/* SPDX-License-Identifier: MIT */
#include "sched/stock.h"

#include <errno.h>
#include <string.h>

#include "sched/task.h"
#include "sched/worker.h"

static size_t workers_size(const struct filch__stock *stock) {
    return stock->worker_count * sizeof(struct filch__worker);
}

int filch__stock_init(struct filch__stock *stock, unsigned worker_count) {
    stock->worker_count = worker_count;
    stock->workers = filch__heap_get(workers_size(stock), CACHE_LINE);
    if (stock->workers == NULL) return -ENOMEM;
    int answer = filch__stack_pool_init(&stock->stacks);
    if (answer != 0) {
        filch__heap_put(stock->workers, workers_size(stock), CACHE_LINE);
        stock->workers = NULL;
        return answer;
    }
    filch__slab_depot_init(&stock->tasks, sizeof(struct filch_task));
    filch__slab_depot_init(&stock->extras, sizeof(struct filch__task_extra));
    return 0;
}

void filch__stock_fini(struct filch__stock *stock) {
    if (stock->workers == NULL) return;
    filch__slab_depot_fini(&stock->extras);
    filch__slab_depot_fini(&stock->tasks);
    filch__stack_pool_fini(&stock->stacks);
    filch__heap_put(stock->workers, workers_size(stock), CACHE_LINE);
}

/* All but the timers, most of which are slots. None is set, or it is not renewed. */
static void clear(struct filch__worker *worker) {
    size_t after = offsetof(struct filch__worker, timers) + sizeof worker->timers;
    memset(worker, 0, offsetof(struct filch__worker, timers));
    memset((char *)worker + after, 0, sizeof *worker - after);
}

bool filch__stock_renew(struct filch__stock *stock) {
    for (unsigned i = 0; i < stock->worker_count; i++) {
        if (stock->workers[i].timers.count != 0) return false; /* of a scope that nobody has closed */
        clear(&stock->workers[i]);
    }
    filch__stack_pool_renew(&stock->stacks);
    return filch__slab_depot_is_whole(&stock->tasks) && filch__slab_depot_is_whole(&stock->extras);
}
