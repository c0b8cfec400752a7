# The wrapper: one per job. It starts the job in a session of its own, watches stdin for the runner, and ends what is left of
# the job's process groups. Needs bash 4.2, coreutils, util-linux. See src/sut/agent/wrapper.rs for the other side.
#
# Stdin: a marker line; a line `MODE BEAT SEAL AGENT BEGUN INIT LENGTH…` and then payloads of these lengths, without NUL bytes: the machine's
# directory, the job's directory, what the job is called, and the job's files `run`, `script`, `metadata.yaml`; then words, one
# a line: `terminate`, `overdue`, `detach`, or nothing as a sign of life. MODE is `test`, `tty` or `script`. BEAT is the seconds
# of silence after which the runner is taken for dead, 0 for never. SEAL is a word that nobody but the runner and this program
# knows: it is kept in a variable of this shell alone. AGENT is the process that has the lease for this job, and BEGUN when it started; INIT is
# when the first process did, as AGENT sees it. Nothing on the machine is touched before the job has come.
# Stdout: the marker, then `started`, `refused TEXT`, `full TEXT` (the disk is) or `no-terminal`, then the control stream of the test, `mounted SEAL` where the test left something mounted below
# the trees, and `exitcode N SEAL` last. Stderr: the
# marker, then what the job prints.
#
# Descriptors: 4 the list of process groups, 5 control, 6 output, 8 commands, 9 run.lock. The job sees 0, 1, 2, and 7 for the
# control stream: one digit, because `>&$ATEX_TEST_CONTROL` takes no more in dash.
#
# A test after another must cost little: what happens for each of them is done by bash itself, where it can.

# Programs are meant by their names, whatever functions a start-up file of the user has put in their place.
unset -f flock mkdir rm script setsid sleep sync
umask 077
trap : PIPE
# What the runner itself was started with is none of the job's business.
for fd in /proc/self/fd/*; do
    ((${fd##*/} <= 2)) || eval "exec ${fd##*/}>&-"
done
unset -v fd OLDPWD
exec 5>&1 6>&2 8<&0 </dev/null >/dev/null 2>/dev/null
# Lengths are bytes. The job gets back what was there.
locale=${LC_ALL+is$LC_ALL}
LC_ALL=C

# refuse WHY [WORD]: says that the job is not run.
refuse() {
    printf '%s %s\n' "${2:-refused}" "${1//$'\n'/; }" >&5
    exit 0
}

# refuse_for WHAT COMMAND: refuses because the command failed; it runs once more, to say why, and the word is `full` where the disk is.
refuse_for() {
    local why=$("$2" 2>&1) word=
    why=${why%%$'\n'*}
    [[ $why != *'No space left'* ]] || word=full
    refuse "$1${why:+: ${why##*: }}" $word
}

# take NAME LENGTH: takes a payload into a variable.
take() {
    printf -v "$1" ''
    (($2 == 0)) || IFS= read -r -N "$2" "$1" <&8 || exit
}

# Waits for a job, not for ever: a runner that vanished is no reason to stay.
take_job() {
    local marker lengths
    IFS= read -r marker <&8 || exit
    printf '%s\n' "$marker" >&5
    printf '%s\n' "$marker" >&6
    read -r -t 60 mode beat seal agent begun init lengths <&8 || exit
    lengths=($lengths)
    ((beat > 0)) || beat=
    take base "${lengths[0]}"
    take cwd "${lengths[1]}"
    take name "${lengths[2]}"
    take prologue "${lengths[3]}"
    take script "${lengths[4]}"
    take metadata "${lengths[5]}"
    v=$base/v1 work=$base/v1/job
}

# Whether nothing is mounted at or below the job's directory; said names what is.
plain() {
    local place fields point
    place=$(cd -P -- "$v" && pwd -P && printf .)
    place=${place%$'\n.'}/job
    while read -r -a fields; do
        printf -v point "${fields[4]//%/%%}"
        [[ $point != "$place" && $point != "$place"/* ]] || { said=": \`$point\` is a mount point"; return 1; }
    done </proc/self/mountinfo
    [[ ${fields[0]} || $point ]]
}

# Makes sure that the job's directory is there and empty.
clear_work() {
    local left
    said=
    shopt -s nullglob dotglob
    left=("$work"/*)
    shopt -u nullglob dotglob
    [[ -d $work && ! -L $work && ${#left[@]} == 0 ]] || {
        plain && rm -rf --one-file-system -- "$work" && mkdir -p -- "$work"
    } || return
    [[ -d $v/env ]] || mkdir -p -- "$v/env"
}

# The first line of `unended` says what runs, and is emptied when the runner was told the end or wanted it: what is found there
# later was cut off. The file is written in place: one that is cut to nothing and closed has the disk wait on some filesystems.
put_job() {
    local tool boot env
    for tool in setsid flock; do
        type -P "$tool" >/dev/null || refuse "\`$tool\` is not installed"
    done
    [[ $mode != tty ]] || type -P script >/dev/null || refuse '' no-terminal
    exec 9<>"$base/run.lock" || refuse "cannot open \`$base/run.lock\`"
    take_lock
    # Whoever takes the lease next looks at the lock after that: it finds this job, or this job finds no agent.
    has_agent || exit
    clear_work || refuse "cannot empty \`$work\`$said"
    read -r boot </proc/sys/kernel/random/boot_id
    exec 4>>"$work/groups" && printf '%s\n' "$boot" >&4 && put_files || refuse_for "cannot write below \`$work\`" put_files
    env=${cwd#"$v/tree/"}
    env=$v/env/${env%%[-/]*}
    [[ -e $env.base ]] || : >"$env.base"
    [[ -e $env.prepared ]] || : >"$env.prepared"
    [[ -L $cwd || $cwd == "$v"/tree/*/* || -d $cwd ]] || mkdir -p -- "$cwd"
    cd -- "$cwd" || refuse "there is no directory \`$cwd\`"
    put_name || { name=; put_name; refuse_for "cannot write \`$v/unended\`" put_name; }
}

# Takes the lock of the job that runs. One that ends is waited for: whoever has the lease wants no other. A conflict is exit code 1
# without a word; busybox, which knows no `-w`, has 1 for everything.
take_lock() {
    local said rc left
    for ((left = 100; left > 0; left--)); do
        flock -n 9 && return
        said=$(flock -n 9 2>&1)
        rc=$?
        ((rc != 0)) || return
        [[ $rc == 1 && ! $said ]] || refuse "cannot lock \`$base/run.lock\`: ${said:-\`flock\` failed without a word}"
        sleep 0.1
    done
    refuse "another job still runs there"
}

# started PID: takes when a process started into REPLY, in the kernel's words; 0 if there is none, or none but a zombie.
started() {
    local stat fields=()
    IFS= read -r -d '' stat <"/proc/$1/stat"
    fields=(${stat##*) })
    REPLY=${fields[19]:-0}
    [[ ${fields[0]} != [ZX] ]] || REPLY=0
}

# Whether the agent lives that has the lease for this job. Where this program sees other processes than the agent does, as in a container
# of its own, that cannot be told, and it is taken to live.
has_agent() {
    started 1
    [[ $REPLY == "$init" ]] || return 0
    started "$agent"
    [[ $REPLY == "$begun" ]]
}

put_files() {
    printf %s "$prologue" >"$work/run" && printf %s "$script" >"$work/script" && printf %s "$metadata" >"$work/metadata.yaml"
}

put_name() {
    printf '%s\n' "${name//$'\n'/ }" 1<>"$v/unended"
}

# The lines of the list: the machine's boot id; PID and time of start of a process that leads a group, in the kernel's words; what
# the watcher has heard. It is read through the descriptor, which outlives the file.
read_list() {
    local pid since
    pids=() heard=
    {
        read -r pid
        while read -r pid since; do
            if [[ $since ]]; then
                pids+=("$pid")
            else
                heard=$pid
            fi
        done
    } </proc/self/fd/4
}

# Signals every group of the job, and its leader, which may not have made the group yet. `script` is asked to end by the end of
# its child only: it would say another exit code.
signal() {
    local pid
    read_list
    [[ $mode == tty && $1 != KILL && ${#pids[@]} -gt 1 ]] && pids=("${pids[@]:1}")
    for pid in "${pids[@]}"; do
        kill -s "$1" -- "-$pid" || kill -s "$1" "$pid"
    done
}

# Whether anything of the job lives.
alive() {
    local pid
    read_list
    for pid in "${pids[@]}"; do
        { kill -0 -- "-$pid" || kill -0 "$pid"; } && lives "$pid" && return
    done
    return 1
}

# lives PID: whether a process, or one of its group, is more than a zombie. Those only wait for a parent that does not ask for them.
lives() {
    local stat fields
    for stat in /proc/[0-9]*/stat; do
        IFS= read -r -d '' stat <"$stat"
        fields=(${stat##*) })
        [[ ${fields[2]} == "$1" || ${stat%% *} == "$1" ]] || continue
        [[ ${fields[0]} == [ZX] ]] || return 0
    done
    return 1
}

# Ends the job's groups: TERM, and what is there after two seconds KILL.
end_groups() {
    local left
    alive || return
    signal TERM
    signal CONT
    for ((left = 40; left > 0; left--)); do
        alive || return
        sleep 0.05
    done
    signal KILL
    for ((left = 40; left > 0; left--)); do
        alive || return
        sleep 0.05
    done
}

# Waits for the runner's word, or for its end.
watch() {
    local word rest rc left
    IFS= read -r -t 1 word <&8
    rc=$?
    if ((rc > 128)); then
        # A machine that crashes is to know of what ran for more than a moment.
        sync -- "$v/unended" 4>&- 8<&- 9>&- &
        IFS= read -r ${beat:+-t "$beat"} rest <&8
        rc=$?
        word+=$rest
    fi
    while ((rc == 0)) && [[ ! $word ]]; do
        IFS= read -r ${beat:+-t "$beat"} word <&8
        rc=$?
    done
    ((rc == 0)) || word=gone
    printf '%s\n' "$word" >&4
    [[ $word != detach ]] || exit
    for ((left = 100; left > 0; left--)); do
        read_list
        ((${#pids[@]} == 0)) || break
        sleep 0.05
    done
    end_groups
}

# Becomes the job. In the foreground of the wrapper, because bash makes background jobs ignore SIGINT for good.
run() {
    local job stat fields pid=$BASHPID
    IFS= read -r -d '' stat <"/proc/$pid/stat"
    fields=(${stat##*) })
    printf '%s\n' "$pid ${fields[19]}" >&4
    umask 022
    # Whether its reads can be seen is told by this one.
    IFS= read -r -n 1 stat <"$v/canary"
    unset -v LC_ALL
    [[ ! $locale ]] || export LC_ALL="${locale#is}"
    case $mode in
        test) exec setsid "$BASH" --noprofile --norc "$work/run" 7>&5 >&6 2>&6 4>&- 5>&- 6>&- 8<&- 9>&- ;;
        script) exec setsid "$BASH" --noprofile --norc "$work/run" >&6 2>&6 4>&- 5>&- 6>&- 8<&- 9>&- ;;
        tty)
            printf -v job 'exec %q --noprofile --norc %q %q' "$BASH" "$work/run" "${SHELL-}"
            SHELL=$BASH exec setsid script -q -e -f -c "$job" /dev/null 7>&5 >&6 2>&6 4>&- 5>&- 6>&- 8<&- 9>&-
            ;;
    esac
}

# Whether something is mounted below the trees that was not when the last prepare step ended: see `leave_mounts` of the agent. Nothing of
# it is looked at.
has_mounts() {
    local fields point kept=
    cd -P -- "$v" || return
    [[ ! -f mounts ]] || IFS= read -r -d '' kept <mounts
    while read -r -a fields; do
        printf -v point "${fields[4]//%/%%}"
        [[ $point != "$PWD"/tree/* || $kept == *$'\n'"${fields[0]} ${fields[4]}"$'\n'* ]] || return 0
    done </proc/self/mountinfo
    return 1
}

# Says the exit code, unless silence was the reason: a runner that comes back after all is not to take that for the test's. What the job read, values among it, is gone when the next one can start.
leave() {
    local told=
    read_list
    [[ $heard == gone || $mode == script ]] || ! has_mounts || printf 'mounted %s\n' "$seal" >&5
    [[ $heard == gone ]] || printf 'exitcode %d %s\n' "$1" "$seal" >&5 && told=yes
    case $heard in
        terminate) told=yes ;;
        '') ;;
        *) told= ;;
    esac
    [[ ! $told ]] || { name=; put_name; }
    exec 4>&- 5>&- 6>&- 8<&-
    rm -f -- "$work"/{groups,run,script,metadata.yaml} &
    [[ $heard != gone ]]
    exit
}

take_job
put_job
printf 'started\n' >&5
unset -v prologue script metadata
watch >/dev/null 5>&- 6>&- &
watcher=$!
(run)
rc=$?
end_groups
kill "$watcher"
leave "$rc"
