/* SPDX-License-Identifier: MIT */
/* The explorer's program: which scenarios, how long, from which seed; and whether the planted bugs are found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "tests/explore/explore.h"
#include "tests/explore/races.h"

struct mutant {
    const char *name, *scenario, *memory, *what;
};

#ifdef EXPLORE_MUTANTS
#include "mutants_table.h"
#else
static const struct mutant mutants[] = {{NULL, NULL, NULL, NULL}};
#endif

int explore_mutant;

static struct {
    uint64_t seed, schedules;
    double seconds;
    const char *only, *mutant, *orders, *in;
    unsigned memories; /* a bit for each */
    int preemptions;
    bool trace, list, all_mutants, litmus, exhaust, weaken;
} options = {.memories = 1u << MEMORY_SC | 1u << MEMORY_TSO | 1u << MEMORY_C11, .preemptions = -1};

static const char *const memory_names[] = {[MEMORY_SC] = "sc", [MEMORY_TSO] = "tso", [MEMORY_C11] = "c11"};

static const char usage[] =
    "usage: explore [--list] [--only SCENARIO] [--memory sc|tso|c11] [--seed N] [--schedules N] [--seconds N] "
    "[--trace]\n"
    "               [--mutant NAME | --mutants]\n"
    "       explore --litmus | --exhaust [--only SCENARIO] [--preemptions N] [--schedules N]\n"
    "       explore --weaken [--only FUNCTION] [--in SCENARIO] [--seconds N] | --orders FILE\n"
    "  --only       the scenarios whose names begin so\n"
    "  --memory     that memory model alone; without it, all in turn\n"
    "  --seed       of the first schedule of each scenario; the next has the next number\n"
    "  --schedules  how many of each scenario, at most; for --mutants, to find each planted bug\n"
    "  --seconds    in all, shared among the scenarios\n"
    "  --trace      writes each event to standard error\n"
    "  --mutant     with that bug planted: exit status 1 is a success\n"
    "  --mutants    plants each bug in turn; fails if one is not found\n"
    "  --litmus     the tests of the model c11\n"
    "  --exhaust    goes through all executions of the small scenarios, under c11\n"
    "  --weaken     weakens each memory order of the functions whose names begin so, for so many seconds at most, "
    "until\n"
    "               a scenario whose name begins so notices\n"
    "  --orders     checks what --weaken has written\n";

static double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* What one exploration of a scenario came to. */
struct outcome {
    uint64_t schedules, events, seed; /* `seed`: of the schedule that failed */
    double seconds;
    const char *verdict; /* NULL: all passed */
};

static struct outcome explore(const struct explore_scenario *scenario, enum explore_memory memory, uint64_t schedules,
                              double seconds) {
    struct explore_settings settings = {.memory = memory, .trace = options.trace};
    struct outcome outcome = {.seed = options.seed};
    double begin = seconds_now();
    while (outcome.schedules < schedules) {
        outcome.schedules++;
        outcome.verdict = explore_run(scenario, &settings, outcome.seed, &outcome.events);
        if (outcome.verdict != NULL) break;
        outcome.seed++;
        if (outcome.schedules % 64 == 0 && seconds_now() - begin >= seconds) break;
    }
    outcome.seconds = seconds_now() - begin;
    return outcome;
}

static bool is_wanted(const struct explore_scenario *scenario) {
    return options.only == NULL || strncmp(scenario->name, options.only, strlen(options.only)) == 0;
}

static void tell_failure(const char *program, const struct explore_scenario *scenario, enum explore_memory memory,
                         const struct outcome *outcome) {
    printf("FAILED %s: %s\n  again: %s --only %s --memory %s --seed %llu --schedules 1 --trace\n", scenario->name,
           outcome->verdict, program, scenario->name, memory_names[memory], (unsigned long long)outcome->seed);
    races_tell_code(outcome->verdict);
}

/* Explores all wanted scenarios; returns how many have failed. */
static int explore_all(const char *program) {
    unsigned runs = 0;
    int passed = 0, failed = 0;
    for (struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next) {
        if (is_wanted(at)) runs += (unsigned)__builtin_popcount(options.memories);
    }
    uint64_t schedules = 0, events = 0;
    double seconds = 0;
    for (struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next) {
        for (enum explore_memory memory = MEMORY_SC; memory <= MEMORY_C11; memory++) {
            if (!is_wanted(at) || !(options.memories >> memory & 1)) continue;
            struct outcome outcome = explore(at, memory, options.schedules, options.seconds / runs);
            printf("%-28s %-3s %10llu schedules %9.0f /s %7.1f events each\n", at->name, memory_names[memory],
                   (unsigned long long)outcome.schedules, (double)outcome.schedules / outcome.seconds,
                   (double)outcome.events / (double)outcome.schedules);
            if (outcome.verdict != NULL) tell_failure(program, at, memory, &outcome);
            if (outcome.verdict != NULL)
                failed++;
            else
                passed++;
            schedules += outcome.schedules;
            events += outcome.events;
            seconds += outcome.seconds;
            fflush(stdout);
        }
    }
    if (seconds > 0) {
        printf("%llu schedules, %llu events in %.1f s: %.0f schedules/s, %.1f million events/s; first seed %llu\n",
               (unsigned long long)schedules, (unsigned long long)events, seconds, (double)schedules / seconds,
               (double)events / seconds * 1e-6, (unsigned long long)options.seed);
    }
    printf("totals: %d passed, %d failed\n", passed, failed);
    return passed == 0 ? 1 : failed;
}

/* Goes through all executions of each wanted scenario that is small enough, under C11; returns how many have failed. */
static int exhaust_all(void) {
    int passed = 0, failed = 0;
    for (struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next) {
        if (!is_wanted(at) || (options.only == NULL && !at->small)) continue;
        struct explore_settings settings = {.memory = MEMORY_C11, .trace = options.trace};
        double begin = seconds_now();
        int bound = options.preemptions < 0 && at->preemptions > 0 ? at->preemptions : options.preemptions;
        struct explore_exhausted result = explore_exhaust(at, settings, bound, options.schedules, NULL);
        char bounded[48] = "";
        if (bound >= 0) snprintf(bounded, sizeof bounded, " with at most %d preemptions", bound);
        printf("%-28s c11 %10llu executions, %llu cut off, in %.1f s%s%s\n", at->name,
               (unsigned long long)result.executions, (unsigned long long)result.cut_off, seconds_now() - begin,
               result.complete ? ": all" : "", result.complete ? bounded : "");
        if (result.verdict != NULL) printf("FAILED %s: %s\n", at->name, result.verdict);
        if (result.verdict != NULL) races_tell_code(result.verdict);
        *(result.verdict == NULL ? &passed : &failed) += 1;
        fflush(stdout);
    }
    printf("totals: %d passed, %d failed\n", passed, failed);
    return passed == 0 ? 1 : failed;
}

static const struct explore_scenario *find_scenario(const char *name) {
    for (struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next) {
        if (strcmp(at->name, name) == 0) return at;
    }
    fprintf(stderr, "explore: no scenario \"%s\"\n", name);
    exit(2);
}

/* Which model has this name; there must be one. */
static enum explore_memory memory_of(const char *name) {
    enum explore_memory memory = MEMORY_SC;
    while (memory <= MEMORY_C11 && strcmp(memory_names[memory], name) != 0) memory++;
    if (memory > MEMORY_C11) {
        fprintf(stderr, "explore: no model of memory \"%s\"\n", name);
        exit(2);
    }
    return memory;
}

/* Plants each bug and looks for it in the scenario that is to find it; returns how many were not found. */
static int find_mutants(void) {
    int found = 0, missed = 0;
    for (int i = 0; mutants[i].name != NULL; i++) {
        if (options.mutant != NULL && strcmp(options.mutant, mutants[i].name) != 0) continue;
        explore_mutant = i + 1;
        enum explore_memory memory = memory_of(mutants[i].memory);
        const struct explore_scenario *scenario = find_scenario(mutants[i].scenario);
        struct outcome outcome = explore(scenario, memory, options.schedules, options.seconds);
        if (outcome.verdict == NULL) {
            missed++;
            printf("NOT FOUND %s: %llu schedules of %s, %s\n", mutants[i].name, (unsigned long long)outcome.schedules,
                   scenario->name, mutants[i].memory);
        } else {
            found++;
            printf("found %-34s %8llu schedules %8.1f ms  %s, %s, seed %llu\n      %s\n", mutants[i].name,
                   (unsigned long long)outcome.schedules, outcome.seconds * 1e3, scenario->name, mutants[i].memory,
                   (unsigned long long)outcome.seed, outcome.verdict);
        }
        fflush(stdout);
    }
    printf("totals: %d passed, %d failed\n", found, missed);
    return found == 0 ? 1 : missed;
}

static void list(void) {
    for (struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next) {
        printf("%-28s %s\n", at->name, at->what);
    }
    for (int i = 0; mutants[i].name != NULL; i++) {
        printf("mutant %-34s %s (%s, %s)\n", mutants[i].name, mutants[i].what, mutants[i].scenario, mutants[i].memory);
    }
}

static void wrong_usage(void) {
    fputs(usage, stderr);
    exit(2);
}

static void read_options(int count, char **arguments) {
    options.seed = filch__random_seed() >> 16;
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i];
        if (strcmp(name, "--list") == 0)
            options.list = true;
        else if (strcmp(name, "--trace") == 0)
            options.trace = true;
        else if (strcmp(name, "--mutants") == 0)
            options.all_mutants = true;
        else if (strcmp(name, "--litmus") == 0)
            options.litmus = true;
        else if (strcmp(name, "--weaken") == 0)
            options.weaken = true;
        else if (strcmp(name, "--exhaust") == 0)
            options.exhaust = true;
        else if (i + 1 == count)
            wrong_usage();
        else if (strcmp(name, "--only") == 0)
            options.only = arguments[++i];
        else if (strcmp(name, "--mutant") == 0)
            options.mutant = arguments[++i];
        else if (strcmp(name, "--seed") == 0)
            options.seed = strtoull(arguments[++i], NULL, 0);
        else if (strcmp(name, "--schedules") == 0)
            options.schedules = strtoull(arguments[++i], NULL, 0);
        else if (strcmp(name, "--in") == 0)
            options.in = arguments[++i];
        else if (strcmp(name, "--orders") == 0)
            options.orders = arguments[++i];
        else if (strcmp(name, "--preemptions") == 0)
            options.preemptions = atoi(arguments[++i]);
        else if (strcmp(name, "--seconds") == 0)
            options.seconds = strtod(arguments[++i], NULL);
        else if (strcmp(name, "--memory") == 0)
            options.memories = 1u << memory_of(arguments[++i]);
        else
            wrong_usage();
    }
    if (options.schedules == 0) options.schedules = UINT64_MAX;
    if (options.schedules == UINT64_MAX && options.seconds == 0) options.seconds = options.all_mutants ? 20 : 10;
    if (options.seconds == 0) options.seconds = 1e9;
}

int main(int count, char **arguments) {
    read_options(count, arguments);
    if (options.list) {
        list();
        return 0;
    }
    explore_begin();
    if (options.weaken) {
        explore_weaken(options.only, options.in, options.seconds);
        return 0;
    }
    if (options.orders != NULL) return explore_orders(options.orders, options.seconds) != 0;
    if (options.litmus) return explore_litmus() != 0;
    if (options.all_mutants) return find_mutants() != 0;
    for (int i = 0; options.mutant != NULL && mutants[i].name != NULL; i++) {
        if (strcmp(mutants[i].name, options.mutant) == 0) explore_mutant = i + 1;
    }
    if (options.mutant != NULL && explore_mutant == 0) {
        fprintf(stderr, "explore: no mutant \"%s\" in this program\n", options.mutant);
        return 2;
    }
    return (options.exhaust ? exhaust_all() : explore_all(arguments[0])) != 0;
}
