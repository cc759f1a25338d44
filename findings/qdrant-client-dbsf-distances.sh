#!/usr/bin/env bash
# qdrant-client 1.20.0 in local mode: `Fusion.DBSF` adds up scores, and over a collection with the distance EUCLID or MANHATTAN a
# score is a distance: the farthest points come first, and in a hybrid search the farther one of two points is preferred.
# Expected: the order of the lists that are fused, if they agree, as with COSINE and as `Fusion.RRF` gives it.
# Seen: two lists with the order 1, 2, 3, 4 become 4, 3, 2, 1. Issue 10611 of Qdrant is of the same in the server; the
# documentation gives the formula and no word on distances.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile qdrant-client==1.20.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

from qdrant_client import QdrantClient, models

print("qdrant-client", version("qdrant-client"), "numpy", version("numpy"))


def order(client, **query):
    """The ids in the order of the answer."""
    return [point.id for point in client.query_points("c", **query).points]


for distance in (models.Distance.COSINE, models.Distance.EUCLID, models.Distance.MANHATTAN):
    client = QdrantClient(":memory:")
    client.create_collection("c", vectors_config=models.VectorParams(size=2, distance=distance))
    client.upsert("c", [models.PointStruct(id=n, vector=[1.0, float(n)]) for n in (1, 2, 3, 4)])
    near = models.Prefetch(query=[1.0, 0.0], limit=4)
    plain = order(client, query=[1.0, 0.0])
    rrf = order(client, prefetch=[near, near], query=models.FusionQuery(fusion=models.Fusion.RRF))
    dbsf = order(client, prefetch=[near, near], query=models.FusionQuery(fusion=models.Fusion.DBSF))
    print(f"{distance.value:10} search {plain} RRF {rrf} DBSF {dbsf}")
    assert plain == rrf == [1, 2, 3, 4]
    assert dbsf == ([1, 2, 3, 4] if distance == models.Distance.COSINE else [4, 3, 2, 1])
PYTHON
