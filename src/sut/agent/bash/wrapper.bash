# The wrapper: one per job. It starts the job in a session of its own, watches stdin for the runner, and ends what is left of
# the job's process groups. Needs bash 4.2, coreutils, util-linux. See src/sut/agent/wrapper.rs for the other side.
#
# Stdin: a marker line; a line `MODE BEAT SEAL AGENT BEGUN INIT LENGTH...`, followed by payloads of these lengths without NUL
# bytes: the machine's directory, the job's directory, the name of the job, and the job's files `run`, `script`,
# `metadata.yaml`; then words, one on each line: `terminate`, `overdue`, `detach`, or an empty line as a sign of life. MODE is
# `test`, `tty`, `script` or `prepare:STEP`, whose daemons live on: STEP is the position of the prepare step in its chain. BEAT is the number of seconds of silence after which the runner is taken for dead, 0 for never.
# SEAL is a word that only the runner and this program know; it is kept only in a variable of this shell. AGENT is the process
# that holds the lease for this job, and BEGUN its start time; INIT is the start time of the first process, as AGENT sees it.
# Nothing on the machine is touched before the job has arrived.
#
# Stdout: the marker, then `started`, `refused TEXT`, `full TEXT` (the disk is full) or `no-terminal`, then the control stream
# of the test, then `mounted SEAL` if the test left something mounted below the trees, and `exitcode N SEAL` last. Stderr: the
# marker, then what the job prints.
#
# Descriptors: 4 the list of process groups, 5 control, 6 output, 8 commands, 9 run.lock; for a prepare step also 3 and 10, both
# ends of the pipe that its scripts print to, and 7 to hear of the relay behind it. The job sees 0, 1, 2, and 7 for the control
# stream; that has a single digit, because `>&$ATEX_TEST_CONTROL` takes no more in dash.
#
# The next test must start at little cost, so bash itself does what is done for each test, where it can.

# A user's start-up file may have defined functions with the names of programs. The wrapper means the programs.
unset -f flock mkdir rm script setsid sleep sync
umask 077
trap : PIPE
# The job must not get the descriptors with which the runner itself was started.
for fd in /proc/self/fd/*; do
    ((${fd##*/} <= 2)) || eval "exec ${fd##*/}>&-"
done
unset -v fd OLDPWD
exec 5>&1 6>&2 8<&0 </dev/null >/dev/null 2>/dev/null
# Lengths count bytes, so the locale is C. The job gets the original one back.
locale=${LC_ALL+is$LC_ALL}
LC_ALL=C

# refuse WHY [WORD]: tells the runner that the job is not run.
refuse() {
    printf '%s %s\n' "${2:-refused}" "${1//$'\n'/; }" >&5
    exit 0
}

# refuse_for WHAT COMMAND: refuses because the command failed. The command runs once more to find out why; the word is `full`
# if the disk is full.
refuse_for() {
    local why=$("$2" 2>&1) word=
    why=${why%%$'\n'*}
    [[ $why != *'No space left'* ]] || word=full
    refuse "$1${why:+: ${why##*: }}" $word
}

# take NAME LENGTH: reads a payload into a variable.
take() {
    printf -v "$1" ''
    (($2 == 0)) || IFS= read -r -N "$2" "$1" <&8 || exit
}

# take_job: waits for a job, but not for ever, because the runner may have vanished.
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
    case $mode in
        prepare:*) step=${mode#*:} mode=prepare ;;
        script) step= ;;
        *) step=test ;;
    esac
}

# plain: whether nothing is mounted at or below the job's directory; otherwise `said` names the mount point.
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

# clear_work: makes sure that the job's directory exists and is empty.
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

# put_job: prepares the job. The first line of `unended` names the running job. It is cleared when the runner was told the end
# or asked for it, so a job that is named there later was cut off. The file is written in place: truncating and closing it
# would make some filesystems wait for the disk.
put_job() {
    local tool boot env
    for tool in setsid flock; do
        type -P "$tool" >/dev/null || refuse "\`$tool\` is not installed"
    done
    [[ $mode != tty ]] || type -P script >/dev/null || refuse '' no-terminal
    exec 9<>"$base/run.lock" || refuse "cannot open \`$base/run.lock\`"
    take_lock
    # Whoever takes the lease next looks at the lock after that. So either it finds this job, or this job finds no agent.
    has_agent || exit
    clear_work || refuse "cannot empty \`$work\`$said"
    read -r boot </proc/sys/kernel/random/boot_id
    exec 4>>"$work/groups" && printf '%s\n' "$boot" >&4 && put_files || refuse_for "cannot write below \`$work\`" put_files
    env=${cwd#"$v/tree/"}
    env=$v/env/${env%%[-/]*}
    IFS= read -r id <"$v/id"
    [[ $mode != prepare ]] || put_relay
    # What a test left that has let go of the runner is still to be ended with the test.
    if [[ -e $v/detached ]]; then
        rm -f -- "$v/detached"
    elif [[ $step == test ]]; then
        before=(/proc/[0-9]*)
        before="${before[*]#/proc/} "
        before=" $before"
    fi
    [[ -e $env.base ]] || : >"$env.base"
    [[ -e $env.prepared ]] || : >"$env.prepared"
    [[ -L $cwd || $cwd == "$v"/tree/*/* || -d $cwd ]] || mkdir -p -- "$cwd"
    cd -- "$cwd" || refuse "there is no directory \`$cwd\`"
    put_name || { name=; put_name; refuse_for "cannot write \`$v/unended\`" put_name; }
}

# take_lock: takes the lock of the running job. A job that is ending is waited for, since the holder of the lease wants no
# other job. `flock` reports a conflict by exit code 1 and no message; busybox, which does not know `-w`, uses 1 for every
# failure.
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

# started PID: puts the start time of a process into REPLY, in the kernel's words; 0 if there is no such process, or only a
# zombie.
started() {
    local stat fields=()
    IFS= read -r -d '' stat <"/proc/$1/stat"
    fields=(${stat##*) })
    REPLY=${fields[19]:-0}
    [[ ${fields[0]} != [ZX] ]] || REPLY=0
}

# has_agent: whether the agent lives that holds the lease for this job. If this program sees other processes than the agent
# does, as in a container of its own, that cannot be found out, and the agent is taken to live.
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

# read_list: reads the list of process groups. Its lines are the machine's boot id, the PID and the start time (in the
# kernel's words) of each process that leads a group, and what the watcher has heard. It is read through the descriptor, which
# outlives the file.
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

# signal SIGNAL: signals every group of the job, and its leader, which may not have made the group yet. Once the child of
# `script` is known, `script` itself gets no signal but KILL, since it would report another exit code; it ends with its child.
signal() {
    local pid
    read_list
    [[ $mode == tty && $1 != KILL && ${#pids[@]} -gt 1 ]] && pids=("${pids[@]:1}")
    for pid in "${pids[@]}"; do
        kill -s "$1" -- "-$pid" || kill -s "$1" "$pid"
    done
}

# alive: whether any process of the job lives.
alive() {
    local pid
    read_list
    for pid in "${pids[@]}"; do
        { kill -0 -- "-$pid" || kill -0 "$pid"; } && lives "$pid" && return
    done
    return 1
}

# lives PID: whether a process, or one of its group, is more than a zombie. A zombie only waits for a parent that does not ask
# for it.
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

# end_groups: ends the job's groups: sends TERM, and after two seconds KILL to what is still there.
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

# watch: waits for a word from the runner, or for the runner's end.
watch() {
    local word rest rc left
    IFS= read -r -t 1 word <&8
    rc=$?
    if ((rc > 128)); then
        # If the machine crashes, it must still know of a job that ran for more than a moment.
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

# put_relay: makes a pipe for what a prepare step prints, and a process that passes it on. A daemon that still prints to it when
# nobody reads any more is not ended by that: the relay lives as long as somebody can print, and then drops what comes.
put_relay() {
    exec 3<> <(:)
    exec 10</proc/self/fd/3
    exec 7< <(exec setsid "$BASH" --noprofile --norc -c 'trap "" PIPE; cat >&6; exec cat >/dev/null 6>&-' \
        </proc/self/fd/3 3>&- 4>&- 5>&- 8<&- 9>&- 10<&-)
}

# drain: waits until what the prepare step has printed was passed on. The relay ends if nobody can print any more.
drain() {
    local left word empty=0
    exec 3>&-
    for ((left = 100; left > 0 && empty < 2; left--)); do
        IFS= read -r -t 0.05 word <&7
        (($? > 128)) || return
        if read -r -t 0 word <&10; then empty=0; else ((empty++)); fi
    done
}

# keep_daemons: notes what the prepare step has left running, before its end is told. A process that is still becoming a daemon is
# waited for. Of a process and its children only the process is noted.
keep_daemons() {
    local round seen=
    for ((round = 0; round < 20; round++)); do
        of_jobs "$step" "${pids[0]}" "$begin"
        ((${#found[@]})) || return 0
        [[ "${found[*]}" != "$seen" ]] || break
        seen="${found[*]}"
        sleep 0.1
    done
    note_daemons
}

# note_daemons: adds the processes in `found` to the list.
note_daemons() {
    local one pid parent since word command now list=$'\n' here boot= old=
    this_boot
    here=$REPLY
    [[ ! -f $v/daemons || -L $v/daemons ]] || { IFS= read -r boot; IFS= read -r -d '' old; } <"$v/daemons"
    [[ $boot == "$here" ]] || old=
    printf -v now '%(%s)T' -1
    for one in "${found[@]}"; do
        one=($one)
        pid=${one[0]} parent=${one[1]} since=${one[2]}
        [[ $'\n'$old != *$'\n'"$pid"$'\t'"$since"$'\t'* && $'\n'$old != *$'\n'"$parent"$'\t'* ]] || continue
        [[ " ${found[*]/#/|}" != *"|$parent "* ]] || continue
        command=
        while IFS= read -r -d '' word; do command+="$word "; done <"/proc/$pid/cmdline"
        [[ $command ]] || IFS= read -r command <"/proc/$pid/comm"
        command=${command:0:300}
        list+="$pid"$'\t'"$since"$'\t'"$step"$'\t'"$now"$'\t'"${name//[[:cntrl:]]/ }"$'\t'"${command//[[:cntrl:]]/ }"$'\n'
    done 2>/dev/null
    { printf '%s\n%s%s' "$here" "$old" "${list#$'\n'}" >"$v/daemons.new" && mv -f -- "$v/daemons.new" "$v/daemons"; } || {
        printf 'atex: what this step leaves running cannot be noted, and is ended\n' >&6
        return 1
    }
}

# end_job: ends what the job left, but for the daemons of a prepare step that went well. A test that lets go of the runner, since
# its machine goes down or its connection is cut, comes back to what it has started outside of its group.
end_job() {
    read_list
    if [[ $mode == prepare && $rc == 0 && ! $heard ]]; then
        keep_daemons && kept=yes || rc=1
    fi
    if [[ ! $kept ]]; then
        end_groups
        case $mode in
            script) ;;
            prepare) end_jobs "$step" "${pids[0]}" "$begin" ;;
            *)
                read_list
                if [[ $heard == detach ]]; then : >"$v/detached"; else end_jobs 9999999; fi
                ;;
        esac
    fi
    [[ $mode != prepare ]] || drain
}

# run: becomes the job. It runs in the foreground of the wrapper, because bash makes background jobs ignore SIGINT for good.
run() {
    local job stat fields pid=$BASHPID
    IFS= read -r -d '' stat <"/proc/$pid/stat"
    fields=(${stat##*) })
    printf '%s\n' "$pid ${fields[19]}" >&4
    umask 022
    # The access time of this file tells later whether the job's reads can be observed.
    IFS= read -r -n 1 stat <"$v/canary"
    unset -v LC_ALL
    [[ ! $locale ]] || export LC_ALL="${locale#is}"
    [[ ! $step ]] || export ATEX_JOB="$id:$step:"
    case $mode in
        prepare) exec setsid "$BASH" --noprofile --norc "$work/run" >&3 2>&3 3>&- 4>&- 5>&- 6>&- 7<&- 8<&- 9>&- 10<&- ;;
        test) exec setsid "$BASH" --noprofile --norc "$work/run" 7>&5 >&6 2>&6 4>&- 5>&- 6>&- 8<&- 9>&- ;;
        script) exec setsid "$BASH" --noprofile --norc "$work/run" >&6 2>&6 4>&- 5>&- 6>&- 8<&- 9>&- ;;
        tty)
            printf -v job 'exec %q --noprofile --norc %q %q' "$BASH" "$work/run" "${SHELL-}"
            SHELL=$BASH exec setsid script -q -e -f -c "$job" /dev/null 7>&5 >&6 2>&6 4>&- 5>&- 6>&- 8<&- 9>&-
            ;;
    esac
}

# has_mounts: whether something is mounted below our directory that was not there when the last prepare step ended: see
# `leave_mounts` of the agent. Only the kernel's list is read.
has_mounts() {
    local fields point kept=
    cd -P -- "$v" || return
    [[ ! -f mounts ]] || IFS= read -r -d '' kept <mounts
    while read -r -a fields; do
        printf -v point "${fields[4]//%/%%}"
        [[ $point != "$PWD"/* || $point == "$PWD"/tree || $kept == *$'\n'"${fields[0]} ${fields[4]}"$'\n'* ]] || return 0
    done </proc/self/mountinfo
    return 1
}

# leave CODE: tells the exit code, unless the job was ended for the runner's silence, so that a runner that comes back after
# all does not take it for the test's. The files that the job read, which hold secret values too, are removed before the next
# job can start.
leave() {
    local told=
    read_list
    # What is on the list of daemons is not of the job any more.
    [[ ! $kept ]] || : >"$work/groups"
    [[ $heard == gone || $mode == @(script|prepare) ]] || ! has_mounts || printf 'mounted %s\n' "$seal" >&5
    [[ $heard == gone ]] || printf 'exitcode %d %s\n' "$1" "$seal" >&5 && told=yes
    case $heard in
        terminate) told=yes ;;
        '') ;;
        *) told= ;;
    esac
    [[ ! $told ]] || { name=; put_name; }
    exec 4>&- 5>&- 6>&- 7<&- 8<&- 10<&-
    rm -f -- "$work"/{groups,run,script,metadata.yaml} &
    [[ $heard != gone ]]
    exit
}

step= id= before= kept= found=()
take_job
put_job
printf 'started\n' >&5
unset -v prologue script metadata
began $$
begin=$REPLY
watch >/dev/null 3>&- 5>&- 6>&- 7<&- 10<&- &
watcher=$!
(run)
rc=$?
end_job
kill "$watcher"
leave "$rc"
