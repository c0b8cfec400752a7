# Signs of life on stderr while a request is worked on.

# moved: takes what the agent and its descendants have done so far into REPLY, in the kernel's words: how often each left the
# processor. Who waits for a disk that does not answer, or is stopped, does not move.
moved() {
    local pid told= todo=("$$")
    while ((${#todo[@]})); do
        pid=${todo[0]} todo=("${todo[@]:1}")
        [[ $pid != "$BASHPID" ]] || continue
        content "/proc/$pid/status"
        told+="$pid ${REPLY##*Mems_allowed_list:}"
        content "/proc/$pid/task/$pid/children"
        todo+=($REPLY)
    done
    # A kernel that does not tell of children: then only a stopped machine is silent.
    [[ -e /proc/$$/task/$$/children ]] || told=$SECONDS
    REPLY=$told
}

# pulse SECONDS: gives signs of life between a line on stdin, which is the begin of a request, and the next one, its end.
pulse() {
    local word rc seen
    exec >/dev/null
    while IFS= read -r word; do
        seen=
        while IFS= read -r -t "$1" word; rc=$?; ((rc > 128)); do
            moved
            [[ $REPLY == "$seen" ]] || printf '\n' >&2
            seen=$REPLY
        done
        ((rc == 0)) || exit
    done
}

# show_life SECONDS: from now on, as often as that while a request is worked on; the first one is under way. 0 for never.
show_life() {
    [[ $1 != 0 ]] || return 0
    exec 6> >(pulse "$1")
    alive=yes
    printf '\n' >&6
}
