# The wrapper: one per job. It starts the job in a session of its own, watches stdin for the runner, and ends what is left of
# the job's process groups. Needs bash 4.2, coreutils, tar, util-linux. See sut/wrapped.rs for the other side.
#
# The lines that the runner puts before this text set: base, the machine's directory; cwd, the job's; mode: `test`, `tty` or
# `script`; beat: seconds of silence after which the runner is taken for dead, or nothing.
# Stdin: a marker line, the length of an archive with the job's files, the archive, then words, one a line: `terminate`,
# `detach`, or nothing as a sign of life. Stdout: the marker, then `started` or `refused TEXT`, then the control stream of the
# test, and `exitcode N` last. Stderr: the marker, then what the job prints.
#
# Descriptors: 5 control, 6 output, 8 commands, 9 run.lock. The job sees 0, 1, 2, and 7 for the control stream: one digit,
# because `>&$ATEX_TEST_CONTROL` takes no more in dash.

umask 077
trap : PIPE
# What the runner itself was started with is none of the job's business.
for fd in /proc/self/fd/*; do
    ((${fd##*/} <= 2)) || eval "exec ${fd##*/}>&-"
done
unset -v fd OLDPWD
exec 5>&1 6>&2 8<&0 </dev/null >/dev/null 2>/dev/null
v=$base/v1 work=$base/v1/job

refuse() {
    printf 'refused %s\n' "${1//$'\n'/; }" >&5
    exit 0
}

# started PID: when a process started, in the kernel's words.
started() {
    local stat fields
    stat=$(<"/proc/$1/stat") || return
    read -r -a fields <<<"${stat##*) }"
    printf '%s' "${fields[19]}"
}

# Signals every group of the job, and its leader, which may not have made the group yet. `script` is asked to end by the end of
# its child only: it would say another exit code.
signal() {
    local pid since pids=()
    while read -r pid since; do
        [[ $since ]] && pids+=("$pid")
    done <"$work/groups"
    [[ $mode == tty && $1 != KILL && ${#pids[@]} -gt 1 ]] && pids=("${pids[@]:1}")
    for pid in "${pids[@]}"; do
        kill -s "$1" -- "-$pid" || kill -s "$1" "$pid"
    done
}

# Whether anything of the job lives.
alive() {
    local pid since
    while read -r pid since; do
        [[ $since ]] || continue
        kill -0 -- "-$pid" || kill -0 "$pid" && return
    done <"$work/groups"
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
    local word left
    while IFS= read -r ${beat:+-t "$beat"} word <&8; do
        case $word in
            detach) exit ;;
            terminate) break ;;
        esac
    done
    for ((left = 100; left > 0; left--)); do
        [[ -e $work/leader ]] && break
        sleep 0.05
    done
    end_groups
}

# Becomes the job. In the foreground of the wrapper, because bash makes background jobs ignore SIGINT for good.
run() {
    local job pid=$BASHPID
    umask 022
    printf '%s\n' "$pid $(started "$pid")" >>"$work/groups"
    : >"$work/leader"
    case $mode in
        test) exec setsid "$BASH" --noprofile --norc "$work/run" 7>&5 >&6 2>&6 5>&- 6>&- 8<&- 9>&- ;;
        script) exec setsid "$BASH" --noprofile --norc "$work/run" >&6 2>&6 5>&- 6>&- 8<&- 9>&- ;;
        tty)
            printf -v job 'exec %q --noprofile --norc %q %q' "$BASH" "$work/run" "${SHELL-}"
            SHELL=$BASH exec setsid script -q -e -f -c "$job" /dev/null 7>&5 >&6 2>&6 5>&- 6>&- 8<&- 9>&-
            ;;
    esac
}

take_job() {
    local marker length tool
    IFS= read -r marker <&8 && IFS= read -r length <&8 || exit
    printf '%s\n' "$marker" >&5
    printf '%s\n' "$marker" >&6
    for tool in setsid flock tar head; do
        type -P "$tool" >/dev/null || refuse "\`$tool\` is not installed"
    done
    [[ $mode != tty ]] || type -P script >/dev/null || refuse "a test with a terminal needs \`script\` of util-linux, which is not installed"
    exec 9<>"$base/run.lock" || refuse "cannot open \`$base/run.lock\`"
    flock -w 10 9 || refuse "another job still runs there"
    { rm -rf -- "$work" && mkdir -p -- "$work" "$v/env"; } || refuse "cannot empty \`$work\`"
    head -c "$length" <&8 | { tar -x -m --no-same-owner --no-same-permissions -f - -C "$work"; rc=$?; cat >/dev/null; exit "$rc"; } || refuse "cannot write below \`$work\`"
    printf '%s\n' "$(</proc/sys/kernel/random/boot_id)" >"$work/groups" || refuse "cannot write below \`$work\`"
    [[ -e $v/env/base ]] || : >"$v/env/base"
    [[ -e $v/env/prepared ]] || : >"$v/env/prepared"
    [[ ! -L $cwd && $cwd != "$v"/tree/*/* ]] && mkdir -p -- "$cwd"
    cd -- "$cwd" || refuse "there is no directory \`$cwd\`"
}

take_job
printf 'started\n' >&5
watch >/dev/null 5>&- 6>&- &
watcher=$!
(run)
rc=$?
end_groups
kill "$watcher"
rm -f -- "$work/groups" "$work/leader"
printf 'exitcode %d\n' "$rc" >&5
exit 0
