/* SPDX-License-Identifier: MIT */
/* filch-top: what the tasks of a program with filch do, from outside. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/top/live.h"
#include "tools/top/views.h"

enum {
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    TASKS_MAX_DEFAULT = 1 << 20,
};

static const char usage_text[] =
    "usage: filch-top [options] PID|CORE\n"
    "\n"
    "Shows the workers and tasks of a running program that uses filch, or of a core file that it has left.\n"
    "Without one of the next five, and on a terminal, the picture is refreshed, and h tells of the keys.\n"
    "\n"
    "  --ps            print the tasks once, one a line\n"
    "  --tree          print them once as a tree, each under the one whose scope it is in\n"
    "  --waits         print once what is waited for, by how many\n"
    "  --workers       print the workers once\n"
    "  --json          print all once, as JSON\n"
    "  --all           each task in a line of its own, and not those that are alike together\n"
    "  --sort KEY      waiting, state, name or count\n"
    "  --delay S       seconds between two looks (1)\n"
    "  --max N         at most so many tasks of a runtime (1048576)\n"
    "  --help, --version\n"
    "\n"
    "The program is neither stopped nor asked. Who reads it must be allowed to trace it: see ptrace(2).\n"
    "Exit status: 0; 1 where it could not be read, or ended; 2 where the arguments were wrong.\n";

enum {
    OPTION_PS = 256,
    OPTION_TREE,
    OPTION_WAITS,
    OPTION_WORKERS,
    OPTION_JSON,
    OPTION_ALL,
    OPTION_SORT,
    OPTION_DELAY,
    OPTION_MAX,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option names[] = {
    {"ps", no_argument, NULL, OPTION_PS},           {"tree", no_argument, NULL, OPTION_TREE},
    {"waits", no_argument, NULL, OPTION_WAITS},     {"workers", no_argument, NULL, OPTION_WORKERS},
    {"json", no_argument, NULL, OPTION_JSON},       {"all", no_argument, NULL, OPTION_ALL},
    {"sort", required_argument, NULL, OPTION_SORT}, {"delay", required_argument, NULL, OPTION_DELAY},
    {"max", required_argument, NULL, OPTION_MAX},   {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION}, {NULL, 0, NULL, 0},
};

struct wishes {
    bool once, json;
    struct live_options live;
    uint32_t tasks_max;
};

static int usage(const char *what, const char *argument) {
    fprintf(stderr, "filch-top: %s%s\nfilch-top: --help tells how it is used\n", what, argument);
    return STATUS_USAGE;
}

static bool parse_sort(const char *text, enum sort *sort) {
    for (int i = 0; i < SORT_SORTS; i++) {
        if (strcmp(text, sort_names[i]) == 0) {
            *sort = (enum sort)i;
            return true;
        }
    }
    return false;
}

static bool parse_delay(const char *text, int *delay_ms) {
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds >= 0.1 && seconds <= 60)) return false;
    *delay_ms = (int)(seconds * 1000);
    return true;
}

static bool parse_number(const char *text, unsigned long long most, unsigned long long *number) {
    char *end;
    if (!isdigit((unsigned char)text[0])) return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 && *number > 0 && *number <= most;
}

static void print_once(struct wishes *wishes, enum view view) {
    wishes->once = true;
    wishes->live.view = view;
}

/* 0; a status of exit; or -1: `*what` is to be looked at. */
static int parse(int count, char **arguments, struct wishes *wishes, const char **what) {
    unsigned long long number;
    int option;
    opterr = 0;
    while ((option = getopt_long(count, arguments, "", names, NULL)) != -1) {
        switch (option) {
        case OPTION_PS:
            print_once(wishes, VIEW_TASKS);
            break;
        case OPTION_TREE:
            print_once(wishes, VIEW_TREE);
            break;
        case OPTION_WAITS:
            print_once(wishes, VIEW_WAITS);
            break;
        case OPTION_WORKERS:
            print_once(wishes, VIEW_WORKERS);
            break;
        case OPTION_JSON:
            wishes->once = wishes->json = true;
            break;
        case OPTION_ALL:
            wishes->live.unfolded = true;
            break;
        case OPTION_SORT:
            if (!parse_sort(optarg, &wishes->live.sort)) return usage("cannot sort by ", optarg);
            break;
        case OPTION_DELAY:
            if (!parse_delay(optarg, &wishes->live.delay_ms))
                return usage("--delay is 0.1 to 60 seconds, not ", optarg);
            break;
        case OPTION_MAX:
            if (!parse_number(optarg, UINT32_MAX - 1, &number))
                return usage("--max is a number of tasks, not ", optarg);
            wishes->tasks_max = (uint32_t)number;
            break;
        case OPTION_HELP:
            fputs(usage_text, stdout);
            return 0;
        case OPTION_VERSION:
            printf("filch-top %s\n", FILCH_TOP_VERSION);
            return 0;
        default:
            return usage("wrong option, or one that lacks its value: ", arguments[optind - 1]);
        }
    }
    if (optind + 1 != count)
        return usage(optind == count ? "which process, or core?" : "one process, or core, at a time", "");
    *what = arguments[optind];
    return -1;
}

static int fail(const char *why) {
    fprintf(stderr, "filch-top: %s\n", why);
    return STATUS_FAILED;
}

/* What was amiss before may be why. */
static int fail_to_look(const struct target *target) {
    bool told = target->warning[0] == '\0' || strstr(target->error, target->warning) != NULL;
    fprintf(stderr, "filch-top: %s%s%s\n", target->error, told ? "" : "; ", told ? "" : target->warning);
    return STATUS_FAILED;
}

static bool is_number(const char *text) {
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

static bool open_target(struct target *target, const char *what) {
    unsigned long long process;
    if (!is_number(what)) return target_open_core(target, what);
    if (!parse_number(what, INT_MAX, &process))
        return target_fail(target, "%s cannot be the number of a process", what);
    return target_open_process(target, (pid_t)process);
}

static void print_view(const struct look *look, enum view view) {
    struct lines lines = {0};
    view_write(&lines, look, view);
    for (size_t i = 0; i < lines.count; i++) {
        const char *line = lines_at(&lines, i);
        int length = (int)strlen(line);
        while (length > 0 && line[length - 1] == ' ') length--;
        printf("%.*s\n", length, line);
    }
    if (lines.failed) fprintf(stderr, "filch-top: no memory for all of it\n");
    lines_drop(&lines);
}

static int print(struct model *model, struct places *places, const struct wishes *wishes) {
    struct look look = {.model = model, .places = places, .sort = wishes->live.sort};
    for (size_t i = 0; i < model->runtime_count && !wishes->live.unfolded; i++) (void)model_fold(&model->runtimes[i]);
    if (wishes->json) {
        json_write(stdout, &look);
    } else {
        print_view(&look, wishes->live.view);
    }
    if (model->target->warning[0] != '\0') fprintf(stderr, "filch-top: %s\n", model->target->warning);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : fail(strerror(errno));
}

static int look_at(struct model *model, const struct wishes *wishes) {
    if (!model_take(model)) return fail_to_look(model->target);
    struct places *places = places_open(model->target);
    if (places == NULL) return fail("no memory");
    int status = 0;
    if (wishes->once || !isatty(STDOUT_FILENO)) {
        status = print(model, places, wishes);
    } else {
        const char *wrong = live_run(model, places, &wishes->live);
        if (wrong != NULL) status = fail(wrong);
    }
    places_close(places);
    return status;
}

int main(int count, char **arguments) {
    struct wishes wishes = {.live = {.delay_ms = 1000}, .tasks_max = TASKS_MAX_DEFAULT};
    const char *what = "";
    int status = parse(count, arguments, &wishes, &what);
    if (status >= 0) return status;
    static struct target target;
    static struct model model;
    if (!open_target(&target, what)) return fail(target.error);
    status = model_init(&model, &target, wishes.tasks_max) ? look_at(&model, &wishes) : fail_to_look(&target);
    model_drop(&model);
    target_close(&target);
    return status;
}
