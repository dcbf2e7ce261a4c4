/* SPDX-License-Identifier: MIT */
#include "sched/complaint.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "base/place.h"
#include "base/utf8.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

enum {
    TEXT_MAX = 16384,
    LINE_MAX_LENGTH = 320,
};

void filch__complaint_begin(struct filch__complaint *complaint, struct filch_runtime *runtime, const char *check) {
    *complaint = (struct filch__complaint){.runtime = runtime, .check = check, .text = filch__heap_get(TEXT_MAX, 16)};
    filch__complaint_say(complaint, "filch: %s: ", check);
}

static void add(struct filch__complaint *complaint, const char *text, size_t length) {
    if (complaint->text == NULL) {
        ssize_t ignored = write(STDERR_FILENO, text, length);
        (void)ignored;
        return;
    }
    if (length > TEXT_MAX - 1 - complaint->length) length = TEXT_MAX - 1 - complaint->length;
    memcpy(complaint->text + complaint->length, text, length);
    complaint->length += length;
}

void filch__complaint_say(struct filch__complaint *complaint, const char *format, ...) {
    char line[LINE_MAX_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0) add(complaint, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

void filch__complaint_name(struct filch__complaint *complaint, const void *task, const char *name) {
    char clean[32];
    filch__utf8_clean(clean, sizeof clean, name);
    filch__complaint_say(complaint, "task %p \"%s\"", task, clean);
}

void filch__complaint_place(struct filch__complaint *complaint, const void *address) {
    char place[PLACE_SIZE];
    filch__place_write(address, place);
    filch__complaint_say(complaint, "%s", place);
}

void filch__complaint_frames(struct filch__complaint *complaint, void *const *frames, unsigned depth) {
    for (unsigned i = 0; i < depth; i++) {
        filch__complaint_say(complaint, "      ");
        filch__complaint_place(complaint, frames[i]);
        filch__complaint_say(complaint, "\n");
    }
}

static void to_standard_error(const struct filch__complaint *complaint) {
    size_t done = 0;
    while (done < complaint->length) {
        ssize_t written = write(STDERR_FILENO, complaint->text + done, complaint->length - done);
        if (written <= 0) return;
        done += (size_t)written;
    }
}

void filch__complaint_send(struct filch__complaint *complaint) {
    if (complaint->text == NULL) return; /* said already */
    complaint->text[complaint->length] = '\0';
    struct filch_runtime *runtime = complaint->runtime;
    if (runtime != NULL && runtime->debug.on_report != NULL) {
        filch_report report = {complaint->check, complaint->text, complaint->length, runtime->name};
        runtime->debug.on_report(&report, runtime->debug.on_report_arg);
    } else {
        to_standard_error(complaint);
    }
    filch__heap_put(complaint->text, TEXT_MAX, 16);
}

/* --------------------------------------------------------------------------------------------------------- witnesses */

void filch__witness_of_task(struct filch__witness *witness, struct filch_task *task) {
    *witness = (struct filch__witness){.task = task, .spawned_at = load_relaxed(&task->spawned_at)}; /* it lives */
    snprintf(witness->name, sizeof witness->name, "%s", filch_task_name(task));
}

never_inline void filch__witness_take(struct filch__witness *witness) {
    enum { OWN = 1 };
    struct filch_task *task = filch_self();
    if (task != NULL) {
        filch__witness_of_task(witness, task);
    } else {
        *witness = (struct filch__witness){.thread = (int)gettid()};
    }
    void *frames[WITNESS_FRAMES + OWN];
    int depth = backtrace(frames, WITNESS_FRAMES + OWN);
    if (depth <= OWN) return;
    witness->depth = (unsigned)(depth - OWN);
    memcpy(witness->frames, frames + OWN, witness->depth * sizeof *frames);
}

void filch__complaint_who(struct filch__complaint *complaint, const struct filch__witness *witness) {
    if (witness->task != NULL) {
        filch__complaint_name(complaint, witness->task, witness->name);
    } else {
        filch__complaint_say(complaint, "thread %d", witness->thread);
    }
}

void filch__complaint_spawned(struct filch__complaint *complaint, const struct filch__witness *witness) {
    if (witness->task == NULL) return;
    filch__complaint_say(complaint, ", spawned at ");
    filch__complaint_place(complaint, witness->spawned_at);
}
