/* SPDX-License-Identifier: MIT */
/* How reports put what tasks and workers do: the dump, and by the descriptor whoever reads from outside. */
#ifndef FILCH_SCHED_WORDS_H
#define FILCH_SCHED_WORDS_H

#define WORD_TASK_READY "not begun"
#define WORD_TASK_RUNNING "runs, or can"
#define WORD_TASK_WAITING "waits"

#define WORD_WORKER_AWAKE "awake"
#define WORD_WORKER_ASLEEP "asleep"
#define WORD_WORKER_RETIRED "retired"

#endif
