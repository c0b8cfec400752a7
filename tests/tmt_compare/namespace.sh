# Runs a command with a root of its own, in which all of this machine is seen and nothing of it can be changed.
#
#   namespace.sh SCRATCH SHARED COMMAND…
#
# SCRATCH is an empty directory, over which the layer that is written to is mounted. SHARED is the one directory that is written for real. It
# runs in a mount and a PID namespace that `unshare` has made, so all of it is gone with the first process.
set -euo pipefail

scratch=$1 shared=$2
shift 2
root=$scratch/root
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmt-compare "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" tmt-compare "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mkdir -p "$root/var/tmp/tmt-compare-home" "$root$shared"
mount --bind "$shared" "$root$shared"

# tmt takes the package manager that it finds first, which is dnf also on Debian, where it has no packages. With apt it asks apt-file for
# the package of each path, which would download 50 MB for each run: here dpkg answers, which knows what is installed.
if [ -e "$root/usr/bin/apt" ]; then
    rm -f "$root"/usr/bin/{dnf,dnf4,dnf5,dnf-3,microdnf,yum,rpm-ostree}
    mv "$root/usr/bin/apt" "$root/usr/bin/apt.real"
    cat >"$root/usr/bin/apt" <<'END'
#!/bin/bash
[[ $* != 'install -y apt-file' ]] || exit 0
exec apt.real "$@"
END
    cat >"$root/usr/bin/apt-file" <<'END'
#!/bin/bash
[[ $1 == search ]] || exit 0
# Where /bin is a link to /usr/bin, packages name their files below either of them.
for path in "${@: -1}" "${@: -1:1}"; do
    dpkg-query --search "${path#/usr}" "$path" 2>/dev/null
done | sed 's/:.*//' | head -n 1
END
    chmod 755 "$root/usr/bin/apt" "$root/usr/bin/apt-file"
fi

# tmt calls Ansible through `sudo`, which looks in few places.
if [ -x "${ATEX_ANSIBLE:-}/ansible-playbook" ]; then
    ln -sf "$ATEX_ANSIBLE/ansible-playbook" "$root/usr/bin/ansible-playbook"
fi

exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/var/tmp/tmt-compare-home LANG=C.UTF-8 TZ=UTC \
    ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 "$@"
