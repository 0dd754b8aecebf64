#!/bin/sh
# Boots a real systemd over a throw-away overlay of /, as PID 1 of the namespaces that unshare made for it.
#   boot.sh SCRATCH SHARED PATH...   SHARED appears as /share, each PATH as itself, all of them read-only
set -eu
scratch=$1 shared=$2
shift 2
mount --make-rprivate /
mount -t tmpfs tmpfs "$scratch"
root=$scratch/root
mkdir "$scratch/upper" "$scratch/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
readable() {
    mkdir -p "$2"
    mount --bind "$1" "$2"
    mount -o remount,ro,bind "$2"
}
mkdir "$root/share"
readable "$shared" "$root/share"
for path in "$@"; do
    readable "$path" "$root$path"
    above=$(dirname "$path")
    while [ "$above" != / ]; do  # of the overlay: the service's user must get there
        chmod o+x "$root$above"
        above=$(dirname "$above")
    done
done
# what would reach the machine itself: its kernel's settings and modules, its disks, its timers' work
for unit in systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service systemd-remount-fs.service \
    proc-sys-fs-binfmt_misc.automount timers.target; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
: >"$root/etc/fstab"
export container=test
exec chroot "$root" /lib/systemd/systemd --system --log-target=console --unit=basic.target
