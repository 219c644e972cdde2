/* SPDX-License-Identifier: MIT */
/*
 * Invariants of virt, in the order in which they are verified:
 *   400  every range has a usable page, and lies in the window with its guards
 *   401  ranges ascend in the order of the tree and do not overlap
 *   402  the two sides of a node differ in height by 1 at most, and its height is that of its
 *        higher side and itself
 *   403  a node tells where its subtree begins and ends, and the largest gap in it
 *   404  as many records are in use as there are ranges, and the pages in use are theirs
 *   405  no range is busy: nobody is at work while it is verified
 */
#include "kernel/mm/virt.h"
#include "kernel/mm/virt_node.h"

/* What the walk has seen so far. */
struct walk {
    const struct virt *virt;
    struct page_violation *violation;
    uint64_t end;                     /* of the range before, or the start of the window */
    uint64_t ranges, pages;
    const struct virt_range *busy;
};

static bool broken(struct walk *walk, unsigned invariant, uint64_t page, const char *text)
{
    walk->violation->invariant = invariant;
    walk->violation->at = pfn(page);
    walk->violation->text = text;
    return false;
}

static bool range_check(struct walk *walk, const struct virt_node *node)
{
    const struct virt *virt = walk->virt;
    uint64_t start = node_start(node), end = node_end(node);

    if (node->range.pages == 0 || start > end || start < virt->first.a >> PAGE_SHIFT
        || end > virt->limit.a >> PAGE_SHIFT)
        return broken(walk, 400, start, "a range is empty or not in the window");
    if (start < walk->end)
        return broken(walk, 401, start, "a range overlaps the one before it");
    if (node->range.busy)
        walk->busy = &node->range;
    walk->end = end;
    walk->ranges++;
    walk->pages += end - start;
    return true;
}

static bool heights_agree(const struct virt_node *node)
{
    unsigned left = node_height(node->left), right = node_height(node->right);

    return left <= right + 1 && right <= left + 1
        && node->height == 1 + (left > right ? left : right);
}

/* The ranges below and of `node`, in their order; then what it tells of them. */
static bool tree_check(struct walk *walk, const struct virt_node *node)
{
    struct virt_node sum;

    if (node == NULL)
        return true;
    if (!tree_check(walk, node->left) || !range_check(walk, node)
        || !tree_check(walk, node->right))
        return false;
    if (!heights_agree(node))
        return broken(walk, 402, node_start(node), "the tree of ranges is not balanced");
    sum = *node;
    node_sum_up(&sum);
    if (sum.low != node->low || sum.high != node->high || sum.gap != node->gap)
        return broken(walk, 403, node_start(node), "a node does not tell what its subtree is");
    return true;
}

bool virt_check(const struct virt *virt, struct page_violation *violation)
{
    struct walk walk = { .virt = virt, .violation = violation, .end = virt->first.a >> PAGE_SHIFT };

    if (!tree_check(&walk, virt->root))
        return false;
    if (walk.ranges != virt->records.used || walk.pages != virt->used)
        return broken(&walk, 404, virt->first.a >> PAGE_SHIFT,
                      "the counts of ranges or of pages in use are not theirs");
    if (walk.busy != NULL)
        return broken(&walk, 405, walk.busy->first.a >> PAGE_SHIFT,
                      "a range was neither made nor taken back");
    return true;
}
