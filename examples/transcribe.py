"""Prints what is said after the word: a command for `kwsd listen --on-command`.

It needs faster-whisper: python3 -m venv asr; asr/bin/pip install faster-whisper

kwsd listen jarvis --ding builtin --on-command 'asr/bin/python examples/transcribe.py tiny.en'

The argument is a model of faster-whisper, which downloads it once, or a folder with one. The model is loaded
for each command, which takes about a second; for quicker answers keep it in a program of your own.
"""

import sys

from faster_whisper import WhisperModel


def main(model: str) -> None:
    """Transcribe the WAV on standard input."""
    segments, _ = WhisperModel(model, device="cpu", compute_type="int8").transcribe(
        sys.stdin.buffer, language="en", beam_size=1
    )
    print(*(segment.text.strip() for segment in segments))


if __name__ == "__main__":
    main(sys.argv[1])
