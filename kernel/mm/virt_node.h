/* SPDX-License-Identifier: MIT */
/*
 * How virt keeps its ranges: an AVL tree in the order of addresses, in which each node also tells
 * of its subtree where it begins, where it ends, and the largest gap in between. For virt*.c and
 * their test.
 */
#ifndef PFNLAB_MM_VIRT_NODE_H
#define PFNLAB_MM_VIRT_NODE_H

#include "kernel/mm/virt.h"

struct virt_node {
    struct virt_range range;          /* first, so that one is the other */
    struct virt_node *left, *right;
    uint64_t low, high;               /* page numbers: of the subtree, guards included */
    uint64_t gap;                     /* pages of the largest one between two of its ranges */
    unsigned height;                  /* 1: a leaf */
};

/* Page numbers of a node's own range, guards included. */
static inline uint64_t node_start(const struct virt_node *node)
{
    return (node->range.first.a >> PAGE_SHIFT) - node->range.front;
}

static inline uint64_t node_end(const struct virt_node *node)
{
    return (node->range.first.a >> PAGE_SHIFT) + node->range.pages + node->range.back;
}

static inline unsigned node_height(const struct virt_node *node)
{
    return node == NULL ? 0 : node->height;
}

/* Set what a node tells of its subtree from what its children tell. */
void node_sum_up(struct virt_node *node);

#endif
