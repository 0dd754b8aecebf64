#!/bin/sh
# Prints what is said after the word, with whisper.cpp (https://github.com/ggml-org/whisper.cpp):
#
#   kwsd listen jarvis --ding builtin --on-command 'examples/transcribe_whisper_cpp.sh ggml-tiny.en.bin'
exec whisper-cli --model "$1" --no-prints --no-timestamps --file -
