/* SPDX-License-Identifier: MIT */
/* n numbers sent through one channel: by one task to one, without a buffer and with one; or by four tasks to four. */
#ifndef BENCH_CHAN_CHAN_H
#define BENCH_CHAN_CHAN_H

#include "../common/bench.h"

enum { SLOTS = 128, FOUR = 4 };

#ifndef __cplusplus
round_fn chan_serial, chan_unbuffered_pthread, chan_buffered_pthread, chan_mpmc_pthread, chan_unbuffered_filch,
    chan_buffered_filch, chan_mpmc_filch;
#endif

#endif
