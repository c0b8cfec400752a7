# The lease of the directory: how it is taken, who holds it, and which holders are ended because nobody needs them.

# lock FD FILE: takes the lock of an open file without waiting. Returns 1 if another process has it, and 2 if it cannot be
# locked; then `said` tells why. `flock` reports a conflict by exit code 1 and no message, but busybox uses 1 for every
# failure.
lock() {
    local out rc
    exec 7< <(exec 2>&1; flock -n "$1"; printf '%s' " $?")
    IFS= read -r -d '' -t 10 out <&7
    rc=$?
    exec 7<&-
    ((rc <= 128)) || { said="cannot lock \`$2\`: \`flock\` does not end"; return 2; }
    [[ $out != ' 0' ]] || return 0
    [[ $out != ' 1' ]] || return 1
    out=${out% *}
    out=${out%%$'\n'*}
    said="cannot lock \`$2\`: ${out:-\`flock\` failed without a word}"
    return 2
}

# holders FILE: puts the processes that hold the lock of a file into REPLY, by what the kernel tells of their open files. A
# process that has only opened the file, such as one that waits for the lock, is not a holder. If the kernel does not show
# locks there, nobody is named.
holders() {
    local fd pid told found=
    for fd in /proc/[0-9]*/fd/*; do
        [[ $fd -ef $1 ]] || continue
        pid=${fd#/proc/}
        pid=${pid%%/*}
        content "/proc/$pid/fdinfo/${fd##*/}"
        [[ $REPLY != *lock:*FLOCK*WRITE* || " $found" == *" $pid "* ]] || found+="$pid "
    done
    REPLY=$found
}

# end_holders SIGNAL FILE [NAME]: signals the processes that hold the lock of a file, even those that are stopped; if a name
# is given, only processes of that name.
end_holders() {
    local pid
    holders "$2"
    for pid in $REPLY; do
        content "/proc/$pid/comm"
        [[ ! $3 || $REPLY == "$3"* ]] || continue
        kill -s "$1" "$pid"
        kill -s CONT "$pid"
    done
} 2>/dev/null

# put_lifeline: records this agent and the process that it depends on: the nearest ancestor in another process group, which is
# the server of the login, or atex itself. Each is recorded with its start time.
put_lifeline() {
    local boot pid=$$ group= fields noted=
    while :; do
        IFS= read -r -d '' REPLY <"/proc/$pid/stat"
        fields=(${REPLY##*) })
        [[ $group ]] || { group=${fields[2]} noted="$pid ${fields[19]}"; }
        [[ ${fields[2]} == "$group" && ${fields[1]} -gt 0 ]] || break
        pid=${fields[1]}
    done
    read -r boot </proc/sys/kernel/random/boot_id
    printf '%s\n' "$boot $noted $pid ${fields[19]}" >"$v/lifeline"
} 2>/dev/null

# orphaned: whether the process that the holder of the lease depends on is gone. Such an agent is stopped or stuck, or it
# would have ended.
orphaned() {
    local here boot agent begun pid since
    read -r here </proc/sys/kernel/random/boot_id
    read -r boot agent begun pid since <"$v/lifeline"
    [[ $boot == "$here" && $since ]] || return 1
    started "$pid"
    [[ $REPLY != "$since" ]] || return 1
    # The record must be about the agent that holds the lease now.
    started "$agent"
    [[ $REPLY == "$begun" ]] || return 1
    holders "$base/lease"
    [[ " $REPLY" == *" $agent "* ]]
} 2>/dev/null

# wait_for_lease wait|fail|end: takes the lease once it is free. Holders that nobody needs are ended: a stuck agent whose
# runner is gone, and with `end` also one that stays stopped. Returns 1 if the reply was sent here.
wait_for_lease() {
    local told= rc looks=0 stopped=0 orphan=0
    # A holder that is just ending frees the lease in a moment.
    flock -w 0.5 9 2>/dev/null && return
    until
        lock 9 "$base/lease"
        rc=$?
        ((rc != 1))
    do
        if ((looks++ % 10 == 0)); then
            if orphaned; then ((++orphan)); else orphan=0; fi
            if [[ $1 == end ]] && is_stopped; then ((++stopped)); else stopped=0; fi
            if ((orphan > 8 || stopped > 3)); then
                end_holders KILL "$base/lease"
            elif ((orphan == 8 || stopped == 3)); then
                end_holders TERM "$base/lease"
            fi
            if [[ $1 == wait ]]; then
                [[ $told ]] || tell_holder
                told=1
            elif ((orphan + stopped == 0 || looks > 200)); then
                tell_holder
                return 1
            fi
        fi
        nap
    done
    ((rc == 0)) || { say err "$said"; return 1; }
}

# tell_holder: a reply that says who holds the lease.
tell_holder() {
    IFS= read -r REPLY <"$base/lease"
    say held "$REPLY"
}

# is_stopped: whether a process that holds the lease is stopped.
is_stopped() {
    local pid
    holders "$base/lease"
    for pid in $REPLY; do
        content "/proc/$pid/stat"
        REPLY=${REPLY##*) }
        [[ $REPLY != [Tt]* ]] || return 0
    done
    return 1
}

# open DIR-LENGTH HOLDER-LENGTH wait|fail|end TENTHS BEAT PULSE: takes the lease, waits for the last job (see `settle` for
# TENTHS), and tells the facts and the state. BEAT is the number of seconds of silence after which the runner is taken for
# dead, 0 for never. See `show_life` for PULSE.
agent_open() {
    local holder
    (($5 == 0)) || beat=$5
    show_life "$6"
    text "$1" && base=$REPLY
    text "$2" && holder=$REPLY
    place
    lacks && { say lacks "$REPLY"; return; }
    # The locked file must be the one that is in the directory now: `remove` may have replaced it meanwhile.
    until [[ /proc/self/fd/9 -ef $base/lease ]]; do
        make_place || return
        exec 9<>"$base/lease"
        wait_for_lease "$3" || return
    done
    put_lifeline
    # The file is written in place, for the reason that `put_job` of the wrapper gives. What follows its first line is from
    # before.
    { printf '%s\n' "$holder" 1<>"$base/lease"; } 2>/dev/null || { complain "cannot write \`$base/lease\`"; return; }
    settle "$4" || { say err "$said"; return; }
    make_id || { complain "cannot write \`$v/id\`"; return; }
    # A runner that comes back to its own test does not give up what the test left running.
    unended
    [[ ! $REPLY || $4 != 0 ]] || end_strays
    real=$(cd -P -- "$base" && pwd -P && printf .)
    real=${real%$'\n.'}
    leased=1
    agent_facts
}
