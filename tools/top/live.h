/* SPDX-License-Identifier: MIT */
#ifndef TOP_LIVE_H
#define TOP_LIVE_H

#include "tools/top/views.h"

/* How the live screen begins. */
struct live_options {
    enum view view;
    enum sort sort;
    bool unfolded;
    int delay_ms;
};

/*
 * Shows `model`, and reads it anew every so often, until a key ends it. NULL; or why it ended otherwise: the process has,
 * or there is no terminal.
 */
const char *live_run(struct model *model, struct places *places, const struct live_options *options);

#endif
