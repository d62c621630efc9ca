"""A layered layout: boxes in rows from top to bottom, arrows that go round what they do not touch.

Rows by the longest path, order within a row by barycentres, columns by the least squares that keep boxes
apart. Arrows bend only between rows, so that they cross no box.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bot.errors import InvalidInput

GAP, APART, LANE = 34.0, 28.0, 14.0
"""Between rows, between neighbours, and how wide the lane is that an arrow keeps in a row it passes."""
_SWEEPS = 12
MOST = 1200
"""Boxes and lanes that are still laid out, within half a second: nobody could read more."""

Arrow = tuple[str, str]


@dataclass(slots=True)
class _Cell:
    """A box, or the lane of an arrow, in its row. `above` and `below`: what it is tied to in the next rows;
    `beside`: the box in the same row that a lane belongs to."""

    row: int
    width: float
    above: list["_Cell"] = field(default_factory=list)
    below: list["_Cell"] = field(default_factory=list)
    beside: "_Cell | None" = None
    place: float = 0.0
    x: float = 0.0


@dataclass(frozen=True, slots=True)
class Laid:
    """Where everything is: the middle and top of each box, the path of each arrow."""

    width: float
    height: float
    boxes: Mapping[str, tuple[float, float]]
    paths: Sequence[str]
    lanes: Sequence[tuple[float, float, float]]
    """(x, top, bottom) of each lane."""


def lay_out(sizes: Mapping[str, tuple[float, float]], arrows: Sequence[Arrow], mirror: bool = False) -> Laid:
    """Lay out boxes (id -> width, height) and arrows between different ones; `mirror` for who reads from the
    right. An arrow that closes a circle goes up beside it. Raises InvalidInput for what is too tangled."""
    back = _closing(sizes, arrows)
    rows = _rows(sizes, [arrow for arrow in arrows if arrow not in back])
    if len(sizes) + sum(abs(rows[end] - rows[start]) for start, end in arrows) > MOST:
        raise InvalidInput("This is too large and too tangled to be drawn; call other flows from it")
    cells = {id: _Cell(rows[id], width) for id, (width, _) in sizes.items()}
    lanes = [_lanes(cells, arrow, arrow in back) for arrow in arrows]
    grid = _ordered([*cells.values(), *(lane for one in lanes for lane in one)])
    _columns(grid)
    heights = [0.0] * len(grid)
    for id, (_, height) in sizes.items():
        heights[cells[id].row] = max(heights[cells[id].row], height)
    tops = [GAP + sum(heights[:row]) + GAP * row for row in range(len(grid))]
    every = [cell for row in grid for cell in row]
    left = min((cell.x - cell.width / 2 for cell in every), default=0.0) - APART
    width = max((cell.x + cell.width / 2 for cell in every), default=0.0) + APART - left
    for cell in every:
        cell.x = width - (cell.x - left) if mirror else cell.x - left
    bands = [(top, top + height) for top, height in zip(tops, heights, strict=True)]
    ends = {id: bands[cell.row][0] + sizes[id][1] for id, cell in cells.items()}
    paths = [
        _path(cells[start], ends[start], cells[end], lanes[index], bands, (start, end) in back)
        for index, (start, end) in enumerate(arrows)
    ]
    height = (bands[-1][1] if bands else 0.0) + GAP
    boxes = {id: (cell.x, bands[cell.row][0]) for id, cell in cells.items()}
    return Laid(width, height, boxes, paths, [(c.x, *bands[c.row]) for lane in lanes for c in lane])


def _closing(ids: Iterable[str], arrows: Sequence[Arrow]) -> set[Arrow]:
    """The arrows that close circles, seen from the first box on."""
    after: dict[str, list[str]] = {id: [] for id in ids}
    for start, end in arrows:
        after[start].append(end)
    closing, done, open = set[Arrow](), set[str](), set[str]()
    for root in after:
        stack = [] if root in done else [(root, iter(after[root]))]
        open.update(id for id, _ in stack)
        while stack:
            id, rest = stack[-1]
            to = next(rest, None)
            if to is None:
                stack.pop()
                open.discard(id)
                done.add(id)
            elif to in open:
                closing.add((id, to))
            elif to not in done:
                open.add(to)
                stack.append((to, iter(after[to])))
    return closing


def _rows(ids: Iterable[str], arrows: Sequence[Arrow]) -> dict[str, int]:
    """The longest way to each box; there are no circles left."""
    rows = dict.fromkeys(ids, 0)
    for _ in range(len(rows)):
        moved = False
        for start, end in arrows:
            if rows[end] <= rows[start]:
                rows[end], moved = rows[start] + 1, True
        if not moved:
            break
    return rows


def _lanes(cells: Mapping[str, _Cell], arrow: Arrow, back: bool) -> list[_Cell]:
    """The lanes of an arrow, top row first, tied to one another and to its ends."""
    start, end = cells[arrow[0]], cells[arrow[1]]
    if back:
        lanes = [_Cell(row, LANE) for row in range(end.row, start.row + 1)]
        lanes[0].beside, lanes[-1].beside = end, start
        chain = lanes
    else:
        lanes = [_Cell(row, LANE) for row in range(start.row + 1, end.row)]
        chain = [start, *lanes, end]
    for upper, lower in pairwise(chain):
        upper.below.append(lower)
        lower.above.append(upper)
    return lanes


def _ordered(cells: Sequence[_Cell]) -> list[list[_Cell]]:
    """Rows of cells, each near the middle of what it is tied to."""
    grid: list[list[_Cell]] = [[] for _ in range(max((cell.row for cell in cells), default=-1) + 1)]
    for cell in cells:
        grid[cell.row].append(cell)
    for row in grid:
        _number(row)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in grid if down else reversed(grid):
            for cell in row:
                tied = [one.place for one in (cell.above if down else cell.below)]
                tied += [cell.beside.place + 0.6] if cell.beside is not None else []
                cell.place = sum(tied) / len(tied) if tied else cell.place
            row.sort(key=lambda cell: cell.place)
            _number(row)
    return grid


def _number(row: Sequence[_Cell]) -> None:
    """Places are counted from the middle, so that those of two rows compare."""
    for place, cell in enumerate(row):
        cell.place = place - (len(row) - 1) / 2


def _columns(grid: Sequence[Sequence[_Cell]]) -> None:
    """Move cells sideways to where they stand under and over what they are tied to."""
    for row in grid:
        _settle(row, [0.0] * len(row))
    for sweep in range(_SWEEPS * 3):
        for row in grid if sweep % 2 == 0 else reversed(grid):
            _settle(row, [_wish(cell, sweep) for cell in row])


def _wish(cell: _Cell, sweep: int) -> float:
    """Where a cell would best stand: above, below, and in the end between both. Lanes want to be straight."""
    both = sweep >= _SWEEPS
    tied = [*(cell.above if both or sweep % 2 == 0 else ()), *(cell.below if both or sweep % 2 else ())]
    wishes = [(one.x, 12 if cell.width == one.width == LANE else 1) for one in tied]
    if cell.beside is not None:
        wishes.append((cell.beside.x + (cell.beside.width + cell.width) / 2 + APART, 1))
    weight = sum(weight for _, weight in wishes)
    return sum(x * weight for x, weight in wishes) / weight if weight else cell.x


def _settle(row: Sequence[_Cell], wishes: Sequence[float]) -> None:
    """Nearest to the wishes by least squares, in order and apart (pool adjacent violators)."""
    offsets, offset = [], 0.0
    for index, cell in enumerate(row):
        offset += (row[index - 1].width + cell.width) / 2 + APART if index else 0.0
        offsets.append(offset)
    pools: list[tuple[float, int]] = []
    for wish, shift in zip(wishes, offsets, strict=True):
        mean, count = wish - shift, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    for cell, mean, shift in zip(row, means, offsets, strict=True):
        cell.x = mean + shift


def _path(
    start: _Cell,
    bottom: float,
    end: _Cell,
    lanes: Sequence[_Cell],
    bands: Sequence[tuple[float, float]],
    back: bool,
) -> str:
    """An arrow as SVG: down, between two rows to the side, down again; a closing one under and up beside."""
    below, top = bands[start.row][1], bands[end.row][0]
    parts = [f"M{start.x:.0f} {bottom:.0f}V{below:.0f}"]
    x, y = start.x, below
    if back:
        lane = lanes[-1].x
        parts.append(f"C{x:.0f} {y + GAP * 0.8:.0f} {lane:.0f} {y + GAP * 0.8:.0f} {lane:.0f} {y:.0f}")
        for upper in reversed(lanes[:-1]):
            y, to = bands[upper.row + 1][0], bands[upper.row][1]
            parts.append(f"V{y:.0f}C{lane:.0f} {(y + to) / 2:.0f} {upper.x:.0f} {(y + to) / 2:.0f} ")
            parts.append(f"{upper.x:.0f} {to:.0f}")
            lane = upper.x
        parts.append(f"V{top:.0f}C{lane:.0f} {top - GAP * 0.8:.0f} {end.x:.0f} {top - GAP:.0f} ")
        return "".join([*parts, f"{end.x:.0f} {top:.0f}"])
    for cell in (*lanes, end):
        to, foot = bands[cell.row]
        middle = (y + to) / 2
        parts.append(f"C{x:.0f} {middle:.0f} {cell.x:.0f} {middle:.0f} {cell.x:.0f} {to:.0f}")
        x, y = cell.x, foot
        if cell is not end:
            parts.append(f"V{foot:.0f}")
    return "".join(parts)
