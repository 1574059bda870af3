#!/bin/sh
# Turns a fresh root file system into the machine image of the sandbox's hosts; $1 is its path.
set -eu
root=$1

# Installed ahead of time, so that no package source is needed; the host agent starts them.
chroot "$root" systemctl disable --quiet nginx.service unbound.service certbot.timer

# Every host makes or is given its own.
rm -f "$root"/etc/ssh/ssh_host_*
: > "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"

# The container's interface exists before systemd starts; the seed is in the file system.
cat > "$root/etc/cloud/cloud.cfg.d/99_sandbox.cfg" <<'EOF'
datasource_list: [NoCloud, None]
network: {config: disabled}
locale: C.UTF-8
EOF

# Consoles and devices that a container does not have.
for unit in getty@tty1.service console-getty.service systemd-udevd.service \
    systemd-udev-trigger.service systemd-udev-settle.service e2scrub_reap.service \
    e2scrub_all.timer fstrim.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# Makes the nodes of the attached volumes (their list is beside the links) and a boot id of the
# host's own (the kernel's is the machine's, so a reboot would not show), then boots.
cat > "$root/usr/local/sbin/sandbox-init" <<'EOF'
#!/bin/sh
while read -r name major minor; do
    [ -e "/dev/$name" ] || mknod -m 0660 "/dev/$name" b "$major" "$minor"
done < /dev/disk/.volumes
cat /proc/sys/kernel/random/uuid > /run/boot-id
mount --bind /run/boot-id /proc/sys/kernel/random/boot_id
exec /sbin/init
EOF
chmod 0755 "$root/usr/local/sbin/sandbox-init"

# systemd leaves devices in fstab out where /sys is read-only; a host's volumes are there all the same.
generator="$root/usr/local/lib/systemd/system-generators/sandbox-fstab-generator"
mkdir -p "$(dirname "$generator")"
cat > "$generator" <<'EOF'
#!/bin/sh
while read -r what where type options rest; do
    case "$what" in /dev/*|UUID=*|LABEL=*) ;; *) continue ;; esac
    [ "$type" != swap ] || continue
    unit=$(systemd-escape --path --suffix=mount "$where")
    printf '[Unit]\nSourcePath=/etc/fstab\nBefore=local-fs.target\n' > "$1/$unit"
    printf '[Mount]\nWhat=%s\nWhere=%s\nType=%s\nOptions=%s\n' \
        "$what" "$where" "$type" "$options" >> "$1/$unit"
    case ",$options," in
        *,noauto,*) continue ;;
        *,nofail,*) wish=wants ;;
        *) wish=requires ;;
    esac
    mkdir -p "$1/local-fs.target.$wish"
    ln -sf "../$unit" "$1/local-fs.target.$wish/$unit"
done < /etc/fstab
EOF
chmod 0755 "$generator"
