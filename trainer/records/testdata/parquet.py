"""Writes testdata/parquet.json, the rows of testdata/parquet/*.parquet, and those of the files that are made here.

Of these it notes what was written (pyarrow 26.0.1 does not read the last row of nested-pages), of the others what pyarrow
reads: they were written by pyarrow, pandas and polars, as their names say. Made with pyarrow 26.0.1, datasets 5.2.0.
Run it in the folder of the package: python testdata/parquet.py
"""

import datetime
import decimal
import glob
import json
import os

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = "testdata/parquet"
TEXTS = ["hello world", "hello", "", "hello worlds and more", "é\u2028<&>\"\\\n", "z" * 300]


WRITTEN = {}


def write(name, table, **options):
    if not options.get("use_deprecated_int96_timestamps"):  # which have no zone
        WRITTEN[f"{FOLDER}/{name}.parquet"] = table
    pq.write_table(table, f"{FOLDER}/{name}.parquet", **options)


def calls():
    """Tool data as datasets writes it: a struct has every key that any row has."""
    weather = {"type": "function", "function": {
        "name": "weather", "description": "the weather",
        "parameters": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}}}
    clock = {"type": "function", "function": {
        "name": "clock", "description": None,
        "parameters": {"type": "object", "required": [], "properties": {"zone": {"type": "string", "enum": ["UTC", "CET"]}}}}}
    row = lambda n: {
        "messages": [
            {"role": "system", "content": "s", "weight": 0},
            {"role": "user", "content": f"q{n}", "name": "ann"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"} if n else {"zone": "UTC", "ok": True}}}]},
            {"role": "tool", "content": "12", "tool_call_id": "1"},
            {"role": "assistant", "content": "a", "weight": 1, "thinking": "hm"},
        ],
        "tools": [weather, clock] if n else [clock],
        "chat_template_kwargs": {"enable_thinking": n == 0, "depth": 1.0},
    }
    datasets.Dataset.from_list([row(0), row(1), row(0)]).to_parquet(f"{FOLDER}/tools.parquet")
    write("tools-json", pa.table({
        "messages": [json.dumps(row(n)["messages"]) for n in (0, 1)],
        "tools": [json.dumps(row(n)["tools"]) for n in (0, 1)]}))


def nested():
    utc = datetime.timezone.utc
    message = pa.struct([
        ("role", pa.string()), ("content", pa.large_string()), ("time", pa.timestamp("us", "UTC")), ("local", pa.timestamp("ms")),
        ("day", pa.date32()), ("clock", pa.time64("us")), ("price", pa.decimal128(7, 2)), ("wide", pa.decimal256(50, 3)),
        ("score", pa.float32()), ("small", pa.uint32()), ("flag", pa.bool_()), ("tags", pa.list_(pa.list_(pa.string()))),
        ("extra", pa.map_(pa.string(), pa.struct([("n", pa.int8())]))), ("pair", pa.list_(pa.int16(), 2)),
    ])
    full = {"role": "user", "content": "q", "time": datetime.datetime(2024, 2, 29, 1, 2, 3, 4, utc), "local": datetime.datetime(1969, 1, 1),
            "day": datetime.date(1960, 5, 6), "clock": datetime.time(1, 2, 3), "price": decimal.Decimal("-12.50"),
            "wide": decimal.Decimal("12345678901234567890.125"), "score": 0.1, "small": 2**32 - 1, "flag": False,
            "tags": [["a", None], [], None, ["b"]], "extra": [("k", {"n": -1}), ("l", {"n": None})], "pair": [1, -2]}
    rows = [[full, {"role": "assistant", "content": "a"}], [full] * 3, [{"role": "user", "content": None, "tags": [], "extra": []}]]
    table = pa.table({"messages": pa.array(rows, pa.list_(message)), "big": pa.array([2**64 - 1, None, 0], pa.uint64())})
    for name, options in {
        "nested": {}, "nested-v2": {"data_page_version": "2.0", "use_dictionary": False}, "nested-96": {"use_deprecated_int96_timestamps": True},
        "nested-pages": {"data_page_size": 1, "write_batch_size": 1, "use_compliant_nested_type": False, "row_group_size": 2},
    }.items():
        write(name, table, **options)


def shares():
    turn = pa.struct([("from", pa.string()), ("value", pa.string()), ("weight", pa.null())])
    rows = [[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], [{"from": "system", "value": "s"}]]
    write("sharegpt", pa.table({"conversations": pa.array(rows, pa.list_(turn))}))


def encodings():
    texts = pa.table({"text": TEXTS})
    for codec in ("snappy", "gzip", "brotli", "zstd", "lz4"):
        for version in ("1.0", "2.0"):
            write(f"delta-{codec}-{version}", texts, compression=codec, use_dictionary=False, data_page_version=version,
                  column_encoding={"text": "DELTA_BYTE_ARRAY"})
    ids = pa.table({"input_ids": pa.array([list(range(n, 3 * n)) for n in (1, 40, 300, 0, 7)], pa.list_(pa.int32()))})
    for name in ("DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "PLAIN"):
        write(f"ids-{name.lower()}", ids, use_dictionary=False, column_encoding={"input_ids.list.element": name})
    write("ids-dictionary", ids, data_page_version="2.0", dictionary_pagesize_limit=64)
    flags = pa.struct([("role", pa.string()), ("content", pa.string()), ("flag", pa.bool_()), ("n", pa.int64()), ("x", pa.float64())])
    rows = [[{"role": "user", "content": "q", "flag": i % 3 == 0, "n": (-1) ** i * 3**i, "x": i / 7} for i in range(30)]]
    for name, encoding in {"rle": "RLE", "plain": "PLAIN"}.items():
        write(f"flags-{name}", pa.table({"messages": pa.array(rows, pa.list_(flags))}), use_dictionary=False, column_encoding={
            "messages.list.element.flag": encoding, "messages.list.element.x": "BYTE_STREAM_SPLIT",
            "messages.list.element.n": "DELTA_BINARY_PACKED"})


def plain(value, kind):
    """A value as JSON has it; keys that are null are left out but for content, and maps are objects."""
    if value is None:
        return None
    if pa.types.is_dictionary(kind):
        return plain(value, kind.value_type)
    if pa.types.is_map(kind):
        pairs = ((k, plain(v, kind.item_type)) for k, v in value)
        return {k: v for k, v in pairs if v is not None}
    if pa.types.is_struct(kind):
        keys = [f.name for f in kind]
        return {k: plain(value[k], kind.field(k).type) for k in keys if value[k] is not None or k == "content"}
    if isinstance(value, list):
        return [plain(v, kind.value_type) for v in value]
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, (str, int, float)) else str(value)


if __name__ == "__main__":
    for make in (calls, nested, shares, encodings):
        make()
    want = {}
    for path in sorted(glob.glob(f"{FOLDER}/*.parquet")):
        table = WRITTEN[path] if path in WRITTEN else pq.read_table(path)
        columns = [[plain(v, f.type) for v in table.column(f.name).to_pylist()] for f in table.schema]
        want[os.path.basename(path)] = [dict(zip(table.column_names, row)) for row in zip(*columns)]
    with open("testdata/parquet.json", "w") as out:
        out.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in want.items()) + "\n}\n")
