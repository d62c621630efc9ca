"""Kernel ridge regression, with what a left-out example would have scored in closed form. Pure numbers.

A label is a column that is 1 for its examples and -1 for all others. Beside one exact solution it gives, at
no further training, what each example scores in a model without it: how right the model is on what it has
not seen, how sure it may be, and where its threshold lies.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Ridge:
    """A solution: score = kernel row @ dual + bias."""

    dual: Numbers
    bias: Numbers
    targets: Numbers
    pull: Numbers
    """How much each example says of itself: the diagonal of the inverse."""

    def left_out(self) -> Numbers:
        """What each example scores without itself."""
        return self.targets - self.dual / self.pull[:, None]


def solve(kernel: Numbers, labels: Indices, size: int, strength: float) -> Ridge:
    """`labels`: of each example, -1 for one of no label; `size`: how many labels. Of `kernel` the
    upper half is read, and it is used up."""
    count = len(labels)
    targets = np.full((count, size), -1.0, np.float32)
    ours = np.flatnonzero(labels >= 0)
    targets[ours, labels[ours]] = 1.0
    often = np.bincount(labels[ours], minlength=size)
    # Rare labels weigh more, by the root: not as if they were as frequent as the others.
    weights = np.ones(count)
    weights[ours] = np.sqrt(len(ours) / (size * often[labels[ours]]))
    kernel[np.diag_indices(count)] += (strength / weights).astype(np.float32)
    # The kernel is symmetric: its transpose is the column order that LAPACK works on in place.
    factor, failed = scipy.linalg.lapack.spotrf(kernel.T, lower=1, overwrite_a=1)
    bias = targets.mean(axis=0)
    dual, failed_too = scipy.linalg.lapack.spotrs(factor, targets - bias, lower=1)
    # Of the inverse of L Lᵀ only the diagonal is wanted: the lengths of the columns of L's inverse.
    half, failed_at_last = scipy.linalg.lapack.strtri(factor, lower=1, overwrite_c=1)
    if failed or failed_too or failed_at_last:
        raise ValueError("the examples cannot be told apart")  # strength > 0 makes this a defect of ours
    return Ridge(dual, bias, targets, np.einsum("ij,ij->j", half, half))


def softmax(scores: Numbers, steepness: float) -> Numbers:
    """Probabilities, a row each."""
    powers = np.exp(steepness * (scores - scores.max(axis=-1, keepdims=True)))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def calibrate(scores: Numbers, labels: Indices) -> tuple[float, float]:
    """(steepness, loss): the steepness of the softmax under which these labels are the least surprising."""
    rows = np.arange(len(labels))

    def loss(steepness: float) -> float:
        return float(-np.log(softmax(scores, steepness)[rows, labels] + 1e-9).mean())

    best = min((float(steepness) for steepness in np.arange(1.0, 25.0, 0.5)), key=loss)
    return best, loss(best)
