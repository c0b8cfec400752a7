# Around a test with tmt's interface: makes what tmt promises, runs the test in a shell of its own, which it may end in any way, and sends
# what it left to the runner over the control stream. Needs bash 4.2, coreutils. See sut/interface/mod.rs for the other side.
#
# $1 the directory for it, which a restarted test finds as it left it; $2 the test's script; $3 how often its machine went away under it
# and came back; $4 its number in the plan; $5 the text of the commands; $6 its framework; $7 the text that sets its environment, which the
# test alone gets: what bash reads from a variable of the test must not change what is removed or sent here; $8 the exit codes after which
# it is started again, with blanks around them; $9 how often it is started again at most; ${10} whether the machine is rebooted before that;
# ${11} whether the machine can be rebooted. What is not so is empty. Descriptor 7 is the control stream, 8 the output.
#
# DIRECTORY/bin and commands are the commands. All else is the test's: test/ and plan/ are for it, and in state/ is what this program has to
# know after a restart: iteration (the test's variable), pid (its shell, where the machine can be rebooted), request (the reboot that it
# asked for), reboot (the boot in which that was begun, and how), stayed (why it came to nothing), restarts (how often its exit code
# made it start again).

# Ends the test as one that cannot be run: the runner knows no such word.
cannot() {
    printf 'cannot %s\n' "$1" >&7
    exit 1
}

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
            bin | commands | plan | state | test) ;;
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

# files DIRECTORY: adds all regular files below a directory to `found`, but follows no link. One that cannot be read may hold a result.
files() {
    local entry
    [[ -d $1 && ! -L $1 && -r $1 && -x $1 ]] || cannot "read $1"
    for entry in "$1"/*; do
        if [[ -L $entry ]]; then
            continue
        elif [[ -d $entry ]]; then
            files "$entry"
        elif [[ -f $entry ]]; then
            [[ -r $entry ]] || cannot "read $entry"
            found+=("$entry")
        fi
    done
}

# json NAME: makes the text of a name for JSON of it in REPLY. What is no UTF-8 is taken for Latin-1.
json() {
    local text=${1//\\/\\\\} char code at
    local utf8=$'^([\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*$'
    text=${text//\"/\\\"}
    REPLY=$text
    [[ $text == *[!\ -~]* ]] || return
    local is_utf8=
    [[ $text =~ $utf8 ]] && is_utf8=yes
    REPLY=
    for ((at = 0; at < ${#text}; at++)); do
        char=${text:at:1}
        printf -v code %d "'$char"
        ((code &= 255))
        if ((code < 32 || code == 127)) || { ((code > 127)) && [[ ! $is_utf8 ]]; }; then
            printf -v char '\\u%04x' "$code"
        fi
        REPLY+=$char
    done
}

# send_file FILE NAME: sends a file, to lie under a name. One that changes meanwhile still has the length that was told.
send_file() {
    local length LC_ALL=C
    length=$(stat -c %s -- "$1") && [[ $length ]] || cannot "read $1"
    json "$2"
    REPLY="{\"partial\":true,\"files\":[{\"name\":\"$REPLY\",\"length\":$length}]}"
    printf 'result %d\n%s' "${#REPLY}" "$REPLY" >&7 || return
    ((length == 0)) || { cat -- "$1"; head -c "$length" /dev/zero; } 2>/dev/null 7>&- | head -c "$length" >&7
}

# send DIRECTORY NAME: sends all files below a directory, to lie under a name.
send() {
    local found=() file
    files "$1"
    for file in "${found[@]}"; do
        send_file "$file" "$2${file#"$1"}" || return
    done
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
        rm -rf --one-file-system -- "$1"/{plan,state,test}
    else
        rm -rf --one-file-system -- "$1"
    fi || cannot "empty $1"
}

# told DIRECTORY CHECK EVENT RESULT [NOTE]: notes for the runner what a check came to.
told() {
    [[ -d $1/test/checks ]] || mkdir -p -- "$1/test/checks" || cannot "make $1/test/checks"
    printf '%s\t%s\t%s\t%s\n' "$2" "$3" "$4" "${5//[$'\t\n']/ }" >>"$1/test/checks/results.txt" || cannot "write below $1"
}

# run_test DIRECTORY SCRIPT REBOOTS NUMBER FRAMEWORK ENVIRONMENT RESTARTS BASH TEXT CAN: runs the test.
run_test() (
    exec 2>&8 8>&-
    [[ ! ${10} ]] || printf '%d\n' "$BASHPID" >"$1/state/pid" || cannot "write below $1"
    eval "$6"
    TMT_TEST_INVOCATION_PATH=$1/test
    TMT_TEST_DATA=$1/test/data
    TMT_TEST_SUBMITTED_FILES=$1/test/submitted-files.log
    TMT_TEST_SERIAL_NUMBER=$4
    TMT_TEST_RESTART_COUNT=$(($3 + $7))
    TMT_TOPOLOGY_BASH=$1/test/topology.sh
    TMT_TOPOLOGY_YAML=$1/test/topology.yaml
    TMT_PLAN_DATA=$1/plan
    TMT_PLAN_SOURCE_SCRIPT=$1/plan/plan-source-script.sh
    TMT_SOURCE_DIR=$1/source
    TMT_SCRIPTS_DIR=$1/bin
    TMT_VERSION=1.78.0
    TMT_RESTRAINT_COMPATIBLE=0
    TMT_REBOOT_REQUEST=$1/state/request
    REBOOTCOUNT=$3
    RSTRNT_REBOOTCOUNT=$3
    PATH=$1/bin:$PATH
    read -r TMT_TEST_ITERATION_ID <"$1/state/iteration"
    export TMT_TEST_INVOCATION_PATH TMT_TEST_DATA TMT_TEST_SUBMITTED_FILES TMT_TEST_SERIAL_NUMBER TMT_TEST_ITERATION_ID \
        TMT_TEST_RESTART_COUNT TMT_TOPOLOGY_BASH TMT_TOPOLOGY_YAML TMT_PLAN_DATA TMT_PLAN_SOURCE_SCRIPT TMT_SOURCE_DIR \
        TMT_SCRIPTS_DIR TMT_VERSION TMT_RESTRAINT_COMPATIBLE TMT_REBOOT_REQUEST REBOOTCOUNT RSTRNT_REBOOTCOUNT PATH
    if [[ $5 == beakerlib ]]; then
        export BEAKERLIB_DIR=$1/test BEAKERLIB_COMMAND_SUBMIT_LOG=$1/bin/tmt-file-submit \
            BEAKERLIB_COMMAND_REPORT_RESULT=$1/bin/rhts-report-result TESTID=$4
    fi
    exec "$8" --noprofile --norc -c "$9" "$2"
)

# reboot_machine DIRECTORY CAN SECONDS SOFT COMMAND: reboots the machine, by a command of the test's own if there is one, and waits to go down
# with it. The runner lets go before, connects again when the machine is back, and starts the job once more: `came_back` goes on there.
reboot_machine() {
    local boot rc why
    if [[ ! $2 ]]; then
        told "$1" internal/guest after-test fail 'this machine cannot be rebooted by a test'
        return
    fi
    # What is left of the test ends here.
    trap '' TERM
    kill -s TERM 0
    trap - TERM
    read -r boot </proc/sys/kernel/random/boot_id
    rm -f -- "$1/state/request" && printf '%s\n' "$boot" "$4" >"$1/state/reboot" && sync || cannot "write below $1"
    printf 'disconnect\n' >&7
    for ((rc = 0; rc < 600; rc++)); do
        printf 'noop\n' 2>/dev/null >&7 || break
        sleep 0.1
    done
    (
        exec </dev/null >/dev/null 2>&1 7>&- 8>&-
        PATH=$PATH:/usr/sbin:/sbin
        words=(reboot)
        [[ ! $4 ]] || words=(systemctl soft-reboot)
        ((EUID == 0)) || words=(sudo -n "${words[@]}")
        [[ ! $5 ]] || words=("$BASH" --noprofile --norc -c "$5")
        exec "${words[@]}"
    )
    rc=$?
    # A command that the reboot itself ended has done its work.
    why="the command for the reboot exited with $rc"
    if ((rc == 0 || rc > 128)); then
        for ((SECONDS = 0; SECONDS < $3;)); do
            sleep 1
        done
        why="the machine did not go down within $3 s"
    fi
    printf '%s\n' "$why" >"$1/state/stayed"
    exit 143
}

# came_back DIRECTORY: whether a reboot that the test asked for was one, if it asked for any.
came_back() {
    local boot soft now why=
    [[ -f $1/state/reboot ]] || return 0
    { read -r boot; read -r soft; } <"$1/state/reboot"
    read -r now </proc/sys/kernel/random/boot_id
    if [[ -f $1/state/stayed ]]; then
        read -r why <"$1/state/stayed"
    elif [[ ! $soft && $boot == "$now" ]]; then
        why='the machine is in the same boot as before'
    fi
    rm -f -- "$1/state/reboot" || cannot "write below $1"
    [[ ! $why ]] || told "$1" internal/guest after-test fail "$why"
    [[ ! $why ]]
}

trap : PIPE
shopt -s nullglob dotglob
names=(tmt-report-result rhts-report-result rstrnt-report-result tmt-file-submit rhts-submit-log rhts_submit_log
    rstrnt-report-log tmt-abort rhts-abort rstrnt-abort tmt-reboot rhts-reboot rstrnt-reboot)
kept=
has_commands "$1" "$5" && kept=yes
if (($3 == 0)) && [[ -e $1 || -L $1 ]]; then
    empty "$1" "$kept"
fi
mkdir -p -- "$1"/{bin,plan,state,test/data} || cannot "make $1"
[[ $kept ]] || commands "$1" "$5" || cannot "write below $1"
topology "$1/test" || cannot "write below $1"
if (($3 == 0)); then
    printf '%(%s)T-%s\n' -1 "$4" >"$1/state/iteration" || cannot "write below $1"
fi
options='set -eo pipefail;'
if [[ $6 == beakerlib ]]; then
    options=
    # Its name for the journal is read from there.
    cp -- "${2%/*}/metadata.yaml" "$1/test/metadata.yaml" || cannot "write below $1"
fi
exec 8>&2
restarts=0
if [[ -f $1/state/restarts ]]; then
    read -r word <"$1/state/restarts"
    [[ $word == *[!0-9]* ]] || restarts=$((10#0$word))
fi
rc=143
if came_back "$1"; then
    while :; do
        checks "$1" before-test
        # How the test's shell was ended is nothing that bash should print there.
        {
            run_test "$1" "$2" "$3" "$4" "$6" "$7" "$restarts" "$BASH" "trap : PIPE; $options"' . "$0"' "${11}"
        } 2>/dev/null
        rc=$?
        checks "$1" after-test
        if [[ -e $1/state/request ]]; then
            { read -r seconds; read -r soft; IFS= read -r -d '' word; } <"$1/state/request"
            reboot_machine "$1" "${11}" "$seconds" "$soft" "$word"
            break
        fi
        [[ "$8" == *" $rc "* && ! -e $1/test/data/abort ]] && (($3 + restarts < $9)) || break
        if [[ ${10} ]]; then
            reboot_machine "$1" "${11}" 600 '' ''
            break
        fi
        printf '%d\n' "$((restarts += 1))" >"$1/state/restarts" || cannot "write below $1"
    done
fi
if [[ $6 == beakerlib ]]; then
    for file in TestResults journal.txt; do
        [[ ! -f $1/test/$file || -L $1/test/$file ]] || send_file "$1/test/$file" "beakerlib/$file"
    done
fi
send "$1/test/data" data
send "$1/plan" plan-data
[[ ! -d $1/test/checks ]] || send "$1/test/checks" checks
exit "$rc"
