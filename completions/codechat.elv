
use builtin;
use str;

set edit:completion:arg-completer[codechat] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'codechat'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'codechat'= {
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand watch 'Show a client''s messages as they come'
            cand send 'Publish messages to a client'
            cand serve 'Run a server until a signal ends it'
            cand completions 'Print the completion script for a shell'
            cand man 'Print the manual page; to view it: codechat man | man -l -'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'codechat;watch'= {
            cand --id 'The client ID to watch [default: a new one]'
            cand --server 'The server''s address, or only its port [default: http://127.0.0.1:2428]'
            cand --token-file 'A file with the server''s token [default: what CODECHAT_TOKEN holds]'
            cand --tail 'Begin with the newest N messages that the server holds [default: all]'
            cand --heartbeat 'The heartbeat of the server: after 2.5 times as long without data, reconnect [default: 15s; for a server that is not codechat''s, as observed]'
            cand -H 'A header of the request, as curl takes it'
            cand --header 'A header of the request, as curl takes it'
            cand -d 'Form data to POST; @FILE reads it from a file, @- from stdin'
            cand --data 'Form data to POST; @FILE reads it from a file, @- from stdin'
            cand --json 'JSON to POST; @FILE reads it from a file, @- from stdin'
            cand --data-raw 'Like --data, but @ has no special meaning'
            cand --data-binary 'Like --data, but a file is sent unchanged'
            cand -u 'A user name and a password; secrets are safer in a file, given with -H @FILE'
            cand --user 'A user name and a password; secrets are safer in a file, given with -H @FILE'
            cand -X 'The method [default: GET, or POST with data]; only a GET is sent again when the stream ends'
            cand --request 'The method [default: GET, or POST with data]; only a GET is sent again when the stream ends'
            cand --cacert 'Trust the certificates in this PEM file, and no others'
            cand --last-event-id 'Continue after the event with this ID'
            cand --event 'Show only events with this name; repeatable'
            cand --message-at 'Where the text is in an event''s JSON, as in /choices/0/delta/content; repeatable, the first that is there counts'
            cand --format 'Write lines, also on a terminal: text, log, json or raw'
            cand --id-file 'Write the client ID, and only that, to a file once the stream is open'
            cand -n 'End after COUNT messages'
            cand --count 'End after COUNT messages'
            cand --until 'End at a message that matches'
            cand --fail-on 'End with exit code 3 at a message of this level, or that matches'
            cand --stop-on 'Like --fail-on; with CMD, end CMD at once'
            cand --timeout 'End with exit code 4 after this time'
            cand --linger 'After CMD has ended, wait at most this long for messages that are still on their way'
            cand --record 'Write all updates to a new file, for --replay'
            cand --replay 'Show a recording, without any server'
            cand --speed 'Playback speed of a recording: a factor, or max for no pauses'
            cand --theme 'The background that the pane''s colours are for'
            cand --ask-level 'Ask for this level of detail, and exit; none withdraws it'
            cand --wait 'If no server answers, wait for one'
            cand --stay 'Continue under the same ID if the server ends the stream for idleness'
            cand -N 'N'
            cand --no-buffer 'no-buffer'
            cand -s 's'
            cand --silent 'silent'
            cand -S 'S'
            cand --show-error 'show-error'
            cand -L 'L'
            cand --location 'location'
            cand -f 'f'
            cand --fail 'fail'
            cand -g 'g'
            cand --globoff 'globoff'
            cand -# '#'
            cand --progress-bar 'progress-bar'
            cand --compressed 'compressed'
            cand --fail-with-body 'fail-with-body'
            cand --no-progress-meter 'no-progress-meter'
            cand -k 'Do not verify the server''s certificate'
            cand --insecure 'Do not verify the server''s certificate'
            cand --once 'End with the response: exit code 0 if it ended properly, 1 if it was cut'
            cand --print-id 'Print the client ID as the first line on stdout'
            cand --summary 'At the end, print a summary: outcome, times, levels, losses [default: on a terminal, with CMD or --until-done]'
            cand --no-summary 'Print no summary'
            cand --no-guess 'Read progress only from messages that report it, never from texts such as "12 of 40"; from other servers'' events, read only the text'
            cand --until-done 'End with the first operation: exit code 0 if it ended as ok, else 3'
            cand --ascii 'Draw the pane with ASCII characters only'
            cand --cancel 'Ask the running work to stop, and exit'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'codechat;send'= {
            cand --id 'The client ID to publish to [default for a command: a new one]'
            cand --server 'The server''s address, or only its port [default: http://127.0.0.1:2428]'
            cand --token-file 'A file with the server''s token [default: what CODECHAT_TOKEN holds]'
            cand --on-level-signal 'Send the command this signal when the level that watchers want changes'
            cand --give-up-after 'After the input or the command has ended: how long to keep trying to deliver the rest'
            cand --level 'The level: trace, debug, info, warn or error'
            cand --operation 'The message''s operation [default for a command: its name]'
            cand --progress 'The operation''s progress, as in 3/120, or 3 if the total is not known'
            cand --outcome 'The outcome that ends the operation: ok, failed or cancelled'
            cand --event 'The event name: 1 to 64 of A-Z a-z 0-9 _ . - [default: debug]'
            cand -m 'The message, even if it begins with a dash'
            cand --message 'The message, even if it begins with a dash'
            cand --all 'Publish to every client of the server; takes one message, not lines'
            cand --if-watched 'Publish only if the client exists; else print nothing and exit with 0'
            cand --tee 'Copy stdin to stdout, or show the command''s output here too'
            cand --pty 'Run the command on a terminal of its own, so that it writes colours'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'codechat;serve'= {
            cand --listen 'Where to listen; repeatable'
            cand --grace 'How long clients may take at shutdown to read the end of their streams before they are cut'
            cand --log 'What to log: off, a level, or a filter [default: RUST_LOG, or info]'
            cand --log-format 'How to write the log'
            cand --store 'Share clients with all servers on this Redis: redis://HOST'
            cand --store-password-file 'The store''s password file [default: CODECHAT_STORE_PASSWORD]'
            cand --store-ca 'For rediss://: the authorities that may sign the store''s certificate, in PEM [default: those of the system]'
            cand --store-cert 'For rediss://: this server''s certificate, if the store requires one, in PEM'
            cand --store-key 'The key of --store-cert, in PEM'
            cand --store-prefix 'Prefix of all keys in the store, one for each installation that uses it'
            cand --store-timeout 'Time limit for the store''s answers'
            cand --store-patience 'How long requests wait for a store that does not answer, also at the start, before they are refused'
            cand --token-file 'A file with the server''s token [default: what CODECHAT_TOKEN holds]'
            cand --allowed-host 'A name by which clients reach the server; repeatable'
            cand --cors-origin 'An origin whose web pages may use the server; repeatable'
            cand --tls-cert 'Serve HTTPS with the certificate in this PEM file, with its chain'
            cand --tls-key 'The key of that certificate, in PEM'
            cand --idle-timeout 'End a client that has not been used for this time'
            cand --heartbeat 'Send a comment on a stream that was quiet for this time'
            cand --stall-timeout 'Close a subscriber that takes no bytes for this time'
            cand --header-timeout 'Time limit for the head of a request, and for a connection without a request'
            cand --body-timeout 'Time limit for the body of a request that is not a stream'
            cand --log-messages 'How many of a client''s newest messages to keep'
            cand --log-bytes 'How many bytes of a client''s messages to keep'
            cand --max-message 'Longest text of one message, in UTF-8'
            cand --max-clients 'How many clients there may be'
            cand --max-subscribers 'How many subscribers one client may have'
            cand --max-memory 'Memory of all logs together'
            cand --no-auth 'Require no token, even beyond loopback'
            cand --plain-streams 'Leave every request and every stream to the HTTP library, for comparison with the shortcuts'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'codechat;completions'= {
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'codechat;man'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'codechat;help'= {
            cand watch 'Show a client''s messages as they come'
            cand send 'Publish messages to a client'
            cand serve 'Run a server until a signal ends it'
            cand completions 'Print the completion script for a shell'
            cand man 'Print the manual page; to view it: codechat man | man -l -'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'codechat;help;watch'= {
        }
        &'codechat;help;send'= {
        }
        &'codechat;help;serve'= {
        }
        &'codechat;help;completions'= {
        }
        &'codechat;help;man'= {
        }
        &'codechat;help;help'= {
        }
    ]
    $completions[$command]
}
