"""Fits the network that adds to the merits of sentences (rag/answer/network.py), for benchmarks/answers_fit.py.

Listwise, as the weights of the sum are: the softmax over the sentences of a question is to be high where its answers stand.
Several networks are fitted from other beginnings side by side, and their mean is one network with the units of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from rag.answer.merit import NETWORK_INPUTS
from rag.answer.network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NETWORKS = 4
UNITS = 16  # of each
ROUNDS = 25  # through all questions
BATCH = 128  # questions
STEP = 3e-3  # the largest; it grows for a seventh of the time and then falls to nothing
DECAY = 1.0  # of the weights, as AdamW has it
DROPPED = 0.1  # of the hidden units


def fit_network(
    rows: Sequence[Floats], sums: Sequence[Floats], exact: Sequence[NDArray[np.bool_]], seed: int = 0
) -> Network:
    """The network for questions of which each has what it sees of the sentences, float64 (sentences, NETWORK_INPUTS), the
    sums of weights that it adds to, and where answers stand."""
    joined = np.concatenate(rows)
    mean, spread = joined.mean(axis=0), joined.std(axis=0) + 1e-6
    longest = max(map(len, rows))
    table, added, right, absent = (torch.zeros((len(rows), longest, *more)) for more in ((len(mean),), (), (), ()))
    for number, (some, merits, answers) in enumerate(zip(rows, sums, exact, strict=True)):
        table[number, : len(some)] = torch.from_numpy((some - mean) / spread)
        added[number, : len(some)] = torch.from_numpy(merits)
        right[number, : len(some)] = torch.from_numpy(answers)
        absent[number, len(some) :] = 1
    lengths = torch.tensor([len(some) for some in rows])
    hidden, at_zero, output = fit_units(table, added, right > 0, absent > 0, lengths, seed)
    units = hidden / spread[:, None]
    return Network(NETWORK_INPUTS, units, at_zero - mean @ units, output / NETWORKS)


def fit_units(
    table: torch.Tensor,
    added: torch.Tensor,
    right: torch.Tensor,
    absent: torch.Tensor,
    lengths: torch.Tensor,
    seed: int,
) -> tuple[Floats, Floats, Floats]:
    """The weights of all networks for standardized rows."""
    draw = torch.Generator().manual_seed(seed)
    width = table.shape[2]
    hidden = torch.nn.Parameter(torch.randn(width, NETWORKS * UNITS, generator=draw) / width**0.5)
    at_zero = torch.nn.Parameter(torch.zeros(NETWORKS * UNITS))
    output = torch.nn.Parameter(0.3 * torch.randn(NETWORKS, UNITS, generator=draw) / UNITS**0.5)
    decayed = [{"params": [hidden, output], "weight_decay": DECAY}, {"params": [at_zero], "weight_decay": 0.0}]
    adam = torch.optim.AdamW(decayed, lr=STEP)
    batches = -(-len(table) // BATCH)
    steps = torch.optim.lr_scheduler.OneCycleLR(adam, STEP, total_steps=ROUNDS * batches, pct_start=0.15)
    for _ in range(ROUNDS):
        for some in torch.randperm(len(table), generator=draw).split(BATCH):
            most = int(lengths[some].max())
            units = torch.relu(table[some, :most] @ hidden + at_zero)
            kept = torch.rand(units.shape, generator=draw) >= DROPPED
            units = (units * kept / (1 - DROPPED)).unflatten(-1, (NETWORKS, UNITS))
            merits = added[some, :most, None] + (units * output).sum(-1)
            probable = torch.log_softmax(merits.masked_fill(absent[some, :most, None], -1e9), 1)
            of_answers = torch.logsumexp(probable.masked_fill(~right[some, :most, None], -1e9), 1)
            adam.zero_grad()
            (-of_answers.mean(0).sum()).backward()  # each network learns for itself
            adam.step()
            steps.step()
    return tuple(one.detach().numpy().astype(np.float64) for one in (hidden, at_zero, output.flatten()))  # type: ignore[return-value]
