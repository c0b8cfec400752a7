# How processes of jobs are known, and the list of daemons: what prepare steps have left running. The agent and the wrapper both have
# these functions; `v` is the machine's directory, and `id` what its file of that name holds.
#
# A process belongs to a job if it has inherited the variable `ATEX_JOB=ID:STEP:`. STEP is the position of a prepare step in its
# chain, or `test`. The first line of `daemons` names the boot. Each other line names a daemon, with tabs between: its PID, its
# start time, the position of its step, when it was noted, the name of its step, and its command line.

# began PID: puts the start time of a process into REPLY, in the kernel's words; empty if there is no such process, or only a
# zombie.
began() {
    local fields
    REPLY=
    IFS= read -r -d '' REPLY <"/proc/$1/stat"
    fields=(${REPLY##*) })
    REPLY=${fields[19]}
    [[ ${fields[0]} != [ZX] ]] || REPLY=
} 2>/dev/null

# this_boot: puts a name of the machine's boot into REPLY. A container has the boot of its host, but a first process of its own.
this_boot() {
    local boot
    read -r boot </proc/sys/kernel/random/boot_id
    began 1
    REPLY="$boot ${REPLY:-0}"
}

# mark_of PID: puts into REPLY the step of the job of this machine that a process belongs to; empty if it belongs to none. A
# process of another namespace may belong to a copy of this machine.
mark_of() {
    local text=
    REPLY=
    [[ $id ]] || return
    IFS= read -r -N 1000000 text <"/proc/$1/environ"
    [[ $text == *"ATEX_JOB=$id:"*:* && "/proc/$1/ns/pid" -ef /proc/self/ns/pid ]] || return
    REPLY=${text##*"ATEX_JOB=$id:"}
    REPLY=${REPLY%%:*}
} 2>/dev/null

# of_jobs FROM [SESSION SINCE]: puts into `found` the processes of tests, and of the prepare step at position FROM and later
# ones, each as `PID PARENT START`. With a session, they are those of the session too, and of all of them only those that began
# at SINCE or later; without one, they are also the daemons on the list. Processes in `before` are passed over.
of_jobs() {
    local stat fields pid
    found=()
    for stat in /proc/[0-9]*/stat; do
        pid=${stat#/proc/} pid=${pid%/stat}
        [[ $before != *" $pid "* ]] || continue
        IFS= read -r -d '' stat <"$stat"
        fields=(${stat##*) })
        [[ ${fields[0]} == [!ZX] && $pid != $$ ]] && ((fields[19] >= ${3:-0})) || continue
        if [[ ! $2 || ${fields[3]} != "$2" ]]; then
            mark_of "$pid"
            [[ $REPLY == test || ($REPLY && $REPLY != *[!0-9]*) ]] || continue
            [[ $REPLY == test ]] || ((10#$REPLY >= $1)) || continue
        fi
        found+=("$pid ${fields[1]} ${fields[19]}")
    done
    [[ $2 ]] || of_list "$1"
} 2>/dev/null

# of_list FROM: adds to `found` the daemons on the list that run, of the step at position FROM and later ones.
of_list() {
    local boot here pid since step rest
    [[ -s $v/daemons ]] || return
    this_boot
    here=$REPLY
    {
        IFS= read -r boot
        [[ $boot == "$here" ]] || return
        while read -r pid since step rest; do
            [[ $pid && $since && $step && $pid$since$step != *[!0-9]* ]] && ((10#$step >= $1)) || continue
            began "$pid"
            [[ $REPLY != "$since" || "${found[*]/#/|}" == *"|$pid "* ]] || found+=("$pid 0 $since")
        done
    } <"$v/daemons"
}

# end_jobs FROM [SESSION SINCE]: ends the processes that `of_jobs` finds: sends TERM, and after two seconds KILL to what is still
# there. Fails if something stays even then.
end_jobs() {
    local left one
    for ((left = 80; left > 0; left--)); do
        of_jobs "$@"
        ((${#found[@]})) || return 0
        for one in "${found[@]}"; do
            if ((left <= 40)); then
                kill -s KILL "${one%% *}"
            elif ((left % 20 == 0)); then
                kill -s TERM "${one%% *}"
                kill -s CONT "${one%% *}"
            fi
        done 2>/dev/null
        sleep 0.05
    done
    return 1
}
