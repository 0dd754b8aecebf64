# Sourced by the scripts beside it.

# Install the Debian packages that are not here yet, as root or through sudo.
packages() {
  local missing=() package sudo=()
  if ! command -v apt-get >/dev/null; then
    echo "This is no Debian: what follows needs what these packages hold: $*"
    return 0
  fi
  for package in "$@"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Run this as root first: apt-get install ${missing[*]}" >&2; return 1; }
    sudo=(sudo)
  fi
  echo "== apt-get update"
  apt_get update
  echo "== apt-get install ${missing[*]}"
  "${sudo[@]}" env LC_ALL=C apt-get install --assume-no --no-install-recommends "${missing[@]}" 2>/dev/null |
    sed -nE 's/^ *((Need to get|After this|Download size|Space needed).*)/   \1/p' || true
  apt_get install --yes --no-install-recommends "${missing[@]}"
}

# Run apt-get, once no other program holds its locks.
apt_get() {
  local said told=
  until said=$("${sudo[@]}" env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" 2>&1); do
    if ! grep -qE '^E: (Could not get lock|Unable to (acquire|lock))' <<<"$said" || grep -q 'are you root' <<<"$said"; then
      printf '%s\n' "$said" >&2
      return 1
    fi
    [ "$told" ] || grep -E '^E: Could not get lock' <<<"$said" | sed 's/^E: /   waiting: /'
    told=yes
    sleep 3
  done
}

# The folder of a virtual environment's programs.
bin() {
  if [ -d "$1/Scripts" ]; then echo "$1/Scripts"; else echo "$1/bin"; fi  # on Windows, elsewhere
}

# Make the virtual environment of this folder, where it is not there yet.
environment() {
  [ -x "$(bin "$1")/pip" ] || { echo "== python3 -m venv $1" && python3 -m venv "$1"; }
}

# Install with the pip of a virtual environment, at the versions that the tests ran with.
install() {
  local venv=$1
  shift
  echo "== $(bin "$venv")/pip install $*"
  PIP_DISABLE_PIP_VERSION_CHECK=1 "$(bin "$venv")/python" -m pip install --constraint constraints.txt "$@" |
    { grep --line-buffered -vE '^(Requirement already satisfied|  (Preparing|Getting|Installing build|Created|Stored|Building|Checking))' || true; }
}

# Megabytes, and minutes at 50 Mbit/s.
say_size() {
  echo "   about $1 MB to download, $((($1 * 8 / 50 + 59) / 60)) min at 50 Mbit/s"
}
