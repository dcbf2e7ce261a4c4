/* SPDX-License-Identifier: MIT */
#include <filch/time.h>

#include "base/clock.h"

int64_t filch_now(void) {
    return filch__clock_now();
}

filch_deadline filch_after(int64_t duration_ns) {
    return (filch_deadline){filch__clock_add(filch__clock_now(), duration_ns)};
}
