"""Who belongs to whom: an exact assignment, quick where most are alone with what they match.

The successive shortest paths of the Hungarian method, with Dijkstra's search over reduced costs
(R. Jonker and A. Volgenant, "A Shortest Augmenting Path Algorithm for Dense and Sparse Linear
Assignment Problems", Computing 38, 1987). Only pairs that may be matched are looked at, and a row
whose best column nobody else wants has it at once, in NumPy: what is left for the search is where
objects meet.
"""

from __future__ import annotations

import heapq

import msgspec
import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]
_NONE = -1


class Pairs(msgspec.Struct, frozen=True):
    """Matched ``rows`` and ``columns``, intp, shape (k,) each."""

    rows: Places
    columns: Places


def assign(gain: npt.NDArray[np.float64]) -> Pairs:
    """The pairs with the greatest sum of ``gain``, float64 (rows, columns), each row and column in
    at most one. A pair whose gain is not above 0 is never matched.
    """
    if 0 in gain.shape:
        return Pairs(np.empty(0, np.intp), np.empty(0, np.intp))
    best = gain.argmax(axis=1)
    most = gain[np.arange(len(gain)), best]
    (wanting,) = (most > 0).nonzero()
    best = best[wanting]
    # A column goes to the first row that wants it; its price is 0, so this is optimal so far.
    row_of: dict[int, int] = {}
    rest: list[int] = []
    for row, column in zip(wanting.tolist(), best.tolist(), strict=True):
        if row_of.setdefault(column, row) != row:
            rest.append(row)
    if not rest:
        return Pairs(wanting, best)
    search = _Search(gain, most)
    for column, row in row_of.items():
        search.settle(row, column)
    for row in rest:
        search.augment(row)
    return search.pairs()


class _Search:
    """Costs are negative gains. Every row may also stay alone, at a cost of 0."""

    def __init__(self, gain: npt.NDArray[np.float64], most: npt.NDArray[np.float64]) -> None:
        self._edges: list[list[tuple[int, float]]] = [[] for _ in gain]
        rows, columns = (gain > 0).nonzero()
        costs = (-gain[rows, columns]).tolist()
        for row, column, cost in zip(rows.tolist(), columns.tolist(), costs, strict=True):
            self._edges[row].append((column, cost))
        self._row_price: list[float] = np.minimum(-most, 0.0).tolist()
        self._column_price = [0.0] * gain.shape[1]
        self._row_of = [_NONE] * gain.shape[1]
        self._column_of = [_NONE] * len(gain)

    def settle(self, row: int, column: int) -> None:
        self._row_of[column], self._column_of[row] = row, column

    def pairs(self) -> Pairs:
        found = [(row, column) for row, column in enumerate(self._column_of) if column != _NONE]
        rows, columns = np.array(found, np.intp).reshape(-1, 2).T
        return Pairs(rows, columns)

    def augment(self, start: int) -> None:
        """Match ``start`` too, or leave it alone, or another in its place: whatever costs least."""
        distance: dict[int, float] = {}  # of columns, over reduced costs
        way: dict[int, int] = {}  # a column's row on the shortest path
        done: dict[int, float] = {}
        reached = {start: 0.0}  # rows
        queue: list[tuple[float, int]] = []
        row, so_far = start, 0.0
        alone, least = start, -self._row_price[start]  # the cheapest row to leave alone
        while True:
            price = self._row_price[row]
            for column, cost in self._edges[row]:
                if column in done:
                    continue
                there = so_far + cost - price - self._column_price[column]
                if there < distance.get(column, least):
                    distance[column] = there
                    way[column] = row
                    heapq.heappush(queue, (there, column))
            while queue and (queue[0][1] in done or queue[0][0] > distance[queue[0][1]]):
                heapq.heappop(queue)
            if not queue or queue[0][0] >= least:
                column, end = _NONE, least
                break
            so_far, column = heapq.heappop(queue)
            done[column] = so_far
            if self._row_of[column] == _NONE:
                end = so_far
                break
            row = self._row_of[column]
            reached[row] = so_far
            if so_far - self._row_price[row] < least:
                alone, least = row, so_far - self._row_price[row]
        for row, at in reached.items():
            self._row_price[row] += end - at
        for done_column, at in done.items():
            self._column_price[done_column] -= end - at
        self._turn(start, alone, column, way)

    def _turn(self, start: int, alone: int, column: int, way: dict[int, int]) -> None:
        """Match along the path, from its end (a free column, or a row left alone) to ``start``."""
        if column == _NONE:
            column, self._column_of[alone] = self._column_of[alone], _NONE
            if alone == start:
                return
        while True:
            row = way[column]
            before = self._column_of[row]
            self.settle(row, column)
            if row == start:
                return
            column = before
