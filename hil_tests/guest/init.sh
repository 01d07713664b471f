#!/bin/bash
# Process 1 of the virtual bench's machine. Its root is the host's, read-only; what it may change lies in memory, on a disk
# of its own, and in one folder that it shares with the host (BENCH_SHARED, which holds the command too).
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /var/tmp
mount -t configfs configfs /sys/kernel/config
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mkdir -p /run/shared /run/lock
mount -t hostfs -o "hostfs=$BENCH_SHARED" none /run/shared
# A tree that lies in one of the folders above has just been hidden.
[[ -d $BENCH_TREE ]] || { mkdir -p "$BENCH_TREE" && mount -r -t hostfs -o "hostfs=$BENCH_TREE" none "$BENCH_TREE"; }
ip link set lo up
bash /run/shared/command
echo "$?" >/run/shared/status
# No goodbye to the disks: whoever wants their words kept has had them synced.
python3 -c "import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)"
