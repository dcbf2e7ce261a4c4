/* SPDX-License-Identifier: MIT */
/* As JSON: an array of runtimes, each with "workers" and "tasks", by the keys that filch_dump uses, and some more. */
#include <inttypes.h>

#include "base/utf8.h"
#include "tools/top/views.h"

/* What is no UTF-8 becomes '?'. */
static void write_text(FILE *file, const char *text) {
    putc('"', file);
    while (*text != '\0') {
        size_t length = filch__utf8_length(text);
        if (length == 0) {
            putc('?', file);
        } else if ((unsigned char)*text < ' ' || *text == 127) {
            fprintf(file, "\\u%04x", (unsigned)*text);
        } else {
            if (*text == '"' || *text == '\\') putc('\\', file);
            fwrite(text, 1, length, file);
        }
        text += length == 0 ? 1 : length;
    }
    putc('"', file);
}

static void write_worker(FILE *file, const struct model_runtime *runtime, const struct model_worker *worker) {
    fprintf(file, "{\"worker\":%" PRIu32 ",\"spare\":%s,\"state\":", worker->index, worker->spare ? "true" : "false");
    write_text(file, runtime->layout->worker_rests[worker->rests]);
    fprintf(file, ",\"polls\":%s,\"blocked\":%s,\"thread\":%d", worker->polls ? "true" : "false",
            worker->blocks ? "true" : "false", worker->thread);
    if (worker->searches) fprintf(file, ",\"searches\":true");
    if (worker->runs != 0) fprintf(file, ",\"task\":\"%#" PRIx64 "\"", worker->runs);
    fprintf(file,
            ",\"queued\":%" PRIu64 ",\"spawned\":%" PRIu64 ",\"completed\":%" PRIu64 ",\"steals\":%" PRIu64
            ",\"parks\":%" PRIu64 ",\"yields\":%" PRIu64 ",\"switches\":%" PRIu64 ",\"sleeps\":%" PRIu64 "}",
            worker->queued, worker->spawned, worker->completed, worker->steals, worker->parks, worker->yields,
            worker->switches, worker->sleeps);
}

static void write_wait(FILE *file, const struct model_task *task) {
    fprintf(file, ",\"waits_for\":");
    write_text(file, task->reason);
    fprintf(file, ",\"object\":\"%#" PRIx64 "\",\"waiting_ns\":%" PRId64, task->object, task->waiting_ns);
    if (task->objects_differ) fprintf(file, ",\"objects_differ\":true");
    if (task->holds != 0) fprintf(file, ",\"held_by\":\"%#" PRIx64 "\"", task->holds);
    if (task->held_by_thread) fprintf(file, ",\"held_by_thread\":true");
}

static void write_place(FILE *file, const char *key, const char *line_key, const struct place *place) {
    fprintf(file, ",\"%s\":", key);
    write_text(file, place->text);
    if (place->line[0] == '\0') return;
    fprintf(file, ",\"%s\":", line_key);
    write_text(file, place->line);
}

static void write_task(FILE *file, const struct look *look, const struct model_runtime *runtime,
                       const struct model_task *task) {
    fprintf(file, "{\"task\":\"%#" PRIx64 "\",\"name\":", task->address);
    write_text(file, task->name);
    fprintf(file, ",\"count\":%" PRIu32 ",\"state\":", task->alike);
    write_text(file, runtime->layout->task_state[task->kind]);
    fprintf(file, ",\"cancelled\":%s", task->cancelled ? "true" : "false");
    write_place(file, "spawned_at", "spawned_line", places_find(look->places, task->spawned_at, false));
    write_place(file, "function", "function_line", places_find(look->places, task->fn, true));
    if (task->worker != NONE) fprintf(file, ",\"worker\":%" PRIu32, task->worker);
    if (task->scope != 0) {
        fprintf(file, ",\"scope\":\"%#" PRIx64 "\",\"scope_name\":", task->scope);
        write_text(file, task->scope_name);
        fprintf(file, ",\"opened_by\":\"%#" PRIx64 "\"", task->host);
    }
    if (task->kind == TASK_WAITS) write_wait(file, task);
    putc('}', file);
}

static void write_runtime(FILE *file, const struct look *look, const struct model_runtime *runtime) {
    fprintf(file, "{\"runtime\":\"%#" PRIx64 "\",\"name\":", runtime->address);
    write_text(file, runtime->name);
    fprintf(file, ",\"process\":%d,\"program\":", look->model->target->process);
    write_text(file, look->model->target->name);
    fprintf(file, ",\"left_out\":%" PRIu64 ",\"workers\":[", runtime->left_out);
    for (size_t i = 0; i < runtime->workers_known; i++) {
        if (i > 0) putc(',', file);
        write_worker(file, runtime, &runtime->workers[i]);
    }
    fprintf(file, "],\"tasks\":[");
    bool first = true;
    for (size_t i = 0; i < runtime->task_count; i++) {
        if (runtime->tasks[i].alike == 0) continue;
        if (!first) putc(',', file);
        first = false;
        write_task(file, look, runtime, &runtime->tasks[i]);
    }
    fprintf(file, "]}");
}

void json_write(FILE *file, const struct look *look) {
    putc('[', file);
    for (size_t i = 0; i < look->model->runtime_count; i++) {
        if (i > 0) putc(',', file);
        write_runtime(file, look, &look->model->runtimes[i]);
    }
    fprintf(file, "]\n");
}
