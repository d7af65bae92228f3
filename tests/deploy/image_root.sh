#!/bin/sh
# Run a command as the image's container would: a root of its own, all of it read-only but /data and /tmp,
# the image's user, no rights, no environment but the image's. Wants `unshare --mount`.
#
#   image_root.sh TREE VENV PYTHON_HOME DATA COMMAND…
set -eu
tree=$1 venv=$2 python_home=$3 data=$4
shift 4

root=$(mktemp -d)
mount -t tmpfs -o mode=0755 none "$root"
for folder in /usr /bin /sbin /lib /lib64 /etc /dev /proc "$python_home"; do
    if [ -L "$folder" ]; then
        ln -s "$(readlink "$folder")" "$root$folder"
    elif [ -d "$folder" ]; then
        mkdir -p "$root$folder"
        mount --rbind "$folder" "$root$folder"
    fi
done
mkdir "$root/app" "$root/venv" "$root/data" "$root/tmp"
mount --bind "$tree" "$root/app"
mount --bind "$venv" "$root/venv"
mount --bind "$data" "$root/data"
mount -t tmpfs -o mode=1777 none "$root/tmp"
awk -v root="$root" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | while read -r place; do
    case $place in
    "$root/data" | "$root/tmp" | "$root/dev"* | "$root/proc"*) ;;
    *) mount -o remount,bind,ro "$place" ;;
    esac
done
exec chroot "$root" setpriv --reuid 10001 --regid 10001 --clear-groups \
    --bounding-set -all --inh-caps -all --no-new-privs \
    env -i -C /app PATH=/venv/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 EASEL_DATA_DIR=/data EASEL_LOG_LEVEL=WARNING "$@"
