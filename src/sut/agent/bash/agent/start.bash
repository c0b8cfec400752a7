# The agent: one per connection. It holds the lease of the machine's directory and answers requests until its stdin ends.
#
# As long as a request is worked on and something of that moves, empty lines on stderr say so.
#
# A request is a line, `VERB ARGUMENT…`, and then payloads whose lengths the line says; a reply is a line, `WORD LENGTH…`, and
# then blobs of these lengths. `err` comes with a text for people, and so do `full` (the disk is), `foreign` and `mounted`; `lacks` comes with
# the names of missing programs. What the files of `manifest/` mean, only the runner knows:
# here they are stored and sent back. Needs bash 4.2, coreutils, tar, util-linux. See src/sut/agent/session for the other side.

# Programs are meant by their names, whatever functions a start-up file of the user has put in their place.
while read -r _ _ name; do
    unset -f "$name"
done < <(declare -F)
locale=${LC_ALL+is$LC_ALL}
export LC_ALL=C
umask 077

# content FILE: takes a small text file into REPLY; nothing if it is not there.
content() {
    REPLY=
    [[ -f $1 ]] && IFS= read -r -d '' REPLY <"$1"
} 2>/dev/null
