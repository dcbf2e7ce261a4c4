/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../peers/openmp/jobs.h"
#include "uts.h"

struct walk {
    struct uts_node node;
    int64_t nodes;
};

static int64_t visit(const struct uts_tree *tree, const struct uts_node *node) {
    int count = uts_children(tree, node);
    int64_t nodes = 1;
    if (count == 0) return nodes;
    struct walk *children = must_alloc((uint64_t)count * sizeof *children);
    for (int i = 0; i < count; i++) {
        uts_child(node, i, &children[i].node);
#pragma omp task firstprivate(i)
        children[i].nodes = visit(tree, &children[i].node);
    }
#pragma omp taskwait
    for (int i = 0; i < count; i++) nodes += children[i].nodes;
    free(children);
    return nodes;
}

static uint64_t walk_all(struct uts_tree tree) {
    struct uts_node root = uts_root(&tree);
    int64_t nodes = 0;
#pragma omp parallel
#pragma omp single
    nodes = visit(&tree, &root);
    return (uint64_t)nodes;
}

uint64_t uts_t1_openmp(struct run *run) {
    return walk_all(uts_tree_t1(run->n));
}

uint64_t uts_t3_openmp(struct run *run) {
    return walk_all(uts_tree_t3(run->n));
}
