# Daemons: what prepare steps have left running, as the runner asks for them and has them ended.

# make_id: makes sure that the machine's directory has an identity, by which processes of its jobs are known.
make_id() {
    id=
    [[ ! -f $v/id ]] || IFS= read -r id <"$v/id"
    [[ ! $id ]] || return 0
    said=$({ cat /proc/sys/kernel/random/uuid >"$v/id.new" && mv -f -- "$v/id.new" "$v/id"; } 2>&1) && IFS= read -r id <"$v/id"
}

# told_daemons: puts into REPLY a line for each daemon, with tabs between: `runs`, `ended` or `booted` (it was of another boot), its
# PID, the position of its step, when it was noted, the name of its step, and its command line.
told_daemons() {
    local boot here pid since rest condition told=
    REPLY=
    [[ -s $v/daemons && -f $v/daemons && ! -L $v/daemons ]] || return 0
    this_boot
    here=$REPLY
    {
        IFS= read -r boot
        while IFS=$'\t' read -r pid since rest; do
            condition=booted
            if [[ $boot == "$here" ]]; then
                condition=ended
                [[ $pid == *[!0-9]* ]] || began "$pid"
                [[ ! $REPLY || $REPLY != "$since" ]] || condition=runs
            fi
            told+=$condition$'\t'$pid$'\t'$rest$'\n'
        done
    } <"$v/daemons"
    REPLY=$told
}

# daemons: tells all daemons.
agent_daemons() {
    told_daemons
    say ok "$REPLY"
}

# end-daemons FROM: ends the daemons of the prepare step at position FROM and of all later ones, and what tests may have left.
agent_end-daemons() {
    local one command
    if ! end_jobs "$1"; then
        one=${found[0]%% *}
        IFS= read -r command <"/proc/$one/comm"
        say err "the process $one (\`$command\`), which a job has left running, cannot be ended"
        return
    fi 2>/dev/null
    forget_daemons "$1" || { complain "cannot write \`$v/daemons\`"; return; }
    say ok
}

# forget_daemons FROM: takes the daemons of the step at position FROM, and of all later ones, off the list.
forget_daemons() {
    local boot line step kept=
    [[ -e $v/daemons || -L $v/daemons ]] || return 0
    this_boot
    {
        IFS= read -r boot
        [[ $boot == "$REPLY" ]] && while IFS= read -r line; do
            step=${line#*$'\t'*$'\t'}
            step=${step%%$'\t'*}
            [[ ! $step || $step == *[!0-9]* ]] || ((10#$step >= $1)) || kept+=$line$'\n'
        done
    } <"$v/daemons" 2>/dev/null
    if [[ $kept ]]; then
        said=$({ printf '%s\n%s' "$boot" "$kept" >"$v/daemons.new" && mv -f -- "$v/daemons.new" "$v/daemons"; } 2>&1)
    else
        said=$(rm -f -- "$v/daemons" 2>&1)
    fi
}

# end_strays: ends what a job has left running that was cut off: what tests left, and what prepare steps left that is not on the
# list.
end_strays() {
    local step last=-1
    while read -r _ _ step _; do
        [[ ! $step || $step == *[!0-9]* ]] || ((10#$step <= last)) || last=$((10#$step))
    done < <([[ ! -f $v/daemons ]] || tail -n +2 -- "$v/daemons")
    end_jobs "$((last + 1))"
} 2>/dev/null
