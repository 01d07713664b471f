# What every task needs before it starts: Debian packages, and a virtual environment from the hashed lock.
# Sourced by run, .ci/run and tools/lock.sh from the project's root; decides nothing about tasks.
# shellcheck shell=bash

DEBIAN_PACKAGES=(
  python3 python3-venv python3-dev gcc libc6-dev libasound2-dev # pyalsaaudio comes as source only
  libasound2-plugins alsa-utils pulseaudio pulseaudio-utils     # a sound card where there is none
  mosquitto openssl                                             # the private broker and its certificates
  ffmpeg bubblewrap espeak-ng                                   # decoding in a sandbox, speech
  softhsm2                                                      # officers' tokens, of software
  swtpm libtpm2-pkcs11-1 tpm2-tools opensc                      # a station's TPM, of software, and what its owner uses
  icecast2 # a live source, as a commune has one
  tzdata strace procps iproute2
  jq systemd systemd-container # the documents' own commands and the units, which the tests run, some on a booted system
)
# A certificate's key in an element. Debian 12 has no such package, and an OpenSSL that is too old for it.
# shellcheck source=/dev/null
if [[ $(. /etc/os-release 2>/dev/null && printf %s "${VERSION_ID:-}") != 12 ]]; then DEBIAN_PACKAGES+=(pkcs11-provider); fi
# What the virtual bench's kernel is made of and with, once; only ./run hil needs it.
BENCH_PACKAGES=(linux-source-6.12 make gcc libc6-dev flex bison bc libelf-dev xz-utils dmsetup e2fsprogs kmod chrony)
LOG_DIR=build/log
LOG_TAIL_LINES=30 # what a person still reads; the whole log's path is printed too
TICK_S=5          # a step longer than this shows a dot each time, so that nobody thinks it hangs

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "error: $*"
  exit 1
}

# step LABEL COMMAND...: runs it with its output in a log, and says how long it took or why it failed.
# The command must be a program or a function joined by &&: errexit is off inside.
step() {
  local label=$1 log status=0 begun=$SECONDS ticker
  shift
  mkdir -p "$LOG_DIR"
  log="$LOG_DIR/$(tr -cs 'a-zA-Z0-9.' '-' <<<"${label%% (*}" | sed 's/-*$//').log"
  printf -- '-- %s ' "$label" >&2
  # The sleep outlives its loop a little: it must hold neither the caller's pipes nor the lock of setup.
  (while sleep "$TICK_S" >/dev/null 2>&1 9>&-; do printf . >&2; done) 9>&- &
  ticker=$!
  "$@" >"$log" 2>&1 || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if ((status == 0)); then
    say "ok ($((SECONDS - begun)) s)"
    return 0
  fi
  say "FAILED after $((SECONDS - begun)) s; the end of $log:"
  tail -n "$LOG_TAIL_LINES" "$log" >&2
  return "$status"
}

# missing_debian_packages NAME...: those that are not installed, one a line.
missing_debian_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  local name
  for name in "$@"; do
    grep -qx "installed $name" <<<"$installed" || printf '%s\n' "$name"
  done
}

is_root() { (($(id -u) == 0)); }

apt() {
  local as_root=()
  is_root || as_root=(sudo)
  # Another apt may be at work on a machine that has just started: wait for it.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -y "$@"
}

ensure_debian_packages() { ensure_packages "${DEBIAN_PACKAGES[@]}"; }

ensure_bench_packages() {
  [[ $(uname -m) == x86_64 ]] || fail "the virtual bench runs on x86_64 alone; a station's own bench is ./run hil --rig FILE"
  ensure_packages "${BENCH_PACKAGES[@]}"
}

# ensure_packages NAME...: they are installed, or it is said what would.
ensure_packages() {
  command -v dpkg-query >/dev/null || fail "this needs Debian 12 or 13; elsewhere install by hand: $*"
  local missing
  mapfile -t missing < <(missing_debian_packages "$@")
  ((${#missing[@]})) || return 0
  is_root || command -v sudo >/dev/null ||
    fail "${#missing[@]} Debian packages are missing, and there is neither root nor sudo. As root: apt-get install ${missing[*]}"
  if ! is_root; then sudo -v || fail "sudo refused; as root: apt-get install ${missing[*]}"; fi
  step "read Debian's package lists" apt update
  step "install ${#missing[@]} Debian packages (${missing[*]})" apt install --no-install-recommends "${missing[@]}"
}

supported_python() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null
}

# What a change of would make the environment another one.
environment_stamp() {
  { "$1" -VV && pwd && cat requirements/build.txt requirements/lock.txt setup.cfg pyproject.toml; } | sha256sum
}

# compat: a line in a .pth file. The other mode's finder is imported by every process, and no station would carry it.
fill_environment() {
  local dir=$1 python=$2
  local pip=("$dir/bin/python" -m pip --disable-pip-version-check --no-input install --progress-bar off)
  rm -rf "$dir" && "$python" -m venv "$dir" &&
    "${pip[@]}" --require-hashes -r requirements/build.txt &&
    "${pip[@]}" --require-hashes --no-build-isolation -r requirements/lock.txt &&
    "${pip[@]}" --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
}

# ensure_environment DIR PYTHON: the environment in DIR holds exactly what the lock says, for that Python.
ensure_environment() {
  local dir=$1 python=$2 stamp
  supported_python "$python" || fail "$python is not Python 3.11, 3.12 or 3.13; name another: PYTHON=/path/to/python ./run …"
  stamp=$(environment_stamp "$python")
  if [[ -x $dir/bin/python && -f $dir/stamp && $(<"$dir/stamp") == "$stamp" ]]; then return 0; fi
  step "fill $dir from the hashed lock ($("$python" -V))" fill_environment "$dir" "$python"
  printf '%s\n' "$stamp" >"$dir/stamp"
}

setup() {
  mkdir -p build
  # Two tasks started together must not fill the same environment.
  exec 9>build/setup.lock
  flock 9
  ensure_debian_packages
  ensure_environment .venv "${PYTHON:-/usr/bin/python3}"
  exec 9>&-
}

python311_candidates() {
  { printf '%s\n' "${PYTHON311:-}" /usr/bin/python3.11 && type -ap python3.11 && ls -d ~/.pyenv/versions/3.11.*/bin/python; } 2>/dev/null |
    while read -r path; do if [[ -x $path ]]; then printf '%s\n' "$path"; fi; done
}

# Prints the first Python 3.11 that can make an environment and build pyalsaaudio; fails when there is none.
find_python311() {
  local path
  while read -r path; do
    if "$path" - 2>/dev/null <<'PY'; then
import ensurepip, pathlib, ssl, sqlite3, sys, sysconfig, venv
headers = pathlib.Path(sysconfig.get_path("include"), "Python.h")
sys.exit(not (sys.version_info[:2] == (3, 11) and headers.exists()))
PY
      printf '%s\n' "$path"
      return 0
    fi
  done < <(python311_candidates)
  return 1
}
