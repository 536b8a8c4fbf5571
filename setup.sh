#!/usr/bin/env bash
# Sets up .venv from uv.lock: finds or installs uv, then finds or installs a Python that fits.
#
#   ./setup.sh            set up, or bring up to date
#   ./setup.sh uv ARGS    run the uv that was found, as `./setup.sh uv lock`
#   ./setup.sh audit      look for the packages of uv.lock in a list of advisories (SECURITY.md);
#                         ends with 0: none known, 1: some are, 2: the list could not be asked
#
# Variables: PYTHON, an interpreter to use instead of looking for one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly UV_VERSION=0.13.8 # to install where there is none
UV_OLDEST=0.9.0            # that reads this project's lock file
[[ "${1:-}" == audit ]] && UV_OLDEST=0.10.12 # that audits it, and fails if something is found
readonly UV_OLDEST
# Advisories that are known and met otherwise; SECURITY.md says how.
readonly ACCEPTED=(CVE-2023-47248)
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH UV_PROJECT_ENVIRONMENT CONDA_PREFIX
export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"
# uv trusts what the machine trusts, where it says so: behind a company's proxy nothing else works.
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
  [[ -s "$bundle" ]] && export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1 # the older name as well
done
[[ -z "${SSL_CERT_FILE:-}" && -n "${PIP_CERT:-}" ]] && export SSL_CERT_FILE="$PIP_CERT"

say() { printf 'setup: %s\n' "$*" >&2; }
stop() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

# A command of that name may be a pyenv shim for a version that is not selected: it exists, and
# fails. So every candidate is run.
works() { "$@" </dev/null >/dev/null 2>&1; }

# pyenv's folders with versions: as told, in the home folder, or beside the shims on PATH.
pyenv_versions() {
  local -a entries
  local home # of the user, whatever HOME says
  home="$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6)" || true
  IFS=: read -ra entries <<<"$PATH"
  printf '%s\n' "${PYENV_ROOT:-}" "${HOME:-}/.pyenv" "$home/.pyenv" "${entries[@]%/*}" |
    awk '!seen[$0]++' | while read -r root; do
    if [[ -d "$root/versions" ]]; then printf '%s\n' "$root/versions"; fi
  done
}

# Every interpreter worth a try, for the given versions in their order, best first.
candidates() {
  local version folder
  for version in "$@"; do
    type -ap "python$version" || true
    while read -r folder; do
      ls -d "$folder/$version".*/bin/python 2>/dev/null | sort -Vr || true
    done < <(pyenv_versions)
  done
  type -ap python3 python || true
}

uv_is_new_enough() {
  local version
  version="$("$1" --version 2>/dev/null </dev/null | cut -d' ' -f2)" || return 1
  [[ -n "$version" && "$(printf '%s\n' "$UV_OLDEST" "$version" | sort -V | head -1)" == "$UV_OLDEST" ]]
}

# Sets UV to a uv that works; installs one into .uv/ with pip if there is none.
find_uv() {
  local python
  for UV in uv "$PWD/.uv/bin/uv" "${HOME:-}/.local/bin/uv"; do
    uv_is_new_enough "$UV" && return
  done
  say "installing uv $UV_VERSION into .uv/"
  UV="$PWD/.uv/bin/uv"
  export PIP_ROOT_USER_ACTION=ignore # it goes into a folder of its own
  local -a quiet=(--quiet --disable-pip-version-check --no-input --no-cache-dir)
  while read -r python; do
    works "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' || continue
    rm -rf .uv
    # `--target` needs pip only; a system Python on Debian often has no venv.
    if works "$python" -m pip --version; then
      "$python" -m pip install "${quiet[@]}" --target .uv "uv==$UV_VERSION" </dev/null >&2 || continue
    elif works "$python" -m venv .uv; then
      .uv/bin/python -m pip install "${quiet[@]}" "uv==$UV_VERSION" </dev/null >&2 || continue
    else
      continue
    fi
    uv_is_new_enough "$UV" && return
  done < <(candidates 3.13 3.12 3.11 3.10 3.9 3.8)
  rm -rf .uv
  stop "uv is missing, and could not be installed with pip." \
    "Install it (https://docs.astral.sh/uv/), or a Python with pip, and run this again."
}

# True for an interpreter of that version that can build and run the stack.
python_fits() {
  works "$1" -c "
import sys, sysconfig, pathlib
import bz2, ctypes, lzma, sqlite3, ssl, zlib  # a Python built without their headers lacks some
header = pathlib.Path(sysconfig.get_path('include'), 'Python.h')  # two dependencies are compiled
sys.exit('%d.%d' % sys.version_info[:2] != '$2' or not header.is_file())"
}

# Sets PYTHON to an interpreter that the stack's wheels can run on.
find_python() {
  local glibc python version
  local -a versions=(3.10)
  glibc="$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)" || true
  [[ "$(uname -sm)" == "Linux x86_64" && -n "$glibc" ]] ||
    stop "TFX has wheels for Linux on x86-64 with glibc only; use such a machine or container."
  # The newer of the two stacks needs Python 3.11 or newer and glibc 2.39 (docs/adr/0001).
  if [[ "$(printf '%s\n' 2.39 "$glibc" | sort -V | head -1)" == 2.39 ]]; then
    versions=(3.11 3.12 3.13 3.10)
  fi
  if [[ -n "${PYTHON:-}" ]]; then
    for version in "${versions[@]}"; do python_fits "$PYTHON" "$version" && return; done
    stop "PYTHON=$PYTHON does not fit: with glibc $glibc it must be one of: ${versions[*]}," \
      "complete (ssl, sqlite3, bz2, lzma) and with its headers (Python.h)."
  fi
  for version in "${versions[@]}"; do
    while read -r PYTHON; do
      python_fits "$PYTHON" "$version" && return
    done < <(
      candidates "$version"
      "$UV" python find --quiet --no-project --no-python-downloads "$version" 2>/dev/null </dev/null || true
    )
  done
  version="${versions[0]}"
  say "no Python ${versions[*]} here: downloading $version"
  if "$UV" python install "$version" </dev/null >&2; then
    PYTHON="$("$UV" python find --no-project --managed-python "$version")"
    python_fits "$PYTHON" "$version" && return
  fi
  stop "no Python that fits was found on PATH or under pyenv, and none could be downloaded." \
    "With glibc $glibc it must be one of: ${versions[*]}, with ssl, sqlite3, bz2, lzma and headers." \
    "Install one, as \`pyenv install $version\`, or name one: make run PYTHON=/path/to/python$version"
}

# uv's cache: in the project if the home folder cannot be written; copied from if not linkable.
prepare_cache() {
  local cache
  cache="$("$UV" cache dir 2>/dev/null)" || cache=""
  if [[ -z "$cache" ]] || ! mkdir -p "$cache" 2>/dev/null || [[ ! -w "$cache" ]]; then
    cache="$PWD/.uv/cache"
    mkdir -p "$cache"
    export UV_CACHE_DIR="$cache"
  fi
  local probe="$cache/.reelflow-$$"
  : >"$probe"
  ln "$probe" ".link-$$" 2>/dev/null || export UV_LINK_MODE="${UV_LINK_MODE:-copy}"
  rm -f "$probe" ".link-$$"
}

find_uv
if [[ "${1:-}" == uv ]]; then
  shift
  exec "$UV" "$@"
fi
if [[ "${1:-}" == audit ]]; then
  shift
  code=0
  "$UV" audit --frozen "${ACCEPTED[@]/#/--ignore=}" "$@" || code=$?
  ((code < 2)) && exit "$code"
  say "nothing was checked: the list of advisories could not be asked, see above." \
    "Try again where a network reaches it, or name a copy: ./setup.sh audit --service-url URL"
  exit 2
fi
find_python
prepare_cache
say "installing into .venv with $("$PYTHON" --version), $PYTHON"
say "(some 3 GB: a few minutes the first time)"
# Without the list of some hundred packages that uv ends with.
if ! "$UV" sync --frozen --extra serve --extra train --compile-bytecode --python "$PYTHON" </dev/null 2>&1 | sed -u '/^ [-+~] /d' >&2; then
  stop "the installation failed, see above." \
    "If something could not be built: a C++ compiler is needed (Debian: apt-get install g++)." \
    "If something could not be downloaded: check the network and run this again; it continues."
fi
say "ready"
