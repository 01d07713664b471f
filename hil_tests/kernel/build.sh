#!/usr/bin/env bash
# Makes the virtual bench's kernel, user-mode Linux from Debian's own source package, and prints where it lies.
# What it is made of names the file, so it is made once (about five CPU-minutes) and found from then on.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
archive=/usr/src/linux-source-6.12.tar.xz
cache=${XDG_CACHE_HOME:-$HOME/.cache}/edge-agent-bench
version=$(dpkg-query -W -f '${Version}' linux-source-6.12)
made_of=$({ cat "$here/fragment" "$0" && printf '%s' "$version"; } | sha256sum | cut -c1-16)
kernel=$cache/linux-$made_of

if [[ ! -x $kernel ]]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  tar -xJf "$archive" -C "$work" --strip-components=1
  cd "$work"
  # A jiffy of 1 ms: with the 10 ms that are usual here a sound card's pace and a relay's edge could not be told.
  sed -i '/^config HZ/,/default/s/default 100$/default 1000/' arch/um/Kconfig
  # A processor with tile registers has a larger state than this kernel's source knows of (2,696 bytes), and it is taken
  # back whole or not at all. It lies at the foot of each kernel stack too, which KERNEL_STACK_ORDER=4 makes room for.
  sed -i '/HOST_FP_SIZE, 2696/s/2696/12288/' arch/x86/um/user-offsets.c
  KCONFIG_ALLCONFIG=$here/fragment make -s ARCH=um allnoconfig >&2
  while read -r wanted; do
    [[ $wanted == *=n ]] || grep -qx "$wanted" .config || { echo "error: the kernel has no $wanted" >&2 && exit 1; }
  done <"$here/fragment"
  make -s ARCH=um -j"$(nproc)" linux >&2
  strip -o "$kernel.new" linux
  mv "$kernel.new" "$kernel" # whole or not at all
fi
printf '%s\n' "$kernel"
