"""Checks whether a service will be able to run its hooks. It reports only problems that are certain.

Words with variables, globs or substitutions are skipped, because only a shell can expand them. So is
everything after the first construct that is not a list of simple commands.
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

# builtins of POSIX and dash, which need no program
_BUILTINS = (
    ": . [ alias bg break cd chdir command continue echo eval exec exit export false fg getopts hash jobs "
    "kill local printf pwd read readonly return set shift test times trap true type ulimit umask unalias "
    "unset wait"
)
_KEYWORDS = "if then else elif fi for in do done while until case esac { }"
BUILTINS = frozenset(_BUILTINS.split())
KEYWORDS = frozenset(_KEYWORDS.split())
GUARDS = frozenset(("[", "test", "command", "type", "which", "hash"))  # before && they guard what follows
REDEFINE = frozenset((".", "eval", "alias", "set", "export", "hash"))  # after them any name may be redefined

# programs whose first argument is a script
INTERPRETER = re.compile(r"(ba|da|z|k)?sh|python[\d.]*|perl|ruby|node|php|lua")

_WORD = r"""(?:[^\s'"\\;&|<>()]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)+"""
_TOKEN = re.compile(
    rf"""(?P<blank>[ \t]+|\\\n|(?<![^\s;&|])\#[^\n]*)
    |(?P<redirection>\d*(?:>>|>&|<&|>\||<>|>|<)[ \t]*{_WORD})
    |(?P<operator>&&|\|\||[;\n|&])
    |(?P<word>{_WORD})
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_PREFIX = re.compile(r"[A-Za-z_]\w*=|!$")  # before a command: an assignment or a negation
_HOME = re.compile(r"^~(?=/|$)|(?<!\\)\$(?:HOME\b|\{HOME\})")


@dataclass(frozen=True)
class Sandbox:
    """The environment in which a service runs its hooks."""

    account: Account
    search_path: str  # $PATH
    folder: Path  # working directory
    hidden: tuple[Path, ...] = ()  # folders that the service cannot see
    privileges: bool = False  # whether programs such as sudo can gain privileges


def problems(hook: str, sandbox: Sandbox) -> list[str]:
    """The reasons why this hook will certainly fail, each with its fix."""
    found: dict[str, None] = {}  # an ordered set
    moved = False  # cd has changed the working directory
    for words in _commands(hook):
        if sandbox.account.home is None and any(_HOME.search(word) for word in words if "'" not in word):
            reason = "the service has no home folder: write full paths, or install it with --run-as USER"
            found[reason] = None
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
    """The reasons why the service cannot run a program."""
    if sys.platform != "linux":
        raise UsageError(NEEDS_LINUX)
    found = program if "/" in program else shutil.which(program, path=sandbox.search_path)
    if found is None:
        here = shutil.which(program)
        fix = f"write its full path, {here}" if here else "install it, or write its full path"
        yield f"{program!r} is not in the service's PATH ({sandbox.search_path}): {fix}"
        return
    path = sandbox.folder / found
    if unreachable := list(_of_path(path, sandbox)):
        yield from unreachable
    elif not path.exists():
        yield f"there is no {path}: install it, or correct the path"
    elif not path.is_file():
        yield f"{path} is not a file: name a program"
    elif sandbox.account.denied_by(path, stat.S_IXOTH):
        yield f"{sandbox.account.name} may not execute {path}: chmod +x {path}"
    elif sys.platform == "linux" and os.statvfs(path).f_flag & os.ST_NOEXEC:
        yield f"{path} is on a file system mounted noexec: move it, for example to /usr/local"
    elif path.stat().st_mode & stat.S_ISUID and not sandbox.privileges and sandbox.account.uid != 0:
        yield f"{path} cannot gain privileges in this service: install it with --system --run-as USER"
    else:
        yield from _of_interpreter(path, sandbox)


def _of_interpreter(script: Path, sandbox: Sandbox) -> Iterator[str]:
    """The reasons why the service cannot run the interpreter that a script names in its first line."""
    if sandbox.account.denied_by(script, stat.S_IROTH):  # unlike a script, a program need not be readable
        return
    with script.open("rb") as file:
        line = file.readline(256)
    if line.startswith(b"#!"):
        interpreter = Path(line[2:].decode(errors="replace").rstrip("\n").strip(" \t").partition(" ")[0])
        if not interpreter.exists():
            yield f"there is no {str(interpreter)!r}, which {script} names in its first line: correct it"
        yield from _of_path(interpreter, sandbox)


def _of_script(script: Path, sandbox: Sandbox) -> Iterator[str]:
    """The reasons why an interpreter cannot read a script."""
    if unreachable := list(_of_path(script, sandbox)):
        yield from unreachable
    elif not script.exists():
        yield f"there is no {script}: correct the path"
    elif sandbox.account.denied_by(script, stat.S_IROTH):
        yield f"{sandbox.account.name} may not read {script}: chmod +r {script}"


def _of_path(path: Path, sandbox: Sandbox) -> Iterator[str]:
    """The reason why the service cannot reach a path: a folder is hidden from it or denies it access."""
    account = sandbox.account
    if is_in(path, sandbox.hidden) and _exists(path):
        fix = "move it, for example to /usr/local, or install it with --run-as USER"
        yield f"the service cannot see {path}: {fix}"
        return
    with suppress(OSError):  # the path does not exist
        if (closed := account.denied_by(path, 0)) is not None:
            fix = "move it, for example to /usr/local"
            yield f"{account.name} may not enter {closed}, where {path} is: {fix}"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True


def _commands(hook: str) -> Iterator[list[str]]:
    """The words, with their quotes, of each simple command that is expected to succeed."""
    for chain in _chains(hook):
        if any(operator == "||" for _, operator in chain):
            continue  # the hook handles a failure itself
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
    """Lists of simple commands that &&, || and | connect. Each command comes with the operator after it."""
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
    """The text of a word without its quotes; None if the shell would have to expand it."""
    if "'" not in word:
        word = _HOME.sub(lambda _: str(home) if home else "~", word)
    if re.search(r"[$`*?[]|^~", word):
        return None
    try:
        (text,) = shlex.split(word)
    except ValueError:
        return None
    return text
