# The agent: one per connection. It holds the lease of the machine's directory and answers requests until its stdin ends.
#
# As long as a request is worked on and something of that moves, empty lines on stderr say so.
#
# A request is a line, `VERB ARGUMENT…`, and then payloads whose lengths the line says; a reply is a line, `WORD LENGTH…`, and
# then blobs of these lengths. `err` comes with a text for people. What the files of `manifest/` mean, only the runner knows:
# here they are stored and sent back. Needs bash 4.2, coreutils, tar, util-linux. See sut/shell.rs for the other side.

# Programs are meant by their names, whatever functions a start-up file of the user has put in their place.
while read -r _ _ name; do
    unset -f "$name"
done < <(declare -F)
locale=${LC_ALL+is$LC_ALL}
export LC_ALL=C
umask 077

# say WORD TEXT…: a reply with texts.
say() {
    local line=$1 text
    shift
    for text; do line+=" ${#text}"; done
    printf '%s\n' "$line"
    printf '%s' "$@"
}

# send WORD FILE…: a reply with the contents of files; what does not exist is empty.
send() {
    local line=$1 file files=() size
    shift
    for file; do
        size=0
        [[ -s $file ]] && size=$(stat -L -c %s -- "$file") && files+=("$file")
        line+=" $size"
    done
    printf '%s\n' "$line"
    ((${#files[@]} == 0)) || cat -- "${files[@]}"
}

# text LENGTH: takes a payload without NUL bytes into REPLY.
text() {
    REPLY=
    (($1 == 0)) || IFS= read -r ${beat:+-t "$beat"} -N "$1" REPLY || exit 0
}

# content FILE: takes a small text file into REPLY; nothing if it is not there.
content() {
    REPLY=
    [[ -f $1 ]] && IFS= read -r -d '' REPLY <"$1"
} 2>/dev/null

# unended: takes what the job is called that did not come to its end into REPLY.
unended() {
    REPLY=
    [[ -f $v/unended ]] && IFS= read -r REPLY <"$v/unended"
} 2>/dev/null

# payload LENGTH: copies a payload, which ends early where nothing more comes for as long as the runner may be silent.
payload() {
    local copy
    [[ $beat ]] || { head -c "$1"; return; }
    head -c "$1" <&0 &
    copy=$!
    watch_copy "$copy" >/dev/null 2>&1 9>&- &
    wait "$copy"
    kill "$!"
}

# watch_copy PID: ends a process that reads nothing any more. It waits on a pipe that nobody writes to.
watch_copy() {
    local word now seen= left=3
    exec 7<> <(:)
    while IFS= read -r -t "$((beat / 3 + 1))" word <&7 || read -r word now <"/proc/$1/io"; do
        [[ $now == "$seen" ]] || left=3
        ((--left > 0)) || kill "$1"
        seen=$now
    done
}

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

# serve VERB ARGUMENT…: a request.
serve() {
    [[ $1 ]] || return 0
    [[ ! $alive ]] || printf '\n' >&6
    # The tree that the request before has listed for this one.
    known=$looked looked=
    "agent_$1" "${@:2}"
    [[ ! $alive ]] || printf '\n' >&6
}

# unpack LENGTH DIR: takes a payload that is a tar archive, and reads it to its end also where tar gives up before.
unpack() {
    said=$(payload "$1" | {
        tar -x -p -m --no-same-owner -f - -C "$2" 2>&1
        rc=$?
        cat >/dev/null
        exit "$rc"
    })
}

# complain WHAT: an error reply that ends with what a tool said first; it is in said, not in a file, since the disk may be full.
complain() {
    say err "$1${said:+: ${said%%$'\n'*}}"
}

# nap: a moment, which the end of stdin ends for good. A request that comes meanwhile has its turn later.
nap() {
    local word rc
    IFS= read -r -t 0.1 word
    rc=$?
    line+=$word
    ((rc <= 128)) || return 0
    ((rc == 0)) || exit 0
    early+=("$line") line=
}

# started PID: takes when a process started into REPLY, in the kernel's words; nothing if there is none.
started() {
    local fields
    REPLY=
    IFS= read -r -d '' REPLY <"/proc/$1/stat"
    fields=(${REPLY##*) })
    REPLY=${fields[19]}
} 2>/dev/null

# kill_job SIGNAL: signals the process groups of the last job, unless their numbers belong to somebody else by now.
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

# lock FD FILE: takes the lock of an open file, and waits for nobody. 1: somebody else has it. 2: it cannot be locked, and said tells
# why. A conflict is exit code 1 without a word; busybox has 1 for everything.
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

# holders FILE: takes the processes that hold the lock of a file into REPLY, in the kernel's words. Whoever has only opened it, as those
# do who wait, is none. A kernel that does not tell of locks there names nobody.
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

# end_holders SIGNAL FILE [NAME]: signals the processes that hold the lock of a file, also those that are stopped; where a name is given,
# only those of that name.
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

# settle TENTHS: waits until the wrapper of the last job is gone; ends its job when the time is over, and then the wrapper, which may be
# stopped. Whoever has the lease is the only one who can want it.
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
    # A wrapper that was killed itself leaves its job behind.
    kill_job KILL
    [[ ! -e $v/job/groups ]] || rm -f -- "$v/job/groups"
    exec 8>&-
}

# user: takes the name of the user into REPLY.
user() {
    local ignored uid
    while IFS=: read -r REPLY ignored uid ignored; do
        [[ $uid != "$EUID" ]] || return 0
    done </etc/passwd
    REPLY=$(id -un)
} 2>/dev/null

# ours DIR: whether it is a directory that an agent works in: it carries the mark, or is as older agents left theirs.
ours() {
    [[ -d $1 && -O $1 ]] || return
    [[ -f $1/$mark && ! -L $1/$mark && -O $1/$mark ]] && return
    [[ -d $1/v1/tree && -d $1/v1/manifest && ! -L $1/v1 && -O $1/v1 && -f $1/lease && ! -L $1/lease && -O $1/lease ]]
}

# place: where everything lies. What the user has for other things is not ours: there it is a directory below. The default place is
# ours by its name, and an empty directory holds nothing that could be somebody's.
place() {
    local default=${XDG_STATE_HOME:-${HOME:-/root}/.local/state}/atex there
    ((EUID)) || default=/var/lib/atex
    [[ $base ]] || base=$default
    [[ $base == /* ]] || base=$PWD/$base
    while [[ $base == */ ]]; do base=${base%/}; done
    if [[ $base != "$default" && -d $base/ ]]; then
        shopt -s nullglob dotglob
        there=("$base"/*)
        shopt -u nullglob dotglob
        ((${#there[@]} == 0)) && safe "$base" || ours "$base" || base+=/atex
    fi
    v=$base/v1
}

# safe DIR: whether nobody but this user and root can put anything into a directory, or something else in its place; said tells who
# can. In a sticky directory on the way nobody can touch what is not his. A private group is the user's own, if there is no list of others
# who may write. The directory need not be there yet.
safe() {
    local rest=$1 path= part links=0 ways=(/) at=0 mode count uid gid more unmapped
    while [[ $rest ]]; do
        part=${rest%%/*}
        [[ $rest == */* ]] && rest=${rest#*/} || rest=
        case $part in
            '' | .) continue ;;
            ..) path=${path%/*}; continue ;;
        esac
        path+=/$part
        [[ -e $path || -L $path ]] || { rest=missing; break; }
        ways+=("$path")
        [[ -L $path ]] || continue
        part=$(readlink -n -- "$path" && printf .) && ((++links <= 40)) || { said="cannot follow the link \`$path\`"; return 1; }
        part=${part%.}
        [[ $part == /* ]] && path= || path=${path%/*}
        rest=$part/$rest
    done
    [[ $rest ]] || ways+=("${path:-/}")
    unmapped=$(unmapped)
    while read -r mode count uid gid more; do
        path=${ways[at++]}
        [[ ! $rest && $at == "${#ways[@]}" ]] && more=last || more=
        if [[ $uid != "$EUID" && ($uid != @(0|"$unmapped") || $more) ]]; then
            said="\`$path\` belongs to the user with the number $uid"
            return 1
        fi
        [[ $mode != l* && ($more || $mode != ?????????[tT]*) ]] || continue
        if [[ $mode == ????????w* || $mode == ?????w*+ ]] || { [[ $mode == ?????w* ]] && ! private "$gid"; }; then
            said="others may write to \`$path\`"
            return 1
        fi
    done < <(ls -ldnUb -- "${ways[@]}" 2>/dev/null)
    ((at == ${#ways[@]})) || { said='who owns what lies on the way to it cannot be told'; return 1; }
}

# private GROUP: whether nobody but this user and root is in a group of his: it has his number or his name, the list of groups names no other
# member, and it is nobody else's own group. Root's is his, too.
private() {
    local name password uid gid members member mine=, trusted=, known=
    [[ $1 != 0 ]] || return 0
    while IFS=: read -r name password uid gid members; do
        [[ $uid != "$EUID" ]] || mine+=$name,
        case $uid in
            0 | "$EUID") trusted+=$name, ;;
            *) [[ $gid != "$1" ]] || return 1 ;;
        esac
    done </etc/passwd
    [[ $1 != "$EUID" ]] || known=yes
    while IFS=: read -r name password gid members; do
        [[ $gid == "$1" ]] || continue
        for member in ${members//,/ }; do
            [[ $trusted == *",$member,"* ]] || return 1
        done
        [[ $mine != *",$name,"* ]] || known=yes
    done </etc/group
    [[ $known ]]
} 2>/dev/null

# unmapped: prints the number that stands for all users whom this namespace does not know, root of the host among them, if it stands
# for nobody else.
unmapped() {
    local number inside outside count
    read -r number </proc/sys/kernel/overflowuid
    while read -r inside outside count; do
        ((number < inside || number >= inside + count)) || return
    done </proc/self/uid_map
    printf %s "$number"
} 2>/dev/null

# keep_out: a reply where others have their hands in the directory: nothing of it is believed, run or written.
keep_out() {
    safe "$base" && return 1
    say foreign "\`$base\` is not used: $said"
}

# make_base: the directory, marked before anything else is in it: the mark says whether the directory goes with what it holds. Others may
# pass through one that is made here, because tests do things as other users in their tree, but they see only the trees. One that
# was there keeps its mode.
make_base() {
    local made=found modes
    keep_out && return 1
    if [[ ! -d $base ]]; then
        said=$({ (umask 066 && mkdir -p -- "${base%/*}/") && mkdir -m 711 -- "$base"; } 2>&1) && made=made
        # Somebody else may have come first.
        [[ -d $base ]] && ! keep_out || { [[ -d $base ]] || complain "cannot make \`$base\`"; return 1; }
    fi
    [[ -f $base/$mark ]] || ! ours "$base" || made=made
    if [[ $made == made || ! -f $base/$mark ]]; then
        said=$(mark_base "$made" 2>&1) || { complain "cannot write below \`$base\`"; return 1; }
    fi
    [[ -d $v/env && -d $v/tree && -d $v/manifest && -d $v/job ]] || said=$(mkdir -p -- "$v"/{env,tree,manifest,job} 2>&1) || { complain "cannot make \`$v\`"; return 1; }
    [[ -s $v/reserve ]] || keep_reserve
    modes=$(stat -c %a -- "$v" "$v/tree" 2>/dev/null)
    [[ $modes == $'711\n755' ]] || said=$(chmod 711 -- "$v" 2>&1 && chmod 755 -- "$v/tree" 2>&1) || { complain "cannot change \`$v\`"; return 1; }
}

# keep_reserve: room for the finish steps, and for the lists of what tests left, on a disk that these have filled: what was lent, or an
# eighth of what is free, a mebibyte at most. What it holds cannot be made smaller by any file system. Where there is less, something is
# left for what is written before.
keep_reserve() {
    local free room=$lent
    if [[ ! $room ]]; then
        { read -r; read -r _ _ _ free _; } < <(df -P -k -- "$v")
        room=$((free < 8192 ? free * 128 : 1048576))
    fi
    lent=
    head -c "$room" /dev/urandom >"$v/reserve" || truncate -s -16384 -- "$v/reserve"
} 2>/dev/null
lent=

# reserve free|keep: lends that room, or takes it again.
agent_reserve() {
    if [[ $1 == free ]]; then
        { lent=$(stat -c %s -- "$v/reserve") && : >"$v/reserve"; } 2>/dev/null
    else
        keep_reserve
    fi
    say ok
}

# mark_base made|found: whoever made the directory says so, whoever comes first there.
mark_base() {
    [[ $1 == made ]] || set -C
    printf '%s\n' "$1" >"$base/$mark" || [[ $1 == found && -f $base/$mark ]]
}

# peek DIR-LENGTH PULSE: tells what `open` tells, without the lease, and changes nothing.
agent_peek() {
    show_life "$2"
    text "$1" && base=$REPLY
    place
    keep_out || agent_facts
}

# read_mounts DIR: takes the mount points at and below a directory into `mounts`, in the order in which they were mounted, and each
# with its number into `marks` and its type into `kinds`. The kernel's list has bind mounts of the same device too, and nothing of it is looked at: what is
# mounted may not answer any more. A list that cannot be read is a mount everywhere.
read_mounts() {
    local fields point listed=
    mounts=() marks=() kinds=()
    while read -r -a fields; do
        listed=1
        printf -v point "${fields[4]//%/%%}"
        [[ $point == "$1" || $point == "$1"/* ]] || continue
        mounts+=("$point") marks+=("${fields[0]} ${fields[4]}")
        # What follows upon a dash: type and source.
        fields=("${fields[@]:6}")
        while [[ ${fields[0]:-} && ${fields[0]} != - ]]; do fields=("${fields[@]:1}"); done
        kinds+=("${fields[1]}")
    done </proc/self/mountinfo
    [[ $listed ]] || mounts=("$1") marks=(unknown) kinds=(unknown)
} 2>/dev/null

# leave_mounts: notes what is mounted below the trees when a prepare step has ended: it belongs to what was prepared.
leave_mounts() {
    read_mounts "$real/v1/tree"
    if ((${#mounts[@]})); then
        printf '%s\n' '' "${marks[@]}" >"$v/mounts"
    else
        rm -f -- "$v/mounts"
    fi
}

# holds_last NUMBER POINT: whether a mount is the only one of a file system in memory that holds something, which would be lost with it.
holds_last() {
    local fields device= at
    local -A uses=()
    while read -r -a fields; do
        uses[${fields[2]}]=$((${uses[${fields[2]}]:-0} + 1))
        [[ ${fields[0]} == "$1" ]] || continue
        for ((at = 6; at < ${#fields[@]}; at++)); do
            [[ ${fields[at]} != - ]] || break
        done
        [[ ${fields[at + 1]} == @(tmpfs|ramfs) ]] || return 1
        device=${fields[2]}
    done </proc/self/mountinfo
    [[ $device && ${uses[$device]} == 1 && $(ls -A -- "$2") ]]
} 2>/dev/null

# clear_mounts: unmounts what is mounted below the trees and was not there when the last prepare step ended, the last first, and never
# so that it only vanishes from sight. Fails where something stays, and said names it.
clear_mounts() {
    local at kept left pid
    said= cleared=
    read_mounts "$real/v1/tree"
    ((${#mounts[@]})) || return 0
    content "$v/mounts"
    kept=$REPLY
    for ((at = ${#mounts[@]} - 1; at >= 0; at--)); do
        [[ ${mounts[at]} != "$real/v1/tree" && $kept != *$'\n'"${marks[at]}"$'\n'* ]] || continue
        cleared=", \`${mounts[at]}\` (${kinds[at]})$cleared"
        if holds_last "${marks[at]%% *}" "${mounts[at]}"; then
            said+=", \`${mounts[at]}\` (${kinds[at]})"
            continue
        fi
        umount -c -- "${mounts[at]}" >/dev/null 2>&1 </dev/null 6>&- 8>&- 9>&- &
        pid=$!
        for ((left = 100; left > 0; left--)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.05
        done
        ((left > 0)) && wait "$pid" || {
            kill -s KILL "$pid" 2>/dev/null
            said+=", \`${mounts[at]}\` (${kinds[at]})"
        }
    done
    said=${said#, }
    [[ ! $said ]]
}

# unmount: tells what a test left mounted below the trees, and what of it stays so.
agent_unmount() {
    clear_mounts
    say ok "${cleared#, }${said:+; still mounted: $said}"
}

# meets PATH…: whether one of the paths, which are relative to the physical working directory, is, holds or lies below a mount point.
meets() {
    local path point
    read_mounts "$PWD"
    for point in "${mounts[@]}"; do
        for path; do
            path=$PWD/${path#./}
            [[ $path == "$PWD/." ]] && path=$PWD
            [[ $path/ != "$point"/* && $point != "$path"/* ]] || {
                printf '`%s` is a mount point\n' "$point" >&2
                return
            }
        done
    done
    return 1
}

# make_place: the directories, and the files that are locked. Where that fails, the reply is sent.
make_place() {
    make_base || return
    { : >>"$base/lease" && : >>"$base/run.lock"; } 2>/dev/null || {
        say err "cannot write below \`$base\`"
        return 1
    }
}

# lacks: takes what is needed here and is not installed into REPLY. `script` is asked for by tests with a terminal only.
lacks() {
    local tool
    REPLY=
    for tool in cat chmod comm cp flock head ls mkdir mv rm setsid sleep sort stat sync tar touch; do
        type -P "$tool" >/dev/null || REPLY+=", \`$tool\`"
    done
    REPLY=${REPLY#, }
    [[ $REPLY ]]
}

# put_lifeline: notes this agent, and what it hangs on: the nearest ancestor in another process group, which is the server of the
# login, or atex itself. Each with the time of its start.
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

# orphaned: whether the agent that has the lease hangs on nothing any more. It is stopped or stuck, or it would have ended.
orphaned() {
    local here boot agent begun pid since
    read -r here </proc/sys/kernel/random/boot_id
    read -r boot agent begun pid since <"$v/lifeline"
    [[ $boot == "$here" && $since ]] || return 1
    started "$pid"
    [[ $REPLY != "$since" ]] || return 1
    # What is noted must be of the agent that has the lease now.
    started "$agent"
    [[ $REPLY == "$begun" ]] || return 1
    holders "$base/lease"
    [[ " $REPLY" == *" $agent "* ]]
} 2>/dev/null

# wait_for_lease wait|fail|end: takes the lease once it is free. What has it for nobody is ended: a stuck agent whose runner is gone, and
# with `end` one that stays stopped. 1: the reply is sent.
wait_for_lease() {
    local told= rc looks=0 stopped=0 orphan=0
    # One that is being let go is free in a moment.
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

# tell_holder: a reply with who has the lease.
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

# open DIR-LENGTH HOLDER-LENGTH wait|fail|end TENTHS BEAT PULSE: takes the lease, waits for the last job, tells facts and state. BEAT is the
# seconds of silence after which the runner is taken for dead, 0 for never. PULSE: see show_life.
agent_open() {
    local holder
    (($5 == 0)) || beat=$5
    show_life "$6"
    text "$1" && base=$REPLY
    text "$2" && holder=$REPLY
    place
    lacks && { say err "not installed there, and needed: $REPLY"; return; }
    # What is locked must be what lies there: `remove` may have come in between.
    until [[ /proc/self/fd/9 -ef $base/lease ]]; do
        make_place || return
        exec 9<>"$base/lease"
        wait_for_lease "$3" || return
    done
    put_lifeline
    # In place: see the wrapper. What follows the first line is from before.
    { printf '%s\n' "$holder" 1<>"$base/lease"; } 2>/dev/null || { complain "cannot write \`$base/lease\`"; return; }
    settle "$4" || { say err "$said"; return; }
    real=$(cd -P -- "$base" && pwd -P && printf .)
    real=${real%$'\n.'}
    leased=1
    agent_facts
}

# remove: everything that is atex's goes from a directory that is marked, the mark last. What is mounted below is not; the directory
# itself only goes if it was made here and is empty then.
agent_remove() {
    local made
    ours "$base" && [[ -f $base/$mark ]] || { say err "cannot remove \`$base\`: it does not carry the mark \`$mark\`"; return; }
    clear_mounts
    read_mounts "$real/v1"
    ((${#mounts[@]} == 0)) || { say err "cannot remove \`$base\`: mounted there: ${mounts[*]}"; return; }
    content "$base/$mark"
    made=${REPLY%$'\n'}
    said=$(rm -rf --one-file-system -- "$v" 2>&1 && rm -f -- "$base/run.lock" "$base/lease" 2>&1 && rm -f -- "$base/$mark" 2>&1) || {
        complain "cannot remove \`$base\`"
        return
    }
    [[ $made != made ]] || rmdir -- "$base" 2>/dev/null
    say ok
}

# The directory, facts, os-release, state, and what the job is called that was cut off.
agent_facts() {
    local name told release=/etc/os-release state
    user
    told="user=$REPLY"$'\n'"uid=$EUID"$'\n'
    content /proc/sys/kernel/arch
    told+="arch=${REPLY:-$(uname -m)}"
    told=${told%$'\n'}$'\n'managers=
    for name in dnf5 dnf yum rpm-ostree apt-get zypper apk; do
        type -P "$name" >/dev/null && told+="$name "
    done
    [[ -e /run/ostree-booted ]] && told+=ostree-booted
    [[ -e $v/state ]] && told+=$'\n'state=kept
    # What jobs find there by themselves.
    for name in PATH LANG TZ "${!LC_@}"; do
        [[ $name != LC_ALL && ${!name+is} ]] && told+=$'\n'environment.$name=${!name//$'\n'/ }
    done
    [[ ! $locale ]] || told+=$'\n'environment.LC_ALL=${locale#is}
    content /proc/sys/kernel/random/boot_id
    told+=$'\n'boot=$REPLY
    started 1
    told+=$'\n'init=$REPLY
    # For wrappers: who has the lease as long as it lives.
    started $$
    told+=$'\n'agent="$$ $REPLY"
    [[ -e $release ]] || release=/usr/lib/os-release
    content "$release"
    release=$REPLY
    content "$v/state"
    state=$REPLY
    unended
    say ok "$base" "$told" "$release" "$state" "$REPLY"
}

# put_state TEXT: writes the state.
put_state() {
    said=$({ printf %s "$1" >"$v/state.new" && sync -- "$v/state.new" && mv -f -- "$v/state.new" "$v/state"; } 2>&1)
}

# state LENGTH: the new state. Whoever writes one knows what became of the last job. Where a test filled the disk, the block that
# a job's name had is room enough.
agent_state() {
    local state
    text "$1"
    state=$REPLY
    put_state "$state" || { unended && [[ ! $REPLY ]] && : >"$v/unended" && put_state "$state"; } || {
        complain "cannot write \`$v/state\`"
        return
    }
    unended
    [[ ! $REPLY ]] || printf '\n' 1<>"$v/unended"
    sync -- "$v" 2>/dev/null
    say ok
}

# reset-env PROJECT.prepared|PROJECT.base: empties an environment file, and forgets what it held after each prepare step.
agent_reset-env() {
    said=$({ cd -P -- "$v/env" && rm -f -- "$1".[0-9]* && empty_env "$1"; } 2>&1) || { complain "cannot empty \`$v/env/$1\`"; return; }
    say ok
}

# empty_env FILE: in the directory of environment files.
empty_env() {
    ! meets "$1" && rm -rf --one-file-system -- "$1" && : >"$v/env/$1"
}

# keep_env PROJECT STEP: keeps what the environment file holds after a step of a chain. Where that fails, nothing is kept.
keep_env() {
    local env=$v/env/$1.prepared
    rm -f -- "$env.$2"
    [[ -f $env && ! -L $env ]] && cp -- "$env" "$v/env/new" && mv -f -- "$v/env/new" "$env.$2"
} 2>/dev/null

# rewind-env PROJECT STEP: makes the environment file hold what it held after a step of a chain; `none` where that was not kept.
agent_rewind-env() {
    local file=$1.prepared
    [[ -f $v/env/$file.$2 && ! -L $v/env/$file.$2 ]] || { say none; return; }
    said=$({ cd -P -- "$v/env" && empty_env "$file" && cat -- "$file.$2" >"$file"; } 2>&1) || { complain "cannot write \`$v/env/$file\`"; return; }
    say ok
}

# take_records FILE: takes what a file has, each ended by NUL, into `records`.
take_records() {
    local record
    records=()
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
        mapfile -t -d '' records <"$1"
    else
        while IFS= read -r -d '' record; do records+=("$record"); done <"$1"
    fi
}

# list SLOT: lists everything in the slot's tree by one walk, as records `INODE.SIZE.MODE.MTIME TAB CTIME TAB ./PATH` with NUL: directories in
# SLOT.found, as they come, and all else in SLOT.walk, sorted; of the latter those that were read in SLOT.read, and in SLOT.listed the
# paths of directories that were listed. A directory is looked at before it is listed here. Only whether the time of last access is
# the one that was set tells of a read, so no clock matters. Where a list gets longer than any that is of use, who writes it dies of the
# signal that tells it so. To be called in a process of its own.
list() {
    local m=$v/manifest/$1 point skip=() prune=()
    ulimit -c 0
    ulimit -f "$longest_list"
    # What is mounted there since the last prepare step is none of the tree's.
    read_mounts "$real/v1/tree/$1"
    for point in "${mounts[@]}"; do
        [[ $point != "$real/v1/tree/$1" ]] || continue
        skip+=("./${point#"$real/v1/tree/$1/"}")
    done
    cd -- "$v/tree/$1" || return
    set -o pipefail
    [[ $finds == yes ]] || { list_plainly; return; }
    for point in "${skip[@]}"; do
        point=${point//\\/\\\\}
        point=${point//\*/\\*}
        point=${point//\?/\\?}
        prune+=(-path "${point//\[/\\[}" -prune -o)
    done
    find . "${prune[@]}" \
        -type d \( -fprintf "$m.found" "$fields" -newerat "@$unread" -fprintf "$m.listed" '%p\0' -o -true \) \
        -o -printf "$fields" -newerat "@$unread" -fprintf "$m.read" "$fields" | sort -z >"$m.walk"
}

# list_plainly: the same where there is no `find` that can do it. The time that a directory was listed is compared with that of its last
# change, which is later unless it lies before what is set: then it counts as listed.
list_plainly() {
    local dirs=(.) others=() read=() at path times
    local -A skipped=()
    for path in "${skip[@]}"; do
        skipped["$path"]=1
    done
    unset GLOBIGNORE
    shopt -s nullglob dotglob
    : >"$m.listed" || return
    for ((at = 0; at < ${#dirs[@]}; at++)); do
        [[ -N ${dirs[at]} ]] || printf '%s\0' "${dirs[at]}" >>"$m.listed" || return
        # Too deep for a path.
        ((${#dirs[at]} < 4000)) || return $too_long
        [[ -r ${dirs[at]} && -x ${dirs[at]} ]] || { printf 'cannot list `%s`\n' "${dirs[at]}"; return 1; }
        for path in "${dirs[at]}"/*; do
            if [[ ${skipped["$path"]} ]]; then
                continue
            elif [[ -d $path && ! -L $path ]]; then
                dirs+=("$path")
            else
                others+=("$path")
            fi
        done
    done
    relist "${dirs[@]}" >"$m.found" && relist "${others[@]}" | sort -z >"$m.walk" || return
    for ((at = 0; at < ${#others[@]}; at += 200)); do
        times=$(stat -c %X -- "${others[@]:at:200}") || return
        for path in "${others[@]:at:200}"; do
            ((${times%%$'\n'*} <= unread)) || read+=("$path")
            times=${times#*$'\n'}
        done
    done
    relist "${read[@]}" >"$m.read"
}

# batch PATH…: takes how many of them are arguments of one program into REPLY.
batch() {
    local all="$*"
    ((REPLY = ${#all} < 1000000 ? $# : 200))
}

# relist PATH…: prints the records of paths, which begin with a dot, in this order.
relist() {
    local at count
    batch "$@"
    count=$REPLY
    for ((at = 1; at <= $#; at += count)); do
        if [[ $finds == yes ]]; then
            find "${@:at:count}" -maxdepth 0 -printf "$fields"
        else
            stat --printf='%i.%s.%a.%.10Y\t%.10Z\t%n\0' -- "${@:at:count}"
        fi || return
    done
}

# walk SLOT: lists the slot's tree, see `list`. A directory that cannot be read gets its permissions back. A tree with too long a list, as
# directories make that lie very deep in each other, is not worth it: it is emptied, `emptied` says so, and the walk fails.
walk() {
    local tree=$v/tree/$1 m=$v/manifest/$1 try rc
    if [[ ! $finds ]]; then
        finds=no
        [[ $(find / -maxdepth 0 \( -newerat "@$unread" -o -true \) -fprintf /dev/stdout "${fields%?0}" 2>/dev/null) == *$'\t/' ]] && finds=yes
    fi
    [[ -d $tree && ! -L $tree ]] || said=$(cd -P -- "$v/tree" && { ! meets "$1" && rm -rf --one-file-system -- "$tree" && mkdir -- "$tree"; } 2>&1) || return
    for try in 1 2 3; do
        said=$(list "$1" 2>&1)
        rc=$?
        ((rc != 0)) || return 0
        if ((rc == too_long)); then
            rm -f -- "$m".{found,listed,read,walk}
            said=$(cd -P -- "$v/tree" && ! meets "$1" && rm -rf --one-file-system -- "$tree" && mkdir -- "$tree" 2>&1) && emptied=yes said='what lay there was too much to list, and is removed'
            return 1
        fi
        (cd -P -- "$v/tree" && ! meets "$1" && chmod -R u+rwX -- "$1") 2>/dev/null || return 1
    done
    return 1
}

# compare SLOT: takes into `same` whether what `walk` has listed is what was there: the records in SLOT.dirs, and those in SLOT.stat, sorted, for
# which those in SLOT.young count where it has the path: of files whose times were set since. The files that are others, or came or went, are the keys of `strange`, each with how its records begin, old and new. Fails where that cannot be told.
compare() {
    local m=$v/manifest/$1 IFS=/ dirs record path
    local -A young=()
    same= strange=()
    [[ -e $m.stat && -e $m.dirs && -e $m.young ]] || return
    take_records "$m.found"
    dirs=("${records[@]}")
    take_records "$m.dirs"
    [[ "${records[*]}" == "${dirs[*]}" ]] && same=yes
    take_records "$m.young"
    for record in "${records[@]}"; do
        young["${record#*$'\t'*$'\t'}"]=$record
    done
    comm -z -3 -- "$m.stat" "$m.walk" >"$m.other" || { same=; return 1; }
    take_records "$m.other"
    for record in "${records[@]}"; do
        path=${record#$'\t'}
        path=${path#*$'\t'*$'\t'}
        if [[ $record != $'\t'* ]]; then
            [[ ${young["$path"]+is} ]] || strange["$path"]+="${record%%$'\t'*} "
            continue
        fi
        record=${record#$'\t'}
        [[ ${young["$path"]} == "$record" ]] || {
            [[ ! ${young["$path"]} ]] || strange["$path"]="${young["$path"]%%$'\t'*} "
            strange["$path"]+="${record%%$'\t'*} "
        }
        # It was found.
        [[ ! ${young["$path"]} ]] || young["$path"]=
    done
    for path in "${!young[@]}"; do
        [[ ! ${young["$path"]} ]] || strange["$path"]='gone '
    done
    ((${#strange[@]} == 0)) || same=
    return 0
} 2>/dev/null

# make_canary: whether reads can be seen here: the time of last access of a file moves when it is read, from one that is long ago. Every
# job reads the canary. What else can be seen is in `sees` then: `listed` for directories, and `copied` where a copy cannot be made without
# a read, as some file systems can.
make_canary() {
    [[ $sees ]] || {
        sees=no
        printf . >"$v/canary" && touch -d "@$((unread + 1))" -- "$v/canary" && touch -a -d "@$unread" -- "$v/canary" && [[ -N $v/canary ]] && IFS= read -r -n 1 REPLY <"$v/canary" && [[ ! -N $v/canary ]] && sees=files
        [[ $sees == files ]] && {
            [[ -d $v/canaries ]] || mkdir -- "$v/canaries"
            touch -a -d "@$unread" -- "$v/canaries" && [[ -N $v/canaries ]] && : "$v/canaries"/* && [[ ! -N $v/canaries ]] && sees+=' listed'
            kind=$(stat -f -c %T -- "$v/tree")
            [[ $kind == @(ext2/ext3|tmpfs|ramfs|overlayfs) ]] && ! cp --reflink=always -- "$v/canary" "$v/canaries/copy" && sees+=' copied'
            rm -f -- "$v/canaries/copy"
        }
    }
    [[ $sees != no ]]
} 2>/dev/null

# forget SLOT: makes what was read until the tree was listed look as nobody has read it, and all directories, which `walk` itself lists.
# That changes their inodes, so they are listed again. Fails where something else was changed in between.
forget() {
    local m=$v/manifest/$1 IFS=/ before count paths at
    [[ $seeing == see ]] && make_canary || return
    take_records "$m.found"
    before=("${records[@]}") count=${#records[@]}
    take_records "$m.read"
    before+=("${records[@]}")
    paths=("${before[@]#*$'\t'*$'\t'}")
    cd -- "$v/tree/$1" || return
    batch "${paths[@]}"
    for ((at = 0; at < ${#paths[@]}; at += REPLY)); do
        touch -a -c -h -d "@$unread" -- "$v/canary" "${paths[@]:at:REPLY}"
    done
    relist "${paths[@]}" >"$m.new"
    cd /
    take_records "$m.new"
    [[ ${#records[@]} == "${#before[@]}" && "${records[*]%%$'\t'*}" == "${before[*]%%$'\t'*}" ]] || return
    printf '%s\0' "${records[@]:0:count}" >"$m.dirs" || return
    for ((at = count; at < ${#before[@]}; at++)); do
        [[ ${records[at]} == "${before[at]}" ]] || printf '%s\0' "${records[at]}" || return
    done >"$m.young"
    mv -f -- "$m.walk" "$m.stat" && tick
} 2>/dev/null

# forget_many SLOT: the same, and lists the tree again, where so much was read that each comparison would cost too much.
forget_many() {
    take_records "$v/manifest/$1.read"
    ((${#records[@]} < 100)) || ! forget "$1" || walk "$1"
}

# sees: whether reads can be seen here; else the type and the options of the file system that the trees lie on.
agent_sees() {
    local fields point longest= how=
    make_canary && { say ok yes ''; return; }
    while read -r -a fields; do
        printf -v point "${fields[4]//%/%%}"
        [[ $real/v1 == "${point%/}"/* ]] && ((${#point} >= ${#longest})) || continue
        longest=$point how=${fields[5]}
        # What follows upon a dash: type and source.
        fields=("${fields[@]:6}")
        while [[ ${fields[0]:-} && ${fields[0]} != - ]]; do fields=("${fields[@]:1}"); done
        how="${fields[1]} $how"
    done </proc/self/mountinfo
    say ok no "$how"
} 2>/dev/null

# keep_list SLOT: takes the tree as `walk` has listed it as what is there.
keep_list() {
    local m=$v/manifest/$1
    mv -f -- "$m.walk" "$m.stat" && mv -f -- "$m.found" "$m.dirs" && : >"$m.young"
}

# believe SLOT: the same, and what was read is forgotten.
believe() {
    forget "$1" || keep_list "$1"
}

# reads SLOT [next]: the files that the last job has read and the directories, with a slash, that it listed, and those before it that were not
# forgotten; and what can be seen. What is gone or another file counts as read, since it tells nothing any more, and where one is gone
# its directory counts as listed. With `next` a `check` comes behind it, before anything else happens there. `none`: that cannot be seen here. `unclear`: this time it
# could not be told, as where something still changes the tree.
agent_reads() {
    local m=$v/manifest/$1 path word out=() length=0
    local -A told=()
    make_canary && [[ ! -N $v/canary ]] || { say none; return; }
    walk "$1" && compare "$1" || { say unclear; return; }
    [[ $2 != next ]] || looked=$1
    take_records "$m.listed"
    for path in "${records[@]}"; do
        told["$path/"]=1
    done
    for path in "${!strange[@]}"; do
        # The time of last access of what is still the same inode is to be believed.
        word=${strange["$path"]#* }
        [[ ${word%%.*} != "${strange["$path"]%%.*}" ]] || continue
        told["$path"]=1
        [[ -e $v/tree/$1/$path || -L $v/tree/$1/$path ]] || told["${path%/*}/"]=1
    done
    take_records "$m.read"
    for path in "${records[@]#*$'\t'*$'\t'}"; do
        told["$path"]=1
    done
    for path in "${!told[@]}"; do
        # Without `./`, but the root is a slash, and with NUL.
        [[ $path == ./ ]] && path=/ || path=${path#./}
        out+=("$path")
        ((length += ${#path} + 1))
    done
    printf 'reads %d %d\n' "$length" "${#sees}"
    ((length == 0)) || printf '%s\0' "${out[@]}"
    printf %s "$sees"
}

# tick: waits until no later change can have the time of an earlier one: newer kernels see to that themselves on these file systems.
tick() {
    local release
    read -r release </proc/sys/kernel/osrelease
    [[ $kind == @(ext2/ext3|xfs|btrfs|tmpfs) && $release =~ ^([0-9]+)\.([0-9]+) ]] && ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] >= 6013)) || sleep 0.02
}

# slots: a line for each tree that is there, with the time of its last use and its slot; the last used first.
agent_slots() {
    local dir uses=() list=
    for dir in "$v"/tree/*/; do
        dir=${dir%/}
        [[ -L $dir || ! -e $v/manifest/${dir##*/}.used ]] || uses+=("${dir##*/}.used")
    done
    if ((${#uses[@]})); then
        mapfile -t uses < <(cd -- "$v/manifest" && ls -t -- "${uses[@]}")
        list=$(cd -- "$v/manifest" && stat -c '%Y %n' -- "${uses[@]}")
    fi 2>/dev/null
    say slots "${list//.used/}"
}

# prune SLOT: makes room before a tree is brought that was not there: trees that nobody used for a month go, but neither the three
# used last nor the one that the prepared state was made in; and those of a project go, where eight others have used theirs since. With the
# last of them go its environment files, if it owes no finish that may need them.
prune() {
    local dir slot project kept=0 prepared state left uses=()
    local -A projects=()
    content "$v/prepared"
    prepared=$REPLY
    content "$v/state"
    state=$REPLY
    for dir in "$v"/tree/*/; do
        dir=${dir%/} slot=${dir##*/}
        [[ -d $dir && ! -L $dir && $slot != "$1" && $slot != "$prepared" ]] || continue
        # One that was brought before uses were noted counts from now on.
        [[ -e $v/manifest/$slot.used ]] || : >"$v/manifest/$slot.used"
        uses+=("$slot.used")
    done
    ((${#uses[@]} > 3)) && touch -d '30 days ago' -- "$v/manifest/month" || return 0
    while IFS= read -r slot; do
        project=${slot%.used}
        project=${project%%-*}
        [[ $project == "${1%%-*}" ]] || projects[$project]=1
        if [[ $project == "${1%%-*}" ]] || ((${#projects[@]} < 8)); then
            ((kept++ < 3)) || [[ $v/manifest/$slot -nt $v/manifest/month ]] && continue
        fi
        slot=${slot%.used}
        (cd -P -- "$v/tree" && ! meets "$slot" && rm -rf --one-file-system -- "$slot") && rm -f -- "$v/manifest/$slot".* || continue
        [[ $state == *"\"project\":"?( )"\"$project\""* ]] && left=1 || left=
        for dir in "$v/tree/$project" "$v/tree/$project"-*; do
            [[ ! -d $dir ]] || left=1
        done
        [[ $left ]] || rm -f -- "$v/env/$project".{base,prepared} "$v/env/$project".prepared.[0-9]*
    done < <(cd -- "$v/manifest" && ls -t -- "${uses[@]}")
} 2>/dev/null

# show_last SLOT: has the tree's own name lead to the slot of the project that used it last, for people who look for it.
show_last() {
    local link=$v/tree/${1#*-}
    [[ $1 != *-* || (-L $link && $link -ef $v/tree/$1) ]] && return
    [[ -L $link || ! -e $link ]] && ln -sfn -- "$1" "$link"
} 2>/dev/null

# check SLOT see|- HEAD…: asked also ahead, behind an `open`, which may fail. `clean` if the manifest begins with one of the lines HEAD and
# nothing changed since; else all that is known. With `see` what was read until now is forgotten.
agent_check() {
    local slot=$1 m=$v/manifest/$1 head=
    seeing=$2
    shift 2
    [[ $leased ]] || { say err "the lease is not held"; return; }
    clear_mounts || { say mounted "left mounted by an earlier test: $said"; return; }
    emptied=
    [[ -e $v/tree/$slot ]] || prune "$slot"
    { : >"$m.used"; } 2>/dev/null
    show_last "$slot"
    [[ $known == "$slot" && ! $cleared ]] || look_at "$slot" || return
    if [[ -s $m.list && ! -e $m.touched && $same ]]; then
        IFS= read -r head <"$m.list"
        [[ " $* " == *" $head "* ]] && {
            # What lies in SLOT.young costs time at each comparison.
            forget "$slot" || [[ ! -s $m.young ]] || keep_list "$slot" 2>/dev/null
            say clean
            return
        }
    fi
    tell_tree "$slot" "$same"
}

# look_at SLOT: lists the slot's tree, and whether it is what was there is in `same` then. Where that fails, the reply is sent.
look_at() {
    walk "$1" || { [[ $emptied ]] && walk "$1"; } || { complain "cannot read \`$v/tree/$1\`"; return 1; }
    compare "$1" || same=
}

# tell_tree SLOT [yes]: a reply with all that is known of the slot; `differs` where its tree is as it was.
tell_tree() {
    local m=$v/manifest/$1
    cat -- "$m.walk" "$m.found" >"$m.now"
    if [[ $2 && ! -e $m.touched ]]; then
        send differs "$m.list" /dev/null "$m.now" /dev/null
    else
        cat -- "$m.stat" "$m.dirs" "$m.young" >"$m.before"
        send changed "$m.list" "$m.before" "$m.now" "$m.touched"
    fi
} 2>/dev/null

# each FILE COMMAND…: runs the command with the NUL-terminated entries of FILE as arguments, some hundred at a time.
each() {
    local file=$1 entry batch=()
    shift
    while IFS= read -r -d '' entry; do
        batch+=("./$entry")
        ((${#batch[@]} < 400)) || { "$@" "${batch[@]}" || return; batch=(); }
    done <"$file"
    ((${#batch[@]} == 0)) || "$@" "${batch[@]}"
}

# Paths are relative to the tree, which is the working directory here.
remove() {
    ! meets "$@" || return
    rm -rf --one-file-system -- "$@" && return
    ! meets . || return
    chmod -R u+rwX .
    rm -rf --one-file-system -- "$@"
}

# Fails where a path is or lies below a mount point: nothing is written there.
stays_out() {
    local path point
    read_mounts "$PWD"
    for point in "${mounts[@]}"; do
        for path; do
            [[ $PWD/${path#./}/ != "$point"/* ]] || { printf '`%s` is a mount point\n' "$point" >&2; return 1; }
        done
    done
}

# Makes way for directories: what stands there and is none, a link to one too, goes; what is one gets its mode.
clear_way() {
    local path dirs=()
    stays_out "$@" || return
    for path; do
        if [[ ! -L $path && -d $path ]]; then
            dirs+=("$path")
        elif [[ -L $path || -e $path ]]; then
            remove "$path" || return
        fi
    done
    ((${#dirs[@]} == 0)) || chmod 755 -- "${dirs[@]}"
}

# The changes of a sync, in the tree: the lists were unpacked as SLOT.touched, .gone, .dirs, .sent.
make_room() {
    local m=$v/manifest/$1
    said=$({ cd -P -- "$v/tree/$1" && stays_out . && chmod 755 . && each "$m.gone" remove && each "$m.dirs" clear_way && each "$m.sent" stays_out; } 2>&1)
}

# apply SLOT LISTS-LENGTH TAR-LENGTH, then a line `commit LENGTH` with the new manifest as an archive, or `abort 0`.
# The list of what is touched is there before anything is, and goes last: until then none of these paths is believed.
agent_apply() {
    local m=$v/manifest/$1 failed= word length
    unpack "$2" "$v/manifest" && mv -f -- "$m.touched.new" "$m.touched" && make_room "$1" || failed="cannot make room in \`$v/tree/$1\`"
    if [[ $failed ]]; then
        payload "$3" >/dev/null
    else
        unpack "$3" "$v/tree/$1" || {
            failed="cannot write below \`$v/tree/$1\`"
            # What arrived is not believed anyway, and the disk may be full.
            (cd -P -- "$v/tree/$1" && each "$m.sent" remove) 2>/dev/null
        }
    fi
    read -r ${beat:+-t "$((beat / 3 + 1))"} word length || exit 0
    if [[ $failed || $word == abort ]]; then
        payload "$length" >/dev/null
        complain "${failed:-aborted}"
        return
    fi
    unpack "$length" "$v/manifest" && walk "$1" && forget_many "$1" && settle_in "$1" || { complain "cannot write below \`$v/manifest\`"; return; }
    # A clock tick, so that no later change has the time of these.
    sleep 0.02
    say ok
}

settle_in() {
    local m=$v/manifest/$1
    said=$(mv -f -- "$m.list.new" "$m.list" 2>&1) && believe "$1" && said=$(rm -f -- "$m.touched" 2>&1)
}

# look SLOT STEP: what is there after a prepare step, before `rebase`. `none`: nothing was ever brought there.
agent_look() {
    local m=$v/manifest/$1
    keep_env "${1%%-*}" "$2"
    { printf %s "$1" >"$v/prepared"; leave_mounts; } 2>/dev/null
    [[ -s $m.list ]] || { say none; return; }
    look_at "$1" || return
    [[ ! $same || -e $m.touched ]] || { forget "$1"; say clean; return; }
    tell_tree "$1"
}

# rebase SLOT LENGTH: takes what `look` saw as the new baseline, with a new manifest.
agent_rebase() {
    unpack "$2" "$v/manifest" && settle_in "$1" || { complain "cannot write below \`$v/manifest\`"; return; }
    sleep 0.02
    say ok
}

# idle: nothing came for a third of the time that the runner may be silent. As long as a job runs its wrapper listens for it.
idle() {
    lock 8 "$base/run.lock"
    if (($? != 1)); then
        # A job that was cut off is a sign of death too.
        unended
        [[ ! $REPLY ]] || ((++silence))
        ((++silence < 3)) || exit 0
    else
        silence=0
    fi
} 8<>"$base/run.lock" 2>/dev/null

# The time of last access of what nobody has read: as early as leaves no doubt.
unread=1000000000
# A list of so many KiB is of half a million files, or of directories ten thousand deep; and how one ends that writes a longer one.
longest_list=$((128 << 10)) too_long=$((128 + 25))
# What is listed of everything in a tree, as `find` prints it.
fields='%i.%s.%m.%T@\t%C@\t%p\0'
mark=.atex base= v= real= seeing= sees= kind= finds= same= known= looked= records=() mounts=() marks=() kinds=() cleared= leased= said= emptied= beat= alive= silence=0 line= early=()
declare -A strange=()
# A write that nobody reads fails; programs that are started here die of it as usual.
trap : PIPE
IFS= read -r marker && printf '%s\n' "$marker"
while :; do
    if ((${#early[@]})); then
        request=(${early[0]}) early=("${early[@]:1}")
        serve "${request[@]}"
        continue
    fi
    IFS= read -r ${beat:+-t "$((beat / 3 + 1))"} word
    rc=$?
    line+=$word
    if ((rc > 128)); then
        idle
    elif ((rc == 0)); then
        request=($line) line= silence=0
        serve "${request[@]}"
    else
        exit 0
    fi
done
