/* SPDX-License-Identifier: MIT */
/*
 * Memory: the door of alloc/. Small objects, slabs of task records, and pooled stacks; all from jemalloc, or from libc
 * and mmap(2) where the library is built without it or under a sanitizer. Every request can be made to fail on purpose.
 */
#ifndef FILCH_ALLOC_ALLOC_H
#define FILCH_ALLOC_ALLOC_H

#include "alloc/heap.h"
#include "alloc/slab.h"
#include "alloc/stack.h"

#endif
