"""Model files made by hand: each is a `Model` or one `ModelError` in one line, soon and in little memory."""

import io
import math
import os
import pickle
import pickletools
import struct
import time
import tracemalloc
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwsd.errors import MAX_SHOWN, ModelError, UsageError, one_line, shown
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Architecture, Model, Settings
from kwsd.runtime.modelfile import FORMAT_VERSION, FRONT_END, find_model, read_model
from kwsd.runtime.shipped_embedding import SHA256, shipped_embedding
from kwsd.runtime.torchfile import MAX_BYTES, MAX_DEPTH, read_torch
from kwsd.runtime.torchpickle import MAX_VALUES, Tensor
from kwsd.runtime.verifier import MAX_HEADS, shapes

SECONDS = 1.0  # of CPU, to read any file
MEMORY = 60e6  # bytes, at most, while it is read
SMALL = Architecture(channels=1, kernel=(20, 3), stride=(20, 2), hidden=2)
STORAGES = {"f4": b"FloatStorage", "f2": b"HalfStorage", "f8": b"DoubleStorage", "i1": b"CharStorage"}


@dataclass(frozen=True)
class Raw:
    """Opcodes that push one value."""

    opcodes: bytes


@dataclass(frozen=True)
class View:
    """A tensor as a file describes it, whether or not its storage has such items."""

    key: str
    kind: str
    count: int
    offset: int
    shape: tuple[Any, ...]
    strides: tuple[Any, ...]


def opcodes(value: Any) -> bytes:
    """A value as pickle's opcodes push it, nothing shared."""
    match value:
        case Raw():
            return value.opcodes
        case View():
            reference = opcodes(
                ("storage", Raw(b"ctorch\n" + STORAGES[value.kind] + b"\n"), value.key, "cpu")
            )
            reference = reference[:-1] + opcodes(value.count) + b"tQ"
            arguments = Raw(reference), value.offset, value.shape, value.strides, False, Raw(b"N")
            return b"ctorch._utils\n_rebuild_tensor_v2\n" + opcodes(arguments) + b"R"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            size = value.bit_length() // 8 + 1
            return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            text = value.encode()
            return b"X" + struct.pack("<I", len(text)) + text
        case tuple():
            return b"(" + b"".join(map(opcodes, value)) + b"t"
        case list():
            return b"](" + b"".join(map(opcodes, value)) + b"e"
        case dict():
            return b"}(" + b"".join(opcodes(key) + opcodes(item) for key, item in value.items()) + b"u"
    return b"N"


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression, compresslevel=1) as archive:
        for name, content in entries.items():
            archive.writestr(f"m/{name}", content)
    return buffer.getvalue()


def parts(verifier: bool = False, scale: float = 0.1) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The record of a small model, and the entries of its storages."""
    needed = SMALL.shapes() | ({f"verifier {k}": shape for k, shape in shapes(1).items()} if verifier else {})
    views, entries, random = {}, {}, np.random.default_rng(0)
    for key, (name, shape) in enumerate(needed.items()):
        values = (scale * random.uniform(-1, 1, shape)).astype(np.float32)
        entries[f"data/{key}"] = values.tobytes()
        strides = tuple(stride // 4 for stride in values.strides)
        views[name] = View(str(key), "f4", values.size, 0, shape, strides)
    record = {
        "kwsd": FORMAT_VERSION,
        "keyword": "word",
        "sample_rate": 16_000,
        "front_end": FRONT_END,
        "architecture": {"channels": 1, "kernel": [20, 3], "stride": [20, 2], "hidden": 2},
        "settings": Settings().__dict__,
        "weights": {name: view for name, view in views.items() if name in SMALL.shapes()},
        "facts": {"seed": 1, "metrics": {"curve": [0.1, None, True]}},
    }
    if verifier:
        record["verifier"] = {n.split()[1]: v for n, v in views.items() if n.startswith("verifier")}
    return record, entries


def file_of(record: Any, entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    return zipped({"data.pkl": b"\x80\x02" + opcodes(record) + b"."} | entries, compression)


def replaced(record: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of nested dicts and lists with another value at a path of keys and indices."""
    if not path:
        return value
    copy = record.copy()
    copy[path[0]] = replaced(record[path[0]], path[1:], value)
    return copy


def places(record: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of each value, the record itself included."""
    found = [path]
    if isinstance(record, dict | list):
        items = record.items() if isinstance(record, dict) else enumerate(record)
        found += [place for key, item in items for place in places(item, (*path, key))]
    return found


def read(path: Path, data: bytes) -> Model | str:
    """The model in these bytes, or the message of the error; checks what it takes to find out."""
    path.write_bytes(data)
    tracemalloc.start()
    began = time.thread_time()
    try:
        model: Model | str = read_model(path)
    except ModelError as error:
        model = str(error).removeprefix(f"{path}: ")
        assert model.isprintable()
        assert len(model) < 300
    finally:
        seconds, memory = time.thread_time() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert seconds < SECONDS
    assert memory < MEMORY
    return model


def check(path: Path, data: bytes) -> None:
    """Read the bytes and, if they are those of a model, listen with it: its posteriors are defined."""
    model = read(path, data)
    if isinstance(model, str):
        return
    assert {name: weight.shape for name, weight in model.weights.items()} == model.architecture.shapes()
    noise = np.random.default_rng(0).normal(0, 0.1, 8_000).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in Detector(model).steps(noise):
            assert 0 <= step.posterior <= 1


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "model.pt"


def nested(start: bytes, around: bytes, depth: int) -> Raw:
    return Raw(start + around * depth)


def doubled(depth: int, kind: str) -> Raw:
    """A container that holds one container twice, that holds one twice, ..."""
    made = b"]"
    for index in range(depth):
        put, get = b"r" + struct.pack("<I", index), b"j" + struct.pack("<I", index)
        match kind:
            case "tuple":
                made += put + get + b"\x86"
            case "list":
                made = b"](" + made + put + get + b"e"
            case "dict":
                made = b"}(K\x00" + made + put + b"K\x01" + get + b"u"
    return Raw(made)


INTEGERS = st.sampled_from([0, 1, -1, 2, 255, 2**31, 2**32, 2**62, 2**63, 2**64, 2**400, -(2**500)])
TEXTS = st.sampled_from(
    ["", " ", "a\nb", "\x1b[2J", "\u202eevil", "\u3164", "\u2800", "x" * 900_000, "\U0001f000" * 1000, "\x00"]
)
DEPTHS = st.sampled_from([1, 5, 6, 8, 9, 60, 5_000])
NESTED = st.one_of(
    st.builds(nested, st.just(b")"), st.just(b"\x85"), DEPTHS),
    st.builds(lambda depth: Raw(b"]" * depth + b"a" * (depth - 1)), DEPTHS),
    st.builds(lambda depth: Raw(b"}K\x00" * depth + b"N" + b"s" * depth), DEPTHS),
    st.builds(doubled, DEPTHS, st.sampled_from(["tuple", "list", "dict"])),
)
COUNTS = st.sampled_from([0, 1, 100, 2_000, 9_000, 12_000, 200_000])
MANY = st.one_of(
    COUNTS.map(lambda count: [0] * count),
    COUNTS.map(lambda count: dict.fromkeys(range(count))),
    COUNTS.map(
        lambda count: Raw(b"}(" + b"".join(opcodes((2**61 - 1) * i) + b"N" for i in range(count)) + b"u")
    ),
    COUNTS.map(lambda count: Raw(b"(" * count + b"N" + b"t" * count)),
    COUNTS.map(lambda count: Raw(b"N" + b"q\x00" * count)),
    COUNTS.map(lambda count: Raw(b"N" + b"\x80\x02" * count)),
    COUNTS.map(lambda count: Raw(b"N" + b"".join(b"r" + struct.pack("<I", i) for i in range(count)))),
)
NUMBERS = st.sampled_from([0, 1, 2, 3, 40, 2**20, 2**31, 2**62, -1])
SHAPES = st.lists(NUMBERS, max_size=5).map(tuple) | st.just((1,) * 1_000)
VIEWS = st.builds(
    View,
    key=st.sampled_from(["0", "1", "15", "99", "x\n"]),
    kind=st.sampled_from(sorted(STORAGES)),
    count=NUMBERS,
    offset=NUMBERS,
    shape=SHAPES,
    strides=SHAPES,
)
SIMPLE = st.sampled_from([None, True, math.nan, math.inf, 1e308, 0.5]) | INTEGERS | TEXTS
CALLS = st.sampled_from([b"cos\nsystem\n", b"ccollections\nOrderedDict\n)R", b"ctorch\nFloatStorage\n"]).map(
    Raw
)
VALUES = st.one_of(SIMPLE, NESTED, MANY, VIEWS, CALLS)


@settings(max_examples=150)
@given(data=st.data(), count=st.integers(1, 3))
def test_any_value_in_any_place(path: Path, data: st.DataObject, count: int) -> None:
    record, entries = parts()
    for _ in range(count):
        place = data.draw(st.sampled_from(places(record)))
        record = replaced(record, place, data.draw(VALUES)) if place else record
    check(path, file_of(record, entries))


@settings(max_examples=30)
@given(data=st.data())
def test_any_value_in_a_second_stage_that_refers_to_the_embedding(path: Path, data: st.DataObject) -> None:
    record, entries = parts(verifier=True)
    unused = {f"data/{record['verifier'].pop(name).key}" for name in shipped_embedding()}
    entries = {name: entry for name, entry in entries.items() if name not in unused}
    record["embedding"] = {"sha256": SHA256, "kwsd": "0.1.0"}
    assert isinstance(read(path, file_of(record, entries)), Model)
    part = data.draw(st.sampled_from(["verifier", "embedding"]))
    place = data.draw(st.sampled_from(places(record[part], (part,))))
    check(path, file_of(replaced(record, place, data.draw(VALUES)), entries))


@settings(max_examples=100)
@given(data=st.data(), key=SIMPLE | NESTED | VIEWS | CALLS, value=VALUES)
def test_any_key_in_any_dict(path: Path, data: st.DataObject, key: Any, value: Any) -> None:
    record, entries = parts()
    names = ["architecture", "settings", "weights", "facts", "front_end"]
    name = data.draw(st.sampled_from(names))
    added = Raw(opcodes(record[name])[:-1] + opcodes(key) + opcodes(value) + b"u")
    check(path, file_of(record | {name: added}, entries))


@settings(max_examples=200)
@given(name=st.sampled_from(sorted(SMALL.shapes())), change=st.data())
def test_any_view_of_a_storage(path: Path, name: str, change: st.DataObject) -> None:
    """One fact of a tensor's is another number, the rest is right."""
    record, entries = parts()
    view = record["weights"][name]
    field = change.draw(st.sampled_from(["key", "kind", "count", "offset", "shape", "strides"]))
    facts = dict(view.__dict__)
    if field in {"shape", "strides"}:
        index = change.draw(st.integers(0, len(facts[field]) - 1))
        facts[field] = (*facts[field][:index], change.draw(NUMBERS), *facts[field][index + 1 :])
    else:
        facts[field] = getattr(change.draw(VIEWS), field)
    check(path, file_of(replaced(record, ("weights", name), View(**facts)), entries))


@settings(max_examples=60)
@given(
    name=st.sampled_from(
        ["data/99", "data/0", "version", "byteorder", ".data/serialization_id", "../x", "a\nb", "data.pkl"]
    ),
    size=st.sampled_from([0, 10, 2**20, MAX_BYTES, 60 * 2**20]),
)
def test_any_entry_of_any_size(path: Path, name: str, size: int) -> None:
    record, entries = parts()
    check(path, file_of(record, entries | {name: bytes(size)}))


@settings(max_examples=60)
@given(scale=st.sampled_from([1e-45, 1.0, 1e3, 9e5, 1e6, 1.1e6, 1e30]), seed=st.integers(0, 9))
def test_weights_of_any_size(path: Path, scale: float, seed: int) -> None:
    record, entries = parts()
    random = np.random.default_rng(seed)
    entries = {
        name: (scale * random.choice([-1, 1], len(content) // 4)).astype(np.float32).tobytes()
        for name, content in entries.items()
    }
    check(path, file_of(record, entries))


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "double", "move", "insert", "number"]),
        st.floats(0, 1, exclude_max=True),
        st.floats(0, 1, exclude_max=True),
        VALUES,
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80)
@given(edits=EDITS, name=st.sampled_from(["nano", "student-int8"]))
def test_a_shipped_model_with_opcodes_dropped_doubled_and_moved(
    path: Path, edits: list[tuple[str, float, float, Any]], name: str
) -> None:
    with zipfile.ZipFile(find_model(name)) as archive:
        entries = {entry.removeprefix("m/"): archive.read(entry) for entry in archive.namelist()}
    program = entries["data.pkl"]
    starts = [position for _, _, position in pickletools.genops(program)]
    pieces = [program[a:b] for a, b in zip(starts, [*starts[1:], len(program)], strict=True)]
    for kind, where, other, value in edits:
        i, j = int(where * len(pieces)), int(other * len(pieces))
        match kind:
            case "drop":
                del pieces[i]
            case "double":
                pieces.insert(j, pieces[i])
            case "move":
                pieces.insert(j, pieces.pop(i))
            case "insert":
                pieces.insert(i, opcodes(value))
            case "number":
                pieces[i] = opcodes(value) if pieces[i][:1] in b"KMJG" else pieces[i]
    check(path, zipped(entries | {"data.pkl": b"".join(pieces)}))


# One of each kind, with what is said of it


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("sample_rate",), doubled(60, "tuple"), "holds the same list, tuple or dict twice"),
        (("settings", "step"), doubled(60, "list"), "holds the same list, tuple or dict twice"),
        (("architecture", "hidden"), doubled(60, "dict"), "holds the same list, tuple or dict twice"),
        (("sample_rate",), nested(b")", b"\x85", 300_000), "more than 10,000 values"),
        (("sample_rate",), nested(b")", b"\x85", 9_000), "values nested more than 8 levels deep"),
        (("sample_rate",), "\x1b[2J\n" * 90_000, "made for audio at '\\x1b[2J\\n\\x1b[2J\\n"),
        (
            ("settings", "step"),
            [[1]],
            "step must be a whole number from 1 to 1,000, not a value of type list",
        ),
        (("facts", "seed"), 2**64, "an integer of more than 64 bits"),
        (("facts",), Raw(b"N" + b"q\x00" * 200_000), "more than 40,000 pickle opcodes"),
        (("keyword",), "  ", "the keyword is blank"),
    ],
    ids=range(10),
)
def test_what_no_model_holds_is_refused(path: Path, place: tuple[str, ...], value: Any, said: str) -> None:
    record, entries = parts()
    message = read(path, file_of(replaced(record, place, value), entries))
    assert isinstance(message, str)
    assert message.startswith(said)


def test_keys_with_one_hash_are_refused(path: Path) -> None:
    record, entries = parts()
    keys = b"".join(opcodes((2**61 - 1) * i) + b"N" for i in range(45_000))
    assert isinstance(read(path, file_of(record | {"facts": Raw(b"}(" + keys + b"u")}, entries)), str)


def test_what_a_model_may_hold_is_read(path: Path) -> None:
    """As much as there may be, and one more of it."""
    record, entries = parts()
    left = MAX_VALUES - 500
    assert isinstance(read(path, file_of(record | {"facts": {"curve": [0.5] * left}}, entries)), Model)
    assert isinstance(read(path, file_of(record | {"facts": {"curve": [0.5] * (left + 500)}}, entries)), str)
    for depth, kind in [(MAX_DEPTH - 2, Model), (MAX_DEPTH - 1, str)]:
        assert isinstance(
            read(path, file_of(record | {"facts": {"x": nested(b")", b"\x85", depth - 1)}}, entries)), kind
        )
    for number, kind in [(2**63 - 1, Model), (1 - 2**63, Model), (2**63, str)]:
        assert isinstance(read(path, file_of(record | {"facts": {"x": number}}, entries)), kind)


def test_a_storage_that_no_tensor_uses_is_refused_unpacked(path: Path) -> None:
    record, entries = parts()
    said = read(path, file_of(record, entries | {"data/99": bytes(2**20)}))
    assert said == "holds 'data/99', which no tensor uses; not a kwsd model"
    assert "unpacks to more than" in str(
        read(path, file_of(record, entries | {"data/99": bytes(60 * 2**20)}))
    )


def test_a_stride_that_no_array_has_is_refused(path: Path) -> None:
    record, entries = parts()
    view = record["weights"]["conv.bias"]
    for stride in (2**62, 2**40, 2):
        huge = View(view.key, "f4", 1, 0, (1,), (stride,))
        said = read(path, file_of(replaced(record, ("weights", "conv.bias"), huge), entries))
        assert said == "truncated or damaged; download it again"


def test_a_zip_with_a_huge_directory_is_refused(path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for i in range(40):
            info = zipfile.ZipInfo(f"m/data/{i}")
            info.comment = bytes(65_000)
            archive.writestr(info, b"")
    assert read(path, buffer.getvalue()) == "the directory of its entries is too large; not a kwsd model"


def test_the_number_of_heads_is_bounded(path: Path) -> None:
    record, entries = parts(verifier=True)
    assert isinstance(read(path, file_of(record, entries)), Model)
    view = View("99", "f4", MAX_HEADS + 1, 0, (MAX_HEADS + 1, 1, 1), (1, 1, 1))
    many = replaced(record, ("verifier", "output.bias"), view)
    entries = {
        name: entry
        for name, entry in entries.items()
        if name != f"data/{record['verifier']['output.bias'].key}"
    }
    said = read(path, file_of(many, entries | {"data/99": bytes(4 * (MAX_HEADS + 1))}))
    assert said == "its verifier has 33 heads; the limit is 32"
    broadcast = View("99", "f4", 1, 0, (10_000, 1, 1), (0, 0, 0))
    said = read(
        path,
        file_of(replaced(record, ("verifier", "output.bias"), broadcast), entries | {"data/99": bytes(4)}),
    )
    assert said == "a tensor has more numbers than its storage; not a kwsd model"


def test_the_largest_model_is_read_in_little_memory(path: Path) -> None:
    """Nearly a million parameters, as the largest type, stored and not deflated."""
    large = Architecture(channels=1, kernel=(40, 1), stride=(1, 1), hidden=312)
    assert 900_000 < large.parameters < 1_000_000
    record, _ = parts()
    record["architecture"] = {"channels": 1, "kernel": [40, 1], "stride": [1, 1], "hidden": 312}
    entries, views = {}, {}
    for key, (name, shape) in enumerate(large.shapes().items()):
        entries[f"data/{key}"] = np.zeros(shape).tobytes()
        strides = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
        views[name] = View(str(key), "f8", math.prod(shape), 0, shape, strides)
    assert isinstance(read(path, file_of(record | {"weights": views}, entries, zipfile.ZIP_STORED)), Model)


@pytest.mark.parametrize(
    "keyword",
    [
        *["", " ", "   ", "\u00a0", "\u3000", "x" * 101, "a\nb", "\x7f", "a\x9b2J"],
        *["\u3164", "\u2800", "\u2800 \u2800", "\uffa0", "\u115f\u1160", "\u0301", "\ufe0f", "\u034f"],
        *["\u200b", "\ufeff", "a\u202eb", "a\u200fb", "a\u200db"],
    ],
    ids=ascii,
)
def test_a_keyword_that_is_blank_or_hides_something_is_refused(path: Path, keyword: str) -> None:
    record, entries = parts()
    assert str(read(path, file_of(record | {"keyword": keyword}, entries))) in {
        "the keyword is blank",
        "the keyword must be 1 to 100 printable characters",
    }


@pytest.mark.parametrize(
    "keyword", ["hey jarvis", "x", "ok 2", "écoute", "ねえ", "안녕", "नमस्ते", "สวัสดี", "❤"]
)
def test_a_keyword_of_any_script_is_read(path: Path, keyword: str) -> None:
    record, entries = parts()
    model = read(path, file_of(record | {"keyword": keyword}, entries))
    assert isinstance(model, Model)
    assert model.keyword == keyword


# What is no regular file


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.pt")
    with pytest.raises(ModelError, match="not a file; give"):
        read_model(tmp_path / "fifo.pt")


def test_a_file_that_becomes_a_fifo_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    regular, fifo = tmp_path / "model.pt", tmp_path / "fifo.pt"
    regular.touch()
    os.mkfifo(fifo)
    opened = os.open
    monkeypatch.setattr(os, "open", lambda _, flags: opened(fifo, flags))
    with pytest.raises(ModelError, match="not a file; give"):
        read_model(regular)


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "/dev", "/proc/self/mem", "/proc/self/environ"])
def test_a_device_or_a_folder_is_refused(name: str) -> None:
    with pytest.raises(ModelError):
        read_model(name)


# What a message shows of a value


def test_a_shown_value_is_short_and_one_line() -> None:
    assert shown("word") == "'word'"
    assert shown("a\n\x1b[2J\u202e\x00") == r"'a\n\x1b[2J\u202e\x00'"
    assert shown("x" * 10**7) == "'" + "x" * 36 + "..."
    assert shown(b"a\xff") == r"b'a\xff'"
    assert [shown(value) for value in (5, -2.5, True, None)] == ["5", "-2.5", "True", "None"]
    assert shown(np.float32(0.5)) == "a value of type float32"
    assert shown(2**64) == shown(-(10**5000)) == "a number of more than 64 bits"
    assert shown(2**64 - 1) == "18446744073709551615"
    loop: list[Any] = []
    loop.append(loop)
    assert shown(loop) == shown([[[]]]) == "a value of type list"
    assert shown({"a": 1}) == "a value of type dict"


@given(st.text() | st.binary() | st.integers() | st.floats() | st.none())
def test_what_is_shown_never_breaks_a_line(value: Any) -> None:
    assert len(shown(value)) <= MAX_SHOWN
    assert shown(value).isprintable()
    assert one_line(value).isprintable()


def test_one_line_keeps_all_that_can_be_printed() -> None:
    assert one_line("/tmp/a\nb/\udcff/é.pt") == r"/tmp/a\nb/\udcff/é.pt"


def test_a_name_with_a_newline_is_one_line_of_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        read_model(tmp_path / "a\nb.pt")
    assert str(caught.value).isprintable()
    with pytest.raises(ModelError) as caught:
        find_model("a\x1b[2Jb")
    assert str(caught.value).isprintable()


def test_a_mistyped_model_suggests() -> None:
    for name in ("hapy", "happy.pt", "jarvis.pt", "Happy"):
        with pytest.raises(
            ModelError, match=f"did you mean {'jarvis' if 'j' in name else 'happy'}[?] shipped"
        ):
            find_model(name)
    with pytest.raises(ModelError) as caught:
        find_model("qqqqq")
    assert "did you mean" not in str(caught.value)


def test_brackets_of_a_keyword_and_a_file_name_are_no_markup(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from kwsd.cli.commands import cli

    path = tmp_path / "[bold]a\x1b[2Jb.pt"
    record, entries = parts()
    path.write_bytes(file_of(record | {"keyword": "[/red] word"}, entries))
    result = CliRunner().invoke(cli, ["info", str(path)], env={"COLUMNS": "300"}, catch_exceptions=False)
    assert result.exit_code == 0
    assert "'[/red] word'" in result.output
    assert r"[bold]a\x1b[2Jb.pt" in result.output
    assert "\x1b" not in result.output


def test_a_setting_of_another_type_is_shown() -> None:
    with pytest.raises(UsageError, match="window must be a whole number from 1 to 100,000, not 'high'"):
        Settings(window="high")  # type: ignore[arg-type]


def test_a_tensor_knows_its_size() -> None:
    record, entries = parts()
    held = read_torch(file_of(record, entries))
    assert isinstance(held, dict)
    tensor = held["weights"]["conv.weight"]
    assert isinstance(tensor, Tensor)
    assert (tensor.size, tensor.shape) == (60, (1, 1, 20, 3))


def test_pickle_is_never_loaded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle, "loads", None)
    monkeypatch.setattr(pickle, "load", None)
    record, entries = parts()
    assert isinstance(read(path, file_of(record, entries)), Model)
