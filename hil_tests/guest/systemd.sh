#!/bin/bash
# Process 1 of a machine whose station is installed: the host's system with the files of SHARED/added laid over it and
# whatever is written kept in memory, handed over to systemd. bench.service runs the command there, then the machine is off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
set -eu
root=/mnt/root
mount -t tmpfs memory /mnt
mkdir /mnt/upper /mnt/work "$root" /mnt/shared
mount -t hostfs -o "hostfs=$BENCH_SHARED" none /mnt/shared
mount -t overlay overlay -o "lowerdir=/mnt/shared/added:/,upperdir=/mnt/upper,workdir=/mnt/work" "$root"
# Whoever made those files, in here they are root's. And whatever is switched on for the host is not for this machine.
(cd /mnt/shared/added && find . -type d -print0) | (cd "$root" && xargs -0 chown root:root)
rm -rf "$root"/etc/systemd/system/*.wants
# A tree under test that lies in /tmp must not vanish below another one.
ln -sf /dev/null "$root/etc/systemd/system/tmp.mount"
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run"
mount -t tmpfs -o mode=755 run "$root/run"
mkdir "$root/run/shared"
mount --move /mnt/shared "$root/run/shared"
cd "$root"
exec switch_root "$root" /lib/systemd/systemd
