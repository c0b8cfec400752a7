# The machine's directory, in which atex keeps everything: where it is, whether others can write to it, and how it is made and
# removed.

# ours DIR: whether agents use this directory: it carries the mark, or has the form in which older agents left theirs.
ours() {
    [[ -d $1 && -O $1 ]] || return
    [[ -f $1/$mark && ! -L $1/$mark && -O $1/$mark ]] && return
    [[ -d $1/v1/tree && -d $1/v1/manifest && ! -L $1/v1 && -O $1/v1 && -f $1/lease && ! -L $1/lease && -O $1/lease ]]
}

# place: finds out where everything is kept, as `base` and `v`. A directory that the user has for other things is not atex's;
# there, `atex` below it is used. The default directory is atex's by its name, and an empty directory holds nothing of
# anybody's.
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

# safe DIR: whether nobody but this user and root can put anything into a directory, or something else in its place; `said`
# tells who can. In a sticky directory on the way, nobody can touch what belongs to others. A private group counts as the
# user's own, if there is no access list with others who may write. The directory need not exist yet.
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

# private GROUP: whether nobody but this user and root is in a group, and it is the user's own: it has the user's number or
# name, the list of groups names no other member, and it is nobody else's primary group. The group of root counts too.
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

# unmapped: prints the number that stands for all users whom this namespace does not know, among them root of the host, if
# that number stands for nobody else.
unmapped() {
    local number inside outside count
    read -r number </proc/sys/kernel/overflowuid
    while read -r inside outside count; do
        ((number < inside || number >= inside + count)) || return
    done </proc/self/uid_map
    printf %s "$number"
} 2>/dev/null

# keep_out: sends a reply if others can write to the directory. In that case nothing in it is believed, run or written.
keep_out() {
    safe "$base" && return 1
    say foreign "\`$base\` is not used: $said"
}

# make_base: makes the directory, and marks it before anything else is in it; the mark says whether the directory itself is to
# be removed together with its content. Other users may pass through a directory that is made here, because tests act as other
# users in their tree, but they see only the trees. A directory that was there before keeps its mode.
make_base() {
    local made=found modes
    keep_out && return 1
    if [[ ! -d $base ]]; then
        said=$({ (umask 066 && mkdir -p -- "${base%/*}/") && mkdir -m 711 -- "$base"; } 2>&1) && made=made
        # Another process may have made it first.
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

# mark_base made|found: writes the mark. The process that made the directory writes `made`, even if another one has marked it
# already.
mark_base() {
    [[ $1 == made ]] || set -C
    printf '%s\n' "$1" >"$base/$mark" || [[ $1 == found && -f $base/$mark ]]
}

# make_place: makes the directories, and the files that are locked. If that fails, the reply is sent here.
make_place() {
    make_base || return
    { : >>"$base/lease" && : >>"$base/run.lock"; } 2>/dev/null || {
        say err "cannot write below \`$base\`"
        return 1
    }
}

# remove: removes everything of atex's from a directory that is marked, and the mark last. Nothing is removed while something
# is mounted below. The directory itself is removed only if it was made by atex and is empty then.
agent_remove() {
    local made
    ours "$base" && [[ -f $base/$mark ]] || { say err "cannot remove \`$base\`: it does not carry the mark \`$mark\`"; return; }
    end_jobs 0 || { say err "cannot remove \`$base\`: what a job has left running there cannot be ended"; return; }
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
