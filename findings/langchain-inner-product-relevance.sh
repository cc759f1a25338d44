#!/usr/bin/env bash
# langchain-core 1.8.3: `_max_inner_product_relevance_score_fn`, which a vector store gives back from `_select_relevance_score_fn`
# for inner products, is no order: it turns the product 0.9 into 0.1 and 0.1 into 0.9, and -0.5 into 0.5. A score_threshold then
# keeps the worst and drops the best.
# Expected: more for a larger product, or for a smaller distance.
# Seen: with the threshold 0.45, of the products 0.9, 0.1 and -0.5 the search keeps the last two. Issue 14948 of LangChain is of
# the reversed scores.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile langchain-core==1.8.3
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

print("langchain-core", version("langchain-core"))


class Products(VectorStore):
    """Three documents and their products with the question, the largest first."""

    def similarity_search_with_score(self, query, k=4, **kwargs):
        return [(Document(str(product)), product) for product in (0.9, 0.1, -0.5)][:k]

    def similarity_search(self, query, k=4, **kwargs):
        return [document for document, _ in self.similarity_search_with_score(query, k)]

    def _select_relevance_score_fn(self):
        return self._max_inner_product_relevance_score_fn

    @classmethod
    def from_texts(cls, *args, **kwargs):
        raise NotImplementedError


store = Products()
scores = store.similarity_search_with_relevance_scores("q")
scored = {document.page_content: round(score, 2) for document, score in scores}
retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.45})
kept = [document.page_content for document in retriever.invoke("q")]
print("relevance by product:", scored, " kept with the threshold 0.45:", kept)
assert scored == {"0.9": 0.1, "0.1": 0.9, "-0.5": 0.5}
assert kept == ["0.1", "-0.5"]
PYTHON
