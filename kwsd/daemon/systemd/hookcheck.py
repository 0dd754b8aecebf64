"""Checks whether a service will be able to execute its hooks. It reports only what is certain to fail.

The shell line is not interpreted: words with variables, globs or substitutions are left alone, and so is all
that follows a construct other than a list of simple commands.
"""

import os
import re
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kwsd.daemon.systemd.account import Account
from kwsd.daemon.systemd.unit import NEEDS_LINUX, is_in
from kwsd.errors import UsageError

BUILTINS = frozenset(  # of POSIX and dash: they need no program
    (
        *(
            ":",
            ".",
            "[",
            "alias",
            "bg",
            "break",
            "cd",
            "chdir",
            "command",
            "continue",
            "echo",
            "eval",
            "exec",
        ),
        *(
            "exit",
            "export",
            "false",
            "fg",
            "getopts",
            "hash",
            "jobs",
            "kill",
            "local",
            "printf",
            "pwd",
            "read",
        ),
        *("readonly", "return", "set", "shift", "test", "times", "trap", "true", "type", "ulimit", "umask"),
        *("unalias", "unset", "wait"),
    )
)
KEYWORDS = frozenset(
    (
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "for",
        "in",
        "do",
        "done",
        "while",
        "until",
        "case",
        "esac",
        "{",
        "}",
    )
)
GUARDS = frozenset(("[", "test", "command", "type", "which", "hash"))  # what && follows may be missing
REDEFINE = frozenset((".", "eval", "alias", "set", "export", "hash"))  # after these a name may mean anything

INTERPRETER = re.compile(
    r"(ba|da|z|k)?sh|python[\d.]*|perl|ruby|node|php|lua"
)  # its first argument is a file

_WORD = r"""(?:[^\s'"\\;&|<>()]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)+"""
_TOKEN = re.compile(
    rf"""(?P<blank>[ \t]+|\\\n|(?<![^\s;&|])\#[^\n]*)
    |(?P<redirection>\d*(?:>>|>&|<&|>\||<>|>|<)[ \t]*{_WORD})
    |(?P<operator>&&|\|\||[;\n|&])
    |(?P<word>{_WORD})
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_PREFIX = re.compile(r"[A-Za-z_]\w*=|!$")  # what may stand before a command: assignments, negation
_HOME = re.compile(r"^~(?=/|$)|(?<!\\)\$(?:HOME\b|\{HOME\})")


@dataclass(frozen=True)
class Sandbox:
    """What a service's hooks find.

    path: $PATH. folder: the working directory. hidden: folders that the service cannot see.
    privileges: whether programs such as sudo can gain any.
    """

    account: Account
    path: str
    folder: Path
    hidden: tuple[Path, ...] = ()
    privileges: bool = False


def problems(hook: str, sandbox: Sandbox) -> list[str]:
    """What keeps this hook from being executed, each with its fix; empty where nothing certainly does."""
    found: dict[str, None] = {}  # in order, each once
    moved = False  # by cd
    for words in _commands(hook):
        if sandbox.account.home is None and any(_HOME.search(word) for word in words if "'" not in word):
            found["the service has no home folder: write whole paths, or install it with --run-as USER"] = (
                None
            )
        program, *arguments = (_literal(word, sandbox.account.home) for word in words)
        if program is None:
            continue
        if program not in BUILTINS and not (moved and "/" in program and not program.startswith("/")):
            found |= dict.fromkeys(_of_program(program, sandbox))
        script = arguments[0] if arguments else None
        if script and script.startswith("/") and INTERPRETER.fullmatch(Path(program).name):
            found |= dict.fromkeys(_of_script(Path(script), sandbox))
        moved |= program in ("cd", "chdir")
        if program in REDEFINE:
            break
    return list(found)


def _of_program(program: str, sandbox: Sandbox) -> Iterator[str]:
    """What keeps the service from executing a program."""
    if sys.platform != "linux":
        raise UsageError(NEEDS_LINUX)
    found = program if "/" in program else shutil.which(program, path=sandbox.path)
    if found is None:
        here = shutil.which(program)
        fix = f"write its whole path, {here}" if here else "install it, or write its whole path"
        yield f"{program!r} is not in the service's PATH ({sandbox.path}): {fix}"
        return
    path = sandbox.folder / found
    if unreachable := list(_of_path(path, sandbox)):
        yield from unreachable
    elif not path.exists():
        yield f"there is no {path}: install it, or correct the path"
    elif not path.is_file():
        yield f"{path} is no program: name a file"
    elif sandbox.account.barrier(path, stat.S_IXOTH):
        yield f"{sandbox.account.name} may not execute {path}: chmod +x {path}"
    elif sys.platform == "linux" and os.statvfs(path).f_flag & os.ST_NOEXEC:
        yield f"{path} is on a file system mounted noexec: move it, to /usr/local say"
    elif path.stat().st_mode & stat.S_ISUID and not sandbox.privileges and sandbox.account.uid != 0:
        yield f"{path} cannot gain privileges in this service: install it with --system --run-as USER"
    else:
        yield from _of_interpreter(path, sandbox)


def _of_interpreter(script: Path, sandbox: Sandbox) -> Iterator[str]:
    """What keeps the service from starting the program that a script's first line names."""
    if sandbox.account.barrier(script, stat.S_IROTH):  # a program may be
        return
    with script.open("rb") as file:
        line = file.readline(256)
    if line.startswith(b"#!"):
        interpreter = Path(line[2:].decode(errors="replace").rstrip("\n").strip(" \t").partition(" ")[0])
        if not interpreter.exists():
            yield f"there is no {str(interpreter)!r}, which {script} names in its first line: correct it"
        yield from _of_path(interpreter, sandbox)


def _of_script(script: Path, sandbox: Sandbox) -> Iterator[str]:
    """What keeps an interpreter that is given a file from reading it."""
    if unreachable := list(_of_path(script, sandbox)):
        yield from unreachable
    elif not script.exists():
        yield f"there is no {script}: correct the path"
    elif sandbox.account.barrier(script, stat.S_IROTH):
        yield f"{sandbox.account.name} may not read {script}: chmod +r {script}"


def _of_path(path: Path, sandbox: Sandbox) -> Iterator[str]:
    """What keeps the service from a path: a hidden or a closed folder above it."""
    account = sandbox.account
    if is_in(path, sandbox.hidden) and _exists(path):
        yield f"the service cannot see {path}: move it, to /usr/local say, or install it with --run-as USER"
        return
    with suppress(OSError):  # there is no such path
        if (closed := account.barrier(path, 0)) is not None:
            yield f"{account.name} may not enter {closed}, where {path} is: move it, to /usr/local say"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True


def _commands(hook: str) -> Iterator[list[str]]:
    """The words, quotes and all, of each simple command that is meant to succeed."""
    for chain in _chains(hook):
        if any(operator == "||" for _, operator in chain):
            continue  # a failure is provided for
        for words, operator in chain:
            while words and (_PREFIX.match(words[0]) or (words[0] == "exec" and words[1:])):
                if words[0].startswith("PATH="):
                    return
                words = words[1:]
            if not words:
                continue
            if words[0] in KEYWORDS:
                return
            yield words
            if operator == "&&" and words[0] in GUARDS:
                break


def _chains(hook: str) -> Iterator[list[tuple[list[str], str]]]:
    """The simple commands, each with the operator behind it, chained by &&, || and |."""
    chain: list[tuple[list[str], str]] = []
    words: list[str] = []
    for match in _TOKEN.finditer(hook + "\n"):
        kind, text = match.lastgroup, match[0]
        if kind == "word":
            words.append(text)
        elif kind == "operator":
            if words:
                chain.append((words, text))
                words = []
            if text in ";\n&" and chain:
                yield chain
                chain = []
        elif kind == "other":
            return


def _literal(word: str, home: Path | None) -> str | None:
    """The text that a word stands for; None where that is not known before it is run."""
    if "'" not in word:
        word = _HOME.sub(lambda _: str(home) if home else "~", word)
    if re.search(r"[$`*?[]|^~", word):
        return None
    try:
        (text,) = shlex.split(word)
    except ValueError:
        return None
    return text
