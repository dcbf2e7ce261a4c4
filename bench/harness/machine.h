/* SPDX-License-Identifier: MIT */
/* Where and when the figures are from: no figure is worth anything without. */
#ifndef BENCH_HARNESS_MACHINE_H
#define BENCH_HARNESS_MACHINE_H

enum { MACHINE_TEXT = 128 };

struct machine {
    char processor[MACHINE_TEXT];
    int processors; /* that this process may use */
    char kernel[MACHINE_TEXT];
    char compiler[MACHINE_TEXT];
    char date[MACHINE_TEXT];
};

struct machine machine_here(void);

#endif
