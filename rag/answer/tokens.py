"""The tokens of a question and of the passages found for it in, what they say of each sentence out: a row of numbers a sentence.

What a sentence says of each word of the question is the highest cosine that any of its tokens has to that word's (late
interaction: Khattab and Zaharia 2020), and as the sentence is read within its chunk, `it` stands near what it means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.compute.blas import one_blas_thread
from rag.text.analyser import WORD, analyse, normalized, stop_words
from rag.text.kinds import ASKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.answer.candidates import Candidate
    from rag.encoder.encoder import Encoder
    from rag.encoder.states import TokenStates
    from rag.retrieve.words import Rarities

    Floats = NDArray[np.float64]

UNREAD = 0.0  # the cosine to the nearest of no tokens
ATTENTION = 0.05  # by how much a token has to come nearer for e times the attention
AS_NEAR = 0.02  # what comes so near the nearest is as near
ALONE = 0.1  # by how much the only passage is nearer than others
FAR = 0.3  # a token of a sentence with no cosine above that has nothing to do with the question


def compare_tokens(
    question: str,
    asked: TokenStates,
    query: NDArray[np.float32],
    candidates: Sequence[Candidate],
    encoder: Encoder,
    known: Rarities,
) -> tuple[Floats, Floats]:
    """The columns of READ_FEATURES, float64 (candidates, READ_FEATURES), and those of FINER_OF_TOKENS in the same way."""
    hits = list({id(candidate.hit): candidate.hit for candidate in candidates}.values())
    passages = encoder.token_states([hit.text for hit in hits], encoder.config.document_prompt)
    number = {id(hit): place for place, hit in enumerate(hits)}
    of_passage = np.array([number[id(candidate.hit)] for candidate in candidates])
    states = [passage.states.astype(np.float32) for passage in passages]
    direction, tokens = unit(query[None])[0], unit(asked.states.astype(np.float32))
    with one_blas_thread():  # these products are too small to be divided, and several threads may be answering
        cosines = [tokens @ unit(own).T for own in states]
    own = [
        tokens_of(candidate, passages[place]) for candidate, place in zip(candidates, of_passage.tolist(), strict=True)
    ]
    means = np.zeros((len(candidates), len(direction)), np.float32)
    for row, (places, passage) in enumerate(zip(own, of_passage.tolist(), strict=True)):
        if len(places):
            means[row] = states[passage][places].mean(axis=0)
    found = Comparison.of(cosines, own, of_passage, token_weights(question, asked, known))
    meaning = (unit(means) @ direction).astype(np.float64)
    return np.column_stack([meaning, found.features()]), found.finer()


@dataclass(frozen=True, slots=True)
class TokenWeights:
    """What each token of a question counts, float64 (tokens,): 1 for one of a content word, its rarity, 1 for `who`."""

    content: Floats
    rare: Floats
    asking: Floats


def token_weights(question: str, asked: TokenStates, known: Rarities) -> TokenWeights:
    """By the word that each token is a part of; where nothing is known of the store, all content words are as rare."""
    content, rare, asking = np.zeros((3, len(asked.spans)))
    left_out = stop_words(known.language)
    of_place = {place: word[0] for word in WORD.finditer(question) for place in range(*word.span())}
    for number, (start, end) in enumerate(asked.spans.tolist()):
        word = next((of_place[place] for place in range(start, end) if place in of_place), "")
        plain = normalized(word)
        asking[number] = plain in ASKING
        if word and plain not in left_out:
            terms = analyse(word, known.language)
            content[number] = 1
            rare[number] = known.rarity(terms[0]) if terms and known.chunks else 1.0
    return TokenWeights(content, rare, asking)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How near each sentence comes to each token of the question.

    `met` float64 (tokens, sentences), the cosine to the nearest of a sentence's tokens; `attention` of the same shape, the
    share that the sentence takes of a softmax over all tokens of all passages; `passages` float64 (tokens, passages), as
    `met`, and `of_passage` the number of the one that each sentence stands in; `lengths` counts the tokens of each sentence,
    `relevance` is the mean of their cosines to the nearest content word, and `irrelevance` the share of those that are FAR.
    """

    met: Floats
    attention: Floats
    passages: Floats
    of_passage: NDArray[np.intp]
    lengths: NDArray[np.intp]
    relevance: Floats
    irrelevance: Floats
    weights: TokenWeights

    @classmethod
    def of(
        cls,
        cosines: Sequence[NDArray[np.float32]],
        own: Sequence[NDArray[np.intp]],
        of_passage: NDArray[np.intp],
        weights: TokenWeights,
    ) -> Comparison:
        """`cosines` float32 (tokens of the question, tokens) of each passage; `own` are the places of each sentence's."""
        passages = np.stack([nearest(one) for one in cosines], axis=1)
        best = passages.max(axis=1, keepdims=True)
        raised = [np.exp((one - best) / ATTENTION) for one in cosines]
        total = sum(one.sum(axis=1) for one in raised)
        content = np.flatnonzero(weights.content) if weights.content.any() else np.arange(len(weights.content))
        near = [one[content].max(axis=0) if len(content) else np.zeros(one.shape[1], np.float32) for one in cosines]
        met, attention = np.full((2, len(best), len(own)), UNREAD)
        relevance, irrelevance = np.zeros((2, len(own)))
        for number, (places, passage) in enumerate(zip(own, of_passage.tolist(), strict=True)):
            if len(places):
                met[:, number] = cosines[passage][:, places].max(axis=1)
                attention[:, number] = raised[passage][:, places].sum(axis=1) / total
                relevance[number] = near[passage][places].mean()
                irrelevance[number] = (near[passage][places] < FAR).mean()
        lengths = np.array([len(places) for places in own])
        return cls(met, attention, passages, of_passage, lengths, relevance, irrelevance, weights)

    def features(self) -> Floats:
        """The columns of READ_FEATURES but for the first, which takes the vector of the question."""
        weights = self.weights
        content = self.met[weights.content > 0]
        columns = [
            self.met.mean(axis=0) if len(self.met) else np.full(len(self.lengths), UNREAD),
            content.min(axis=0) if len(content) else np.full(len(self.lengths), UNREAD),
            weighted(self.met, weights.asking),
            weighted(self.passages, weights.rare)[self.of_passage],
            np.log1p(self.lengths),
        ]
        return np.column_stack(columns)

    def finer(self) -> Floats:
        """The columns of FINER_OF_TOKENS; float64 (sentences, FINER_OF_TOKENS)."""
        met, weights = self.met, self.weights
        every = np.ones(len(met))
        content = met[weights.content > 0]
        rare = weights.rare if weights.rare.any() else every
        best = met.max(axis=1, keepdims=True)
        before, after = self.neighbours()
        with_before = np.maximum(met, beside(met, before))
        of_all = weighted(met, every)
        around = [np.where(place >= 0, of_all[place], of_all) for place in (before, after)]
        of_passages = weighted(self.passages, rare)
        of_others = [np.delete(of_passages, place).max(initial=-np.inf) for place in range(len(of_passages))]
        lead = of_passages - np.array(of_others) if len(of_passages) > 1 else np.full(1, ALONE)
        return np.column_stack(
            [
                weighted(met, weights.content),
                weighted(met, weights.rare),
                np.sort(content, axis=0)[min(1, len(content) - 1)] if len(content) else np.zeros(len(self.lengths)),
                met[int(weights.rare.argmax())] if len(met) else np.zeros(len(self.lengths)),
                weighted(met - best, rare),
                weighted((met >= best - AS_NEAR).astype(np.float64), rare),
                weighted(self.attention, weights.content if len(content) else every),
                weighted(self.attention, rare),
                self.relevance,
                self.irrelevance,
                weighted(with_before - met, rare),
                weighted(np.maximum(with_before, beside(met, after)) - with_before, rare),
                (of_all + around[0] + around[1]) / 3,
                lead[self.of_passage],
            ]
        )

    def neighbours(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The sentence before and the one after each, of the same passage, -1 for none. Those of a passage stand together,
        in order."""
        places = np.arange(len(self.of_passage))
        same = self.of_passage[1:] == self.of_passage[:-1]
        before, after = np.full((2, len(places)), -1)
        before[1:][same], after[:-1][same] = places[:-1][same], places[1:][same]
        return before, after


def beside(met: Floats, places: NDArray[np.intp]) -> Floats:
    """How near the sentences beside others come to each token, 0 where there is none."""
    return np.where(places >= 0, met[:, places], 0.0)


def tokens_of(candidate: Candidate, passage: TokenStates) -> NDArray[np.intp]:
    """The tokens of a candidate among those of its chunk: its own and those of the question or context that it stands
    below, where the chunk holds that."""
    quotation, hit = candidate.quotation, candidate.hit
    parts = [(quotation.start - hit.start, candidate.judged_end - hit.start)]
    context = quotation.context
    if context is not None and hit.start <= context.start and context.end <= hit.end:
        parts.append((context.start - hit.start, context.end - hit.start))
    if quotation.question and (place := hit.text.rfind(quotation.question, 0, parts[0][0])) >= 0:
        parts.append((place, place + len(quotation.question)))
    starts, ends = passage.spans[:, 0], passage.spans[:, 1]
    inside = [(starts >= start) & (ends <= end) for start, end in parts]
    return np.flatnonzero(np.any(inside, axis=0))


def unit(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of length 1; one of zeros stays as it is."""
    return np.asarray(states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), np.float32(1e-12)))


def nearest(cosines: NDArray[np.float32]) -> Floats:
    """The cosine of each token of the question (rows) to the nearest of some tokens; UNREAD where there are none."""
    return cosines.max(axis=1).astype(np.float64) if cosines.shape[1] else np.full(len(cosines), UNREAD)


def weighted(values: Floats, weights: Floats) -> Floats:
    """The weighted mean of each column, 0 where nothing has a weight.

    >>> weighted(np.array([[1.0, 2.0], [4.0, 4.0]]), np.array([2.0, 1.0])).tolist()
    [2.0, 2.6666666666666665]
    """
    total = float(weights.sum())
    return np.asarray(weights @ values / total) if total > 0 else np.zeros(values.shape[1])
