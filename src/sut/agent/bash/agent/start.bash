# The agent: one per connection. It holds the lease of the machine's directory and answers requests until its stdin ends.
#
# While a request is worked on and any process of that moves, empty lines on stderr say so.
#
# A request is a line `VERB ARGUMENT...`, followed by payloads whose lengths the line gives. A reply is a line
# `WORD LENGTH...`, followed by blobs of these lengths. `err` comes with a text for people, and so do `full` (the disk is
# full), `foreign` and `mounted`; `lacks` comes with the names of missing programs. Only the runner knows what the files of
# `manifest/` mean; here they are stored and sent back. Needs bash 4.2, coreutils, tar, util-linux. See src/sut/agent/session
# for the other side.

# A user's start-up file may have defined functions with the names of programs. The agent means the programs.
while read -r _ _ name; do
    unset -f "$name"
done < <(declare -F)
locale=${LC_ALL+is$LC_ALL}
export LC_ALL=C
umask 077

# content FILE: reads a small text file into REPLY; empty if it does not exist.
content() {
    REPLY=
    [[ -f $1 ]] && IFS= read -r -d '' REPLY <"$1"
} 2>/dev/null
