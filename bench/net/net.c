/* SPDX-License-Identifier: MIT */
#include "net.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const int64_t patience_ns = INT64_C(60) * 1000 * 1000 * 1000;

enum { SPARE_DESCRIPTORS = 64, MANY_CONNECTIONS = 1000 };

static struct load *must_open(struct server *server, const struct load_options *options) {
    struct load *load;
    const char *problem = load_open(&load, options);
    if (problem) server_fail(server, problem);
    return load;
}

static void must_run(struct server *server, const struct net_work *work, struct load *load,
                     const struct load_phase *phase, struct load_result *result) {
    load_run(load, phase, result);
    if (work->losses || (result->errors == 0 && result->lost == 0)) return;
    char problem[128];
    snprintf(problem, sizeof problem, "%" PRId64 " requests lost, %" PRId64 " errors%s%s", result->lost, result->errors,
             result->problem[0] ? ": " : "", result->problem);
    server_fail(server, problem);
}

/* One request, so that the server is known to be there. What it is without connections is looked at after it. */
static int64_t greet(struct server *server, const struct net_work *work, const struct load_options *options) {
    struct load_result *result = must_alloc(sizeof *result);
    struct load_options one = *options;
    one.connections = 1;
    struct load *load = must_open(server, &one);
    must_run(server, work, load, &(struct load_phase){.requests = 1}, result);
    load_close(load);
    free(result);
    return server_memory(server);
}

static void report(struct run *run, const struct net_work *work, const struct load_result *result) {
    const struct histogram *latency = &result->latency;
    double p99 = (double)histogram_quantile(latency, 0.99);
    run_extra(run, "p50_us", (double)histogram_quantile(latency, 0.5) / 1e3);
    run_extra(run, "p99_us", p99 / 1e3);
    run_extra(run, "per_s", (double)result->answered * 1e9 / (double)result->elapsed_ns);
    if (!work->losses) return;
    run_extra(run, "lost", (double)result->lost);
    run->charged_ns = p99 > 1 ? (int64_t)p99 : 1;
}

static void check_limits(const struct load_options *options) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < options->connections + SPARE_DESCRIPTORS)
        skip("the limit of descriptors is %" PRIu64, (uint64_t)limit.rlim_max);
}

static void measure_load(struct run *run, const struct net_work *work, struct server *server, struct load *load,
                         int64_t before) {
    struct load_result *result = must_alloc(sizeof *result);
    unsigned connections = work->load.connections;
    int64_t warm_up = run->n / 10 > connections ? run->n / 10 : connections;
    must_run(server, work, load, &(struct load_phase){.requests = warm_up, .rate = work->rate}, result);
    if (work->load.mode != LOAD_STORM && connections >= MANY_CONNECTIONS)
        run_extra(run, "bytes_each", (double)(server_memory(server) - before) / connections);
    int64_t used = server_cpu_ns(server);
    must_run(server, work, load, &(struct load_phase){.requests = run->n, .rate = work->rate}, result);
    run->charged_ns = server_cpu_ns(server) - used;
    run->rss_kib = server_peak_kib(server);
    report(run, work, result);
    free(result);
}

uint64_t net_measure(struct run *run, const struct net_work *work) {
    struct server server;
    struct load_options options = work->load;
    if (options.connections > run->n) options.connections = (unsigned)run->n;
    if (options.patience_ns == 0) options.patience_ns = patience_ns;
    check_limits(&options);
    server_start(&server, run, &work->service);
    options.address = server.address;
    struct net_work bounded = *work;
    bounded.load = options;
    int64_t before = greet(&server, work, &options);
    struct load *load = must_open(&server, &options);
    measure_load(run, &bounded, &server, load, before);
    load_close(load);
    server_stop(&server);
    return (uint64_t)run->n;
}
