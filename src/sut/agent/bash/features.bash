# Switches features of Enterprise Linux. The runner puts the array `features` before this text, each `NAME enabled` or
# `NAME disabled`. What a system does not have is said, and changes nothing, as under tmt.

major= ID= VERSION_ID=
. "${os_release:-/etc/os-release}"
major=${VERSION_ID%%.*}

# warn TEXT: says what is not done.
warn() {
    echo "atex: warning: $1" >&2
}

# is_supported: whether this is RHEL or CentOS Stream 8 or later.
is_supported() {
    [[ $ID == rhel || $ID == centos ]] && [[ $major =~ ^[0-9]+$ ]] && ((major >= 8))
}

# switch STATE REPOSITORY...: enables or disables repositories.
switch() {
    local state=$1
    shift
    dnf -y install 'dnf-command(config-manager)' && dnf config-manager "--set-$state" "$@"
}

# crb STATE: switches the repository that EPEL's packages need.
crb() {
    local found
    mapfile -t found < <(dnf repolist --all | awk 'tolower($1) ~ /crb|powertools|codeready/ && tolower($1) !~ /debug|source/ { print $1 }')
    ((${#found[@]} > 0)) || { warn "there is no CRB repository"; return 0; }
    switch "$1" "${found[@]}"
}

# epel STATE: switches Extra Packages for Enterprise Linux.
epel() {
    local repositories=(epel)
    [[ $ID != centos || $major != 9 ]] || repositories+=(epel-next)
    if [[ $1 == disabled ]]; then
        ! rpm -q epel-release >/dev/null || switch disabled "${repositories[@]}"
        return
    fi
    if [[ $ID == rhel ]]; then
        rpm -q epel-release >/dev/null ||
            dnf -y install --nogpgcheck "https://dl.fedoraproject.org/pub/epel/epel-release-latest-$major.noarch.rpm" || return
    else
        dnf -y install "${repositories[@]/%/-release}" || return
    fi
    switch enabled "${repositories[@]}" && crb enabled
}

# fips STATE: finds out whether the kernel runs in that mode. It is entered by a reboot, which a prepare step cannot ask for.
fips() {
    local now=0
    [[ ! -e /proc/sys/crypto/fips_enabled ]] || read -r now </proc/sys/crypto/fips_enabled
    [[ $now == 1 ]] || {
        echo "atex: FIPS mode is entered by a reboot: enable it before the machine is used (fips-mode-setup --enable)" >&2
        return 1
    }
}

for feature in "${features[@]}"; do
    read -r name state <<<"$feature"
    if ! is_supported; then
        warn "$name is not $state: it is a feature of RHEL and CentOS Stream, and this is ${ID:-another system} $VERSION_ID"
    elif ((EUID != 0)) && [[ $name != fips ]]; then
        echo "atex: $name cannot be $state: not root" >&2
        exit 101
    else
        "$name" "$state" || { echo "atex: $name cannot be $state" >&2; exit 1; }
    fi
done
exit 0
