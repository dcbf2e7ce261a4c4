/* SPDX-License-Identifier: MIT */
/* filch-load: the load of the benches as a program, for a server that was started by hand. */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "load.h"

static const char usage[] =
    "filch-load: a bounded load on a server of this machine, and how long its answers take\n"
    "\n"
    "  filch-load [options] 127.0.0.1:PORT      or [::1]:PORT; addresses of other machines are refused\n"
    "\n"
    "  --mode echo        sends messages, which must come back as they are (default)\n"
    "  --mode http        GET requests on connections that are kept\n"
    "  --mode storm       connects, sends a message, which must come back, and closes; --size 0: connects and closes\n"
    "  --connections N    that are open at once (default 50)\n"
    "  --size BYTES       of a message (default 64)\n"
    "  --path PATH        of http (default /)\n"
    "  --pipeline N       http: requests that are sent at once on a connection (default 1)\n"
    "  --requests N       in all (default 100000)\n"
    "  --seconds S        in place of --requests: for so long\n"
    "  --rate R           so many requests a second at fixed times, however late the answers; echo and http\n"
    "  --warm-up N        requests before, which are not counted (default 0)\n"
    "  --patience S       gives up when nothing has come for so long (default 10)\n"
    "\n"
    "The exit status is 0 where all was answered as it should be, 1 where not, 2 where the options are wrong.\n";

enum {
    OPTION_MODE = 1,
    OPTION_CONNECTIONS,
    OPTION_SIZE,
    OPTION_PATH,
    OPTION_PIPELINE,
    OPTION_REQUESTS,
    OPTION_SECONDS,
    OPTION_RATE,
    OPTION_WARM_UP,
    OPTION_PATIENCE,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"mode", required_argument, NULL, OPTION_MODE},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"path", required_argument, NULL, OPTION_PATH},
    {"pipeline", required_argument, NULL, OPTION_PIPELINE},
    {"requests", required_argument, NULL, OPTION_REQUESTS},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"warm-up", required_argument, NULL, OPTION_WARM_UP},
    {"patience", required_argument, NULL, OPTION_PATIENCE},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

struct wish {
    struct load_options options;
    struct load_phase phase;
    int64_t warm_up;
};

static void refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void refuse(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("filch-load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("; --help tells the options\n", stderr);
    va_end(arguments);
    exit(2);
}

static double number(const char *name, const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= least && value <= most))
        refuse("%s wants a number from %g to %.12g", name, least, most);
    return value;
}

static int64_t whole(const char *name, const char *text, int64_t least, int64_t most) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < least || value > most)
        refuse("%s wants a whole number from %" PRId64 " to %" PRId64, name, least, most);
    return value;
}

static enum load_mode mode_named(const char *name) {
    if (strcmp(name, "echo") == 0) return LOAD_ECHO;
    if (strcmp(name, "http") == 0) return LOAD_HTTP;
    if (strcmp(name, "storm") == 0) return LOAD_STORM;
    refuse("--mode wants echo, http or storm");
}

static void take_option(struct wish *wish, int option, const char *text) {
    struct load_options *options = &wish->options;
    struct load_phase *phase = &wish->phase;
    const int64_t requests_max = INT64_C(1000000000);
    /* clang-format off */
    switch (option) {
    case OPTION_MODE: options->mode = mode_named(text); break;
    case OPTION_CONNECTIONS: options->connections = (unsigned)whole("--connections", text, 1, LOAD_CONNECTIONS_MAX); break;
    case OPTION_SIZE: options->size = (size_t)whole("--size", text, 0, LOAD_SIZE_MAX); break;
    case OPTION_PATH: options->path = text; break;
    case OPTION_PIPELINE: options->pipeline = (unsigned)whole("--pipeline", text, 1, LOAD_PIPELINE_MAX); break;
    case OPTION_REQUESTS: phase->requests = whole("--requests", text, 1, requests_max); break;
    case OPTION_SECONDS: phase->duration_ns = (int64_t)(1e9 * number("--seconds", text, 0.001, 3600)); break;
    case OPTION_RATE: phase->rate = number("--rate", text, 0.1, 1e7); break;
    case OPTION_WARM_UP: wish->warm_up = whole("--warm-up", text, 0, requests_max); break;
    case OPTION_PATIENCE: options->patience_ns = (int64_t)(1e9 * number("--patience", text, 0.001, 3600)); break;
    case OPTION_HELP: fputs(usage, stdout); exit(0);
    default: fputs(usage, stderr); exit(2);
    }
    /* clang-format on */
}

static struct wish parse(int count, char **arguments) {
    struct wish wish = {.options = {.connections = 50, .size = 64, .path = "/", .patience_ns = INT64_C(10000000000)}};
    int option;
    while ((option = getopt_long(count, arguments, "", long_options, NULL)) != -1) take_option(&wish, option, optarg);
    if (optind + 1 != count) refuse("one address is wanted");
    const char *problem = load_address_parse(&wish.options.address, arguments[optind]);
    if (problem) refuse("%s: %s", arguments[optind], problem);
    if (wish.phase.requests > 0 && wish.phase.duration_ns > 0) refuse("either --requests or --seconds");
    if (wish.phase.requests == 0 && wish.phase.duration_ns == 0) wish.phase.requests = 100000;
    if (wish.phase.rate > 0 && wish.options.mode == LOAD_STORM) refuse("a storm has no --rate");
    if (wish.options.path[0] != '/' || strpbrk(wish.options.path, " \r\n"))
        refuse("--path wants a path, such as /file");
    return wish;
}

static void allow_descriptors(unsigned connections) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    if (limit.rlim_cur >= connections + 64) return;
    limit.rlim_cur = connections + 64 < limit.rlim_max ? connections + 64 : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int report(const struct load_result *result) {
    double seconds = (double)result->elapsed_ns / 1e9;
    const struct histogram *latency = &result->latency;
    printf("%" PRId64 " of %" PRId64 " answered in %.3f s: %.0f a second\n", result->answered, result->wanted, seconds,
           seconds > 0 ? (double)result->answered / seconds : 0);
    printf("latency us: p50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f\n",
           (double)histogram_quantile(latency, 0.5) / 1e3, (double)histogram_quantile(latency, 0.9) / 1e3,
           (double)histogram_quantile(latency, 0.99) / 1e3, (double)histogram_quantile(latency, 0.999) / 1e3,
           (double)latency->max / 1e3);
    printf("%" PRId64 " lost, %" PRId64 " errors%s%s\n", result->lost, result->errors, result->problem[0] ? ": " : "",
           result->problem);
    return result->lost > 0 || result->errors > 0;
}

int main(int count, char **arguments) {
    static struct load_result result;
    struct wish wish = parse(count, arguments);
    struct load *load;
    allow_descriptors(wish.options.connections);
    const char *problem = load_open(&load, &wish.options);
    if (problem) {
        fprintf(stderr, "filch-load: %s\n", problem);
        return 1;
    }
    if (wish.warm_up > 0) {
        load_run(load, &(struct load_phase){.requests = wish.warm_up}, &result);
        if (result.lost > 0 || result.errors > 0) {
            fputs("the warm-up failed: ", stdout);
            load_close(load);
            return report(&result);
        }
    }
    load_run(load, &wish.phase, &result);
    load_close(load);
    return report(&result);
}
