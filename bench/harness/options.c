/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "filch-bench: measures filch beside pthreads and the peers that are installed\n"
    "\n"
    "  --list             name the workloads and their systems, and end\n"
    "  --filter A,B       only workloads whose name contains A or B\n"
    "  --system A,B       only these systems\n"
    "  --workers 1,2      numbers of workers (default: 1 and all processors)\n"
    "  --repeat N         processes a measurement, interleaved (default 5; 2 with --quick)\n"
    "  --json FILE        write the results there\n"
    "  --quick            small sizes, without peers: about a minute\n"
    "  --smoke            tiny sizes, without peers: only checks that everything runs and agrees\n"
    "  --long             with --quick and --smoke: the long table all the same\n"
    "  --peers --no-peers with or without the peers' programs\n"
    "\n"
    "The exit status is 1 where a measurement failed or a checksum was wrong, else 0.\n";

enum {
    OPTION_LIST = 1,
    OPTION_FILTER,
    OPTION_SYSTEM,
    OPTION_WORKERS,
    OPTION_REPEAT,
    OPTION_JSON,
    OPTION_QUICK,
    OPTION_SMOKE,
    OPTION_LONG,
    OPTION_PEERS,
    OPTION_NO_PEERS,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"list", no_argument, NULL, OPTION_LIST},
    {"filter", required_argument, NULL, OPTION_FILTER},
    {"system", required_argument, NULL, OPTION_SYSTEM},
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"json", required_argument, NULL, OPTION_JSON},
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"smoke", no_argument, NULL, OPTION_SMOKE},
    {"long", no_argument, NULL, OPTION_LONG},
    {"peers", no_argument, NULL, OPTION_PEERS},
    {"no-peers", no_argument, NULL, OPTION_NO_PEERS},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static void parse_workers(struct options *options, const char *text) {
    options->workers_count = 0;
    while (*text) {
        char *end;
        unsigned long workers = strtoul(text, &end, 10);
        if (end == text || workers < 1 || workers > 1024 || options->workers_count == WORKERS_MAX)
            fail("--workers wants up to %d numbers from 1 to 1024, such as 1,2", WORKERS_MAX);
        options->workers[options->workers_count++] = (unsigned)workers;
        text = *end == ',' ? end + 1 : end;
    }
}

static void default_workers(struct options *options) {
    cpu_set_t allowed;
    unsigned processors = 1;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) processors = (unsigned)CPU_COUNT(&allowed);
    options->workers[0] = 1;
    options->workers[1] = processors;
    options->workers_count = processors > 1 ? 2 : 1;
}

static unsigned parse_repeat(const char *text) {
    int repeat = atoi(text);
    if (repeat < 1 || repeat > 1000) fail("--repeat wants a number from 1 to 1000");
    return (unsigned)repeat;
}

static void set_size(struct options *options, enum size size) {
    options->size = size;
    options->peers = false;
    options->repeat = size == SIZE_QUICK ? 2 : 1;
    options->rounds = size == SIZE_QUICK ? 3 : 1;
}

struct options options_parse(int count, char **arguments) {
    struct options options = {.peers = true, .repeat = 5, .rounds = 5};
    const char *repeat = NULL;
    bool long_table = false;
    default_workers(&options);
    int option, peers = -1;
    while ((option = getopt_long(count, arguments, "", long_options, NULL)) != -1) {
        /* clang-format off */
        switch (option) {
        case OPTION_LIST: options.list = true; break;
        case OPTION_FILTER: options.filter = optarg; break;
        case OPTION_SYSTEM: options.systems = optarg; break;
        case OPTION_WORKERS: parse_workers(&options, optarg); break;
        case OPTION_REPEAT: repeat = optarg; break;
        case OPTION_JSON: options.json = optarg; break;
        case OPTION_QUICK: set_size(&options, SIZE_QUICK); break;
        case OPTION_SMOKE: set_size(&options, SIZE_SMOKE); break;
        case OPTION_LONG: long_table = true; break;
        case OPTION_PEERS: peers = 1; break;
        case OPTION_NO_PEERS: peers = 0; break;
        case OPTION_HELP: fputs(usage, stdout); exit(0);
        default: fputs(usage, stderr); exit(2);
        }
        /* clang-format on */
    }
    if (optind < count) fail("what is \"%s\"? --help tells the options", arguments[optind]);
    options.long_table = long_table || options.size == SIZE_FULL;
    if (peers >= 0) options.peers = peers;
    if (repeat) options.repeat = parse_repeat(repeat);
    return options;
}

/* Whether a part of the comma-separated list equals `name` or, with `inside`, is contained in it. */
static bool list_has(const char *list, const char *name, bool inside) {
    while (*list) {
        size_t length = strcspn(list, ",");
        if (!inside && length == strlen(name) && strncmp(list, name, length) == 0) return true;
        if (inside && length > 0 && memmem(name, strlen(name), list, length)) return true;
        list += length;
        if (*list) list++;
    }
    return false;
}

bool options_want_workload(const struct options *options, const struct workload *workload) {
    return !options->filter || list_has(options->filter, workload->name, true);
}

bool options_want_system(const struct options *options, const struct entry *entry) {
    if (!options->peers && (entry->peer || (!entry->round && !entry->beside))) return false;
    return !options->systems || list_has(options->systems, entry->system, false);
}
