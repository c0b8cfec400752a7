# Signs of life on stderr while a request is worked on.

# moved: puts into REPLY how often the agent and each of its descendants have left the processor so far, in the kernel's
# words. A process that waits for a disk that does not answer, or that is stopped, does not move.
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
    # If the kernel does not list children, the clock stands for the movement, so that only a stopped machine is silent.
    [[ -e /proc/$$/task/$$/children ]] || told=$SECONDS
    REPLY=$told
}

# pulse SECONDS: gives signs of life from one line on stdin, which marks the beginning of a request, until the next one, which
# marks its end.
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

# show_life SECONDS: gives signs of life from now on, at this interval, while a request is worked on; the first request is
# under way already. 0 means never.
show_life() {
    [[ $1 != 0 ]] || return 0
    exec 6> >(pulse "$1")
    alive=yes
    printf '\n' >&6
}
