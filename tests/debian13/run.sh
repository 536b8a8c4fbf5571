#!/usr/bin/env bash
# Proves the newer of the two stacks (docs/adr/0001): sets the project up in a Debian 13 root, with
# Debian's own Python 3.13 and so TFX 1.21, by the README's own command, and runs tests there.
#
#   tests/debian13/run.sh             the end-to-end test
#   tests/debian13/run.sh ARGS        pytest with these arguments
#
# Needs Debian or a relative of it, root (or sudo without a password), and some 10 GB in .verify/,
# where everything is kept: a second run takes only the tests' time. Mounts are made in a namespace
# of this script's own, so that none is left, however it ends.
#
# Variables: DEBIAN_MIRROR, instead of the mirror that apt is configured with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly SELF="$PWD/tests/debian13/run.sh"
readonly SUITE=trixie CACHE="$PWD/.verify/debian13"
readonly ROOT="$CACHE/root" PROJECT=/reelflow
# What setup.sh and the two source-only dependencies ask for; nothing else is installed.
readonly PACKAGES=ca-certificates,g++,git,make,python3,python3-dev,python3-pip,python3-venv

say() { printf 'debian13: %s\n' "$*" >&2; }
stop() {
  say "$@"
  exit 1
}

as_root() {
  if ((EUID)); then exec sudo -n --preserve-env "$SELF" "$@"; fi
}

install_debootstrap() {
  type -P debootstrap >/dev/null && return
  type -P apt-get >/dev/null || stop "debootstrap is missing, and so is apt-get to install it."
  say "installing debootstrap"
  local -a apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
  local -a install=(install -y --no-install-recommends debootstrap debian-archive-keyring)
  "${apt[@]}" "${install[@]}" >/dev/null 2>&1 || { "${apt[@]}" update && "${apt[@]}" "${install[@]}" >/dev/null; }
}

# The mirror that apt takes Debian itself from; none on a machine of another distribution, for which
# debootstrap has a default.
mirror() {
  if [[ -n "${DEBIAN_MIRROR:-}" ]]; then
    echo "$DEBIAN_MIRROR"
  else
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/*$'
  fi
}

make_root() {
  [[ -e "$ROOT/.complete" ]] && return
  say "building a $SUITE root with debootstrap"
  rm -rf "$ROOT"
  mkdir -p "$ROOT" "$CACHE/packages"
  local from
  from="$(mirror)" || from=""
  debootstrap --variant=minbase --include="$PACKAGES" --cache-dir="$CACHE/packages" \
    "$SUITE" "$ROOT" ${from:+"$from"} >"$CACHE/debootstrap.log" 2>&1 || {
    tail -20 "$CACHE/debootstrap.log" >&2
    stop "debootstrap failed; its log is $CACHE/debootstrap.log"
  }
  touch "$ROOT/.complete"
}

# The tracked files as they are now; .venv and .uv of an earlier run stay.
copy_project() {
  mkdir -p "$ROOT$PROJECT"
  find "$ROOT$PROJECT" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .uv -exec rm -rf {} +
  git -c safe.directory="$PWD" ls-files -z --cached --others --exclude-standard |
    tar --null --files-from=- --ignore-failed-read -cf - | tar -xf - --no-same-owner -C "$ROOT$PROJECT"
}

# Makes a file or folder of this machine visible at the same place in the root, read-only.
show() {
  [[ -e "$1" ]] || return 0
  if [[ -d "$1" ]]; then
    mkdir -p "$ROOT$1"
  else
    mkdir -p "$ROOT${1%/*}"
    [[ -e "$ROOT$1" ]] || : >"$ROOT$1"
  fi
  mount --bind "$1" "$ROOT$1"
  mount -o remount,bind,ro "$ROOT$1"
}

# How this machine reaches its networks: lent for the time of the run, written down nowhere.
lend_network() {
  local path name
  for path in /etc/resolv.conf /etc/hosts /etc/ssl/certs /usr/local/share/ca-certificates \
    /etc/pip.conf /etc/uv "$HOME/.config/pip" "$HOME/.pip" "$HOME/.config/uv"; do
    show "$path"
  done
  for name in $(compgen -e | grep -E '^(PIP|UV|SSL)_|CA_BUNDLE$|CA_CERTS$|CAINFO$'); do
    if [[ "${!name}" == /* ]]; then show "${!name}"; fi
  done
}

in_root() {
  local name
  local -a kept=()
  for name in $(compgen -e | grep -iE '^(PIP|UV|SSL)_|_PROXY$|CA_BUNDLE$|CA_CERTS$|CAINFO$'); do
    kept+=("$name=${!name}")
  done
  env -i "${kept[@]}" HOME="$HOME" LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$ROOT" bash -c "cd $PROJECT && $1" bash "${@:2}"
}

run() {
  mount -t proc proc "$ROOT/proc"
  mount --rbind /dev "$ROOT/dev"
  mkdir -p "$ROOT$HOME"
  lend_network
  in_root 'make setup'
  # shellcheck disable=SC2016
  in_root '.venv/bin/python -c "$1"' '
import platform
from importlib.metadata import version
names = "tfx tensorflow tf-keras tensorflow-transform tensorflow-recommenders apache-beam".split()
names += "ml-metadata tensorflow-data-validation tensorflow-model-analysis protobuf numpy".split()
libc = " ".join(platform.libc_ver())
print("; ".join([f"Python {platform.python_version()}", libc, *(f"{n} {version(n)}" for n in names)]))
' | tee "$CACHE/versions.txt"
  (($#)) || set -- tests/test_end_to_end.py
  in_root '.venv/bin/python -m pytest "$@"' "$@"
}

as_root "$@"
if [[ -z "${REELFLOW_OWN_MOUNTS:-}" ]]; then
  install_debootstrap
  make_root
  copy_project
  REELFLOW_OWN_MOUNTS=1 exec unshare --mount --propagation private "$SELF" "$@"
fi
run "$@"
