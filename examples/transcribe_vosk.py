"""Prints what is said after the word, with Vosk: a command for `kwsd listen --on-command`.

It needs vosk: python3 -m venv asr; asr/bin/pip install vosk

kwsd listen jarvis --ding builtin --on-command 'asr/bin/python examples/transcribe_vosk.py'
"""

import json
import sys
import wave

from vosk import KaldiRecognizer, Model

with wave.open(sys.stdin.buffer) as command:
    recognizer = KaldiRecognizer(Model(lang="en-us"), command.getframerate())  # downloads the model once
    recognizer.AcceptWaveform(command.readframes(command.getnframes()))
print(json.loads(recognizer.FinalResult())["text"])
