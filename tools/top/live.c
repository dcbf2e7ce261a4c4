/* SPDX-License-Identifier: MIT */
/* The live screen: what is shown, and what the keys do. */
#include "tools/top/live.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/top/screen.h"

enum {
    HEAD_ROWS = 2,
    FOOT_ROWS = 1,
    DELAY_MIN_MS = 100,
    DELAY_MAX_MS = 60000,
};

static const char *const view_names[VIEW_COUNT] = {"tasks", "tree", "waits", "workers"};

struct live {
    struct model *model;
    struct places *places;
    enum view view;
    enum sort sort;
    bool reverse, unfolded, paused, help;
    int delay_ms;
    size_t top;  /* the first line shown */
    size_t left; /* the first column shown */
    struct lines lines;
    struct past *past;
    size_t past_count;
    int64_t past_ns;
};

static const char *const help[] = {
    "1 2 3 4, Tab      tasks, tree, waits, workers",
    "s                 sort the tasks by another column: waiting time, state, name, count",
    "r                 the other way round",
    "f                 tasks that are alike in one line, or each in its own",
    "arrows, Page Up, Page Down, Home, End, j, k",
    "                  scroll; left and right shift long lines",
    "Space, p          pause, and go on",
    "+ -               look more often, or less often",
    "Ctrl-L            draw all of it anew",
    "h ?               this; any key leaves it",
    "q                 quit",
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* ------------------------------------------------------------------------------------------------------------ reading */

/* The workers' counters, for rates. Without memory there are none. */
static void remember(struct live *live) {
    size_t count = 0;
    for (size_t i = 0; i < live->model->runtime_count; i++) count += live->model->runtimes[i].workers_known;
    struct past *past = realloc(live->past, (count + 1) * sizeof *past);
    live->past_count = 0;
    if (past == NULL) return;
    live->past = past;
    live->past_ns = live->model->taken_ns;
    for (size_t i = 0; i < live->model->runtime_count; i++) {
        const struct model_runtime *runtime = &live->model->runtimes[i];
        for (size_t j = 0; j < runtime->workers_known; j++) {
            past[live->past_count++] = (struct past){runtime->address, runtime->workers[j]};
        }
    }
}

static bool look_again(struct live *live) {
    remember(live);
    if (!model_take(live->model)) return false;
    places_refresh(live->places);
    return true;
}

/* Folding is part of what was read: without it each task stands for itself. */
static void refold(struct live *live) {
    for (size_t i = 0; i < live->model->runtime_count; i++) {
        struct model_runtime *runtime = &live->model->runtimes[i];
        for (size_t j = 0; j < runtime->task_count; j++) runtime->tasks[j].alike = 1;
        if (!live->unfolded) (void)model_fold(runtime);
    }
}

/* ------------------------------------------------------------------------------------------------------------ showing */

static void write_lines(struct live *live) {
    struct look look = {
        .model = live->model,
        .places = live->places,
        .sort = live->sort,
        .reverse = live->reverse,
        .past = live->past,
        .past_count = live->model->target->core ? 0 : live->past_count,
        .past_seconds = (double)(live->model->taken_ns - live->past_ns) / 1e9,
    };
    lines_clear(&live->lines);
    view_write(&live->lines, &look, live->view);
}

static size_t body_rows(void) {
    int rows, columns;
    screen_size(&rows, &columns);
    return rows > HEAD_ROWS + FOOT_ROWS ? (size_t)(rows - HEAD_ROWS - FOOT_ROWS) : 1;
}

static void clamp(struct live *live) {
    size_t rows = body_rows();
    if (live->top + rows > live->lines.count) live->top = live->lines.count > rows ? live->lines.count - rows : 0;
}

static void draw_head(const struct live *live) {
    const struct target *target = live->model->target;
    char text[512];
    snprintf(text, sizeof text, "filch-top: %s %d (%s), %s%s%s, sorted by %s%s; every %.1f s%s",
             target->core ? "core of" : "process", target->process, target->name, view_names[live->view],
             live->unfolded ? ", each task" : "", live->reverse ? ", reversed" : "", sort_names[live->sort],
             target->core ? "; it does not change" : "", live->delay_ms / 1e3, live->paused ? "; PAUSED" : "");
    screen_line(0, text, STYLE_BOLD);
    screen_line(1, target->warning, STYLE_PLAIN);
}

static void draw(struct live *live) {
    int rows, columns;
    screen_size(&rows, &columns);
    draw_head(live);
    clamp(live);
    size_t help_count = sizeof help / sizeof *help;
    for (size_t i = 0; i < body_rows(); i++) {
        size_t line = live->top + i;
        const char *text = "";
        if (live->help) {
            text = i < help_count ? help[i] : "";
        } else if (line < live->lines.count) {
            text = lines_at(&live->lines, line);
            text += strlen(text) < live->left ? strlen(text) : live->left;
        }
        screen_line(HEAD_ROWS + (int)i, text, strncmp(text, "runtime 0x", 10) == 0 ? STYLE_BOLD : STYLE_PLAIN);
    }
    char foot[160];
    snprintf(foot, sizeof foot,
             " 1 tasks  2 tree  3 waits  4 workers  s sort  f fold  Space pause  h help  q quit   %zu-%zu of %zu",
             live->lines.count == 0 ? 0 : live->top + 1,
             live->top + body_rows() < live->lines.count ? live->top + body_rows() : live->lines.count,
             live->lines.count);
    screen_line(rows - 1, foot, STYLE_REVERSE);
    screen_show();
}

/* --------------------------------------------------------------------------------------------------------------- keys */

static void scroll(struct live *live, long by) {
    if (by < 0 && (size_t)-by > live->top) {
        live->top = 0;
    } else {
        live->top += (size_t)by;
    }
}

static void change_view(struct live *live, enum view view) {
    live->view = view;
    live->top = live->left = 0;
}

static void change_delay(struct live *live, int delay_ms) {
    live->delay_ms = delay_ms < DELAY_MIN_MS ? DELAY_MIN_MS : delay_ms > DELAY_MAX_MS ? DELAY_MAX_MS : delay_ms;
}

/* Keys that move what is seen. False: it is none. */
static bool move_by(struct live *live, int key) {
    long page = (long)body_rows();
    switch (key) {
    case 'k':
    case SCREEN_UP:
        scroll(live, -1);
        return true;
    case 'j':
    case SCREEN_DOWN:
        scroll(live, 1);
        return true;
    case SCREEN_PAGE_UP:
        scroll(live, -page);
        return true;
    case SCREEN_PAGE_DOWN:
        scroll(live, page);
        return true;
    case SCREEN_HOME:
    case 'g':
        live->top = 0;
        return true;
    case SCREEN_END:
    case 'G':
        live->top = live->lines.count;
        return true;
    case SCREEN_LEFT:
        live->left -= live->left < 8 ? live->left : 8;
        return true;
    case SCREEN_RIGHT:
        live->left += 8;
        return true;
    default:
        return false;
    }
}

/* Keys that change what is shown, or how often. */
static void change_by(struct live *live, int key) {
    switch (key) {
    case '1':
    case '2':
    case '3':
    case '4':
        change_view(live, (enum view)(key - '1'));
        break;
    case '\t':
        change_view(live, (live->view + 1) % VIEW_COUNT);
        break;
    case 's':
        live->sort = (live->sort + 1) % SORT_SORTS;
        break;
    case 'r':
        live->reverse = !live->reverse;
        break;
    case 'f':
        live->unfolded = !live->unfolded;
        refold(live);
        break;
    case ' ':
    case 'p':
        live->paused = !live->paused;
        break;
    case '+':
        change_delay(live, live->delay_ms / 2);
        break;
    case '-':
        change_delay(live, live->delay_ms * 2);
        break;
    case 'h':
    case '?':
        live->help = true;
        break;
    default:
        break;
    }
}

/* False: that was the end. */
static bool serve_key(struct live *live, int key) {
    if (key == SCREEN_QUIT || key == 'q' || key == 'Q') return false;
    if (live->help) {
        live->help = false;
    } else if (!move_by(live, key)) {
        change_by(live, key);
    }
    return true;
}

/* Until a key ends it. NULL, or why it ended. */
static const char *show(struct live *live) {
    int64_t due_ns = now_ns();
    for (;;) {
        if (now_ns() >= due_ns && !live->paused && !live->model->target->core) {
            if (!look_again(live)) return live->model->target->error;
            refold(live);
        }
        if (now_ns() >= due_ns) due_ns = now_ns() + live->delay_ms * 1000000ll;
        write_lines(live);
        draw(live);
        int key, wait_ms = (int)((due_ns - now_ns()) / 1000000) + 1;
        do {
            key = screen_key(wait_ms > 0 ? wait_ms : 0);
            if (key != SCREEN_NOTHING && key != SCREEN_REDRAW && !serve_key(live, key)) return NULL;
            wait_ms = 0;
        } while (key != SCREEN_NOTHING && key != SCREEN_REDRAW); /* all that were pressed, before it is drawn again */
        if (live->delay_ms * 1000000ll < due_ns - now_ns()) due_ns = now_ns() + live->delay_ms * 1000000ll;
    }
}

const char *live_run(struct model *model, struct places *places, const struct live_options *options) {
    struct live live = {
        .model = model,
        .places = places,
        .view = options->view,
        .sort = options->sort,
        .unfolded = options->unfolded,
        .delay_ms = options->delay_ms,
    };
    refold(&live);
    const char *wrong = screen_open();
    if (wrong != NULL) return wrong;
    wrong = show(&live);
    screen_close();
    lines_drop(&live.lines);
    free(live.past);
    return wrong;
}
