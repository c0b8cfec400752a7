# Around a test with tmt's interface: makes what tmt promises, runs the test in a shell of its own, which it may end in any way, and sends
# what it left to the runner over the control stream. Needs bash 4.2, coreutils, and the functions of promised.bash and send.bash.
# See sut/interface/mod.rs for the other side.
#
# $1 the directory for it, which a restarted test finds as it left it; $2 the test's script; $3 how often its machine went away under it
# and came back; $4 its number in the plan; $5 the text of the commands; $6 its framework; $7 the text that sets its environment, which the
# test alone gets: what bash reads from a variable of the test must not change what is removed or sent here; $8 the exit codes after which
# it is started again, with blanks around them; $9 how often it is started again at most; ${10} whether the machine is rebooted before that;
# ${11} whether the machine can be rebooted; ${12} the plan data that prepare steps have made; ${13} the copy of it that the plan's tests and
# finish steps share; ${14} the run that the copy has to be of; ${15} whether it finds what restraint promises. What is not so is empty. Descriptor 7 is the control stream, 8 the output.
#
# DIRECTORY/bin and commands are the commands. All else is the test's: test/ is for it, and in state/ is what this program has to
# know after a restart: iteration (the test's variable), plan-before (the plan data as the test found it), pid (its shell, where the machine can be rebooted), request (the reboot that it
# asked for), reboot (the boot in which that was begun, and how), stayed (why it came to nothing), restarts (how often its exit code
# made it start again).

# told DIRECTORY CHECK EVENT RESULT [NOTE]: notes for the runner what a check came to.
told() {
    [[ -d $1/test/checks ]] || mkdir -p -- "$1/test/checks" || cannot "make $1/test/checks"
    printf '%s\t%s\t%s\t%s\n' "$2" "$3" "$4" "${5//[$'\t\n']/ }" >>"$1/test/checks/results.txt" || cannot "write below $1"
}

# run_test DIRECTORY SCRIPT REBOOTS NUMBER FRAMEWORK ENVIRONMENT RESTARTS BASH TEXT CAN PLAN-DATA RESTRAINT: runs the test.
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
    TMT_PLAN_DATA=${11}
    TMT_PLAN_SOURCE_SCRIPT=${11}/plan-source-script.sh
    TMT_SOURCE_DIR=$1/source
    TMT_SCRIPTS_DIR=$1/bin
    TMT_VERSION=1.78.0
    TMT_RESTRAINT_COMPATIBLE=$((${#12} > 0))
    TMT_REBOOT_REQUEST=$1/state/request
    REBOOTCOUNT=$3
    RSTRNT_REBOOTCOUNT=$3
    PATH=$1/bin:$PATH
    read -r TMT_TEST_ITERATION_ID <"$1/state/iteration"
    export TMT_TEST_INVOCATION_PATH TMT_TEST_DATA TMT_TEST_SUBMITTED_FILES TMT_TEST_SERIAL_NUMBER TMT_TEST_ITERATION_ID \
        TMT_TEST_RESTART_COUNT TMT_TOPOLOGY_BASH TMT_TOPOLOGY_YAML TMT_PLAN_DATA TMT_PLAN_SOURCE_SCRIPT TMT_SOURCE_DIR \
        TMT_SCRIPTS_DIR TMT_VERSION TMT_RESTRAINT_COMPATIBLE TMT_REBOOT_REQUEST REBOOTCOUNT RSTRNT_REBOOTCOUNT PATH
    [[ ! ${12} ]] || export RSTRNT_TASKNAME=$TMT_TEST_NAME
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

# state DIRECTORY: prints a line for everything below a directory, as `stat` sees it, with the path at the end. No content can change
# without the time of its last change. Where there is very much, nothing is known of it, and so it has always changed. Of an empty directory
# it knows without a process.
state() {
    local left=4000
    [[ -d $1 && ! -L $1 ]] && below "$1" || printf 'unknown since %(%s)T.%s\n' -1 "$RANDOM$RANDOM"
}

# below DIRECTORY: prints the lines of everything below a directory. Fails if it is too much.
below() {
    local entries=("$1"/*) entry
    (((left -= ${#entries[@]}) >= 0)) || return
    ((${#entries[@]} > 0)) || return 0
    stat -c '%i %f %u %g %s %.9Y %.9Z %n' -- "${entries[@]}" || return
    for entry in "${entries[@]}"; do
        [[ -L $entry || ! -d $entry ]] || below "$entry" || return
    done
}

# send_changes DIRECTORY PLAN-DATA: sends the files of the plan data that the test has added or changed, and a list of everything there
# that is not as it was. The list tells the runner that later tests depend on this one.
send_changes() {
    local lines=() line file before after
    local -A known=() changed=()
    if [[ -L $1 || ! -f $1/plan-before || -L $1/plan-before ]] || ! state "$2" >"$1/plan-after"; then
        # The test has taken away what would tell.
        send_file /dev/null plan-data.txt
        return
    fi
    IFS= read -r -d '' before <"$1/plan-before"
    IFS= read -r -d '' after <"$1/plan-after"
    [[ $before != "$after" ]] || return 0
    mapfile -t lines <"$1/plan-before"
    for line in "${lines[@]}"; do known[${line:-.}]=gone; done
    mapfile -t lines <"$1/plan-after"
    for line in "${lines[@]}"; do
        if [[ ${known[${line:-.}]} ]]; then
            known[${line:-.}]=kept
            continue
        fi
        file=${line#* * * * * * * }
        file=${file:-.}
        changed[${file#"$2"/}]=yes
        [[ ! -f $file || -L $file || $file != "$2"/* ]] || send_file "$file" "plan-data${file#"$2"}"
    done
    for line in "${!known[@]}"; do
        file=${line#* * * * * * * }
        [[ ${known[$line]} == kept ]] || changed[${file#"$2"/}]=yes
    done
    printf '%s\n' "${!changed[@]}" >"$1/plan-changes"
    send_file "$1/plan-changes" plan-data.txt
}

trap : PIPE
first=
(($3 > 0)) || first=yes
provide "$1" "$5" "$first"
plan_data "${12}" "${13}" "${14}"
if [[ $first ]]; then
    printf '%(%s)T-%s\n' -1 "$4" >"$1/state/iteration" || cannot "write below $1"
    state "${13}" >"$1/state/plan-before" || cannot "write below $1"
fi
source='[[ ! -f $TMT_PLAN_SOURCE_SCRIPT ]] || . "$TMT_PLAN_SOURCE_SCRIPT"'
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
            run_test "$1" "$2" "$3" "$4" "$6" "$7" "$restarts" "$BASH" "trap : PIPE; $source; $options"' . "$0"' "${11}" "${13}" "${15}"
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
send_changes "$1/state" "${13}"
[[ ! -d $1/test/checks ]] || send "$1/test/checks" checks
exit "$rc"
