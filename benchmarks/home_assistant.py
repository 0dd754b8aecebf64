"""Whether a real, headless Home Assistant wakes at the words of ``kwsd wyoming``.

    python3.13 -m venv hass
    hass/bin/pip install homeassistant==2025.4.4 home-assistant-frontend==20250411.0 hassil \\
        home-assistant-intents mutagen ha-ffmpeg pymicro-vad pyspeex-noise wyoming==1.5.4
    hass/bin/python benchmarks/home_assistant.py --kwsd .venv-test/bin/kwsd \\
        --positive A.wav B.wav --negative N.wav

It does what a user does: sets up an account, adds the integration, makes an assistant with a wake word, and
speaks to it. The files are 16 kHz mono 16-bit WAV.
"""

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from wyoming.asr import Transcript
from wyoming.audio import AudioStop
from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Describe, Info
from wyoming.server import AsyncEventHandler, AsyncServer

PORT, WAKE_PORT, SPEECH_PORT = 18_124, 10_499, 10_498
CONFIGURATION = f"""
http:
  server_host: 127.0.0.1
  server_port: {PORT}
api:
websocket_api:
config:
onboarding:
assist_pipeline:
"""
SILENCE = bytes(32_000)  # 1 s
CHUNK_BYTES = 1_024  # 32 ms
START_SECONDS = 180


class Transcriber(AsyncEventHandler):
    """Stands for a speech recognizer, without which Home Assistant starts no assistant."""

    async def handle_event(self, event: Event) -> bool:
        """Describe itself, or answer to what was said."""
        if Describe.is_type(event.type):
            nobody = Attribution("", "")
            model = AsrModel("nothing", nobody, True, None, None, ["en"])
            await self.write_event(Info([AsrProgram("nothing", nobody, True, None, None, [model])]).event())
        elif AudioStop.is_type(event.type):
            await self.write_event(Transcript("something").event())
        return not AudioStop.is_type(event.type)


class HomeAssistant:
    """A client of Home Assistant's interfaces, as its web pages are one."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._url = f"http://127.0.0.1:{PORT}"
        self._headers: dict[str, str] = {}
        self._number = 0

    async def is_up(self) -> bool:
        """Whether it answers."""
        try:
            async with self._session.get(f"{self._url}/api/onboarding") as reply:
                return bool(reply.status == 200)
        except aiohttp.ClientError:
            return False

    async def post(self, path: str, **how: Any) -> Any:
        """The JSON reply to a request."""
        async with self._session.post(self._url + path, headers=self._headers, **how) as reply:
            reply.raise_for_status()
            return await reply.json()

    async def log_in(self) -> None:
        """Make an account, and open the socket that most of the interface goes through."""
        client = {"client_id": f"{self._url}/"}
        account = {"name": "a", "username": "a", "password": "a", "language": "en"}
        made = await self.post("/api/onboarding/users", json=client | account)
        grant = {"grant_type": "authorization_code", "code": made["auth_code"]}
        token = (await self.post("/auth/token", data=client | grant))["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self._socket = await self._session.ws_connect(f"{self._url}/api/websocket")
        await self._socket.receive_json()
        await self._socket.send_json({"type": "auth", "access_token": token})
        await self._socket.receive_json()

    async def add_wyoming(self, port: int) -> dict[str, Any]:
        """Add the integration Wyoming Protocol for a service of this machine."""
        flow = await self.post("/api/config/config_entries/flow", json={"handler": "wyoming"})
        address = {"host": "127.0.0.1", "port": port}
        entry: dict[str, Any] = await self.post(
            f"/api/config/config_entries/flow/{flow['flow_id']}", json=address
        )
        return entry

    async def command(self, kind: str, **data: Any) -> Any:
        """The result of a command."""
        number = await self._send(kind, data)
        while (message := await self._socket.receive_json()) and message["id"] != number:
            pass
        if not message["success"]:
            raise SystemExit(f"{kind}: {message['error']}")
        return message["result"]

    async def wakes(self, pipeline: str, audio: bytes) -> str | None:
        """The word at which the assistant wakes while it hears this audio in real time."""
        how = {"start_stage": "wake_word", "end_stage": "stt", "pipeline": pipeline, "timeout": 60}
        number = await self._send(
            "assist_pipeline/run", {**how, "input": {"sample_rate": 16_000, "timeout": 5, "no_vad": True}}
        )
        word: str | None = None
        async with contextlib.AsyncExitStack() as speaking:
            while True:
                message = await self._socket.receive_json()
                if message["id"] != number:
                    continue
                if message["type"] == "result":
                    if not message["success"]:
                        raise SystemExit(f"the assistant does not start: {message['error']}")
                    continue
                event = message["event"]
                data = event["data"] or {}
                if event["type"] == "run-start":
                    handler = data["runner_data"]["stt_binary_handler_id"]
                    await speaking.enter_async_context(self._speaking(handler, audio))
                elif event["type"] == "wake_word-end":
                    word = (data["wake_word_output"] or {}).get("wake_word_id")
                    await speaking.aclose()
                elif event["type"] == "run-end":
                    return word

    async def _send(self, kind: str, data: dict[str, Any]) -> int:
        self._number += 1
        await self._socket.send_json({"id": self._number, "type": kind, **data})
        return self._number

    @contextlib.asynccontextmanager
    async def _speaking(self, handler: int, audio: bytes) -> AsyncIterator[None]:
        """Send audio in real time until the end of the block."""

        async def speak() -> None:
            for begin in range(0, len(audio), CHUNK_BYTES):
                await self._socket.send_bytes(bytes([handler]) + audio[begin : begin + CHUNK_BYTES])
                await asyncio.sleep(CHUNK_BYTES / 32_000)

        task = asyncio.create_task(speak())
        yield
        task.cancel()
        await self._socket.send_bytes(bytes([handler]))  # the end of the audio


def samples(path: Path) -> bytes:
    """The samples of a WAV file."""
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


def report(passed: bool, what: str) -> bool:
    """Print a line, and return whether it is a failure."""
    print("PASS" if passed else "FAIL", what, flush=True)
    return not passed


async def try_it(options: argparse.Namespace) -> int:
    """Do what a user does. Returns the number of failures."""
    failures = 0
    async with aiohttp.ClientSession() as session:
        home = HomeAssistant(session)
        async with asyncio.timeout(START_SECONDS):
            while not await home.is_up():
                await asyncio.sleep(0.5)
        await home.log_in()
        transcriber = AsyncServer.from_uri(f"tcp://127.0.0.1:{SPEECH_PORT}")
        serving = asyncio.create_task(transcriber.run(Transcriber))
        await home.add_wyoming(SPEECH_PORT)
        entry = await home.add_wyoming(WAKE_PORT)
        failures += report(entry["type"] == "create_entry", f"the integration is added: {entry.get('title')}")
        entities: list[str] = []
        while not entities:
            states = await home.command("get_states")
            entities = [one["entity_id"] for one in states if one["entity_id"].startswith("wake_word.")]
        words = (await home.command("wake_word/info", entity_id=entities[0]))["wake_words"]
        names = [word["id"] for word in words]
        failures += report(options.word in names, f"it offers {', '.join(names)}")

        (first, *_) = (await home.command("assist_pipeline/pipeline/list"))["pipelines"]
        settings = {key: value for key, value in first.items() if key not in ("id", "prefer_local_intents")}
        wake = {"name": "kwsd", "wake_word_entity": entities[0], "wake_word_id": options.word}
        wake |= {"stt_engine": "stt.nothing", "stt_language": "en"}
        pipeline = (await home.command("assist_pipeline/pipeline/create", **(settings | wake)))["id"]
        heard = 0
        for path in options.positive:
            heard += await home.wakes(pipeline, SILENCE + samples(path) + 2 * SILENCE) == options.word
        failures += report(
            heard >= 0.9 * len(options.positive), f"it wakes: {heard} of {len(options.positive)}"
        )
        word = await home.wakes(pipeline, samples(options.negative))
        failures += report(word is None, "it does not wake at other speech")
        serving.cancel()
    return failures


def main() -> int:
    """Start Home Assistant and kwsd, and try them."""
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=how)
    parser.add_argument("--kwsd", type=Path, required=True)
    parser.add_argument("--word", default="jarvis")
    parser.add_argument("--positive", type=Path, nargs="+", required=True)
    parser.add_argument("--negative", type=Path, required=True)
    options = parser.parse_args()
    uri = f"tcp://127.0.0.1:{WAKE_PORT}"
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        Path(folder, "configuration.yaml").write_text(CONFIGURATION)
        hass = [str(Path(sys.executable).with_name("hass")), "-c", folder, "--skip-pip"]
        for line in ([str(options.kwsd), "wyoming", "--uri", uri], hass):
            silent = subprocess.DEVNULL
            process = running.enter_context(subprocess.Popen(line, stdout=silent, stderr=silent))
            running.callback(process.terminate)
        return asyncio.run(try_it(options))


if __name__ == "__main__":
    sys.exit(main())
