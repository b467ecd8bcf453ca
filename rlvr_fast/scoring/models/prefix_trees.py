"""Batches of prefix trees: the completions of one prompt share their common prefixes.

Samples of one problem begin with the same prompt and often with the same tokens. A row of the batch
holds a prefix tree in place of a sequence: every prompt and every common prefix goes through the
model once, each token attends to its ancestors alone, and its depth is its position. The results
are those of one sequence after another, up to the order in which attention adds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rlvr_fast.scoring.models.batches import TokenBatch
from rlvr_fast.scoring.models.sequences import Ids, Sequences

__all__ = ["plan_trees", "worth_sharing"]

# The cost of attention over a tree grows with the square of its width: long sequences form none.
_WIDTH = 256
_LONGEST = 384


def worth_sharing(sequences: Sequences) -> bool:
    """Whether trees are faster: the sequences are short, with several for each prompt."""
    if not len(sequences.order):
        return False
    longest = sequences.order[0]
    total = len(sequences.prompts[longest]) + len(sequences.completions[longest])
    prompts = len({id(prompt) for prompt in sequences.prompts})
    return total <= _LONGEST and len(sequences.prompts) >= 4 * prompts


@dataclass(slots=True)
class _Tree:
    """One row of a batch: a prompt, and the completions that fit after it.

    A node is a token that goes through the model. An edge is a prediction of a token after a node.
    """

    width: int
    tokens: Ids
    depths: Ids
    ancestors: npt.NDArray[np.bool_]
    used: int
    prompt: int
    parents: list[Ids] = field(default_factory=list)  # the node of each edge
    targets: list[Ids] = field(default_factory=list)  # the predicted token of each edge
    edges: list[Ids] = field(default_factory=list)  # the edges of each completion's tokens
    chosen: list[int] = field(default_factory=list)  # the completions
    num_edges: int = 0
    path_tokens: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    path_edges: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    path_nodes: Ids = field(default_factory=lambda: np.empty(0, np.int64))  # the last completion's

    @classmethod
    def of_prompt(cls, prompt: Ids, width: int) -> _Tree:
        tree = cls(
            width=width,
            tokens=np.zeros(width, np.int64),
            depths=np.zeros(width, np.int64),
            # A node attends to itself, and so does padding: attention to no token would give nan.
            ancestors=np.eye(width, dtype=np.bool_),
            used=0,
            prompt=len(prompt),
        )
        tree._grow(prompt, -1)
        return tree

    def _grow(self, tokens: Ids, parent: int) -> Ids:
        """Adds a chain of nodes below `parent` (-1 for the root)."""
        start, stop = self.used, self.used + len(tokens)
        self.tokens[start:stop] = tokens
        depth = self.depths[parent] + 1 if parent >= 0 else 0
        self.depths[start:stop] = np.arange(depth, depth + len(tokens))
        if parent >= 0:
            self.ancestors[start:stop] |= self.ancestors[parent]
        self.ancestors[start:stop, start:stop] |= np.tri(len(tokens), dtype=np.bool_)
        self.used = stop
        return np.arange(start, stop)

    def add(self, at: int, completion: Ids) -> bool:
        """Adds completion `at`, in lexicographic order; False if it does not fit."""
        common = _common_prefix(self.path_tokens, completion)
        # The last token of a completion is no node, unless a longer completion continues it.
        fed = max(0, len(completion) - 1)
        kept = min(common, len(self.path_nodes), fed)
        if self.used + fed - kept > self.width:
            return False
        parent = self.path_nodes[kept - 1] if kept else self.prompt - 1
        new_nodes = self._grow(completion[kept:fed], int(parent))
        nodes = np.concatenate([self.path_nodes[:kept], new_nodes])
        fresh = len(completion) - common
        edges = np.concatenate(
            [self.path_edges[:common], np.arange(self.num_edges, self.num_edges + fresh)]
        )
        behind = np.concatenate([[self.prompt - 1], nodes]).astype(np.int64)
        self.parents.append(behind[common : len(completion)])
        self.targets.append(completion[common:])
        self.edges.append(edges)
        self.chosen.append(at)
        self.num_edges += fresh
        self.path_tokens, self.path_edges, self.path_nodes = completion, edges, nodes
        return True


def plan_trees(sequences: Sequences, batch_tokens: int) -> Iterator[TokenBatch]:
    """Yields batches of trees of at most `batch_tokens` tokens, but of at least one tree."""
    by_prompt: dict[int, list[int]] = defaultdict(list)
    for at, prompt in enumerate(sequences.prompts):
        by_prompt[id(prompt)].append(at)
    longest = sequences.order[0]
    total = len(sequences.prompts[longest]) + len(sequences.completions[longest])
    width = max(_WIDTH, total)
    rows = max(1, batch_tokens // width)
    trees: list[_Tree] = []
    for group in by_prompt.values():
        # Big-endian bytes sort as the token ids do, so that common prefixes are adjacent.
        group.sort(key=lambda at: sequences.completions[at].astype(">i8").tobytes())
        tree = _Tree.of_prompt(sequences.prompts[group[0]], width)
        for at in group:
            completion = sequences.completions[at]
            if not tree.add(at, completion):
                trees.append(tree)
                if len(trees) == rows:
                    yield _batch(trees)
                    trees = []
                tree = _Tree.of_prompt(sequences.prompts[at], width)
                tree.add(at, completion)
        trees.append(tree)
        if len(trees) == rows:
            yield _batch(trees)
            trees = []
    if trees:
        yield _batch(trees)


def _batch(trees: list[_Tree]) -> TokenBatch:
    width = max(tree.used for tree in trees)
    first_edges = np.cumsum([0, *(tree.num_edges for tree in trees)])
    return TokenBatch(
        chosen=np.array([at for tree in trees for at in tree.chosen], np.int64),
        tokens=np.stack([tree.tokens[:width] for tree in trees]),
        positions=np.concatenate(
            [row * width + parents for row, tree in enumerate(trees) for parents in tree.parents]
        ),
        targets=np.concatenate([targets for tree in trees for targets in tree.targets]),
        rows=np.concatenate(
            [
                first + edges
                for first, tree in zip(first_edges[:-1], trees, strict=True)
                for edges in tree.edges
            ]
        ),
        depths=np.stack([tree.depths[:width] for tree in trees]),
        ancestors=np.stack([tree.ancestors[:width, :width] for tree in trees]),
    )


def _common_prefix(a: Ids, b: Ids) -> int:
    size = min(len(a), len(b))
    different = a[:size] != b[:size]
    return int(different.argmax()) if different.any() else size
