/* SPDX-License-Identifier: MIT */
/* The explorer's program: which scenarios, how long, from which seed; and whether the planted bugs are found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "tests/explore/explore.h"

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
    const char *only, *mutant;
    bool sc, tso, trace, list, all_mutants;
} options = {.sc = true, .tso = true};

static const char usage[] =
    "usage: explore [--list] [--only SCENARIO] [--memory sc|tso] [--seed N] [--schedules N] [--seconds N] [--trace]\n"
    "               [--mutant NAME | --mutants]\n"
    "  --only       the scenarios whose names begin so\n"
    "  --memory     that memory model alone; without it, both in turn\n"
    "  --seed       of the first schedule of each scenario; the next has the next number\n"
    "  --schedules  how many of each scenario, at most; for --mutants, to find each planted bug\n"
    "  --seconds    in all, shared among the scenarios\n"
    "  --trace      writes each event to standard error\n"
    "  --mutant     with that bug planted: exit status 1 is a success\n"
    "  --mutants    plants each bug in turn; fails if one is not found\n";

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

static struct outcome explore(const struct explore_scenario *scenario, bool tso, uint64_t schedules, double seconds) {
    struct explore_settings settings = {.tso = tso, .trace = options.trace};
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

static void tell_failure(const char *program, const struct explore_scenario *scenario, bool tso,
                         const struct outcome *outcome) {
    printf("FAILED %s: %s\n  again: %s --only %s --memory %s --seed %llu --schedules 1 --trace\n", scenario->name,
           outcome->verdict, program, scenario->name, tso ? "tso" : "sc", (unsigned long long)outcome->seed);
}

/* Explores all wanted scenarios; returns how many have failed. */
static int explore_all(const char *program) {
    unsigned runs = 0;
    int passed = 0, failed = 0;
    for (struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next) {
        if (is_wanted(at)) runs += (unsigned)options.sc + (unsigned)options.tso;
    }
    uint64_t schedules = 0, events = 0;
    double seconds = 0;
    for (struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next) {
        for (int tso = 0; tso < 2; tso++) {
            if (!is_wanted(at) || !(tso ? options.tso : options.sc)) continue;
            struct outcome outcome = explore(at, tso, options.schedules, options.seconds / runs);
            printf("%-28s %-3s %10llu schedules %9.0f /s %7.1f events each\n", at->name, tso ? "tso" : "sc",
                   (unsigned long long)outcome.schedules, (double)outcome.schedules / outcome.seconds,
                   (double)outcome.events / (double)outcome.schedules);
            if (outcome.verdict != NULL) tell_failure(program, at, tso, &outcome);
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

static const struct explore_scenario *find_scenario(const char *name) {
    for (struct explore_scenario *at = explore_scenarios; at != NULL; at = at->next) {
        if (strcmp(at->name, name) == 0) return at;
    }
    fprintf(stderr, "explore: no scenario \"%s\"\n", name);
    exit(2);
}

/* Plants each bug and looks for it in the scenario that is to find it; returns how many were not found. */
static int find_mutants(void) {
    int found = 0, missed = 0;
    for (int i = 0; mutants[i].name != NULL; i++) {
        if (options.mutant != NULL && strcmp(options.mutant, mutants[i].name) != 0) continue;
        explore_mutant = i + 1;
        bool tso = strcmp(mutants[i].memory, "tso") == 0;
        const struct explore_scenario *scenario = find_scenario(mutants[i].scenario);
        struct outcome outcome = explore(scenario, tso, options.schedules, options.seconds);
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
        else if (strcmp(name, "--seconds") == 0)
            options.seconds = strtod(arguments[++i], NULL);
        else if (strcmp(name, "--memory") == 0) {
            options.sc = strcmp(arguments[++i], "sc") == 0;
            options.tso = strcmp(arguments[i], "tso") == 0;
            if (!options.sc && !options.tso) wrong_usage();
        } else {
            wrong_usage();
        }
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
    if (options.all_mutants) return find_mutants() != 0;
    for (int i = 0; options.mutant != NULL && mutants[i].name != NULL; i++) {
        if (strcmp(mutants[i].name, options.mutant) == 0) explore_mutant = i + 1;
    }
    if (options.mutant != NULL && explore_mutant == 0) {
        fprintf(stderr, "explore: no mutant \"%s\" in this program\n", options.mutant);
        return 2;
    }
    return explore_all(arguments[0]) != 0;
}
