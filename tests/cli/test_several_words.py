"""Several words at once, as installed: words on the command line, tables in the file, reloads."""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from harness import KWSD, LOUD, PATIENCE, Spoken, wait_for

SAMPLE_RATE = 16_000


def run(*arguments: str | Path, home: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [KWSD, *arguments],
        env=os.environ | {"XDG_CONFIG_HOME": str(home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kwsd" / "config.toml"
    path.parent.mkdir()
    (path.parent / "mine.pt").write_bytes(LOUD.read_bytes())
    return path


@pytest.fixture(scope="session")
def both(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of computer and six of jarvis in turn, with a pause after each."""
    soundfile = pytest.importorskip("soundfile")
    folder = recordings / "wake_words"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    pairs = zip(*(sorted((folder / word).glob("*.flac"))[:6] for word in ("computer", "jarvis")), strict=True)
    pause = np.zeros(SAMPLE_RATE)
    parts = [part for pair in pairs for clip in pair for part in (soundfile.read(clip)[0], pause)]
    path: Path = tmp_path_factory.mktemp("words") / "both.wav"
    soundfile.write(path, np.concatenate((pause, *parts)), SAMPLE_RATE)
    return path


def test_two_words_have_hooks_and_clips_of_their_own(both: Path, file: Path, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    file.write_text(
        f'on-trigger = ["echo any $KWSD_KEYWORD >> {heard}"]\n'
        f'[word.computer]\nthreshold = 0.7\non-trigger = ["echo lights >> {heard}"]\n'
        '[word."hey jarvis"]\nmodel = "jarvis"\n'
    )
    clips = tmp_path / "clips"
    done = run("listen", "--input", both, "--save-clips", clips, "--format", "json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "listening for 'computer' and 'hey jarvis' on" in done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    count = Counter((event["keyword"], event["model"]) for event in events)
    assert set(count) == {("computer", "computer.pt"), ("hey jarvis", "jarvis.pt")}
    assert all(5 <= number <= 7 for number in count.values())
    computers, jarvises = count["computer", "computer.pt"], count["hey jarvis", "jarvis.pt"]
    hooks = Counter(heard.read_text().splitlines())
    assert hooks == {"any computer": computers, "any hey jarvis": jarvises, "lights": computers}
    names = Counter(path.stem.rpartition("Z-")[2] for path in clips.iterdir())
    assert names == {"computer": computers, "hey_jarvis": jarvises}
    typed = run("listen", "jarvis", "--model", "computer", "--input", both, "--format", "json", home=tmp_path)
    found = [json.loads(line)["keyword"] for line in typed.stdout.splitlines()]
    assert Counter(found) == {"computer": computers, "jarvis": jarvises}


def test_score_has_a_column_and_a_line_for_each_word(both: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "both.png"
    models = ("--model", "computer", "--model", "jarvis")
    done = run("score", both, *models, "--format", "csv", "--plot", picture, home=tmp_path)
    assert done.returncode == 0, done.stderr
    header, *rows = (line.split(",") for line in done.stdout.splitlines())
    assert header[:4] == ["stream_time", "computer", "computer warm", "computer verified"]
    assert header[4:] == ["jarvis", "jarvis warm", "jarvis verified", "trigger"]
    assert Counter(row[-1] for row in rows).keys() == {"", "computer", "jarvis"}
    times = [float(row[0]) for row in rows]
    assert times == sorted(set(times))
    assert picture.read_bytes().startswith(b"\x89PNG")
    done = run("score", both, *models, "--beside", "8", "5", "--plot", picture, home=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_one_utterance_is_one_trigger(file: Path, tmp_path: Path, loud: Spoken) -> None:
    file.write_text('[word.one]\nmodel = "mine.pt"\n[word.two]\nmodel = "mine.pt"\nstep = 12\n')
    done = run("listen", "--input", loud.path, "--format", "json", home=tmp_path)
    alone = run("listen", LOUD, "--input", loud.path, "--format", "json", home=tmp_path)
    assert len(done.stdout.splitlines()) == len(alone.stdout.splitlines()) > 0, done.stderr


def test_config_shows_a_column_for_each_word(file: Path, tmp_path: Path) -> None:
    file.write_text(
        'window = 9\non-trigger = ["ding"]\n[word.loud]\nmodel = "mine.pt"\nthreshold = 0.4\n'
        'on-trigger = ["lamp"]\n[word.happy]\n'
    )
    found = json.loads(run("config", "--json", "--patience", "3", home=tmp_path).stdout)
    loud, happy = found["words"]["loud"], found["words"]["happy"]
    assert loud["model"] == {"value": str(file.parent / "mine.pt"), "from": "[word.loud]"}
    assert loud["threshold"] == {"value": 0.4, "from": "[word.loud]"}
    assert loud["on-trigger"] == {"value": ["lamp"], "from": "[word.loud]"}
    assert happy["model"] == {"value": "happy", "from": "the file"}
    assert happy["threshold"]["from"] == "the model"
    assert loud["window"] == happy["window"] == {"value": 9, "from": "the file"}
    assert loud["patience"] == happy["patience"] == {"value": 3, "from": "command line"}
    assert found["on-trigger"] == {"value": ["ding"], "from": "the file"}
    assert "threshold" not in found
    header = next(line for line in run("config", home=tmp_path).stdout.splitlines() if "Of a word" in line)
    assert header.split()[3:] == ["loud", "happy"]
    one = json.loads(run("config", "--json", "loud", home=tmp_path).stdout)  # its table alone
    assert one["threshold"] == {"value": 0.4, "from": "[word.loud]"}
    assert one["on-trigger"] == {"value": ["ding", "lamp"], "from": "[word.loud]"}
    assert one["model"]["value"] == str(file.parent / "mine.pt")


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("", ["happy", "happy"], "the word 'happy' is given twice, by happy.pt: leave one out"),
        ("", ["happy", "--model", "student"], "given twice, by happy.pt and student.pt"),
        ("", ["happy", "jarvys"], "did you mean jarvis?"),
        ("[word.foo]", [], "[word.foo]: set model to a file or a shipped model: foo: No such file"),
        ('[word."a b"]', [], '[word."a b"]: set model to a file'),
        (
            "[word.happy]\nmodle = 'x'",
            [],
            "[word.happy]: there is no option 'modle'; the options are: model, window",
        ),
        ("[word.happy]\ndevice = 'x'", [], "[word.happy]: there is no option 'device'"),
        ("[word.happy]\nthreshold = 2", ["jarvis"], "[word.happy]: threshold: 2.0 is not in the range"),
        ("[word.happy]\nthreshold = 'x'", [], "[word.happy]: threshold must be a number, not 'x'"),
        (
            "[word.happy]\non-trigger = 'x'",
            [],
            "[word.happy]: on-trigger must be a list of items, each a quoted",
        ),
        ("[word.happy]\nmodel = ['x']", [], "[word.happy]: model must be a quoted string"),
        ("[word.happy]\nrelease = 0.9\nthreshold = 0.5", [], "happy: release 0.9 must not be above"),
        ("word = 'happy'", [], "word must be tables, as [word.NAME], not 'happy'"),
        ("[word]\nhappy = 3", [], "[word] must hold tables, as [word.NAME]; 'happy' is none"),
        ('[word." "]', [], "[word.' ']: the keyword is blank"),
    ],
)
def test_a_mistake_is_one_line(
    file: Path, tmp_path: Path, text: str, arguments: list[str], says: str
) -> None:
    file.write_text(text)
    done = run("listen", *arguments, "--input", "-", home=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr


def test_a_reload_adds_and_removes_words_with_their_hooks(file: Path, tmp_path: Path) -> None:
    word = np.random.default_rng(0).normal(0, 6_000, 8_000).astype(np.int16).tobytes()
    silence, log, heard = bytes(2 * SAMPLE_RATE), tmp_path / "log", tmp_path / "heard"
    table = f'model = "mine.pt"\non-trigger = ["echo $KWSD_KEYWORD >> {heard}"]\n'
    file.write_text(f"[word.old]\n{table}")
    with log.open("wb") as stderr:
        daemon = subprocess.Popen(
            [KWSD, "listen", "--config", file, "--input", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
        )
    assert daemon.stdin is not None

    def logged(text: str) -> bool:
        assert daemon.stdin is not None
        daemon.stdin.write(silence)
        return text in log.read_text()

    try:
        wait_for("the start", lambda: logged("listening for 'old' on"))
        daemon.stdin.write(word + silence)
        wait_for("the first hook", lambda: heard.exists() and heard.read_text() == "old\n")
        file.write_text(f"[word.new]\n{table}[word.happy]\n")
        daemon.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: logged("no longer listening for 'old'"))
        assert "mine.pt now listens for 'new', threshold" in log.read_text()
        assert "happy.pt now listens for 'happy', threshold" in log.read_text()
        assert "after a restart" not in log.read_text()
        daemon.stdin.write(word + silence)
        wait_for("the new hook", lambda: heard.read_text() == "old\nnew\n")
        printed, _ = daemon.communicate(timeout=PATIENCE)
    finally:
        daemon.kill()
        daemon.wait()
    assert [json.loads(line)["keyword"] for line in printed.splitlines()] == ["old", "new"]


def test_doctor_names_every_word(tmp_path: Path) -> None:
    done = run("doctor", "computer", "--model", "jarvis", "--json", home=tmp_path)
    found = {one["check"]: one["found"] for one in json.loads(done.stdout)}
    assert found["model"] == "computer.pt listens for 'computer', jarvis.pt listens for 'jarvis'"
    assert "ms of CPU per second" in found["speed"]
