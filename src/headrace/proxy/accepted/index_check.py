"""Which index types and metrics fit a field, by Milvus's tables of 2.3 to 2.5.

Nothing is built, so all other parameters of an index are kept as they are. But a metric that does
not fit is a mistake of the client, who would search by it elsewhere and get nothing: Milvus refuses
it when the index is created, so the same is done here.
"""

from collections.abc import Iterable, Mapping

from headrace.model.schema import DataType, Field
from headrace.proxy.errors import Refusal

INDEX_TYPE = "index_type"
METRIC_TYPE = "metric_type"

_AUTOMATIC = ("AUTOINDEX",)
_GRAPHS = ("HNSW", "HNSW_SQ", "HNSW_PQ", "HNSW_PRQ")
_QUANTIZED = ("FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "IVF_RABITQ", "SCANN", "DISKANN")
_GPU = ("GPU_BRUTE_FORCE", "GPU_IVF_FLAT", "GPU_IVF_PQ", "GPU_CAGRA")
_FLOATS = (*_AUTOMATIC, *_GRAPHS, *_QUANTIZED, *_GPU)
_SCALARS = (*_AUTOMATIC, "INVERTED", "BITMAP", "STL_SORT")

_FLOAT_VECTORS = (DataType.FLOAT_VECTOR, DataType.FLOAT16_VECTOR, DataType.BFLOAT16_VECTOR)

INDEX_TYPES: Mapping[DataType, tuple[str, ...]] = {
    **dict.fromkeys(_FLOAT_VECTORS, _FLOATS),
    DataType.INT8_VECTOR: (*_AUTOMATIC, *_GRAPHS),
    DataType.BINARY_VECTOR: (*_AUTOMATIC, "BIN_FLAT", "BIN_IVF_FLAT", "MINHASH_LSH"),
    DataType.SPARSE_FLOAT_VECTOR: (*_AUTOMATIC, "SPARSE_INVERTED_INDEX", "SPARSE_WAND"),
    DataType.VARCHAR: (*_SCALARS, "TRIE", "NGRAM"),
    DataType.JSON: (*_AUTOMATIC, "INVERTED", "NGRAM"),
}
METRIC_TYPES: Mapping[DataType, tuple[str, ...]] = {
    **dict.fromkeys((*_FLOAT_VECTORS, DataType.INT8_VECTOR), ("COSINE", "IP", "L2")),
    DataType.BINARY_VECTOR: ("HAMMING", "JACCARD", "SUBSTRUCTURE", "SUPERSTRUCTURE", "MHJACCARD"),
    DataType.SPARSE_FLOAT_VECTOR: ("IP",),  # BM25 wants a function, and those are not served
}


def check_index(field: Field, parameters: Iterable[tuple[str, str]]) -> None:
    """`Invalid` when the index or the metric is not one for fields of this type.

    Neither has to be given: Milvus chooses then. Case does not matter, as in Milvus.
    """
    given = dict(parameters)
    for refusal, parameter, known in (
        (Refusal.INDEX_TYPE, INDEX_TYPE, INDEX_TYPES.get(field.type, _SCALARS)),
        (Refusal.METRIC_TYPE, METRIC_TYPE, METRIC_TYPES.get(field.type, ())),
    ):
        got = given.get(parameter, "")
        if got and got.upper() not in known:
            names, kind = ", ".join(known) or "none", field.type.name
            raise refusal(at=parameter, name=field.name, type=kind, got=got, known=names)
