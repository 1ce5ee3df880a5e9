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
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l heartbeat -d 'How often the server says something on a quiet stream: a connection that is silent for 2.5 times as long is made again [default: 15s; of a server that is not codechat\'s, what it shows]' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s H -l header -d 'A header of the request, as curl takes it' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s d -l data -d 'Form data to POST; @FILE reads them from a file, @- from stdin' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l json -d 'JSON to POST; @FILE reads it from a file, @- from stdin' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l data-raw -d 'As --data, but @ means nothing' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l data-binary -d 'As --data, but a file goes as it is' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s u -l user -d 'A user name and a password; secrets are safer in a file, given with -H @FILE' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s X -l request -d 'The method [default: GET, or POST with data]; only a GET is sent again when the stream ends' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l cacert -d 'Trust the certificates in this PEM file, and no others' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l last-event-id -d 'Go on after the event with this ID' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l event -d 'Show only events with this name; repeatable' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l message-at -d 'Where the text stands in an event\'s JSON, as in /choices/0/delta/content; repeatable, the first that is there counts' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l format -d 'Write lines, also on a terminal: text, log, json or raw' -r -f -a "text\t'The text, many lines where it has many'
log\t'Time, level, operation and text, as log files have them'
json\t'NDJSON: an object a line, with id and time'
raw\t'The stream\'s data as they came; a terminal gets them made safe all the same'"
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l id-file -d 'Write the client ID, and only that, to a file once the stream is open' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s n -l count -d 'End after COUNT messages' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l until -d 'End at a message that matches' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l fail-on -d 'End with exit code 3 at a message of this level, or that matches' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l stop-on -d 'As --fail-on, and with CMD, end that at once' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l timeout -d 'End with exit code 4 after this time' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l linger -d 'After CMD has ended, wait at most this long for messages that are still on their way' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l record -d 'Write all that happens to a new file, for --replay' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l replay -d 'Show a recording, without any server' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l speed -d 'How many times as fast as it happened a recording is shown: a number, or max for no pauses' -r
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l theme -d 'Which background the pane\'s colours are for' -r -f -a "auto\t'As the terminal tells in COLORFGBG, else colours that can be read on either'
dark\t'Dark'
light\t'Light'"
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l ask-level -d 'Ask for this level of detail; none takes it back' -r -f -a "trace\t''
debug\t''
info\t''
warn\t''
error\t''
none\t''"
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l wait -d 'If no server answers, wait for one'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l stay -d 'Go on under the same ID when the server ends the stream for idleness'
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
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l summary -d 'In the end, say how it went: outcome, times, levels, losses [default: on a terminal, with CMD or --until-done]'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l no-summary -d 'Say nothing in the end'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l no-guess -d 'Take progress only from messages that tell it, never from texts such as "12 of 40"; of other servers\' events, read nothing but the text'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l until-done -d 'End at a message with an outcome: exit code 0 if it is ok, else 3'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l ascii -d 'Draw the pane with ASCII characters only'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -l cancel -d 'Ask whatever runs to stop; a publisher does so if and when it sees fit'
complete -c codechat -n "__fish_codechat_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c codechat -n "__fish_codechat_using_subcommand send" -l id -d 'The client ID to publish to [default for a command: a new one]' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l server -d 'The server\'s address, or only its port [default: http://127.0.0.1:2428]' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l token-file -d 'A file with the server\'s token [default: what CODECHAT_TOKEN holds]' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand send" -l on-level-signal -d 'Send the command this signal when the level that watchers want changes' -r -f -a "HUP\t''
USR1\t''
USR2\t''
WINCH\t''
CONT\t''"
complete -c codechat -n "__fish_codechat_using_subcommand send" -l give-up-after -d 'Once the input or the command has ended: how long to try in vain to deliver the rest' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l level -d 'How much it matters: trace, debug, info, warn or error' -r -f -a "trace\t''
debug\t''
info\t''
warn\t''
error\t''"
complete -c codechat -n "__fish_codechat_using_subcommand send" -l operation -d 'The operation it belongs to [default for a command: its name]' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l progress -d 'How far the operation is, as in 3/120, or 3 where the total is not known' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l outcome -d 'The operation ends here: ok, failed or cancelled' -r -f -a "ok\t''
failed\t''
cancelled\t''"
complete -c codechat -n "__fish_codechat_using_subcommand send" -l event -d 'The event name: 1 to 64 of A-Z a-z 0-9 _ . - [default: debug]' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -s m -l message -d 'The message, whatever it begins with' -r
complete -c codechat -n "__fish_codechat_using_subcommand send" -l all -d 'Publish to every client of the server; takes one message, not lines'
complete -c codechat -n "__fish_codechat_using_subcommand send" -l if-watched -d 'Publish only if the client is there; else say nothing, and end with 0'
complete -c codechat -n "__fish_codechat_using_subcommand send" -l tee -d 'Copy stdin to stdout, or show the command\'s output here too'
complete -c codechat -n "__fish_codechat_using_subcommand send" -l pty -d 'Run the command on a terminal of its own, so that it writes colours'
complete -c codechat -n "__fish_codechat_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l listen -d 'Where to listen; repeatable' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l grace -d 'How long clients may take over their farewell at shutdown before they are cut' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l log -d 'What to log: off, a level, or a filter [default: RUST_LOG, or info]' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l log-format -d 'How to write the log' -r -f -a "text\t'A line each, for people'
json\t'An object each, for programs'"
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store -d 'Share clients with all servers on this Redis: redis://HOST' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-password-file -d 'A file with its password [default: CODECHAT_STORE_PASSWORD]' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-ca -d 'For rediss://: the authorities that may have signed the store\'s certificate, in PEM [default: those that the system trusts]' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-cert -d 'For rediss://: this server\'s certificate, if the store asks for one, in PEM' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-key -d 'The key of --store-cert, in PEM' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-prefix -d 'What all keys in the store begin with: one for each installation that uses it' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-timeout -d 'The store must answer within this' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l store-patience -d 'How long the store may be away, at the start and later, before requests that wait for it are refused' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l token-file -d 'A file with the server\'s token [default: what CODECHAT_TOKEN holds]' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l allowed-host -d 'A name that the server is reached by; repeatable' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l cors-origin -d 'An origin whose web pages may use the server; repeatable' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l tls-cert -d 'Speak HTTPS with the certificate in this file: PEM, with its chain' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l tls-key -d 'The key of that certificate: PEM' -r -F
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l idle-timeout -d 'A client that is not used ends after this time' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l heartbeat -d 'A stream that was quiet for this time gets a comment' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l stall-timeout -d 'A subscriber that takes no bytes for this time is closed' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l header-timeout -d 'The head of a request must come within this; a connection without a request is closed after it' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l body-timeout -d 'The body of a request that is not a stream must come within this' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l log-messages -d 'Messages that the log of each client keeps: the newest' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l log-bytes -d 'Bytes that the log of each client keeps' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l max-message -d 'The longest text of one message, in UTF-8' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l max-clients -d 'Clients at a time' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l max-subscribers -d 'Subscribers of one client at a time' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l max-memory -d 'Memory for all logs together' -r
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l no-auth -d 'Ask nobody for a token, even beyond loopback'
complete -c codechat -n "__fish_codechat_using_subcommand serve" -l plain-streams -d 'Leave every request and every stream to the HTTP library, to compare it with the shortcuts'
complete -c codechat -n "__fish_codechat_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c codechat -n "__fish_codechat_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c codechat -n "__fish_codechat_using_subcommand man" -s h -l help -d 'Print help'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "watch" -d 'Show a client\'s messages as they come'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "send" -d 'Publish messages to a client'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "serve" -d 'Run a server until a signal ends it'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "completions" -d 'Print the completion script for a shell'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "man" -d 'Print the manual page; to view it: codechat man | man -l -'
complete -c codechat -n "__fish_codechat_using_subcommand help; and not __fish_seen_subcommand_from watch send serve completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
