# The last job: whether its end was seen, and how what is left of it is ended.

# unended: puts the name of the job into REPLY whose end was not seen, if there is one.
unended() {
    REPLY=
    [[ -f $v/unended ]] && IFS= read -r REPLY <"$v/unended"
} 2>/dev/null

# started PID: puts the start time of a process into REPLY, in the kernel's words; empty if there is no such process.
started() {
    local fields
    REPLY=
    IFS= read -r -d '' REPLY <"/proc/$1/stat"
    fields=(${REPLY##*) })
    REPLY=${fields[19]}
} 2>/dev/null

# kill_job SIGNAL: signals the process groups of the last job, unless their numbers belong to other processes by now.
kill_job() {
    local here boot pid since
    [[ -s $v/job/groups ]] || return 0
    read -r here </proc/sys/kernel/random/boot_id
    {
        read -r boot
        [[ $boot == "$here" ]] || return 0
        while read -r pid since; do
            [[ $since ]] || continue
            started "$pid"
            [[ ! $REPLY || $REPLY == "$since" ]] && kill -s "$1" -- "-$pid"
        done
    } <"$v/job/groups" 2>/dev/null
}

# settle TENTHS: waits until the wrapper of the last job is gone. When the time is over, it ends the job and then the wrapper,
# which may be stopped. Only the holder of the lease could want that job.
settle() {
    local left=$1 grace=100 rc
    exec 8<>"$base/run.lock"
    until
        lock 8 "$base/run.lock"
        rc=$?
        ((rc != 1))
    do
        if ((left > 0)); then
            ((left--))
        else
            ((grace == 100)) && kill_job TERM
            ((grace == 80)) && kill_job KILL
            ((grace == 50)) && end_holders TERM "$base/run.lock" bash
            ((grace < 30 && grace % 10 == 0)) && { kill_job KILL; end_holders KILL "$base/run.lock" bash; }
            ((grace-- > 0)) || { said="a process of the last job cannot be ended"; return 1; }
        fi
        nap
    done
    ((rc == 0)) || return
    # A wrapper that was killed leaves its job behind.
    kill_job KILL
    [[ ! -e $v/job/groups ]] || rm -f -- "$v/job/groups"
    exec 8>&-
}
