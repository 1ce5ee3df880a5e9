
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'codechat' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'codechat'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'codechat' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Show a client''s messages as they come')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Publish messages to a client')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run a server until a signal ends it')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page; to view it: codechat man | man -l -')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'codechat;watch' {
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'The client ID to watch [default: a new one]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address, or only its port [default: http://127.0.0.1:2428]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'A file with the server''s token [default: what CODECHAT_TOKEN holds]')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'Begin with the newest N messages that the server holds [default: all]')
            [CompletionResult]::new('--heartbeat', '--heartbeat', [CompletionResultType]::ParameterName, 'The heartbeat of the server: after 2.5 times as long without data, reconnect [default: 15s; for a server that is not codechat''s, as observed]')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'A header of the request, as curl takes it')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'A header of the request, as curl takes it')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Form data to POST; @FILE reads it from a file, @- from stdin')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'Form data to POST; @FILE reads it from a file, @- from stdin')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'JSON to POST; @FILE reads it from a file, @- from stdin')
            [CompletionResult]::new('--data-raw', '--data-raw', [CompletionResultType]::ParameterName, 'Like --data, but @ has no special meaning')
            [CompletionResult]::new('--data-binary', '--data-binary', [CompletionResultType]::ParameterName, 'Like --data, but a file is sent unchanged')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'A user name and a password; secrets are safer in a file, given with -H @FILE')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'A user name and a password; secrets are safer in a file, given with -H @FILE')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'The method [default: GET, or POST with data]; only a GET is sent again when the stream ends')
            [CompletionResult]::new('--request', '--request', [CompletionResultType]::ParameterName, 'The method [default: GET, or POST with data]; only a GET is sent again when the stream ends')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file, and no others')
            [CompletionResult]::new('--last-event-id', '--last-event-id', [CompletionResultType]::ParameterName, 'Continue after the event with this ID')
            [CompletionResult]::new('--event', '--event', [CompletionResultType]::ParameterName, 'Show only events with this name; repeatable')
            [CompletionResult]::new('--message-at', '--message-at', [CompletionResultType]::ParameterName, 'Where the text is in an event''s JSON, as in /choices/0/delta/content; repeatable, the first that is there counts')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Write lines, also on a terminal: text, log, json or raw')
            [CompletionResult]::new('--id-file', '--id-file', [CompletionResultType]::ParameterName, 'Write the client ID, and only that, to a file once the stream is open')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'End after COUNT messages')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'End after COUNT messages')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'End at a message that matches')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'End with exit code 3 at a message of this level, or that matches')
            [CompletionResult]::new('--stop-on', '--stop-on', [CompletionResultType]::ParameterName, 'Like --fail-on; with CMD, end CMD at once')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'End with exit code 4 after this time')
            [CompletionResult]::new('--linger', '--linger', [CompletionResultType]::ParameterName, 'After CMD has ended, wait at most this long for messages that are still on their way')
            [CompletionResult]::new('--record', '--record', [CompletionResultType]::ParameterName, 'Write all updates to a new file, for --replay')
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'Show a recording, without any server')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'Playback speed of a recording: a factor, or max for no pauses')
            [CompletionResult]::new('--theme', '--theme', [CompletionResultType]::ParameterName, 'The background that the pane''s colours are for')
            [CompletionResult]::new('--ask-level', '--ask-level', [CompletionResultType]::ParameterName, 'Ask for this level of detail, and exit; none withdraws it')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'If no server answers, wait for one')
            [CompletionResult]::new('--stay', '--stay', [CompletionResultType]::ParameterName, 'Continue under the same ID if the server ends the stream for idleness')
            [CompletionResult]::new('-N', '-N ', [CompletionResultType]::ParameterName, 'N')
            [CompletionResult]::new('--no-buffer', '--no-buffer', [CompletionResultType]::ParameterName, 'no-buffer')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 's')
            [CompletionResult]::new('--silent', '--silent', [CompletionResultType]::ParameterName, 'silent')
            [CompletionResult]::new('-S', '-S ', [CompletionResultType]::ParameterName, 'S')
            [CompletionResult]::new('--show-error', '--show-error', [CompletionResultType]::ParameterName, 'show-error')
            [CompletionResult]::new('-L', '-L ', [CompletionResultType]::ParameterName, 'L')
            [CompletionResult]::new('--location', '--location', [CompletionResultType]::ParameterName, 'location')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'f')
            [CompletionResult]::new('--fail', '--fail', [CompletionResultType]::ParameterName, 'fail')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'g')
            [CompletionResult]::new('--globoff', '--globoff', [CompletionResultType]::ParameterName, 'globoff')
            [CompletionResult]::new('-#', '-#', [CompletionResultType]::ParameterName, '#')
            [CompletionResult]::new('--progress-bar', '--progress-bar', [CompletionResultType]::ParameterName, 'progress-bar')
            [CompletionResult]::new('--compressed', '--compressed', [CompletionResultType]::ParameterName, 'compressed')
            [CompletionResult]::new('--fail-with-body', '--fail-with-body', [CompletionResultType]::ParameterName, 'fail-with-body')
            [CompletionResult]::new('--no-progress-meter', '--no-progress-meter', [CompletionResultType]::ParameterName, 'no-progress-meter')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate')
            [CompletionResult]::new('--once', '--once', [CompletionResultType]::ParameterName, 'End with the response: exit code 0 if it ended properly, 1 if it was cut')
            [CompletionResult]::new('--print-id', '--print-id', [CompletionResultType]::ParameterName, 'Print the client ID as the first line on stdout')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'At the end, print a summary: outcome, times, levels, losses [default: on a terminal, with CMD or --until-done]')
            [CompletionResult]::new('--no-summary', '--no-summary', [CompletionResultType]::ParameterName, 'Print no summary')
            [CompletionResult]::new('--no-guess', '--no-guess', [CompletionResultType]::ParameterName, 'Read progress only from messages that report it, never from texts such as "12 of 40"; from other servers'' events, read only the text')
            [CompletionResult]::new('--until-done', '--until-done', [CompletionResultType]::ParameterName, 'End with the first operation: exit code 0 if it ended as ok, else 3')
            [CompletionResult]::new('--ascii', '--ascii', [CompletionResultType]::ParameterName, 'Draw the pane with ASCII characters only')
            [CompletionResult]::new('--cancel', '--cancel', [CompletionResultType]::ParameterName, 'Ask the running work to stop, and exit')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'codechat;send' {
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'The client ID to publish to [default for a command: a new one]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address, or only its port [default: http://127.0.0.1:2428]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'A file with the server''s token [default: what CODECHAT_TOKEN holds]')
            [CompletionResult]::new('--on-level-signal', '--on-level-signal', [CompletionResultType]::ParameterName, 'Send the command this signal when the level that watchers want changes')
            [CompletionResult]::new('--give-up-after', '--give-up-after', [CompletionResultType]::ParameterName, 'After the input or the command has ended: how long to keep trying to deliver the rest')
            [CompletionResult]::new('--level', '--level', [CompletionResultType]::ParameterName, 'The level: trace, debug, info, warn or error')
            [CompletionResult]::new('--operation', '--operation', [CompletionResultType]::ParameterName, 'The message''s operation [default for a command: its name]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'The operation''s progress, as in 3/120, or 3 if the total is not known')
            [CompletionResult]::new('--outcome', '--outcome', [CompletionResultType]::ParameterName, 'The outcome that ends the operation: ok, failed or cancelled')
            [CompletionResult]::new('--event', '--event', [CompletionResultType]::ParameterName, 'The event name: 1 to 64 of A-Z a-z 0-9 _ . - [default: debug]')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The message, even if it begins with a dash')
            [CompletionResult]::new('--message', '--message', [CompletionResultType]::ParameterName, 'The message, even if it begins with a dash')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Publish to every client of the server; takes one message, not lines')
            [CompletionResult]::new('--if-watched', '--if-watched', [CompletionResultType]::ParameterName, 'Publish only if the client exists; else print nothing and exit with 0')
            [CompletionResult]::new('--tee', '--tee', [CompletionResultType]::ParameterName, 'Copy stdin to stdout, or show the command''s output here too')
            [CompletionResult]::new('--pty', '--pty', [CompletionResultType]::ParameterName, 'Run the command on a terminal of its own, so that it writes colours')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'codechat;serve' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Where to listen; repeatable')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'How long clients may take at shutdown to read the end of their streams before they are cut')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What to log: off, a level, or a filter [default: RUST_LOG, or info]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to write the log')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'Share clients with all servers on this Redis: redis://HOST')
            [CompletionResult]::new('--store-password-file', '--store-password-file', [CompletionResultType]::ParameterName, 'The store''s password file [default: CODECHAT_STORE_PASSWORD]')
            [CompletionResult]::new('--store-ca', '--store-ca', [CompletionResultType]::ParameterName, 'For rediss://: the authorities that may sign the store''s certificate, in PEM [default: those of the system]')
            [CompletionResult]::new('--store-cert', '--store-cert', [CompletionResultType]::ParameterName, 'For rediss://: this server''s certificate, if the store requires one, in PEM')
            [CompletionResult]::new('--store-key', '--store-key', [CompletionResultType]::ParameterName, 'The key of --store-cert, in PEM')
            [CompletionResult]::new('--store-prefix', '--store-prefix', [CompletionResultType]::ParameterName, 'Prefix of all keys in the store, one for each installation that uses it')
            [CompletionResult]::new('--store-timeout', '--store-timeout', [CompletionResultType]::ParameterName, 'Time limit for the store''s answers')
            [CompletionResult]::new('--store-patience', '--store-patience', [CompletionResultType]::ParameterName, 'How long requests wait for a store that does not answer, also at the start, before they are refused')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'A file with the server''s token [default: what CODECHAT_TOKEN holds]')
            [CompletionResult]::new('--allowed-host', '--allowed-host', [CompletionResultType]::ParameterName, 'A name by which clients reach the server; repeatable')
            [CompletionResult]::new('--cors-origin', '--cors-origin', [CompletionResultType]::ParameterName, 'An origin whose web pages may use the server; repeatable')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Serve HTTPS with the certificate in this PEM file, with its chain')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The key of that certificate, in PEM')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'End a client that has not been used for this time')
            [CompletionResult]::new('--heartbeat', '--heartbeat', [CompletionResultType]::ParameterName, 'Send a comment on a stream that was quiet for this time')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Close a subscriber that takes no bytes for this time')
            [CompletionResult]::new('--header-timeout', '--header-timeout', [CompletionResultType]::ParameterName, 'Time limit for the head of a request, and for a connection without a request')
            [CompletionResult]::new('--body-timeout', '--body-timeout', [CompletionResultType]::ParameterName, 'Time limit for the body of a request that is not a stream')
            [CompletionResult]::new('--log-messages', '--log-messages', [CompletionResultType]::ParameterName, 'How many of a client''s newest messages to keep')
            [CompletionResult]::new('--log-bytes', '--log-bytes', [CompletionResultType]::ParameterName, 'How many bytes of a client''s messages to keep')
            [CompletionResult]::new('--max-message', '--max-message', [CompletionResultType]::ParameterName, 'Longest text of one message, in UTF-8')
            [CompletionResult]::new('--max-clients', '--max-clients', [CompletionResultType]::ParameterName, 'How many clients there may be')
            [CompletionResult]::new('--max-subscribers', '--max-subscribers', [CompletionResultType]::ParameterName, 'How many subscribers one client may have')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory of all logs together')
            [CompletionResult]::new('--no-auth', '--no-auth', [CompletionResultType]::ParameterName, 'Require no token, even beyond loopback')
            [CompletionResult]::new('--plain-streams', '--plain-streams', [CompletionResultType]::ParameterName, 'Leave every request and every stream to the HTTP library, for comparison with the shortcuts')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'codechat;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'codechat;man' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'codechat;help' {
            [CompletionResult]::new('watch', 'watch', [CompletionResultType]::ParameterValue, 'Show a client''s messages as they come')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Publish messages to a client')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run a server until a signal ends it')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page; to view it: codechat man | man -l -')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'codechat;help;watch' {
            break
        }
        'codechat;help;send' {
            break
        }
        'codechat;help;serve' {
            break
        }
        'codechat;help;completions' {
            break
        }
        'codechat;help;man' {
            break
        }
        'codechat;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
