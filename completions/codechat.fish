# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_codechat_global_optspecs
    string join \n h/help V/version
end

function __fish_codechat_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_codechat_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_codechat_using_subcommand
    set -l cmd (__fish_codechat_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c codechat -n "__fish_codechat_needs_command" -s h -l help -d 'Print help'
complete -c codechat -n "__fish_codechat_needs_command" -s V -l version -d 'Print version'
complete -c codechat -n "__fish_codechat_needs_command" -f -a "watch" -d 'Show a client\'s messages as they come'
complete -c codechat -n "__fish_codechat_needs_command" -f -a "send" -d 'Publish messages to a client'
complete -c codechat -n "__fish_codechat_needs_command" -f -a "serve" -d 'Run a server until a signal ends it'
complete -c codechat -n "__fish_codechat_needs_command" -f -a "completions" -d 'Print the completion script for a shell'
complete -c codechat -n "__fish_codechat_needs_command" -f -a "man" -d 'Print the manual page; to view it: codechat man | man -l -'
complete -c codechat -n "__fish_codechat_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l id -d 'The client ID to watch [default: a new one]' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l server -d 'The server\'s address, or only its port [default: http://127.0.0.1:2428]' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l token-file -d 'A file with the server\'s token [default: what CODECHAT_TOKEN holds]' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l tail -d 'Begin with the newest N messages that the server holds [default: all]' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l heartbeat -d 'The heartbeat of the server: after 2.5 times as long without data, reconnect [default: 15s; for a server that is not codechat\'s, as observed]' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s H -l header -d 'A header of the request, as curl takes it' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s d -l data -d 'Form data to POST; @FILE reads it from a file, @- from stdin' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l json -d 'JSON to POST; @FILE reads it from a file, @- from stdin' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l data-raw -d 'Like --data, but @ has no special meaning' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l data-binary -d 'Like --data, but a file is sent unchanged' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s u -l user -d 'A user name and a password; secrets are safer in a file, given with -H @FILE' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s X -l request -d 'The method [default: GET, or POST with data]; only a GET is sent again when the stream ends' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l cacert -d 'Trust the certificates in this PEM file, and no others' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l last-event-id -d 'Continue after the event with this ID' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l event -d 'Show only events with this name; repeatable' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l message-at -d 'Where the text is in an event\'s JSON, as in /choices/0/delta/content; repeatable, the first that is there counts' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l format -d 'Write lines, also on a terminal: text, log, json or raw' -r -f -a "text\t'The text; it may have several lines'
log\t'Time, level, operation and text, like a log file'
json\t'NDJSON: one object per line, with id and time'
raw\t'The stream\'s data unchanged; still made safe for a terminal'"
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l id-file -d 'Write the client ID, and only that, to a file once the stream is open' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s n -l count -d 'End after COUNT messages' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l until -d 'End at a message that matches' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l fail-on -d 'End with exit code 3 at a message of this level, or that matches' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l stop-on -d 'Like --fail-on; with CMD, end CMD at once' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l timeout -d 'End with exit code 4 after this time' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l linger -d 'After CMD has ended, wait at most this long for messages that are still on their way' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l record -d 'Write all updates to a new file, for --replay' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l replay -d 'Show a recording, without any server' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l speed -d 'Playback speed of a recording: a factor, or max for no pauses' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l theme -d 'The background that the pane\'s colours are for' -r -f -a "auto\t'From COLORFGBG, or else colours that are readable on both'
dark\t'Dark'
light\t'Light'"
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l ask-level -d 'Ask for this level of detail, and exit; none withdraws it' -r -f -a "trace\t''
debug\t''
info\t''
warn\t''
error\t''
none\t''"
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l wait -d 'If no server answers, wait for one'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l stay -d 'Continue under the same ID if the server ends the stream for idleness'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s N -l no-buffer
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s s -l silent
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s S -l show-error
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s L -l location
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s f -l fail
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s g -l globoff
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s # -l progress-bar
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l compressed
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l fail-with-body
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l no-progress-meter
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s k -l insecure -d 'Do not verify the server\'s certificate'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l once -d 'End with the response: exit code 0 if it ended properly, 1 if it was cut'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l print-id -d 'Print the client ID as the first line on stdout'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l summary -d 'At the end, print a summary: outcome, times, levels, losses [default: on a terminal, with CMD or --until-done]'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l no-summary -d 'Print no summary'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l no-guess -d 'Read progress only from messages that report it, never from texts such as "12 of 40"; from other servers\' events, read only the text'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l until-done -d 'End with the first operation: exit code 0 if it ended as ok, else 3'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l ascii -d 'Draw the pane with ASCII characters only'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l cancel -d 'Ask the running work to stop, and exit'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c codechat -n "__fish_codechat_using_subcommand send" -l id -d 'The client ID to publish to [default for a command: a new one]' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l server -d 'The server\'s address, or only its port [default: http://127.0.0.1:2428]' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l token-file -d 'A file with the server\'s token [default: what CODECHAT_TOKEN holds]' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand send" -l on-level-signal -d 'Send the command this signal when the level that watchers want changes' -r -f -a "HUP\t''
USR1\t''
USR2\t''
WINCH\t''
CONT\t''"
complete -c codechat -n "__fish_codechat_using_subcommand send" -l give-up-after -d 'After the input or the command has ended: how long to keep trying to deliver the rest' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l level -d 'The level: trace, debug, info, warn or error' -r -f -a "trace\t''
debug\t''
info\t''
warn\t''
error\t''"
complete -c codechat -n "__fish_codechat_using_subcommand send" -l operation -d 'The message\'s operation [default for a command: its name]' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l progress -d 'The operation\'s progress, as in 3/120, or 3 if the total is not known' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l outcome -d 'The outcome that ends the operation: ok, failed or cancelled' -r -f -a "ok\t''
failed\t''
cancelled\t''"
complete -c codechat -n "__fish_codechat_using_subcommand send" -l event -d 'The event name: 1 to 64 of A-Z a-z 0-9 _ . - [default: debug]' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -s m -l message -d 'The message, even if it begins with a dash' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l all -d 'Publish to every client of the server; takes one message, not lines'
complete -c codechat -n "__fish_codechat_using_subcommand send" -l if-watched -d 'Publish only if the client exists; else print nothing and exit with 0'
complete -c codechat -n "__fish_codechat_using_subcommand send" -l tee -d 'Copy stdin to stdout, or show the command\'s output here too'
complete -c codechat -n "__fish_codechat_using_subcommand send" -l pty -d 'Run the command on a terminal of its own, so that it writes colours'
complete -c codechat -n "__fish_codechat_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l listen -d 'Where to listen; repeatable' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l grace -d 'How long clients may take at shutdown to read the end of their streams before they are cut' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l log -d 'What to log: off, a level, or a filter [default: RUST_LOG, or info]' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l log-format -d 'How to write the log' -r -f -a "text\t'One line per event, for people'
json\t'One JSON object per event, for programs'"
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store -d 'Share clients with all servers on this Redis: redis://HOST' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-password-file -d 'The store\'s password file [default: CODECHAT_STORE_PASSWORD]' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-ca -d 'For rediss://: the authorities that may sign the store\'s certificate, in PEM [default: those of the system]' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-cert -d 'For rediss://: this server\'s certificate, if the store requires one, in PEM' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-key -d 'The key of --store-cert, in PEM' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-prefix -d 'Prefix of all keys in the store, one for each installation that uses it' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-timeout -d 'Time limit for the store\'s answers' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-patience -d 'How long requests wait for a store that does not answer, also at the start, before they are refused' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l token-file -d 'A file with the server\'s token [default: what CODECHAT_TOKEN holds]' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l allowed-host -d 'A name by which clients reach the server; repeatable' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l cors-origin -d 'An origin whose web pages may use the server; repeatable' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l tls-cert -d 'Serve HTTPS with the certificate in this PEM file, with its chain' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l tls-key -d 'The key of that certificate, in PEM' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l idle-timeout -d 'End a client that has not been used for this time' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l heartbeat -d 'Send a comment on a stream that was quiet for this time' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l stall-timeout -d 'Close a subscriber that takes no bytes for this time' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l header-timeout -d 'Time limit for the head of a request, and for a connection without a request' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l body-timeout -d 'Time limit for the body of a request that is not a stream' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l log-messages -d 'How many of a client\'s newest messages to keep' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l log-bytes -d 'How many bytes of a client\'s messages to keep' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l max-message -d 'Longest text of one message, in UTF-8' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l max-clients -d 'How many clients there may be' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l max-subscribers -d 'How many subscribers one client may have' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l max-memory -d 'Memory of all logs together' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l no-auth -d 'Require no token, even beyond loopback'
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l plain-streams -d 'Leave every request and every stream to the HTTP library, for comparison with the shortcuts'
complete -c codechat -n "__fish_codechat_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c codechat -n "__fish_codechat_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c codechat -n "__fish_codechat_using_subcommand man" -s h -l help -d 'Print help'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "watch" -d 'Show a client\'s messages as they come'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "send" -d 'Publish messages to a client'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "serve" -d 'Run a server until a signal ends it'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "completions" -d 'Print the completion script for a shell'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "man" -d 'Print the manual page; to view it: codechat man | man -l -'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
