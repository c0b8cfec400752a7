# Checks before and after a test with tmt's interface: what they find of the test's own time lies in files below DIRECTORY/test/checks, and what
# they come to is told with `told`. Which lines are failures, the runner decides. Nothing on the machine is changed: the kernel's log is not
# cleared, but compared with what it was. Needs bash 4.2, coreutils. src/exec/attempt/interface/checks.rs is the other side.

# check DIRECTORY EVENT NAME OPTION…: runs a check. The test's time stands still meanwhile.
check() {
    local directory=$1 event=$2 name=$3
    shift 3
    [[ -d $directory/test/checks ]] || mkdir -p -- "$directory/test/checks" || cannot "make $directory/test/checks"
    printf '%s\n' 'duration save' 'duration +10m' >&7
    "look_at_$name" "$directory/test/checks" "$directory/state" "$@"
    printf 'duration restore\n' >&7
}

# came RESULT [NOTE]: notes what the check came to.
came() {
    told "$directory" "$name" "$event" "$@"
}

# has PROGRAM: whether there is a program; without one the check is skipped.
has() {
    type -P "$1" >/dev/null || { came skip "there is no $1"; return 1; }
}

# failed PROGRAM FILE: notes that a program failed, with the first line of what it said.
failed() {
    local why
    read -r why <"$2"
    came error "$1 failed: $why"
}

# look_at_dmesg CHECKS STATE: keeps the lines that the kernel's log got during the test. Its buffer may have lost lines of the front.
look_at_dmesg() {
    local before=() now=() from at LC_ALL=C
    has dmesg || return
    if ! LC_ALL=C dmesg >"$2/dmesg" 2>"$2/said"; then
        if [[ $(<"$2/said") == *[Nn]'ot permitted'* || $(<"$2/said") == *'ermission denied'* ]]; then
            came skip 'the log of the kernel may not be read'
        else
            failed dmesg "$2/said"
        fi
        return
    fi
    if [[ $event == before-test ]]; then
        mv -f -- "$2/dmesg" "$2/dmesg-before"
    else
        mapfile -t before <"$2/dmesg-before"
        mapfile -t now <"$2/dmesg"
        for ((from = 0; from < ${#before[@]}; from++)); do
            for ((at = 0; from + at < ${#before[@]}; at++)); do
                [[ ${before[from + at]} == "${now[at]}" ]] || continue 2
            done
            break
        done
        at=$((${#before[@]} - from))
        ((at == ${#now[@]})) || printf '%s\n' "${now[@]:at}" >>"$1/dmesg-after-test.txt"
    fi
    came pass
}

# look_at_avc CHECKS STATE DELAY: keeps the denials of SELinux since the start of the test.
look_at_avc() {
    local systems since
    IFS= read -r -d '' systems </proc/filesystems
    [[ $systems == *selinuxfs* ]] || { came skip 'SELinux is not there'; return; }
    has ausearch || return
    if [[ $event == before-test ]]; then
        LC_ALL=C date '+%x %T' >"$2/avc-since"
        return
    fi
    sleep "$3"
    read -r -a since <"$2/avc-since"
    if LC_ALL=C ausearch -i --input-logs -m AVC -m USER_AVC -m SELINUX_ERR -ts "${since[@]}" >>"$1/avc.txt" 2>"$2/said" ||
        [[ $(<"$2/said") == *'<no matches>'* ]]; then
        came pass
    else
        failed ausearch "$2/said"
    fi
}

# look_at_coredump CHECKS STATE: keeps the list of core dumps since the start of the test.
look_at_coredump() {
    local pattern since
    read -r pattern </proc/sys/kernel/core_pattern
    [[ $pattern == *systemd-coredump* ]] || { came skip 'systemd-coredump is not there'; return; }
    has coredumpctl || return
    if [[ $event == before-test ]]; then
        printf '%(%s)T\n' -1 >"$2/coredump-since"
        return
    fi
    read -r since <"$2/coredump-since"
    if LC_ALL=C coredumpctl --no-pager --no-legend --since="@$since" list >>"$1/coredump.txt" 2>"$2/said" ||
        [[ $(<"$2/said") == *'No coredumps found'* ]]; then
        came pass
    else
        failed coredumpctl "$2/said"
    fi
}

# look_at_journal CHECKS STATE OPTION…: keeps what the journal got during the test.
look_at_journal() {
    local file=$2/since-of-journal journal=$2/journal said=$2/said checks=$1 since
    shift 2
    has journalctl || return
    if [[ $event == before-test ]]; then
        printf -- '--since=@%(%s)T\n' -1 >"$file"
        if ! LC_ALL=C journalctl --no-pager --lines=0 --show-cursor >"$journal" 2>"$said"; then
            failed journalctl "$said"
            return
        fi
        while IFS= read -r since; do
            [[ $since != '-- cursor: '* ]] || printf -- '--after-cursor=%s\n' "${since#-- cursor: }" >"$file"
        done <"$journal"
        came pass
        return
    fi
    IFS= read -r since <"$file"
    if LC_ALL=C journalctl --no-pager "$since" "$@" >>"$checks/journal.txt" 2>"$said"; then
        came pass
    else
        failed journalctl "$said"
    fi
}
