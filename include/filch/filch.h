/* SPDX-License-Identifier: MIT */
/* All of filch. */
#ifndef FILCH_FILCH_H
#define FILCH_FILCH_H

#include <filch/base.h>
#include <filch/fork.h>
#include <filch/local.h>
#include <filch/parallel.h>
#include <filch/runtime.h>
#include <filch/scope.h>
#include <filch/stats.h>
#include <filch/task.h>
#include <filch/time.h>

#endif
