/* SPDX-License-Identifier: MIT */
/*
 * n numbers received from four channels by select: from channels that are full (only the selects are counted), and from
 * channels without a buffer at which one sender is sending by turns. The systems whose names end in -receive call a
 * plain receive on the channel in question instead.
 */
#ifndef BENCH_SELECT_SELECT_H
#define BENCH_SELECT_SELECT_H

#include "../common/bench.h"

enum { FOUR = 4, SLOTS = 128 };

#ifndef __cplusplus
round_fn select_serial, select_ready_filch, select_ready_receive_filch, select_idle_filch, select_idle_receive_filch;
#endif

#endif
