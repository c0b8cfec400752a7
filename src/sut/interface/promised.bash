# What tmt promises tests and scripts alike: its commands, the files that name the guests, and the data of the plan. Needs bash 4.2,
# coreutils, and a function `cannot TEXT` that ends the job. See sut/interface/mod.rs for the other side.

shopt -s nullglob dotglob
names=(tmt-report-result rhts-report-result rstrnt-report-result tmt-file-submit rhts-submit-log rhts_submit_log
    rstrnt-report-log tmt-abort rhts-abort rstrnt-abort tmt-reboot rhts-reboot rstrnt-reboot)

# topology DIRECTORY: writes the files that name the guests: there is one.
topology() {
    printf '%s\n' 'declare -A TMT_GUEST' 'TMT_GUEST[name]="default-0"' 'TMT_GUEST[role]=""' 'TMT_GUEST[hostname]=""' \
        'TMT_GUEST_NAMES="default-0"' 'declare -A TMT_GUESTS' 'TMT_GUESTS[default-0.name]="default-0"' \
        'TMT_GUESTS[default-0.role]=""' 'TMT_GUESTS[default-0.hostname]=""' 'TMT_ROLE_NAMES=""' 'declare -A TMT_ROLES' \
        >"$1/topology.sh"
    printf '%s\n' 'guest:' '  hostname: null' '  name: default-0' '  role: null' 'guest-names:' '- default-0' 'guests:' \
        '  default-0:' '    hostname: null' '    name: default-0' '    role: null' 'role-names: []' 'roles: {}' \
        >"$1/topology.yaml"
}

# stub DIRECTORY: makes the text of each command in REPLY, which reads the text of all of them.
stub() {
    printf -v REPLY '#!%s\n. %q\n' "$BASH" "$1/commands"
}

# holds FILE TEXT: whether a file is one of its own, and holds this text and no more.
holds() {
    local text
    [[ -f $1 && ! -L $1 && -O $1 ]] && ! IFS= read -r -d '' text <"$1" && [[ $text == "$2" ]]
}

# has_commands DIRECTORY TEXT: whether the commands are there as they were made, and nothing else is, but what each test has of its own.
# It starts no process, since it is done before each test.
has_commands() {
    local name entries
    [[ -d $1/bin && ! -L $1/bin ]] && holds "$1/commands" "$2"$'\n' || return
    for name in "$1"/*; do
        case ${name#"$1/"} in
            bin | commands | state | test) ;;
            *) return 1 ;;
        esac
    done
    entries=("$1"/bin/*)
    ((${#entries[@]} == ${#names[@]})) || return
    stub "$1"
    for name in "${names[@]}"; do
        [[ -x $1/bin/$name ]] && holds "$1/bin/$name" "$REPLY" || return
    done
}

# commands DIRECTORY TEXT: writes the commands, each under all of its names.
commands() {
    local name
    printf '%s\n' "$2" >"$1/commands" || return
    stub "$1"
    for name in "${names[@]}"; do
        printf %s "$REPLY" >"$1/bin/$name" || return
    done
    chmod 755 "$1"/bin/*
}

# holds_mounts DIRECTORY: whether something is mounted at or below a directory, as far as the kernel's list can be read. It starts no
# process either.
holds_mounts() {
    local lines=() line point own back=$PWD
    cd -P -- "$1" || return 0
    own=$PWD
    cd -- "$back" || cannot "go back to $back"
    unset -v OLDPWD
    mapfile -t lines </proc/self/mountinfo && ((${#lines[@]} > 0)) || return 0
    for line in "${lines[@]}"; do
        line=${line#* * * * }
        point=${line%% *}
        [[ $point != *\\* ]] || printf -v point "${point//%/%%}"
        [[ $point != "$own" && $point != "$own"/* ]] || return 0
    done
    return 1
}

# empty DIRECTORY KEPT: leaves nothing of an earlier test there, but the commands where they are to be kept. What a test mounted there is
# not ours, whatever device it is of.
empty() {
    [[ ! -L $1 ]] && ! holds_mounts "$1" || cannot "empty $1: it is a link, or something is mounted there"
    if [[ $2 ]]; then
        rm -rf --one-file-system -- "$1"/{state,test}
    else
        rm -rf --one-file-system -- "$1"
    fi || cannot "empty $1"
}

# provide DIRECTORY TEXT FIRST: makes the directory of a job with the commands in it, and with nothing of an earlier job where it is
# the first start.
provide() {
    local kept=
    has_commands "$1" "$2" && kept=yes
    if [[ $3 ]] && [[ -e $1 || -L $1 ]]; then
        empty "$1" "$kept"
    fi
    mkdir -p -- "$1"/{bin,state,test/data} || cannot "make $1"
    [[ $kept ]] || commands "$1" "$2" || cannot "write below $1"
    topology "$1/test" || cannot "write below $1"
}

# plan_data MADE COPY RUN: makes the copy that the tests and finish steps of a plan have of what its prepare steps have made, if there is
# none. One of another run is made anew; without RUN any is right.
plan_data() {
    local of=
    [[ ! -f $2.run || -L $2.run ]] || read -r of <"$2.run"
    # A copy that was not made to its end has no such file yet.
    [[ ! -d $2 || -L $2 || ! $of || ($3 && $of != "$3") ]] || return 0
    if [[ -L $2 ]]; then
        # A link that a test has put there is removed, and nothing that it leads to.
        rm -f -- "$2" || cannot "remove $2"
    elif [[ -e $2 ]]; then
        empty "$2" ''
    fi
    rm -f -- "$2.run" && mkdir -p -- "${2%/*}" || cannot "make $2"
    if [[ -d $1 && ! -L $1 ]]; then
        ! holds_mounts "$1" && cp -a -- "$1" "$2"
    else
        mkdir -- "$2"
    fi && printf '%s\n' "${3:-finish}" >"$2.run" || cannot "make $2"
}
