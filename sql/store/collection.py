"""What a store was made with: a row in, checked before anything is compared with its vectors or words out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sql.base.errors import StoreMismatch, to_run
from sql.engine.native import columns_of_rows
from sql.engine.statements import Statement
from sql.records import EncoderIdentity
from sql.records.calibration import Quantizer
from sql.records.choice import SearchChoice
from sql.store.migrate import add_revision, stored_version

if TYPE_CHECKING:
    from sql.engine.client import Client
    from sql.engine.location import Location

SCHEMA_VERSION = 7
TABLES = {"collection", "manifest", "chunks", "texts", "lengths", "postings", "places", "queries"}


@dataclass(frozen=True, slots=True)
class Collection:
    """What a store was made with."""

    encoder: EncoderIdentity
    quantizer: str
    schema_version: int
    analyser: str = ""
    choice: SearchChoice | None = None
    log_keep: str = ""  # how long queries are kept, as Retention reads it

    @property
    def scheme(self) -> str:
        """The first word of the quantizer: `asymmetric` or `symmetric`."""
        return self.quantizer.split()[0]

    @property
    def vector_quantizer(self) -> Quantizer:
        """The quantizer in its parts; StoreMismatch where this program does not know it."""
        return Quantizer.from_name(self.quantizer)


@dataclass
class CollectionTable:
    """The newest row of the table `collection`, read once until somebody may have changed it."""

    client: Client
    _newest: Collection | None = None
    _names: frozenset[str] = frozenset()  # of the tables, as they were seen with it

    def newest(self) -> Collection | None:
        """What the vectors were made with, which never changes; None for a store without tables."""
        found = self._newest  # looked at once: another thread may be at `revise`
        if found is None:
            found = self._newest = self._read()
        return found

    def forget(self) -> None:
        """Reads the row again when it is asked for next."""
        self._newest = None

    def table_names(self) -> set[str]:
        """The tables that the store has."""
        return {row["name"] for row in self.client.query(Statement("table_names"))}

    def has_groups(self) -> bool:
        """Whether documents of the store may have groups: on a server, unless it is older than the table of them."""
        return self.client.is_server and self.newest() is not None and "document_groups" in self._names

    def _read(self) -> Collection | None:
        names = self._names = frozenset(self.table_names())
        if not names >= TABLES:
            if "collection" in names:  # of an older version, which has fewer tables, or on its way to the first one
                check_schema_version(self.client.location, stored_version(self.client) or SCHEMA_VERSION)
            return None
        rows = self.client.query(Statement("collection"))
        if not rows:
            return None
        row = rows[0]
        encoder = EncoderIdentity(**{name: row[name] for name in EncoderIdentity.__slots__ if name in row})
        choice = SearchChoice.from_json(row.get("search_choice", ""))
        kept = str(row.get("log_keep", ""))
        return Collection(encoder, row["quantizer"], row["schema_version"], str(row["analyser"]), choice, kept)

    def insert_first(self, encoder: EncoderIdentity, quantizer: str, analyser: str) -> None:
        """The first row, of a store whose tables have just been made."""
        row: dict[str, Any] = {name: getattr(encoder, name) for name in EncoderIdentity.__slots__}
        row |= {"revision": 1, "schema_version": SCHEMA_VERSION, "quantizer": quantizer, "analyser": analyser}
        self.client.insert("collection", columns_of_rows([row]))

    def revise(self, **changes: Any) -> None:
        """A new revision of what the store was made with."""
        with self.client.writing:
            add_revision(self.client, changes)
            self.forget()

    def check_encoder(self, encoder: EncoderIdentity, quantizer: str | None = None) -> None:
        """Raises StoreMismatch where vectors of `encoder` cannot be compared with those of the store."""
        collection = self.newest()
        if collection is None or (collection.encoder == encoder and quantizer in {None, collection.quantizer}):
            return
        stored = collection.encoder
        if stored == encoder:
            remedy = f"use `{collection.vector_quantizer.options}`"
        elif (stored.model, stored.model_revision) != (encoder.model, encoder.model_revision):
            remedy = f"ask with `--model {stored.model}`"
        elif stored.prompts != encoder.prompts and replace(stored, prompts=encoder.prompts) == encoder:
            remedy = "leave out --query-prompt and --document-prompt, and those of the store are used"
        else:
            remedy = f"use the same version of {stored.model}"
        raise StoreMismatch(
            f"the store {self.client.location} was built with {describe(stored, collection.quantizer)}, and now "
            f"{describe(encoder, quantizer or collection.quantizer)} is in use: {remedy}, "
            "or ingest the documents into a new store with another --db"
        )

    def check_analyser(self, analyser: str) -> None:
        """Raises StoreMismatch where words cut by `analyser` cannot be compared with those of the store.

        Another process may make words anew: before the answer is no, the row is read again.
        """
        collection = self.newest()
        if collection is not None and collection.analyser != analyser:
            self.forget()
            collection = self.newest()
        if collection is not None and collection.analyser != analyser:
            kept = f"was written with the analyser {collection.analyser!r}" if collection.analyser else "has no words"
            raise StoreMismatch(
                f"the store {self.client.location} {kept}, and now {analyser!r} is in use: have them made from the stored "
                f"texts, by the next ingest or with {to_run('rag migrate', self.client.location)}, and until then "
                "search with --ranking vector; or ingest the documents into a new store with another --db"
            )


def check_schema_version(location: Location, version: int) -> None:
    """Raises StoreMismatch for tables of another version than this program's."""
    if version > SCHEMA_VERSION:
        raise StoreMismatch(
            f"the store {location} has schema version {version} and this program knows {SCHEMA_VERSION}: "
            "install a newer int8-rag"
        )
    if version < SCHEMA_VERSION:
        raise StoreMismatch(
            f"the store {location} has schema version {version}, of an older int8-rag, and this program needs "
            f"{SCHEMA_VERSION}: bring it up to date with {to_run('rag migrate', location)}"
        )


def describe(encoder: EncoderIdentity, quantizer: str) -> str:
    """An encoder in a few words, for messages."""
    digest = encoder.model_sha256[:8]
    prompts = f", prompts {encoder.prompts}" if encoder.prompts else ""
    return (
        f"encoder {encoder.model} ({encoder.dimensions} dimensions, {encoder.weights}, weights {digest}, "
        f"{quantizer}{prompts})"
    )
