/* SPDX-License-Identifier: MIT */
#include "uts.h"

static int64_t walk(const struct uts_tree *tree, const struct uts_node *node) {
    int count = uts_children(tree, node);
    int64_t nodes = 1;
    for (int i = 0; i < count; i++) {
        struct uts_node child;
        uts_child(node, i, &child);
        nodes += walk(tree, &child);
    }
    return nodes;
}

static uint64_t walk_all(struct uts_tree tree) {
    struct uts_node root = uts_root(&tree);
    return (uint64_t)walk(&tree, &root);
}

uint64_t uts_t1_serial(struct run *run) {
    return walk_all(uts_tree_t1(run->n));
}

uint64_t uts_t3_serial(struct run *run) {
    return walk_all(uts_tree_t3(run->n));
}
