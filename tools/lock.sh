#!/usr/bin/env bash
# Writes requirements/build.txt and requirements/lock.txt: every package with its version and hashes.
#
# Versions are chosen on the oldest supported Python, then again on the newest with those as constraints: so one file
# serves all of them, and what only the newest needs (audioop-lts) is added with its marker.
# With --upgrade newer versions are taken; without it, those in the lock stay where they can.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/setup.sh

PIP_TOOLS="pip-tools==7.6.2"
OLDEST=$(find_python311) || fail "the lock is made on Python 3.11 first, and none was found; name one: PYTHON311=/path/to/python3.11"
NEWEST=${PYTHON:-/usr/bin/python3}
COMPILE=(--generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate --no-emit-options --quiet)

make_lockers() {
  "$OLDEST" -m venv "$work/py-oldest" && "$work/py-oldest/bin/python" -m pip install "$PIP_TOOLS" &&
    "$NEWEST" -m venv "$work/py-newest" && "$work/py-newest/bin/python" -m pip install "$PIP_TOOLS"
}

publish() { # publish FROM TO ORIGIN: no line may send pip elsewhere than where its user's settings do
  if grep -nE '^-|://' "$1"; then fail "$1 names a place to download from"; fi
  { printf '# Made by ./run lock from %s; do not edit.\n' "$3" && cat "$1"; } >"$2"
}

# Packages that lie on this machine only must not find their way into the lock.
unset PIP_FIND_LINKS PIP_CONSTRAINT PIP_EXTRA_INDEX_URL
work=build/lock
rm -rf "$work" && mkdir -p "$work"
for name in oldest newest; do cp requirements/lock.txt "$work/$name.txt" 2>/dev/null || true; done
cp requirements/build.txt "$work/build.txt" 2>/dev/null || true

step "make the lockers" make_lockers
step "lock the build's packages" "$work/py-oldest/bin/pip-compile" "${COMPILE[@]}" "$@" -o "$work/build.txt" requirements/build.in
step "lock on $("$OLDEST" -V)" "$work/py-oldest/bin/pip-compile" "${COMPILE[@]}" "$@" --extra dev --extra token \
  -c "$work/build.txt" -o "$work/oldest.txt" setup.cfg
step "lock on $("$NEWEST" -V)" "$work/py-newest/bin/pip-compile" "${COMPILE[@]}" "$@" --extra dev --extra token \
  -c "$work/build.txt" -c "$work/oldest.txt" -o "$work/newest.txt" setup.cfg
while read -r name; do
  grep -q "^$name" "$work/newest.txt" || fail "${name%==} is needed on 3.11 only: give it a marker in setup.cfg, then lock again"
done < <(grep -oE '^[a-z0-9._-]+==' "$work/oldest.txt")
publish "$work/build.txt" requirements/build.txt requirements/build.in
publish "$work/newest.txt" requirements/lock.txt setup.cfg
say "written: requirements/build.txt requirements/lock.txt; now ./run test"
