#!/bin/busybox sh
# The guest's first process: makes the machine ready, runs the tests, of which some have to contend for both CPUs, ends the machine.
# Every line that begins with "vm:" is read by xtask.

/bin/busybox mkdir -p /busybox /dev /proc /sys /tmp /run
/bin/busybox --install -s /busybox
# The host's programs first, where they are there.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/busybox HOME=/tmp
# What may be done to this machine may not be done to others.
export PMU_GUEST=1

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
# /tmp is a directory of this root, which lies in memory: mounted over, it would hide a project that lies there.
chmod 1777 /tmp
mount -t bpf bpf /sys/fs/bpf
for module in /modules/*.ko; do
    insmod "$module" || echo "vm: cannot load $module"
done
ip link set lo up
echo "vm: kernel $(uname -r), real-time $(cat /sys/kernel/realtime)"

# Contention on a CPU: a program that computes without end beside the tests, and one that starts programs above the
# priority of interrupt threads and of the monitor's reader, so that all are preempted wherever they are.
contend() {
    taskset -c "$1" nice -n 19 sh -c 'while :; do :; done' &
    contenders="$contenders $!"
    taskset -c "$1" chrt -f 80 sh -c 'while :; do usleep 250000; done' &
    contenders="$contenders $!"
}

# What each has used of its CPU, in hundredths of a second: none that ended early passes unseen.
relent() {
    for contender in $contenders; do
        used=$(cut -d ' ' -f 14-17 "/proc/$contender/stat") || echo "vm: cannot keep contending"
        echo "vm: contended $used"
        kill "$contender"
    done
}

failed=0
while read -r contended program name; do
    echo "vm: begin $(cut -d ' ' -f 1 /proc/uptime) $name"
    contenders=
    if [ "$contended" = contended ]; then contend 0; contend 1; fi
    "$program" --color never --test-threads 1 --exact "$name" < /dev/null 2>&1 || failed=1
    relent
done < /tests
echo "vm: end $(cut -d ' ' -f 1 /proc/uptime)"

echo "vm: kernel log"
dmesg
echo "vm: kernel log ends"
# 0x10 or 0x11 to the port of QEMU's isa-debug-exit.
if [ "$failed" = 0 ]; then printf '\020'; else printf '\021'; fi | dd of=/dev/port bs=1 seek=244 count=1 2> /dev/null
# Comes here only where that did not end the machine.
poweroff -f
