"""What several statements have in common stands in each of them, because every other form costs: the copies are equal.

A view takes longer to plan and loses what the engine saves by reading columns late; a function belongs to a whole server
and is missing in older stores (`python benchmarks/planning.py` measures both). So a statement holds the whole of what it
does, can be run as it stands, and this is what keeps the pieces alike: each has a home, a file whose text is the right
one, and words that no statement may use outside a copy of it unless it is listed below, with the reason.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest
from support import PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

SQL = PROJECT / "sql"
FILES = sorted(str(path.relative_to(SQL)) for path in SQL.rglob("*.sql"))
COMMENT = re.compile(r"--.*|COMMENT '[^']*'")
TOKEN = re.compile(r"\{[\w#]+:[^}]+\}|'[^']*'|/\*.*?\*/|\w+|\S")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of SQL: what it is, the file whose text is the right one, and how it begins and ends there."""

    name: str
    home: str
    first: str
    last: str


def tokens(sql: str) -> str:
    """SQL without any comment, one space between two tokens and around all: white space makes no difference."""
    return f" {' '.join(TOKEN.findall(COMMENT.sub('', sql)))} "


@cache
def tokens_of(name: str) -> str:
    """The tokens of a file below sql/."""
    return tokens((SQL / name).read_text(encoding="utf-8"))


# Each is cut out of what those before it have left, so the larger ones stand below the smaller ones that they contain.
FRAGMENTS = (
    Fragment("the generations that can be seen", "schema/61_live_chunks.sql", "SELECT argMax(", "= 'publish'"),
    Fragment("the ranges in use", "queries/calibration.sql", "(SELECT max(manifest.calibration)", "{epoch:UInt64})"),
    Fragment("what a hit shows", "queries/search_exact.sql", "source, title", "chunk_index"),
    Fragment("the order of hits", "queries/search_exact.sql", "ORDER BY score DESC", "chunk_index"),
    Fragment("the score", "queries/search_exact.sql", "scale * (dotProduct", "{query_scale:Float64}"),
    Fragment(
        "the order by code units", "queries/search_exact_per_document.sql", "ORDER BY scale", "document_id, chunk_index"
    ),
    Fragment("how far signs differ", "queries/hit_distances.sql", "bitHammingDistance", "AS distance"),
    Fragment(
        "what is not hidden",
        "queries/search_two_stage.sql",
        "generation < {begun_later:UInt64}",
        "{dead:Array(UInt64)}",
    ),
    Fragment("the cells to search", "queries/search_cells.sql", "(cell IN", "{last_cell:UInt32})"),
    Fragment(
        "so many of a document", "queries/search_two_stage.sql", "LIMIT {per_document:UInt32}", "LIMIT {k:UInt32}"
    ),
    Fragment("what a term adds to BM25", "queries/search_bm25.sql", "transform(term", "{average_length:Float64}))"),
    Fragment("the word that a term is a form of", "queries/word_frequencies.sql", "transform(term", "0)"),
    Fragment("chunks found by meaning", "queries/search_bm25.sql", "(SELECT near.1", "AS near) )"),
    Fragment("chunks by their terms", "queries/search_bm25.sql", "SELECT generation", "FROM postings"),
    Fragment(
        "chunks by their words", "queries/search_bm25_forms.sql", "SELECT generation", "AS word_score FROM postings"
    ),
    Fragment("the order by terms", "queries/search_bm25.sql", "ORDER BY (generation", "LIMIT {k:UInt32}"),
    Fragment("the order by words", "queries/search_bm25_forms.sql", "ORDER BY is_near DESC", "LIMIT {k:UInt32}"),
    Fragment("the scores of places", "queries/bm25_hits.sql", "transform((generation", "AS bm25_score"),
    Fragment("places", "queries/hits.sql", "(generation, chunk_index) IN arrayZip", "{indexes:Array(UInt32)})"),
    Fragment("the keys of hits", "queries/hit_vectors.sql", "cell IN {cells:Array(UInt32)}", "{indexes:Array(UInt32)}"),
    Fragment("the checksum of places", "queries/count_places.sql", "sum((char_start", "AS checksum_sum"),
    Fragment("a place in the original", "queries/whole_places.sql", "generation, char_start", "FROM places"),
    Fragment("what a word's terms sum up to", "queries/count_postings.sql", "toUInt64(CRC32(term))", "+ 1)"),
    Fragment(
        "the kept floats of chunks", "queries/report_vectors.sql", "FROM float_references", "= chunks.chunk_index"
    ),
    Fragment("the vector behind codes", "schema/50_rag_dequantize.sql", "arrayMap(code", ", codes)"),
    Fragment("the ranges of a version", "queries/calibration.sql", "version, granularity", "FROM calibrations"),
    Fragment("a row of the manifest", "queries/manifest_rows.sql", "document_id, epoch", "calibration"),
    Fragment(
        "a document", "queries/live_documents.sql", "document_id, generation", "live_documents(epoch = {epoch:UInt64})"
    ),
    Fragment("a chunk in a view", "schema/61_live_chunks.sql", "cell, generation", "signs"),
    Fragment("a vector in a view", "schema/62_live_vectors.sql", "document_id, chunk_index", "metadata"),
    Fragment("a near chunk in a view", "schema/63_nearest_chunks.sql", "document_id, chunk_index", "metadata"),
)
# Words that stand in a copy of a fragment only, as a pattern over the tokens, and who may use them otherwise and why.
# Definitions of tables are no statements that search: they may use any of them.
TABLE = re.compile(r"\bCREATE TABLE\b")
VIEWS_OF_ITS_OWN = "is the view of all documents, which has more of each than its generation"
A_WINDOW = "chooses rows before it puts them together, which the view cannot"
VERSION_2 = "is the view as version 2 had it"
OLD_VERSION = "works on tables of version 1 and stays as it is"
DRIFT = "returns the day and the folder of each document besides"
FEW_DRAFTS = "drops drafts begun after the epoch when it has found them: few of them lie in a cell"
TIES_ELSEWHERE = "leaves the order of equal scores to whoever asks"
MYSCALE_ALONE = "is an example for MyScale, whose indexes compute the score"
MARKS: dict[str, dict[str, tuple[int, str]]] = {
    r"\b(?:FROM|JOIN) manifest\b": {
        "filters/of_document.sql": (1, "narrows down a search whose statement looks up what can be seen"),
        "queries/documents_between.sql": (1, A_WINDOW),
        "queries/window_ends.sql": (1, "asks for the paths of all rows"),
        "queries/epoch.sql": (1, "asks for the epoch"),
        "word_vectors/64_rag_text_search.sql": (2, "asks for the epoch"),
        "queries/epoch_within_reach.sql": (1, "asks for the epoch, and for the rows that there are"),
        "queries/export_manifest.sql": (1, "returns the rows of the generations that can be seen"),
        "queries/manifest_rows.sql": (1, "returns rows by their generations, whoever sees them"),
        "queries/migration_2_different_manifest.sql": (1, OLD_VERSION),
        "queries/migration_2_manifest.sql": (1, OLD_VERSION),
        "queries/migration_2_manifest_counts.sql": (1, OLD_VERSION),
        "queries/newest_chunker.sql": (1, "asks what cut the document that was published last"),
        "queries/newest_epoch.sql": (1, "asks for the epoch"),
        "queries/newest_manifest.sql": (1, "returns deletions too"),
        "queries/publications.sql": (1, "asks for every publication, those that were followed by others too"),
        "queries/published_among.sql": (1, "asks for every publication, those that were followed by others too"),
        "queries/published_generations.sql": (1, "asks for every publication, those that were followed by others too"),
        "queries/superseded_generations.sql": (1, "goes by the clock of the server instead of an epoch"),
        "queries/visible_generations.sql": (1, "returns more of each document than its generation"),
        "four_bits/67_vector_drift.sql": (1, DRIFT),
        "migrations/5/67_vector_drift.sql": (1, DRIFT),
        "migrations/5/68_score_drift.sql": (1, DRIFT),
        "schema/67_vector_drift.sql": (1, DRIFT),
        "schema/68_score_drift.sql": (1, DRIFT),
        "migrations/4/60_live_documents.sql": (1, VIEWS_OF_ITS_OWN),
        "schema/60_live_documents.sql": (1, VIEWS_OF_ITS_OWN),
    },
    r"\bcalibration\b": {
        "queries/export_manifest.sql": (1, "returns that column of the rows"),
    },
    r"\bheading\b": {
        "filters/values_heading.sql": (1, "is the column alone"),
        "queries/explain_query.sql": (4, "is that of a logged hit, kept with the query"),
        "migrations/2/61_live_chunks.sql": (1, VERSION_2),
        "migrations/4/61_live_chunks.sql": (1, "is the view as version 4 had it"),
        "migrations/2/63_nearest_chunks.sql": (1, VERSION_2),
        "myscale/optional/search_floats.sql": (1, MYSCALE_ALONE),
        "myscale/optional/search_text.sql": (1, MYSCALE_ALONE),
        "queries/export_chunks.sql": (1, "returns all columns"),
        "queries/migration_2_different_chunks.sql": (2, OLD_VERSION),
        "queries/migration_2_rows.sql": (1, OLD_VERSION),
        "queries/report_chunks.sql": (2, "returns what is embedded of a chunk"),
        "queries/sample_chunks.sql": (1, "returns what is embedded of a chunk"),
        "queries/visible_chunks.sql": (1, "returns what is embedded of a chunk"),
        "queries/whole_chunks.sql": (1, "returns all columns"),
    },
    r"\bscore DESC\b": {
        "queries/rank_settled.sql": (1, TIES_ELSEWHERE),
        "queries/rank_settled_cells.sql": (1, TIES_ELSEWHERE),
        "queries/search_settled.sql": (1, TIES_ELSEWHERE),
        "queries/search_settled_cells.sql": (1, TIES_ELSEWHERE),
        "word_vectors/62_asked_chunks.sql": (1, "orders rows of an array, whose columns have numbers"),
        "myscale/optional/search_floats.sql": (1, MYSCALE_ALONE),
        "myscale/optional/search_text.sql": (1, MYSCALE_ALONE),
    },
    r"\bdotProduct\b": {
        "dimension/63_nearest_chunks.sql": (1, "quantizes and folds its query itself"),
        "dimension/66_certified_chunks.sql": (1, "quantizes and folds its query itself"),
        "migrations/5/dimension/66_certified_chunks.sql": (1, "quantizes and folds its query itself"),
        "migrations/4/dimension/63_nearest_chunks.sql": (1, "quantizes and folds its query itself"),
        "migrations/2/54_rag_inner_product.sql": (1, "compares two stored vectors"),
        "queries/ladder_floats.sql": (1, "compares floats"),
        "queries/ladder_four_bits.sql": (1, "takes half of each code"),
        "queries/probe.sql": (1, "tries whether the server computes exactly"),
        "word_vectors/62_asked_chunks.sql": (2, "has the query and the ranges in one value, and then as columns"),
        "queries/report_nearest_codes.sql": (1, "takes many queries, as rows"),
        "queries/score_everything_together.sql": (1, "takes many queries, as arrays"),
        "queries/report_nearest_floats.sql": (1, "compares floats"),
        "schema/53_rag_score.sql": (1, "is the score for other clients, which give codes and scale alone"),
        "schema/54_rag_inner_product.sql": (1, "compares two stored vectors"),
    },
    "{query_(?:sum|offset|scale):": {"queries/ladder_four_bits.sql": (2, "takes half of each code")},
    "{query_signs:": {
        "myscale/queries/search_two_stage.sql": (1, "has MyScale's own distance of binary vectors"),
        "myscale/queries/rank_two_stage.sql": (1, "has MyScale's own distance of binary vectors"),
    },
    "{(?:begun_later|dead):": {
        "myscale/optional/search_floats.sql": (1, MYSCALE_ALONE),
        "myscale/optional/search_text.sql": (1, MYSCALE_ALONE),
        "queries/rank_cells.sql": (1, FEW_DRAFTS),
        "queries/rank_exact_listed.sql": (1, FEW_DRAFTS),
        "queries/search_exact_listed.sql": (1, FEW_DRAFTS),
        "queries/search_cells.sql": (1, FEW_DRAFTS),
    },
    "{(?:first|last)_cell:": {"queries/documents_outside_cells.sql": (2, "asks for the chunks outside all cells")},
    "{per_document:": {},
    "{(?:weights|k1|b|average_length):": {},
    "{words:": {
        "myscale/optional/search_text.sql": (1, MYSCALE_ALONE),
        "queries/unknown_words.sql": (1, "is words themselves, not numbers of words"),
        "word_vectors/59_vector_of_words.sql": (3, "is words themselves, not numbers of words"),
    },
    "{near_(?:generations|indexes):": {},
    "{(?:scores|indexes):": {
        "queries/highest_hybrid_bounds.sql": (2, "mixes the scores of some chunks into those of all"),
        "queries/hits_in_cells.sql": (1, "finds chunks by their whole keys"),
        "queries/score_places_in_cells.sql": (1, "finds chunks by their whole keys"),
        "queries/report_nearest_floats.sql": (1, "joins another table that has such keys"),
    },
    r"\bFROM postings\b": {
        "queries/count_postings.sql": (1, "counts back what was sent"),
        "queries/damaged_words.sql": (1, "compares all postings with what they should be"),
        "queries/delete_postings.sql": (1, "deletes them"),
        "queries/export_postings.sql": (1, "returns them"),
        "queries/move_postings.sql": (1, "copies them"),
        "queries/score_everything_together.sql": (1, "returns them for whoever asked"),
        "queries/postings.sql": (1, "returns them for whoever asked"),
        "queries/score_everything.sql": (1, "returns them for whoever asked"),
        "queries/term_frequencies.sql": (1, "counts the chunks of each term"),
        "word_vectors/59_vector_of_words.sql": (1, "counts the chunks of each term"),
        "word_vectors/62_asked_chunks.sql": (1, "joins the weights of terms, which are columns"),
        "queries/word_frequencies.sql": (1, "counts the chunks of each word"),
    },
    r"\b(?:is_near|word_score)\b": {},
    r"\bCRC32\b": {},
    r"\bnotebook_cell\b": {
        "migrations/4/64_live_places.sql": (1, "is the view of all places, which has the document of each"),
        "schema/64_live_places.sql": (1, "is the view of all places, which has the document of each"),
    },
    r"\bJOIN chunks\b": {},
    r"\bcode - zero": {
        "dimension/62_live_vectors.sql": (1, "takes scales and zero-points of the dimensions"),
        "queries/report_vectors.sql": (1, "takes the ranges of both forms and counts in Float64"),
    },
    r"\bsample_hash\b": {"queries/export_calibrations.sql": (1, "gives texts as every format can hold them")},
    r"\bencoding\b": {
        "queries/export_manifest.sql": (2, "gives texts as every format can hold them"),
        "queries/migration_2_different_manifest.sql": (2, OLD_VERSION),
        "queries/migration_2_manifest.sql": (1, OLD_VERSION),
    },
    r"\bcontent_sha256\b": {
        "queries/documents_between.sql": (2, A_WINDOW),
        "queries/export_manifest.sql": (1, "gives texts as every format can hold them"),
        "queries/migration_2_different_manifest.sql": (2, OLD_VERSION),
        "queries/migration_2_manifest.sql": (1, OLD_VERSION),
        "migrations/4/60_live_documents.sql": (2, VIEWS_OF_ITS_OWN),
        "queries/listed_documents.sql": (1, "returns what people want to know besides"),
        "schema/60_live_documents.sql": (2, VIEWS_OF_ITS_OWN),
    },
}


@cache
def text_of(fragment: Fragment) -> str:
    """A fragment as its home has it, token by token, with the names of those that it contains."""
    whole = without_copies(tokens_of(fragment.home), FRAGMENTS[: FRAGMENTS.index(fragment)])
    first, last = tokens(fragment.first), tokens(fragment.last)
    start = whole.index(first)
    return whole[start : whole.index(last, start + len(first) - 1) + len(last)]


def without_copies(sql: str, fragments: Sequence[Fragment] = FRAGMENTS) -> str:
    """Some tokens with the names of fragments in the place of their copies."""
    for fragment in fragments:
        sql = sql.replace(text_of(fragment), f" <{fragment.name.replace(' ', '-')}> ")
    return sql


def uses(sql: str) -> Counter[str]:
    """How often some tokens use each mark outside a copy of a fragment."""
    left = "" if TABLE.search(sql) else without_copies(sql)
    return Counter({mark: len(found) for mark in MARKS if (found := re.findall(mark, left))})


@pytest.mark.parametrize("mark", MARKS)
def test_a_word_of_a_fragment_stands_in_a_copy_of_it_only(mark: str) -> None:
    found = {name: count for name in FILES if (count := uses(tokens_of(name))[mark])}
    homes = {fragment.home for fragment in FRAGMENTS if re.search(mark, text_of(fragment))}
    listed = {name: count for name, (count, _) in MARKS[mark].items()}
    assert found == listed, f"to be written as in {homes}, or to be listed above with the reason"


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda fragment: fragment.name)
def test_a_copy_that_differs_in_one_word_is_found(fragment: Fragment) -> None:
    before, text = FRAGMENTS[: FRAGMENTS.index(fragment)], text_of(fragment)
    users = [
        sql for name in FILES if text in (sql := without_copies(tokens_of(name), before)) and not TABLE.search(sql)
    ]
    assert len(users) > 1, "what stands in one file only has no copies"
    words, marks = text.split(), [mark for mark in MARKS if re.search(mark, text)]
    seen = 0
    for place in range(len(words)):
        changed = f" {' '.join([*words[:place], 'otherwise', *words[place + 1 :]])} "
        if any(re.search(mark, changed) for mark in marks):  # else it is the very word by which it is known
            seen += 1
            for sql in users:
                assert uses(sql.replace(text, changed)) != uses(sql), changed
    assert seen >= len(words) - 3


def test_white_space_and_comments_make_no_difference() -> None:
    written = "SELECT argMax( manifest.generation,manifest.epoch ) -- of a document\n  FROM manifest"
    assert tokens(written) == tokens("SELECT argMax(manifest.generation, manifest.epoch)\nFROM manifest")
    assert tokens("k <= {k:UInt32}") != tokens("k < {k:UInt32}")


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("integer_compare", "number_compare", {"Int64": "Float64"}),
        ("integer_compare", "text_compare", {"Int64": "String"}),
        ("integer_in", "number_in", {"Int64": "Float64"}),
        ("text_in", "truth_in", {"String)": "UInt8)"}),
        (
            "values_integers",
            "values_numbers",
            {"'Int64'": "'Double'", "Int64": "Float64", "ExtractInt": "ExtractFloat"},
        ),
        ("values_integers", "values_texts", {"'Int64'": "'String'", "Int64": "String", "ExtractInt": "ExtractString"}),
    ],
)
def test_filters_of_two_types_differ_in_the_type_alone(one: str, other: str, words: dict[str, str]) -> None:
    left, right = (tokens_of(f"filters/{name}.sql") for name in (one, other))
    for word, its_twin in words.items():
        left = left.replace(word, its_twin)
    assert left == right
