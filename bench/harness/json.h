/* SPDX-License-Identifier: MIT */
/* The results as a list of objects in a file. */
#ifndef BENCH_HARNESS_JSON_H
#define BENCH_HARNESS_JSON_H

#include <stdio.h>

#include "machine.h"
#include "series.h"

FILE *json_open(const char *path);
void json_add(FILE *file, const struct machine *machine, const struct series *series, unsigned count);
void json_close(FILE *file);

#endif
