# Installs packages with the machine's own package manager. The runner puts lines before this text: the manager; the mode,
# `required` or `recommended`; and the array `packages`. A prepare step may have more: the arrays `urls`, `files` (packages in
# the tree), `directories` of such, `debuginfo` (names without that word), `copr` (repositories) and `exclude` (patterns of names).
# What is installed already costs a query and no transaction. Exit codes: 0 everything is installed (always 0 for packages that are
# only recommended), 101 rights are lacking, 1 something could not be installed.

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a ZYPP_LOCK_TIMEOUT=600
apt=(apt-get -y -q -o DPkg::Lock::Timeout=600 -o APT::Cmd::Pattern-Only=true -o Dpkg::Options::=--force-confold)

# is_installed NAME: whether a package is installed, or one that provides this file or capability.
is_installed() {
    case $manager in
        apt)
            if [[ $1 == /* ]]; then
                [[ -e $1 ]]
            else
                [[ " $(dpkg-query -W -f '${db:Status-Status} ' "$1")" == *" installed "* ]] || is_provided "$1"
            fi
            ;;
        apk) apk info -e "$1" ;;
        *) rpm -q "$1" || rpm -q --whatprovides "$1" ;;
    esac
} >/dev/null 2>&1

# is_provided NAME: whether an installed package provides this virtual one.
is_provided() {
    [[ ${provided-} ]] || provided=$(dpkg-query -W -f '${db:Status-Status}, ${Provides}, \n' | sed -n 's/ ([^)]*)//g; s/^installed//p')
    [[ $provided == *", $1, "* ]]
}

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

# packages_of NAME...: puts the packages into `named`. Those that apt knows only by a file in them are looked up.
packages_of() {
    local name found
    named=()
    for name; do
        if [[ $manager == apt && $name == /* && ! -f $name ]]; then
            type -P apt-file >/dev/null || transaction apt-file || return
            apt-file list bash >/dev/null 2>&1 || apt-file update >/dev/null || return
            found=$(apt-file search --package-only --fixed-string -- "$name" | head -n 1)
            [[ $found ]] || { echo "atex: no package has the file $name" >&2; return 1; }
            name=$found
        fi
        named+=("$name")
    done
}

# transaction NAME...: installs all of them, or fails.
transaction() {
    local rc=0 named
    packages_of "$@" || return
    set -- "${named[@]}"
    case $manager in
        dnf5 | dnf | yum) "$manager" -y install "${exclusions[@]}" "$@" ;;
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

# fail TEXT: says why not all could be installed. That is an end only where all are required.
fail() {
    echo "atex: $1" >&2
    [[ $mode == recommended ]] || exit 1
}

# is_excluded NAME: whether one of the patterns fits the name, or that of the file.
is_excluded() {
    local pattern name=${1##*/}
    for pattern in "${exclude[@]}"; do
        [[ $name != $pattern && ${name%%-[0-9]*} != $pattern && $1 != $pattern ]] || return 0
    done
    return 1
}

# without_excluded NAME...: puts those that are not excluded into `kept`.
without_excluded() {
    local name
    kept=()
    for name; do
        is_excluded "$name" || kept+=("$name")
    done
}

# find_files: puts the packages of the tree that are to be installed into `files`.
find_files() {
    local directory end=rpm
    [[ $manager != apt ]] || end=deb
    [[ $manager != apk ]] || end=apk
    shopt -s nullglob
    for directory in "${directories[@]}"; do
        [[ -d ./$directory ]] || { echo "atex: there is no directory $directory in the tree" >&2; exit 1; }
        files+=("$directory"/*."$end")
    done
    shopt -u nullglob
    without_excluded "${files[@]}"
    files=("${kept[@]}")
}

# enable_copr: makes the repositories of Copr known.
enable_copr() {
    local repository
    for repository in "${copr[@]}"; do
        case $manager in
            dnf5 | dnf) "$manager" -y install 'dnf-command(copr)' && "$manager" -y copr enable "$repository" ;;
            *) false ;;
        esac || fail "cannot enable the Copr repository $repository with $manager"
    done
}

# install_files: installs packages of the tree. A package of the same version that is there already is replaced.
install_files() {
    local paths=("${files[@]/#/$PWD/}")
    case $manager in
        dnf5 | dnf | yum)
            "$manager" -y install --nogpgcheck "${exclusions[@]}" "${paths[@]}" && "$manager" -y reinstall --nogpgcheck "${paths[@]}"
            ;;
        apt) "${apt[@]}" --allow-downgrades --reinstall install "${paths[@]}" ;;
        zypper) zypper --non-interactive install --allow-unsigned-rpm --force "${paths[@]}" ;;
        apk) apk add --wait 600 --no-progress --allow-untrusted "${paths[@]}" ;;
        *) transaction "${paths[@]}" ;;
    esac
}

# install_debuginfo: installs what debuggers need to know of packages.
install_debuginfo() {
    case $manager in
        dnf5) dnf5 -y debuginfo-install "${debuginfo[@]}" ;;
        dnf) dnf -y install 'dnf-command(debuginfo-install)' && dnf -y debuginfo-install "${debuginfo[@]}" ;;
        yum) yum -y install yum-utils && debuginfo-install -y "${debuginfo[@]}" ;;
        *) false ;;
    esac
}

exclusions=()
for name in "${exclude[@]}"; do
    exclusions+=("--exclude=$name")
done
without_excluded "${packages[@]}"
packages=("${kept[@]}")
find_files
find_missing
if ((${#missing[@]} + ${#files[@]} + ${#urls[@]} + ${#debuginfo[@]} + ${#copr[@]} == 0)); then
    echo "all packages are installed: ${packages[*]}"
    exit 0
fi

if ((EUID != 0)); then
    echo "atex: cannot install ${missing[*]}${files[*]:+ ${files[*]}}${urls[*]:+ ${urls[*]}}: not root" >&2
    [[ $mode == required ]] || exit 0
    exit 101
fi

enable_copr
((${#files[@]} == 0)) || install_files || fail "cannot install ${files[*]}"
if ((${#urls[@]} > 0)); then
    [[ $manager != apt && $manager != apk ]] && transaction "${urls[@]}" || fail "cannot install ${urls[*]} with $manager"
fi
((${#debuginfo[@]} == 0)) || install_debuginfo || fail "cannot install the debuginfo of ${debuginfo[*]}"
find_missing
((${#missing[@]} > 0)) || exit 0

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
