/* SPDX-License-Identifier: MIT */
/* All of filch but input and output, which is in filch/io.h: that brings the system's names of sockets with it. */
#ifndef FILCH_FILCH_H
#define FILCH_FILCH_H

#include <filch/barrier.h>
#include <filch/base.h>
#include <filch/blocking.h>
#include <filch/chan.h>
#include <filch/cond.h>
#include <filch/debug.h>
#include <filch/dump.h>
#include <filch/event.h>
#include <filch/fork.h>
#include <filch/future.h>
#include <filch/local.h>
#include <filch/metrics.h>
#include <filch/mutex.h>
#include <filch/once.h>
#include <filch/parallel.h>
#include <filch/queue.h>
#include <filch/runtime.h>
#include <filch/rwlock.h>
#include <filch/scope.h>
#include <filch/select.h>
#include <filch/sem.h>
#include <filch/simulation.h>
#include <filch/stats.h>
#include <filch/task.h>
#include <filch/ticker.h>
#include <filch/time.h>
#include <filch/trace.h>
#include <filch/wait_group.h>

#endif
