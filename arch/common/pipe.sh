# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# How run-guest.sh talks to a guest when standard input is no terminal: each line is sent as a
# command when the one before it is answered, and only the guest's own lines are printed.

left='' answered=0 line=''
# The end of a request, or of all that were asked before it.
answer='@([=?]*|% boot *)'

# Reads the guest's next line into `line`. Fails when the guest ends. A signal that comes right
# before the shell begins to wait is heeded when it has waited: so that must not be for ever. A byte
# may come just when the time is up: then it was read all the same.
guest_line() {
    local first='' status=142
    while [ -z "$first" ] && [ $status -gt 128 ]; do
        IFS= read -r -N 1 -t 0.5 -u "$from" first
        status=$?
    done
    line=
    [ -n "$first" ] || return
    [[ $first == $'\n' ]] || IFS= read -r -u "$from" line || return
    line=${first%$'\n'}$line
}

# Prints what the guest says, up to the `line` that matches $1, which is not printed if $2 is given.
# Fails when the guest ends.
print_until() {
    while guest_line; do
        line=${line%$'\r'}
        # Firmware may have left the cursor's escape sequences before the guest's first line.
        while [[ $line =~ ^$'\e'\[[0-9\;=]*[A-Za-z] ]]; do line=${line#"${BASH_REMATCH[0]}"}; done
        line=${line#'> '}
        # shellcheck disable=SC2053  # $1 is a pattern
        if [[ $line == $1 ]] && [ $# -eq 2 ]; then return 0; fi
        if [[ $line == [:=?%\;]* ]]; then printf '%s\n' "$line" 2>/dev/null || exit 141; fi
        # shellcheck disable=SC2053
        if [[ $line == $1 ]]; then return 0; fi
    done
    return 1
}

send() { { printf '%s\n' "$1" >&"$to"; } 2>/dev/null; }

# The guest's last words, and its end.
end_pipe() {
    while print_until '[=?]*'; do :; done
    wait "$pid"
    local status=$?
    if [ -n "$left" ]; then say "the guest ended before the input, after $answered answers"; fi
    finish $status
}

# Reads the next line into `input`. Looks now and then whether the guest still lives: while the
# input has nothing to say nobody else would notice. Fails at the end of either.
next_line() {
    local part status
    input=
    while :; do
        IFS= read -r -t 0.5 part
        status=$?
        input+=$part
        [ $status -gt 128 ] || break
        if ! kill -0 "$pid" 2>/dev/null; then
            left=1
            return 1
        fi
    done
    [ $status -eq 0 ] || [ -n "$input" ]
}

# A panic outside of a command, survived (onpanic=stay): the guest began anew, and what it was asked
# in between has its answer yet to come, or none.
catch_up() {
    say "the guest began anew: one line may be without its answer"
    send '>0 sync 0' && print_until '[=?]0 *' hidden
}

# Sends a line and prints what is answered. Fails when the guest ends.
ask() {
    # To the guest a ^C drops what is in front of it, and has no answer.
    local request=${1##*$'\003'}
    case $request in
        # Nobody answers these: transcripts can be piped in.
        [:=?%\;]*) return 0 ;;
        '>'*) ;;
        *[!$' \t']*) request="> $request" ;;
        *) return 0 ;;
    esac
    if ! send "$request" || ! print_until "$answer" || { [[ $line == %* ]] && ! catch_up; }; then
        left=1
        return 1
    fi
    answered=$((answered + 1))
}

send_input() {
    local request input
    while next_line; do
        # A carriage return ends a line, too.
        while [[ $input == *$'\r'* ]]; do
            request=${input%%$'\r'*} input=${input#*$'\r'}
            ask "$request" || return
        done
        ask "$input" || return
    done
    # A strict session that the input began would refuse the end.
    [ -z "$left" ] || return
    for request in '> sync 0' '> poweroff'; do
        while send "$request" && print_until "$answer" hidden && [[ $line == %* ]]; do
            catch_up || return
        done
    done
}

run_pipe() {
    trap '' PIPE
    # The shell forgets a coprocess when it has ended: so it waits until its ends are ours, too.
    coproc GUEST { read -r -N 1 && exec "${command[@]}"; }
    pid=$GUEST_PID
    exec {from}<&"${GUEST[0]}" {to}>&"${GUEST[1]}"
    send ''
    tell_debugger
    # The shell would drop a NUL; instead of it, another byte spoils the line.
    exec < <(exec "$root/arch/common/with-parent.sh" $$ sed -u 's/\x00/\x01/g')
    filter=$!
    if print_until '% boot*'; then send_input; fi
    end_pipe
}
