"""What pieces of articles mean, kept in the database: embedding a long article takes seconds, so each piece
is embedded once, in a worker, and every process reads it from here.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

import numpy as np
import sqlalchemy as sa

from bot.knowledge.embeddings import SIZE, Vectors, model_name
from bot.records.tx import Tx
from bot.storage import metadata
from bot.storage.upsert import insert

_AT_ONCE = 500

passage_vectors = sa.Table(
    "passage_vectors",
    metadata,
    # Of the model and the text: the same piece in two articles is embedded once.
    sa.Column("digest", sa.String(32), primary_key=True),
    sa.Column("vector", sa.LargeBinary, nullable=False),
)


def digest(piece: str) -> str:
    """The name under which a piece's vector is kept."""
    return sha256(f"{model_name()} {piece}".encode()).hexdigest()[:32]


def keep(tx: Tx, vectors: Mapping[str, Vectors]) -> None:
    """Keep vectors by digest; one that is there already stays."""
    rows = [
        {"digest": name, "vector": vector.astype(np.float16).tobytes()} for name, vector in vectors.items()
    ]
    if rows:
        tx.execute(insert(passage_vectors, tx.dialect).values(rows).on_conflict_do_nothing())


def kept(tx: Tx, digests: Sequence[str]) -> dict[str, Vectors]:
    """Those that there are of these."""
    found: dict[str, Vectors] = {}
    for some in _some(digests):
        for row in tx.rows(sa.select(passage_vectors).where(passage_vectors.c.digest.in_(some))):
            vector = np.frombuffer(row["vector"], np.float16)
            if len(vector) == SIZE:
                found[row["digest"]] = vector.astype(np.float32)
    return found


def forget_others(tx: Tx, digests: Sequence[str]) -> int:
    """Remove what belongs to no article any more; returns how many."""
    used = set(digests)
    old = [row["digest"] for row in tx.rows(sa.select(passage_vectors.c.digest)) if row["digest"] not in used]
    for some in _some(old):
        tx.execute(passage_vectors.delete().where(passage_vectors.c.digest.in_(some)))
    return len(old)


def _some(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    return (digests[at : at + _AT_ONCE] for at in range(0, len(digests), _AT_ONCE))
