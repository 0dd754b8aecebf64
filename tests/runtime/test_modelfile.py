"""The reader of model files: it takes what torch writes, and nothing that is damaged or hostile."""

import dataclasses
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kwsd
from kwsd.errors import ModelError
from kwsd.runtime import modelfile
from kwsd.runtime.model import BASELINE, STUDENT, Architecture, Model
from kwsd.runtime.modelfile import find_model, read_model, short_name
from kwsd.runtime.shipped_embedding import SHA256, shipped_embedding
from kwsd.runtime.shipped_embedding import path as embedding_path
from kwsd.runtime.verifier import shapes as verifier_shapes

torch = pytest.importorskip("torch")

SMALL = Architecture(channels=1, kernel=(20, 3), stride=(20, 2), hidden=2)
FACTS = {"seed": 1, "metrics": {"auroc": 0.99, "curve": [0.1, None, True]}, "date": "2026-01-01"}


@contextmanager
def nothing_runs() -> Iterator[None]:
    """Fails the test if anything is run, looked up by an unpickler, or opened for writing."""
    seen: list[str] = []
    HOOKS.append(lambda event, args: seen.append(f"{event} {args}"))
    try:
        yield
    finally:
        HOOKS.clear()
    assert seen == []


HOOKS: list[Callable[[str, Any], None]] = []


def _audit(event: str, args: Any) -> None:
    if not HOOKS:
        return
    writes = event == "open" and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    runs = event in {
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "subprocess.Popen",
        "exec",
        "pickle.find_class",
    }
    if writes or runs or event in {"os.mkdir", "os.rename", "os.remove", "socket.connect"}:
        HOOKS[0](event, args)


sys.addaudithook(_audit)


def record(model: Model) -> dict[str, Any]:
    """What a model file holds, for torch.save."""
    arch = model.architecture
    return {
        "kwsd": 3,
        "keyword": model.keyword,
        "sample_rate": 16000,
        "front_end": {"n_fft": 400, "hop": 160, "n_mels": 40, "floor": 1e-6},
        "architecture": {
            "channels": arch.channels,
            "kernel": list(arch.kernel),
            "stride": list(arch.stride),
            "hidden": arch.hidden,
        },
        "settings": {
            "window": 20,
            "step": 8,
            "threshold": 0.5,
            "candidate_threshold": 0.02,
            "patience": 1,
            "release": 0.3,
            "refractory": 1.0,
        },
        "weights": {name: torch.from_numpy(weight.copy()) for name, weight in model.weights.items()},
        "facts": FACTS,
    }


def saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def entries_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def with_pickle(content: bytes) -> bytes:
    return zipped({"m/data.pkl": content, "m/byteorder": b"little", "m/version": b"3\n"})


def refused(path: Path, data: bytes) -> str:
    """The reader's one line about a file of these bytes, without the file's name."""
    path.write_bytes(data)
    with nothing_runs(), pytest.raises(ModelError) as caught:
        read_model(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


@pytest.fixture
def small(random_model: Callable[..., Model]) -> dict[str, Any]:
    return record(random_model(SMALL))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.pt"


def assert_same(model: Model, expected: Model) -> None:
    assert model.architecture == expected.architecture
    assert model.weights.keys() == expected.weights.keys()
    for name, weight in model.weights.items():
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, expected.weights[name])


@pytest.mark.parametrize("architecture", [STUDENT, BASELINE, SMALL])
def test_reads_what_torch_writes(
    random_model: Callable[..., Model], file: Path, architecture: Architecture
) -> None:
    model = random_model(architecture)
    torch.save(record(model), file)
    read = read_model(file)
    assert_same(read, model)
    assert (read.keyword, read.settings, read.facts, read.path) == ("word", model.settings, FACTS, file)
    torch.load(file, weights_only=True)


def test_reads_what_kwsd_saves(random_model: Callable[..., Model], file: Path) -> None:
    training = pytest.importorskip("kwsd.training.release.modelfile")
    model = random_model(STUDENT)
    training.save_model(model, file)
    assert_same(read_model(file), model)


def test_reads_a_verifier(random_model: Callable[..., Model], file: Path) -> None:
    training = pytest.importorskip("kwsd.training.release.modelfile")
    verifier = {name: np.full(shape, 0.5, np.float32) for name, shape in verifier_shapes(3).items()}
    training.save_model(dataclasses.replace(random_model(STUDENT), verifier=verifier), file)
    read = read_model(file).verifier
    assert read is not None
    assert read.keys() == verifier.keys()
    for name, array in read.items():
        np.testing.assert_array_equal(array, verifier[name])
    torch.load(file, weights_only=True)


@pytest.fixture
def frozen() -> dict[str, np.ndarray]:
    """A verifier with the embedding that ships with kwsd."""
    heads = {name: np.full(shape, 0.5, np.float32) for name, shape in verifier_shapes(3).items()}
    return heads | {name: array.copy() for name, array in shipped_embedding().items()}


def saved_with(
    random_model: Callable[..., Model], verifier: dict[str, np.ndarray], file: Path
) -> dict[str, Any]:
    """What torch loads from the file of a model with this verifier."""
    training = pytest.importorskip("kwsd.training.release.modelfile")
    training.save_model(dataclasses.replace(random_model(STUDENT), verifier=verifier), file)
    content: dict[str, Any] = torch.load(file, weights_only=True)
    return content


def test_a_file_refers_to_the_shipped_embedding(
    random_model: Callable[..., Model], frozen: dict[str, np.ndarray], file: Path
) -> None:
    content = saved_with(random_model, frozen, file)
    assert content["verifier"].keys() == frozen.keys() - shipped_embedding().keys()
    assert content["embedding"] == {"sha256": SHA256, "kwsd": kwsd.__version__}
    first, second = read_model(file).verifier, read_model(file).verifier
    assert first is not None
    assert second is not None
    for name, array in frozen.items():
        np.testing.assert_array_equal(first[name], array)
        assert (first[name] is second[name]) == (name in shipped_embedding())  # one object in all models
    complete = torch.load(embedding_path(), weights_only=True) | content["verifier"]  # without kwsd
    assert complete.keys() == frozen.keys()
    assert all(np.array_equal(tensor.numpy(), frozen[name]) for name, tensor in complete.items())


def test_a_file_holds_what_was_fine_tuned(
    random_model: Callable[..., Model], frozen: dict[str, np.ndarray], file: Path
) -> None:
    frozen["conv19.weight"][0, 0, 0] += 1
    content = saved_with(random_model, frozen, file)
    assert content["verifier"].keys() == frozen.keys() - shipped_embedding().keys() | {"conv19.weight"}
    read = read_model(file).verifier
    assert read is not None
    np.testing.assert_array_equal(read["conv19.weight"], frozen["conv19.weight"].astype(np.float16))
    assert read["conv18.weight"] is shipped_embedding()["conv18.weight"]


def test_version_2_holds_the_whole_embedding(
    small: dict[str, Any], frozen: dict[str, np.ndarray], file: Path
) -> None:
    small["verifier"] = {name: torch.from_numpy(array).half() for name, array in frozen.items()}
    torch.save(small | {"kwsd": 2}, file)
    read = read_model(file).verifier
    assert read is not None
    assert all(read[name] is array for name, array in shipped_embedding().items())


@pytest.mark.parametrize(
    ("embedding", "said"),
    [
        (
            {"sha256": "5" * 64, "kwsd": "7.1.0"},
            "it needs the speech embedding '555555555555', which this kwsd does not have; the file is from "
            "kwsd '7.1.0': upgrade kwsd to that version or a later one",
        ),
        ({"kwsd": "7.1.0"}, "its entry 'sha256' is missing or is not a str"),
        ("google", "its entry 'embedding' is missing or is not a dict"),
        (None, "the weights of its verifier are not those of a kwsd model"),
    ],
    ids=["unknown", "unnamed", "text", "none"],
)
def test_a_reference_to_another_embedding_is_refused(
    small: dict[str, Any], frozen: dict[str, np.ndarray], file: Path, embedding: Any, said: str
) -> None:
    small["verifier"] = {n: torch.from_numpy(a) for n, a in frozen.items() if n not in shipped_embedding()}
    if embedding is not None:
        small["embedding"] = embedding
    assert refused(file, saved(small)) == said


def test_an_installation_without_its_embedding_says_so(
    random_model: Callable[..., Model],
    frozen: dict[str, np.ndarray],
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved_with(random_model, frozen, file)
    missing = file.with_name("absent.pt")
    monkeypatch.setattr("kwsd.runtime.shipped_embedding.path", lambda: missing)
    shipped_embedding.cache_clear()
    assert refused(file, file.read_bytes()) == (
        f"cannot read the speech embedding {missing}: No such file or directory; reinstall kwsd"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"output.bias": None}, "its verifier has no heads"),
        ({"mel": None}, "the weights of its verifier are not those of a kwsd model"),
        ({"more": torch.zeros(1)}, "the weights of its verifier are not those of a kwsd model"),
        ({"mel": torch.zeros(3)}, "weight verifier mel has shape (3,)"),
        ({"conv0.bias": torch.full((24,), torch.nan)}, "weight verifier conv0.bias holds a NaN"),
    ],
)
def test_a_wrong_verifier_is_refused(
    small: dict[str, Any], file: Path, change: dict[str, Any], said: str
) -> None:
    verifier = {name: torch.zeros(shape) for name, shape in verifier_shapes(1).items()} | change
    small["verifier"] = {name: tensor for name, tensor in verifier.items() if tensor is not None}
    assert said in refused(file, saved(small))


def test_reads_views_halves_and_state_dicts(random_model: Callable[..., Model], file: Path) -> None:
    model = random_model(SMALL)
    content = record(model)
    weights = content["weights"]
    weights["attention.weight"] = weights["attention.weight"].T.contiguous().T  # strides
    joined = torch.cat([torch.zeros(3), weights["conv.bias"], weights["energy.bias"]])
    weights["conv.bias"], weights["energy.bias"] = joined[3:4], joined[4:]  # offsets into one storage
    weights["output.bias"] = torch.tensor([0.5, -0.25], dtype=torch.float16)
    model.weights["output.bias"][:] = [0.5, -0.25]
    module = torch.nn.Module()
    for name, tensor in weights.items():
        module.register_buffer(name.replace(".", "_"), tensor)
    state = module.state_dict()  # an OrderedDict with an attribute
    content["weights"] = OrderedDict(zip(weights, state.values(), strict=True))
    content["weights"]._metadata = state._metadata
    torch.save(content, file)
    assert_same(read_model(file), model)


def test_reads_deflated_entries(random_model: Callable[..., Model], file: Path) -> None:
    model = random_model(SMALL)
    file.write_bytes(zipped(entries_of(saved(record(model))), zipfile.ZIP_DEFLATED))
    torch.load(file, weights_only=True)
    assert_same(read_model(file), model)


@pytest.mark.parametrize(("gate", "expected"), [({}, 0.02), ({"gate": 0.35}, 0.35)], ids=["none", "gate"])
def test_reads_version_1(
    random_model: Callable[..., Model], file: Path, gate: dict[str, float], expected: float
) -> None:
    """Which said `gate` for the candidate threshold, and in its oldest files nothing."""
    model = random_model(SMALL)
    content = record(model)
    del content["settings"]["candidate_threshold"]
    torch.save(content | {"kwsd": 1, "settings": content["settings"] | gate}, file)
    read = read_model(file)
    assert_same(read, model)
    assert read.settings == model.settings.override(candidate_threshold=expected)


def test_the_names_of_settings_are_those_of_the_version(small: dict[str, Any], file: Path) -> None:
    reason = "its settings are not those of a kwsd model"
    del small["settings"]["candidate_threshold"]
    assert refused(file, saved(small)) == reason
    small["settings"]["gate"] = 0.2
    assert refused(file, saved(small)) == reason


def test_a_file_is_written_in_the_present_version(random_model: Callable[..., Model], file: Path) -> None:
    training = pytest.importorskip("kwsd.training.release.modelfile")
    training.save_model(random_model(SMALL), file)
    content = torch.load(file, weights_only=True)
    assert content["kwsd"] == modelfile.FORMAT_VERSION == 3
    assert content["settings"]["candidate_threshold"] == 0.02


# Damaged


def test_every_truncation_is_refused(small: dict[str, Any], file: Path) -> None:
    data = saved(small)
    for length in [*range(0, 200), *range(200, len(data), 61), len(data) - 1]:
        assert refused(file, data[:length])
    assert refused(file, data[: len(data) // 2]) == "truncated or damaged; download it again"


def test_a_flipped_bit_in_a_weight_is_noticed(small: dict[str, Any], file: Path) -> None:
    data = bytearray(saved(small))
    weights = small["weights"]["gru.weight_ih_l1"].numpy().tobytes()
    data[data.index(weights) + 5] ^= 1
    assert refused(file, bytes(data)) == "truncated or damaged; download it again"


def test_a_directory_of_the_zip_that_points_far_away_is_refused(small: dict[str, Any], file: Path) -> None:
    data = bytearray(saved(small))
    end = data.rindex(b"PK\x06\x06")
    data[end + 48 : end + 56] = struct.pack("<Q", 2**64 - 1)  # where the directory starts
    assert refused(file, bytes(data)) == "truncated or damaged; download it again"


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "copy", "opcode"]),
        st.floats(0, 1, exclude_max=True),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=5,
)


def mutate(data: bytes, mutations: list[tuple[str, float, float, bytes]]) -> bytes:
    for kind, where, other, blob in mutations:
        i, j = int(where * len(data)), int(other * len(data))
        match kind:
            case "flip":
                data = data[:i] + blob[:1] + data[i + 1 :]
            case "cut":
                data = data[:i] + data[i + len(blob) * 4 :]
            case "insert":
                data = data[:i] + blob + data[i:]
            case "copy":
                data = data[:i] + data[j : j + 40] + data[i + 40 :]
            case "opcode":
                data = data[:i] + bytes([b"(.0ReiIbc}]lu\x85\x93\x95Qqrhj"[blob[0] % 20]]) + data[i + 1 :]
    return data


def check_mutant(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with nothing_runs():
        try:
            model = read_model(path)
        except ModelError as error:
            assert "\n" not in str(error).removeprefix(str(path))  # noqa: PT017
        else:
            assert {
                name: weight.shape for name, weight in model.weights.items()
            } == model.architecture.shapes()
            assert all(np.isfinite(weight).all() for weight in model.weights.values())
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


@settings(max_examples=300)
@given(mutations=MUTATIONS)
def test_a_mutated_file_is_a_model_or_an_error(
    random_model: Callable[..., Model],
    tmp_path_factory: pytest.TempPathFactory,
    mutations: list[tuple[str, float, float, bytes]],
) -> None:
    data = saved(record(random_model(SMALL)))
    check_mutant(tmp_path_factory.mktemp("mutant") / "model.pt", mutate(data, mutations))


@settings(max_examples=300)
@given(mutations=MUTATIONS)
def test_a_mutated_pickle_is_a_model_or_an_error(
    random_model: Callable[..., Model],
    tmp_path_factory: pytest.TempPathFactory,
    mutations: list[tuple[str, float, float, bytes]],
) -> None:
    """As above, with the zip's checksum right, so that the pickle is reached."""
    entries = entries_of(saved(record(random_model(SMALL))))
    name = next(name for name in entries if name.endswith("data.pkl"))
    entries[name] = mutate(entries[name], mutations)
    check_mutant(tmp_path_factory.mktemp("mutant") / "model.pt", zipped(entries))


# Hostile


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (Calls(os.system, "touch pwned"), "posix system"),
        (Calls(eval, "1"), "__builtin__ eval"),
        (Calls(exec, "1"), "__builtin__ exec"),
        (Calls(getattr, "a", "b"), "__builtin__ getattr"),
        (Calls(os.posix_spawn, "ls", [], {}), "posix posix_spawn"),
        (Calls(torch.load, "x"), "torch.serialization load"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pickle_that_calls_is_refused_and_not_run(
    small: dict[str, Any], file: Path, payload: Any, name: str
) -> None:
    reason = f"refers to {name!r}, which no kwsd model does; it may be malicious: delete it"
    assert refused(file, with_pickle(pickle.dumps(payload, protocol=2))) == reason
    small["facts"] = {"note": payload}
    assert refused(file, saved(small)) == reason


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_other_pickle_protocols_are_refused(file: Path, protocol: int) -> None:
    payload = pickle.dumps([Calls(os.system, "true"), "text", 1.5, b"bytes", {1, 2}], protocol)
    assert re.search("pickle opcode|refers to 'posix system'", refused(file, with_pickle(payload)))


def remember(index: int) -> bytes:
    return b"r" + struct.pack("<I", 1000 + index)


def recall(index: int) -> bytes:
    return b"j" + struct.pack("<I", 1000 + index)


LOOP = b"}" + remember(0) + b"X\x01\x00\x00\x00a" + recall(0) + b"s"  # a dict that holds itself
DOUBLING = b"(]" + remember(0)  # a list that holds one list twice, that holds one list twice, ...
for depth in range(60):
    DOUBLING += b"](" + recall(depth) * 2 + b"e" + remember(depth + 1)
DOUBLING += b"t"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02.",
        b"\x80\x02N0.",
        b"\x80\x02K\x01K\x02.",
        b"\x80\x02h\x07.",
        b"\x80\x02Nr\xff\xff\xff\xffj\xff\xff\xff\xff\x86.",
        b"\x80\x02j\xff\xff\xff\x7f.",
        b"\x80\x02X\xff\xff\xff\x7fa.",
        b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
        b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".",
        b"\x80\x02}" + b")" + b"\x85" * 300_000 + b"Ns.",
        b"\x80\x02\x85\x85\x86.",
        b"\x80\x02}Nb.",
        b"\x80\x02)NR.",
        b"\x80\x02NQ.",
        b"\x80\x02ccollections\nOrderedDict\n(NNtR.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02I" + b"9" * 10_000 + b"\n.",
        b"\x80\x02" + LOOP + b".",
        b"\x80\x02" + DOUBLING + b".",
    ],
    ids=range(21),
)
def test_a_malformed_pickle_is_refused(file: Path, content: bytes) -> None:
    assert refused(file, with_pickle(content))


@pytest.mark.parametrize("bomb", [LOOP, DOUBLING], ids=["loop", "doubling"])
def test_facts_without_end_are_refused(small: dict[str, Any], file: Path, bomb: bytes) -> None:
    entries = entries_of(saved(small | {"facts": {"bomb": 12345678}}))
    name = next(name for name in entries if name.endswith("data.pkl"))
    entries[name] = entries[name].replace(b"J" + struct.pack("<i", 12345678), bomb)
    assert refused(file, zipped(entries)) == "holds the same list, tuple or dict twice; not a kwsd model"


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(small: dict[str, Any], file: Path) -> None:
    small["weights"]["output.bias"] = torch.arange(1234.0)[1232:]  # offset 1232, size 2
    entries = entries_of(saved(small))
    name = next(name for name in entries if name.endswith("data.pkl"))
    assert entries[name].count(b"M\xd0\x04") == 1
    file.write_bytes(zipped(entries))
    np.testing.assert_array_equal(read_model(file).weights["output.bias"], [1232, 1233])
    entries[name] = entries[name].replace(b"M\xd0\x04", b"M\xd1\x04")
    assert refused(file, zipped(entries)) == "truncated or damaged; download it again"


def test_a_tensor_made_large_by_strides_is_refused_unmade(small: dict[str, Any], file: Path) -> None:
    small["weights"]["output.bias"] = torch.zeros(1).expand(2**40)
    assert refused(file, saved(small)) == "a tensor has more numbers than its storage; not a kwsd model"


def test_a_zip_bomb_is_refused_unpacked(small: dict[str, Any], file: Path) -> None:
    entries = entries_of(saved(small))
    root = next(iter(entries)).partition("/")[0]
    bomb = zipped(entries | {f"{root}/data/0": bytes(80 * 2**20)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 200_000
    assert "unpacks to more than" in refused(file, bomb)
    pickle_bomb = zipped(entries | {f"{root}/data.pkl": bytes(2**21)}, zipfile.ZIP_DEFLATED)
    assert "its data.pkl unpacks to more than" in refused(file, pickle_bomb)


def test_a_zip_bomb_that_lies_about_its_size_is_refused(file: Path) -> None:
    size = 40 * 2**20
    bomb = zipped({"m/data.pkl": bytes(size)}, zipfile.ZIP_DEFLATED)
    assert bomb.count(struct.pack("<I", size)) == 2
    tracemalloc.start()
    try:
        assert refused(file, bomb.replace(struct.pack("<I", size), struct.pack("<I", 1000)))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_zip_of_very_many_entries_is_refused_unread(file: Path) -> None:
    assert "more than 1,000 entries" in refused(file, zipped({f"m/data/{i}": b"" for i in range(1001)}))


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "../data.pkl",
        "/etc/passwd",
        "m/../data.pkl",
        "m/data/../../x",
        "m\\data.pkl",
        "m/data/x",
        "m/data.pkl\0",
        "m/code/model.py",
        "./version",
        "other/version",
    ],
)
def test_an_entry_of_another_name_is_refused(file: Path, name: str) -> None:
    entries = {"m/data.pkl": pickle.dumps({"kwsd": 1}, 2), name: b"x"}
    if "\0" in name:  # Python's zipfile cuts the name there when it writes
        data = zipped({"m/data.pkl": b"", "m/data.pklX": b""}).replace(b"m/data.pklX", b"m/data.pkl\0")
    else:
        data = zipped(entries)
    assert "which no kwsd model does" in refused(file, data)


def test_two_entries_of_one_name_are_refused(file: Path) -> None:
    data = zipped({"m/data.pkl": b"a", "m/data.pkX": b"b"}).replace(b"data.pkX", b"data.pkl")
    assert "two entries of the same name" in refused(file, data)


def test_other_compressions_and_encryption_are_refused(small: dict[str, Any], file: Path) -> None:
    entries = entries_of(saved(small))
    assert "compressed in a way" in refused(file, zipped(entries, zipfile.ZIP_LZMA))
    data = bytearray(zipped(entries))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in refused(file, bytes(data))


# Something else


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"<html>404</html>", b"version https://git-lfs", pickle.dumps({})],
    ids=["empty", "wav", "html", "git-lfs", "pickle"],
)
def test_a_file_of_another_kind_is_refused(file: Path, data: bytes) -> None:
    assert refused(file, data) == "not a model file; give a .pt file that kwsd train wrote"


@pytest.mark.parametrize("content", [{"model": 1}, [1], 5, None, OrderedDict(a=torch.zeros(1))], ids=str)
def test_a_torch_file_of_something_else_is_refused(file: Path, content: Any) -> None:
    assert refused(file, saved(content)).startswith("a torch file, but not a kwsd model")


def test_another_zip_is_refused(file: Path) -> None:
    assert "which no kwsd model does" in refused(file, zipped({"a.txt": b"hello"}))


def test_a_big_endian_file_is_refused(small: dict[str, Any], file: Path) -> None:
    entries = {
        name: b"big" if name.endswith("byteorder") else e for name, e in entries_of(saved(small)).items()
    }
    assert "big-endian" in refused(file, zipped(entries))


# A model that does not fit


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kwsd": 4}, "its format version is 4, and this kwsd reads versions up to 3: upgrade kwsd"),
        ({"kwsd": 0}, "its format version is 0, which no kwsd model has"),
        ({"kwsd": "2"}, "its format version is '2', which no kwsd model has"),
        ({"sample_rate": 8000}, "made for audio at 8000 Hz, but kwsd uses 16000 Hz; use another model"),
        ({"front_end": {"n_fft": 512}}, "made for another front end"),
        ({"front_end": None}, "made for another front end"),
        ({"keyword": ""}, "the keyword must be 1 to 100 printable characters"),
        ({"keyword": "a\x1b[2J"}, "the keyword must be 1 to 100 printable characters"),
        ({"keyword": 5}, "its entry 'keyword' is missing or is not a str"),
        ({"weights": 5}, "its entry 'weights' is missing or is not a dict"),
        ({"facts": {"array": torch.zeros(1)}}, "its facts hold something other than plain values"),
        ({"settings": {}}, "its settings are not those of a kwsd model"),
        ({"architecture": {}}, "its architecture is not that of a kwsd model"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_wrong_part_is_named(small: dict[str, Any], file: Path, change: Any, reason: str) -> None:
    assert reason in refused(file, saved(small | change))


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"hidden": 0}, "hidden must be a whole number from 1"),
        ({"hidden": 10**9}, "hidden must be a whole number from 1"),
        ({"hidden": 1000}, "parameters are too many"),
        ({"hidden": "2"}, "hidden must be a whole number from 1"),
        ({"channels": 2.5}, "channels must be a whole number from 1"),
        ({"kernel": [41, 3]}, "kernel (frequency) must be a whole number from 1 to 40"),
        ({"kernel": [20, 0]}, "kernel (time) must be a whole number from 1"),
        ({"kernel": [20]}, "its architecture is not that of a kwsd model"),
        ({"stride": [0, 2]}, "stride (frequency) must be a whole number from 1"),
        ({"layers": 3}, "its architecture is not that of a kwsd model"),
    ],
    ids=str,
)
def test_an_architecture_that_cannot_be_is_refused(
    small: dict[str, Any], file: Path, sizes: dict[str, Any], reason: str
) -> None:
    small["architecture"] |= sizes
    assert reason in refused(file, saved(small))


@pytest.mark.parametrize(
    "bad",
    [{"window": 0}, {"step": 10**6}, {"threshold": float("nan")}, {"release": 0.9}, {"patience": None}],
    ids=str,
)
def test_settings_out_of_range_are_refused(small: dict[str, Any], file: Path, bad: dict[str, Any]) -> None:
    small["settings"] |= bad
    assert next(iter(bad)) in refused(file, saved(small))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 1e7])
def test_weights_that_are_no_numbers_are_refused(small: dict[str, Any], file: Path, number: float) -> None:
    small["weights"]["conv.weight"][0, 0, 3, 1] = number
    assert refused(file, saved(small)) == "weight conv.weight holds a NaN or a number beyond 1e+06"


def test_weights_must_be_those_of_the_architecture(small: dict[str, Any], file: Path) -> None:
    weights = small["weights"]

    def reason(**change: Any) -> str:
        changed = {name.replace("_", ".", 1): value for name, value in change.items()}
        return refused(file, saved(small | {"weights": weights | changed}))

    assert reason(conv_bias=torch.zeros(2)) == "weight conv.bias has shape (2,); the architecture needs (1,)"
    assert reason(conv_bias=torch.zeros(1, dtype=torch.int32)) == "weight conv.bias is not a tensor of floats"
    assert reason(conv_bias=[0.0]) == "weight conv.bias is not a tensor of floats"
    assert reason(more_bias=torch.zeros(1)) == "missing or unexpected weights: 'more.bias'"
    del weights["energy.bias"]
    assert reason() == "missing or unexpected weights: 'energy.bias'"


# The path


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, reason in [
        (tmp_path, "a folder; give the .pt file in it"),
        (tmp_path / "none.pt", "no such file"),
        (fifo, "not a file; give a .pt file"),  # opening one would wait for a writer
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
    ]:
        with pytest.raises(ModelError) as caught:
            read_model(path)
        assert str(caught.value) == f"{path}: {reason}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_a_file_without_permission_is_named(small: dict[str, Any], file: Path) -> None:
    file.write_bytes(saved(small))
    file.chmod(0)
    with pytest.raises(ModelError, match="no permission to read it"):
        read_model(file)


def test_a_huge_file_is_refused_unread(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.write(b"PK\x03\x04")
        sparse.truncate(65 * 2**20)
    with pytest.raises(ModelError, match="larger than"):
        read_model(file)


def test_find_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    for name in ("teacher", "student"):
        (tmp_path / "models" / f"{name}.pt").touch()
    (tmp_path / "student").mkdir()  # a folder of the same name does not hide the model
    monkeypatch.setattr(modelfile, "shared", lambda folder: tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    shipped = tmp_path / "models" / "student.pt"
    assert find_model("student") == shipped
    assert find_model(str(shipped)) == shipped
    for name in ("pupil", "../models/student", "", "a\0b"):
        if name:
            with pytest.raises(ModelError, match=r"shipped models: student, teacher$"):
                find_model(name)


def test_the_ending_of_a_model_s_name_may_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bed").mkdir()
    for name in ("bed.pt", "jarvis.pt", "hat", "hat.pt"):
        (tmp_path / name).touch()
    assert find_model("bed") == Path("bed.pt")
    assert find_model(str(tmp_path / "bed")) == tmp_path / "bed.pt"
    assert find_model("jarvis") == modelfile.shared("models") / "jarvis.pt"  # not the one in this folder
    assert find_model("hat") == Path("hat")
    for path, name in (("bed.pt", "bed"), ("jarvis.pt", "jarvis.pt"), ("hat.pt", "hat.pt")):
        assert short_name(Path(path)) == name
    assert short_name(Path("bed.model")) == "bed.model"


def test_listening_does_not_import_torch(random_model: Callable[..., Model], file: Path) -> None:
    file.write_bytes(saved(record(random_model(STUDENT))))
    code = (
        "import sys, numpy, kwsd\n"
        f"detector = kwsd.Detector.load({str(file)!r}, window=20, step=10)\n"
        "assert detector.feed(numpy.zeros(16000, numpy.float32)) == []\n"
        "assert detector.posterior > 0\n"
        "print([name for name in ('torch', 'matplotlib', 'rich', 'click') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")
