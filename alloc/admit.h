/* SPDX-License-Identifier: MIT */
/* Which threads may call jemalloc, where the library is built with it. Private to alloc/. */
#ifndef FILCH_ALLOC_ADMIT_H
#define FILCH_ALLOC_ADMIT_H

#include <stdbool.h>

/*
 * Whether the calling thread may ask jemalloc for memory, or tell it anything by mallctl; giving memory back needs no
 * leave. False: no memory; the next call tries again. From any thread; does not wait but for others that are in it.
 */
bool filch__admitted(void);

/* Keeps threads from being admitted, and lets them again: around fork(2), whose child would have to wait for who was. */
void filch__admission_hold(void);
void filch__admission_release(void);

#endif
