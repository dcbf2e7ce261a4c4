/* SPDX-License-Identifier: MIT */
/*
 * What each memory order in the library's sources is good for: it is weakened by a step where it stands, while the
 * program runs, and scenarios are explored under C11 until one fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/explore/explore.h"
#include "tests/explore/orders.h"

enum {
    SITES_MAX = 2048,
    SCENARIOS_MAX = 256,
    ROWS_MAX = 2048,
    DESCRIPTION = 128,
    NO_ORDER = 8,
    VISIT_SCHEDULES = 300,
    SMALL_EXECUTIONS = 20000
};

struct site {
    struct explore_site access;
    unsigned number; /* of those of its name in its function, from 1 */
    uint32_t visits[SCENARIOS_MAX];
};

static struct site sites[SITES_MAX];
static unsigned site_count, scenario_index;
static const char *wanted = ""; /* how the names of scenarios begin that are to notice something */

static double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time); /* the machine may be busy with something else */
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ------------------------------------------------------------------------------------------------------------ sites */

static void visit(const struct explore_site *access) {
    if (access->order == 0) return;
    unsigned i = 0;
    while (i < site_count && (sites[i].access.line != access->line || sites[i].access.kind != access->kind ||
                              strcmp(sites[i].access.function, access->function) != 0)) {
        i++;
    }
    if (i == SITES_MAX) explore_fail("more than %d accesses", SITES_MAX);
    if (i == site_count) sites[site_count++].access = *access;
    sites[i].visits[scenario_index]++;
}

static int compare(const void *a, const void *b) {
    const struct explore_site *one = &((const struct site *)a)->access, *other = &((const struct site *)b)->access;
    int answer = strcmp(one->function, other->function);
    if (answer != 0) return answer;
    return one->line != other->line ? one->line - other->line : one->kind - other->kind;
}

static const char *order_name(unsigned order) {
    switch (order) {
    case 0:
        return "relaxed";
    case ORDER_ACQUIRE:
        return "acquire";
    case ORDER_RELEASE:
        return "release";
    case ORDER_ACQUIRE | ORDER_RELEASE:
        return "acq_rel";
    default:
        return "seq_cst";
    }
}

static const char *kind_name(char kind) {
    switch (kind) {
    case 'l':
        return "load";
    case 's':
        return "store";
    case 'c':
        return "cas";
    default:
        return "update";
    }
}

static void number_sites(void) {
    qsort(sites, site_count, sizeof *sites, compare);
    for (unsigned i = 0; i < site_count; i++) {
        sites[i].number = 1;
        for (unsigned j = 0; j < i; j++) {
            const struct explore_site *one = &sites[i].access, *other = &sites[j].access;
            if (one->kind == other->kind && one->order == other->order && strcmp(one->function, other->function) == 0) {
                sites[i].number++;
            }
        }
    }
}

/* Runs each scenario for a while, to learn of the accesses in the sources and of who makes them. */
static void find_sites(void) {
    struct explore_settings settings = {.memory = MEMORY_SC, .visit = visit};
    uint64_t steps = 0;
    scenario_index = 0;
    for (const struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next, scenario_index++) {
        for (uint64_t seed = 1; seed <= VISIT_SCHEDULES; seed++) explore_run(at, &settings, seed, &steps);
    }
    number_sites();
}

/* -------------------------------------------------------------------------------------------------------- weakening */

/* One step down from `order`, the step'th such; NO_ORDER: there are no more. */
static unsigned weaker(unsigned order, unsigned step) {
    if (order & ORDER_EXACT) return step == 0 ? order & ~(unsigned)ORDER_EXACT : NO_ORDER;
    unsigned parts[2], count = 0;
    if (order & ORDER_ACQUIRE) parts[count++] = order & ~(unsigned)ORDER_ACQUIRE;
    if (order & ORDER_RELEASE) parts[count++] = order & ~(unsigned)ORDER_RELEASE;
    return step < count ? parts[step] : NO_ORDER;
}

static struct explore_settings with_weakened(const struct site *site, unsigned order) {
    struct explore_settings settings = {.memory = MEMORY_C11, .weakened = site->access};
    settings.weakened.order = order;
    return settings;
}

static bool fails(const struct explore_scenario *scenario, const struct site *site, unsigned order, double seconds) {
    struct explore_settings settings = with_weakened(site, order);
    double end = seconds_now() + seconds;
    uint64_t steps = 0, schedules = 0;
    do {
        if (explore_run(scenario, &settings, ++schedules, &steps) != NULL) return true;
    } while (schedules % 16 != 0 || seconds_now() < end);
    return false;
}

static bool comes_by(const struct explore_scenario *scenario, unsigned index, const struct site *site) {
    return site->visits[index] > 0 && strncmp(scenario->name, wanted, strlen(wanted)) == 0;
}

/* Of the small scenarios that come by the access, which notices in one of its executions; NULL: none does. */
static const struct explore_scenario *find_small(const struct site *site, unsigned order) {
    unsigned index = 0;
    for (const struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next, index++) {
        if (!at->small || !comes_by(at, index, site)) continue;
        int preemptions = at->preemptions == 0 ? -1 : at->preemptions;
        struct explore_settings settings = with_weakened(site, order);
        if (explore_exhaust(at, settings, preemptions, SMALL_EXECUTIONS, NULL).verdict != NULL) return at;
    }
    return NULL;
}

/* Who of those who come by the access notices; NULL: nobody. */
static const struct explore_scenario *find_who_notices(const struct site *site, unsigned order, double seconds) {
    unsigned visitors = 1, index = 0;
    for (const struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next, index++) {
        visitors += comes_by(at, index, site);
    }
    for (unsigned round = 0; round < 2; round++) {
        const struct explore_scenario *small = round == 1 ? find_small(site, order) : NULL;
        if (small != NULL) return small;
        double each = round == 0 ? 0 : seconds / visitors;
        index = 0;
        for (const struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next, index++) {
            if (comes_by(at, index, site) && fails(at, site, order, each)) return at;
        }
    }
    return NULL;
}

/* As in orders.txt, without what is found. */
static void describe(char text[DESCRIPTION], const struct site *site, unsigned order) {
    char name[32];
    snprintf(name, sizeof name, "%s_%s", kind_name(site->access.kind), order_name(site->access.order));
    snprintf(text, DESCRIPTION, "%s %s %u %s", site->access.function, name, site->number, order_name(order));
}

void explore_weaken(const char *only, const char *in, double seconds) {
    find_sites();
    if (in != NULL) wanted = in;
    for (unsigned i = 0; i < site_count; i++) {
        if (only != NULL && strncmp(sites[i].access.function, only, strlen(only)) != 0) continue;
        unsigned order;
        for (unsigned step = 0; (order = weaker(sites[i].access.order, step)) != NO_ORDER; step++) {
            char text[DESCRIPTION];
            describe(text, &sites[i], order);
            const struct explore_scenario *found = find_who_notices(&sites[i], order, seconds);
            printf("%s %s\n", text, found == NULL ? "-" : found->name);
            fflush(stdout);
        }
    }
}

/* ------------------------------------------------------------------------------------------------------- orders.txt */

struct row {
    char text[DESCRIPTION], scenario[64];
    bool met;
};

static struct row rows[ROWS_MAX];
static unsigned row_count;

static void read_rows(const char *name) {
    FILE *file = fopen(name, "r");
    if (file == NULL) {
        perror(name);
        exit(2);
    }
    char line[256], function[64], access[32], order[16];
    unsigned number;
    while (fgets(line, sizeof line, file) != NULL) {
        struct row *row = &rows[row_count];
        if (line[0] == '#' ||
            sscanf(line, "%63s %31s %u %15s %63s", function, access, &number, order, row->scenario) != 5)
            continue;
        snprintf(row->text, sizeof row->text, "%s %s %u %s", function, access, number, order);
        if (++row_count == ROWS_MAX) abort();
    }
    fclose(file);
}

static struct row *find_row(const char *text) {
    for (unsigned i = 0; i < row_count; i++) {
        if (strcmp(rows[i].text, text) == 0) return &rows[i];
    }
    return NULL;
}

static bool notices(const char *name, const struct site *site, unsigned order, double seconds) {
    const struct explore_scenario *at = explore_scenarios;
    while (at != NULL && strcmp(at->name, name) != 0) at = at->next;
    if (at == NULL) return false;
    if (at->small && explore_exhaust(at, with_weakened(site, order), at->preemptions == 0 ? -1 : at->preemptions,
                                     SMALL_EXECUTIONS, NULL)
                             .verdict != NULL) {
        return true;
    }
    return fails(at, site, order, seconds);
}

/* Whether the table is about the function at all. */
static bool is_in_table(const char *function) {
    size_t length = strlen(function);
    for (unsigned i = 0; i < row_count; i++) {
        if (strncmp(rows[i].text, function, length) == 0 && rows[i].text[length] == ' ') return true;
    }
    return false;
}

/* One weakened order against its row; what is wrong, or NULL. */
static const char *check_row(struct row *row, const struct site *site, unsigned order, double seconds) {
    if (row == NULL) return "is not in the table";
    row->met = true;
    if (strcmp(row->scenario, "-") == 0) return NULL;
    return notices(row->scenario, site, order, seconds) ? NULL : "is not noticed by the scenario in the table";
}

int explore_orders(const char *file, double seconds) {
    int right = 0, wrong = 0, argued = 0;
    read_rows(file);
    find_sites();
    for (unsigned i = 0; i < site_count; i++) {
        unsigned order;
        if (!is_in_table(sites[i].access.function)) continue;
        for (unsigned step = 0; (order = weaker(sites[i].access.order, step)) != NO_ORDER; step++) {
            char text[DESCRIPTION];
            describe(text, &sites[i], order);
            struct row *row = find_row(text);
            const char *what = check_row(row, &sites[i], order, seconds);
            if (what != NULL) printf("FAILED: %s %s\n", text, what);
            *(what == NULL ? &right : &wrong) += 1;
            if (what == NULL && strcmp(row->scenario, "-") == 0) argued++;
        }
    }
    for (unsigned i = 0; i < row_count; i++) {
        if (rows[i].met) continue;
        printf("FAILED: %s is in the table, and not in the sources\n", rows[i].text);
        wrong++;
    }
    printf("%d orders weakened, %d noticed, %d in the table with an argument\n", right + wrong, right - argued, argued);
    printf("totals: %d passed, %d failed\n", right, wrong);
    return wrong;
}
