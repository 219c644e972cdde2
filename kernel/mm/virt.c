/* SPDX-License-Identifier: MIT */
#include "kernel/mm/virt.h"

#include "kernel/mm/virt_node.h"

/* No sum of a few of these wraps. */
#define PAGES_LIMIT (UINT64_C(1) << 52)

void virt_init(struct virt *virt, virt_t first, virt_t limit, const struct node_source *nodes)
{
    ASSERT(is_aligned(first.a, PAGE_SIZE) && is_aligned(limit.a, PAGE_SIZE));
    ASSERT(first.a < limit.a && limit.a <= UINT64_C(1) << 63);
    *virt = (struct virt){ .first = first, .limit = limit };
    records_init(&virt->records, nodes, sizeof(struct virt_node));
}

/* ---- the tree ---- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void node_sum_up(struct virt_node *node)
{
    const struct virt_node *left = node->left, *right = node->right;

    node->height = 1 + (unsigned)larger(node_height(left), node_height(right));
    node->low = node_start(node);
    node->high = node_end(node);
    node->gap = 0;
    if (left != NULL) {
        node->gap = larger(left->gap, node->low - left->high);
        node->low = left->low;
    }
    if (right != NULL) {
        node->gap = larger(node->gap, larger(right->gap, right->low - node->high));
        node->high = right->high;
    }
}

static struct virt_node *rotate_right(struct virt_node *node)
{
    struct virt_node *top = node->left;

    node->left = top->right;
    top->right = node;
    node_sum_up(node);
    node_sum_up(top);
    return top;
}

static struct virt_node *rotate_left(struct virt_node *node)
{
    struct virt_node *top = node->right;

    node->right = top->left;
    top->left = node;
    node_sum_up(node);
    node_sum_up(top);
    return top;
}

/* The children are balanced and differ in height by 2 at most; returns what takes its place. */
static struct virt_node *balance(struct virt_node *node)
{
    unsigned left = node_height(node->left), right = node_height(node->right);

    if (left > right + 1) {
        if (node_height(node->left->left) < node_height(node->left->right))
            node->left = rotate_left(node->left);
        return rotate_right(node);
    }
    if (right > left + 1) {
        if (node_height(node->right->right) < node_height(node->right->left))
            node->right = rotate_right(node->right);
        return rotate_left(node);
    }
    node_sum_up(node);
    return node;
}

static struct virt_node *insert(struct virt_node *tree, struct virt_node *node)
{
    if (tree == NULL)
        return balance(node);
    if (node->range.first.a < tree->range.first.a)
        tree->left = insert(tree->left, node);
    else
        tree->right = insert(tree->right, node);
    return balance(tree);
}

/* Take the lowest node out of a tree. */
static struct virt_node *remove_lowest(struct virt_node *tree, struct virt_node **lowest)
{
    if (tree->left == NULL) {
        *lowest = tree;
        return tree->right;
    }
    tree->left = remove_lowest(tree->left, lowest);
    return balance(tree);
}

static struct virt_node *remove(struct virt_node *tree, const struct virt_node *node)
{
    ASSERT(tree != NULL);
    if (tree == node) {
        struct virt_node *top, *rest;

        if (node->left == NULL || node->right == NULL)
            return node->left != NULL ? node->left : node->right;
        rest = remove_lowest(node->right, &top);
        top->left = node->left;
        top->right = rest;
        return balance(top);
    }
    if (node->range.first.a < tree->range.first.a)
        tree->left = remove(tree->left, node);
    else
        tree->right = remove(tree->right, node);
    return balance(tree);
}

/* The first node that ends above a page; NULL if there is none. */
static const struct virt_node *above(const struct virt *virt, uint64_t page)
{
    const struct virt_node *node = virt->root, *found = NULL;

    while (node != NULL) {
        bool ends_above = node_end(node) > page;

        if (ends_above)
            found = node;
        node = ends_above ? node->left : node->right;
    }
    return found;
}

/* ---- placement ---- */

static uint64_t pages_wanted(const struct virt_request *request)
{
    return request->front + request->pages + request->back;
}

/* Does the request fit into the free pages [from, end)? Then *out is its first usable one. */
static bool gap_fits(const struct virt_request *request, uint64_t from, uint64_t end, uint64_t *out)
{
    uint64_t first = align_up(from + request->front, UINT64_C(1) << request->align);

    *out = first;
    return first <= end && request->pages + request->back <= end - first;
}

/* The lowest place in [from, end), all of whose ranges are those of `tree`. */
static bool place(const struct virt_node *tree, const struct virt_request *request, uint64_t from,
                  uint64_t end, uint64_t *out)
{
    uint64_t largest;

    if (tree == NULL)
        return gap_fits(request, from, end, out);
    largest = larger(tree->gap, larger(tree->low - from, end - tree->high));
    if (largest < pages_wanted(request))
        return false;
    return place(tree->left, request, from, node_start(tree), out)
        || place(tree->right, request, node_end(tree), end, out);
}

static enum error blamed(enum error e, uint64_t page, virt_t *blame)
{
    *blame = (virt_t){ page << PAGE_SHIFT };
    return e;
}

static enum error place_exactly(const struct virt *virt, const struct virt_request *request,
                                virt_t *blame)
{
    uint64_t first = virt->first.a >> PAGE_SHIFT, limit = virt->limit.a >> PAGE_SHIFT;
    uint64_t at = request->at.a >> PAGE_SHIFT, end = at + request->pages + request->back;
    uint64_t start = at > request->front ? at - request->front : 0;
    const struct virt_node *next = above(virt, start);
    uint64_t busy = next == NULL ? limit : larger(node_start(next), start);

    if (start < first || start >= limit)
        return blamed(E_MEM_UNMANAGED, start, blame);
    if (busy < end)
        return blamed(busy == limit ? E_MEM_UNMANAGED : E_MEM_BUSY, busy, blame);
    if (!is_aligned(at, UINT64_C(1) << request->align))
        return blamed(E_MEM_NONE, at, blame);
    return OK;
}

static enum error place_anywhere(const struct virt *virt, const struct virt_request *request,
                                 uint64_t *page)
{
    uint64_t first = virt->first.a >> PAGE_SHIFT, limit = virt->limit.a >> PAGE_SHIFT;

    return place(virt->root, request, first, limit, page) ? OK : E_MEM_NONE;
}

/* ---- the contract ---- */

enum error virt_alloc(struct virt *virt, const struct virt_request *request, virt_t *out,
                      virt_t *blame)
{
    uint64_t page = request->at.a >> PAGE_SHIFT;
    struct virt_node *node;
    enum error e;

    ASSERT(request->pages > 0 && request->pages <= PAGES_LIMIT && request->front <= PAGES_LIMIT
           && request->back <= PAGES_LIMIT && request->align < 64 - PAGE_SHIFT);
    ASSERT(is_aligned(request->at.a, PAGE_SIZE));
    *blame = (virt_t){ 0 };
    e = request->exact ? place_exactly(virt, request, blame)
                       : place_anywhere(virt, request, &page);
    if (e != OK)
        return e;
    node = records_take(&virt->records);
    if (node == NULL)
        return E_MEM_METADATA;
    *node = (struct virt_node){
        .range = {
            .first = (virt_t){ page << PAGE_SHIFT }, .pages = request->pages,
            .front = request->front, .back = request->back, .size = request->size,
            .kind = request->kind, .redzone = request->redzone, .busy = request->busy,
            .tag = request->tag,
        },
    };
    virt->root = insert(virt->root, node);
    virt->used += pages_wanted(request);
    *out = node->range.first;
    return OK;
}

enum error virt_find(const struct virt *virt, virt_t first, enum virt_kind kind,
                     const struct virt_range **out)
{
    const struct virt_node *node;

    if (first.a < virt->first.a || first.a >= virt->limit.a)
        return E_MEM_UNMANAGED;
    if (!is_aligned(first.a, PAGE_SIZE))
        return E_MEM_UNALIGNED;
    node = above(virt, first.a >> PAGE_SHIFT);
    if (node == NULL || node_start(node) > first.a >> PAGE_SHIFT || node->range.busy)
        return E_MEM_FREE;
    if (node->range.first.a != first.a)
        return E_MEM_INSIDE;
    if (node->range.kind != kind)
        return E_MEM_KIND;
    *out = &node->range;
    return OK;
}

void virt_set_busy(const struct virt_range *range, bool busy)
{
    ((struct virt_node *)(uintptr_t)range)->range.busy = busy;
}

void virt_free(struct virt *virt, const struct virt_range *range)
{
    struct virt_node *node = (struct virt_node *)(uintptr_t)range;

    virt->root = remove(virt->root, node);
    virt->used -= range->front + range->pages + range->back;
    records_give(&virt->records, node);
}

/* Pages behind a range that are in no other. */
static uint64_t pages_behind(const struct virt *virt, const struct virt_node *node)
{
    const struct virt_node *next = above(virt, node_end(node));

    return (next != NULL ? node_start(next) : virt->limit.a >> PAGE_SHIFT) - node_end(node);
}

enum error virt_resize(struct virt *virt, const struct virt_range *range, uint64_t size)
{
    struct virt_node *node = (struct virt_node *)(uintptr_t)range;
    uint64_t pages = ((size - 1) >> PAGE_SHIFT) + 1;

    ASSERT(size > 0 && !range->redzone);
    if (pages > range->pages && pages - range->pages > pages_behind(virt, node))
        return E_MEM_NONE;
    virt->root = remove(virt->root, node);
    virt->used += pages - range->pages;
    *node = (struct virt_node){ .range = node->range };
    node->range.pages = pages;
    node->range.size = size;
    virt->root = insert(virt->root, node);
    return OK;
}

const struct virt_range *virt_next(const struct virt *virt, virt_t from)
{
    const struct virt_node *node = above(virt, from.a >> PAGE_SHIFT);

    return node == NULL ? NULL : &node->range;
}
