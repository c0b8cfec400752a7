# Installs packages with the machine's own package manager. The runner puts three lines before this text: the manager; the
# mode, `required` or `recommended`; and the array of packages. What is installed already costs a query and no transaction.
# Exit codes: 0 everything is installed (always 0 for packages that are only recommended), 101 rights are lacking, 1 something
# could not be installed.

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a ZYPP_LOCK_TIMEOUT=600
apt=(apt-get -y -q -o DPkg::Lock::Timeout=600 -o APT::Cmd::Pattern-Only=true -o Dpkg::Options::=--force-confold)

# is_installed NAME: whether a package is installed, or one that provides this file or capability.
is_installed() {
    case $manager in
        apt) [[ " $(dpkg-query -W -f '${db:Status-Status} ' "$1")" == *" installed "* ]] ;;
        apk) apk info -e "$1" ;;
        *) rpm -q "$1" || rpm -q --whatprovides "$1" ;;
    esac
} >/dev/null 2>&1

# refresh: reads the lists of the repositories. Only one process of atex does it at a time; another program's lock is waited
# for.
refresh() {
    local lock try said
    exec {lock}</var/lib/apt/lists
    flock "$lock"
    for try in {1..12}; do
        if said=$("${apt[@]}" update 2>&1); then
            break
        elif [[ $try == 12 || $said != *"Could not get lock"* ]]; then
            printf '%s\n' "$said" >&2
            return 1
        fi
        sleep 5
    done
    exec {lock}<&-
}

# transaction NAME...: installs all of them, or fails.
transaction() {
    local rc=0
    case $manager in
        dnf5 | dnf | yum) "$manager" -y install "$@" ;;
        rpm-ostree) rpm-ostree install --idempotent --allow-inactive --apply-live -y "$@" || rpm-ostree install --idempotent --allow-inactive "$@" ;;
        apt) "${apt[@]}" install "$@" || { refresh && "${apt[@]}" install "$@"; } ;;
        zypper)
            zypper --non-interactive install "$@" || rc=$?
            # The packages are installed, and zypper gives advice: reboot, restart the manager, or note that a repository was
            # left out.
            [[ $rc == 0 || $rc == 102 || $rc == 103 || $rc == 106 ]]
            ;;
        apk) apk add --wait 600 --no-progress "$@" || { apk update --wait 600 && apk add --wait 600 --no-progress "$@"; } ;;
    esac
}

# find_missing: puts the packages that are not installed into `missing`.
find_missing() {
    local name
    missing=()
    for name in "${packages[@]}"; do
        is_installed "$name" || missing+=("$name")
    done
}

find_missing
if ((${#missing[@]} == 0)); then
    echo "all packages are installed: ${packages[*]}"
    exit 0
fi

if ((EUID != 0)); then
    echo "atex: cannot install ${missing[*]}: not root" >&2
    [[ $mode == required ]] || exit 0
    exit 101
fi

if [[ $mode == required ]]; then
    if ! transaction "${missing[@]}"; then
        echo "atex: cannot install ${missing[*]}" >&2
        exit 1
    fi
    # These two managers report success even if it failed: yum leaves out what it does not know, and rpm-ostree waits for a
    # reboot.
    if [[ $manager == yum || $manager == rpm-ostree ]]; then
        find_missing
        if ((${#missing[@]} > 0)); then
            echo "atex: still not installed: ${missing[*]}" >&2
            exit 1
        fi
    fi
    exit 0
fi

if ! transaction "${missing[@]}" && ((${#missing[@]} > 1)); then
    for name in "${missing[@]}"; do
        transaction "$name" || :
    done
fi
find_missing
((${#missing[@]} == 0)) || echo "atex: recommended, and not installed: ${missing[*]}"
exit 0
