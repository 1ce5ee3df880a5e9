
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
            [CompletionResult]::new('--heartbeat', '--heartbeat', [CompletionResultType]::ParameterName, 'How often the server says something on a quiet stream: a connection that is silent for 2.5 times as long is made again [default: 15s; of a server that is not codechat''s, what it shows]')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'A header of the request, as curl takes it')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'A header of the request, as curl takes it')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Form data to POST; @FILE reads them from a file, @- from stdin')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'Form data to POST; @FILE reads them from a file, @- from stdin')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'JSON to POST; @FILE reads it from a file, @- from stdin')
            [CompletionResult]::new('--data-raw', '--data-raw', [CompletionResultType]::ParameterName, 'As --data, but @ means nothing')
            [CompletionResult]::new('--data-binary', '--data-binary', [CompletionResultType]::ParameterName, 'As --data, but a file goes as it is')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'A user name and a password; secrets are safer in a file, given with -H @FILE')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'A user name and a password; secrets are safer in a file, given with -H @FILE')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'The method [default: GET, or POST with data]; only a GET is sent again when the stream ends')
            [CompletionResult]::new('--request', '--request', [CompletionResultType]::ParameterName, 'The method [default: GET, or POST with data]; only a GET is sent again when the stream ends')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Trust the certificates in this PEM file, and no others')
            [CompletionResult]::new('--last-event-id', '--last-event-id', [CompletionResultType]::ParameterName, 'Go on after the event with this ID')
            [CompletionResult]::new('--event', '--event', [CompletionResultType]::ParameterName, 'Show only events with this name; repeatable')
            [CompletionResult]::new('--message-at', '--message-at', [CompletionResultType]::ParameterName, 'Where the text stands in an event''s JSON, as in /choices/0/delta/content; repeatable, the first that is there counts')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Write lines, also on a terminal: text, log, json or raw')
            [CompletionResult]::new('--id-file', '--id-file', [CompletionResultType]::ParameterName, 'Write the client ID, and only that, to a file once the stream is open')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'End after COUNT messages')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'End after COUNT messages')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'End at a message that matches')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'End with exit code 3 at a message of this level, or that matches')
            [CompletionResult]::new('--stop-on', '--stop-on', [CompletionResultType]::ParameterName, 'As --fail-on, and with CMD, end that at once')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'End with exit code 4 after this time')
            [CompletionResult]::new('--linger', '--linger', [CompletionResultType]::ParameterName, 'After CMD has ended, wait at most this long for messages that are still on their way')
            [CompletionResult]::new('--record', '--record', [CompletionResultType]::ParameterName, 'Write all that happens to a new file, for --replay')
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'Show a recording, without any server')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'How many times as fast as it happened a recording is shown: a number, or max for no pauses')
            [CompletionResult]::new('--theme', '--theme', [CompletionResultType]::ParameterName, 'Which background the pane''s colours are for')
            [CompletionResult]::new('--ask-level', '--ask-level', [CompletionResultType]::ParameterName, 'Ask for this level of detail; none takes it back')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'If no server answers, wait for one')
            [CompletionResult]::new('--stay', '--stay', [CompletionResultType]::ParameterName, 'Go on under the same ID when the server ends the stream for idleness')
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
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'In the end, say how it went: outcome, times, levels, losses [default: on a terminal, with CMD or --until-done]')
            [CompletionResult]::new('--no-summary', '--no-summary', [CompletionResultType]::ParameterName, 'Say nothing in the end')
            [CompletionResult]::new('--no-guess', '--no-guess', [CompletionResultType]::ParameterName, 'Take progress only from messages that tell it, never from texts such as "12 of 40"; of other servers'' events, read nothing but the text')
            [CompletionResult]::new('--until-done', '--until-done', [CompletionResultType]::ParameterName, 'End at a message with an outcome: exit code 0 if it is ok, else 3')
            [CompletionResult]::new('--ascii', '--ascii', [CompletionResultType]::ParameterName, 'Draw the pane with ASCII characters only')
            [CompletionResult]::new('--cancel', '--cancel', [CompletionResultType]::ParameterName, 'Ask whatever runs to stop; a publisher does so if and when it sees fit')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'codechat;send' {
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'The client ID to publish to [default for a command: a new one]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address, or only its port [default: http://127.0.0.1:2428]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'A file with the server''s token [default: what CODECHAT_TOKEN holds]')
            [CompletionResult]::new('--on-level-signal', '--on-level-signal', [CompletionResultType]::ParameterName, 'Send the command this signal when the level that watchers want changes')
            [CompletionResult]::new('--give-up-after', '--give-up-after', [CompletionResultType]::ParameterName, 'Once the input or the command has ended: how long to try in vain to deliver the rest')
            [CompletionResult]::new('--level', '--level', [CompletionResultType]::ParameterName, 'How much it matters: trace, debug, info, warn or error')
            [CompletionResult]::new('--operation', '--operation', [CompletionResultType]::ParameterName, 'The operation it belongs to [default for a command: its name]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How far the operation is, as in 3/120, or 3 where the total is not known')
            [CompletionResult]::new('--outcome', '--outcome', [CompletionResultType]::ParameterName, 'The operation ends here: ok, failed or cancelled')
            [CompletionResult]::new('--event', '--event', [CompletionResultType]::ParameterName, 'The event name: 1 to 64 of A-Z a-z 0-9 _ . - [default: debug]')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The message, whatever it begins with')
            [CompletionResult]::new('--message', '--message', [CompletionResultType]::ParameterName, 'The message, whatever it begins with')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Publish to every client of the server; takes one message, not lines')
            [CompletionResult]::new('--if-watched', '--if-watched', [CompletionResultType]::ParameterName, 'Publish only if the client is there; else say nothing, and end with 0')
            [CompletionResult]::new('--tee', '--tee', [CompletionResultType]::ParameterName, 'Copy stdin to stdout, or show the command''s output here too')
            [CompletionResult]::new('--pty', '--pty', [CompletionResultType]::ParameterName, 'Run the command on a terminal of its own, so that it writes colours')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'codechat;serve' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Where to listen; repeatable')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'How long clients may take over their farewell at shutdown before they are cut')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What to log: off, a level, or a filter [default: RUST_LOG, or info]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to write the log')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'Share clients with all servers on this Redis: redis://HOST')
            [CompletionResult]::new('--store-password-file', '--store-password-file', [CompletionResultType]::ParameterName, 'A file with its password [default: CODECHAT_STORE_PASSWORD]')
            [CompletionResult]::new('--store-ca', '--store-ca', [CompletionResultType]::ParameterName, 'For rediss://: the authorities that may have signed the store''s certificate, in PEM [default: those that the system trusts]')
            [CompletionResult]::new('--store-cert', '--store-cert', [CompletionResultType]::ParameterName, 'For rediss://: this server''s certificate, if the store asks for one, in PEM')
            [CompletionResult]::new('--store-key', '--store-key', [CompletionResultType]::ParameterName, 'The key of --store-cert, in PEM')
            [CompletionResult]::new('--store-prefix', '--store-prefix', [CompletionResultType]::ParameterName, 'What all keys in the store begin with: one for each installation that uses it')
            [CompletionResult]::new('--store-timeout', '--store-timeout', [CompletionResultType]::ParameterName, 'The store must answer within this')
            [CompletionResult]::new('--store-patience', '--store-patience', [CompletionResultType]::ParameterName, 'How long the store may be away, at the start and later, before requests that wait for it are refused')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'A file with the server''s token [default: what CODECHAT_TOKEN holds]')
            [CompletionResult]::new('--allowed-host', '--allowed-host', [CompletionResultType]::ParameterName, 'A name that the server is reached by; repeatable')
            [CompletionResult]::new('--cors-origin', '--cors-origin', [CompletionResultType]::ParameterName, 'An origin whose web pages may use the server; repeatable')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Speak HTTPS with the certificate in this file: PEM, with its chain')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The key of that certificate: PEM')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'A client that is not used ends after this time')
            [CompletionResult]::new('--heartbeat', '--heartbeat', [CompletionResultType]::ParameterName, 'A stream that was quiet for this time gets a comment')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'A subscriber that takes no bytes for this time is closed')
            [CompletionResult]::new('--header-timeout', '--header-timeout', [CompletionResultType]::ParameterName, 'The head of a request must come within this; a connection without a request is closed after it')
            [CompletionResult]::new('--body-timeout', '--body-timeout', [CompletionResultType]::ParameterName, 'The body of a request that is not a stream must come within this')
            [CompletionResult]::new('--log-messages', '--log-messages', [CompletionResultType]::ParameterName, 'Messages that the log of each client keeps: the newest')
            [CompletionResult]::new('--log-bytes', '--log-bytes', [CompletionResultType]::ParameterName, 'Bytes that the log of each client keeps')
            [CompletionResult]::new('--max-message', '--max-message', [CompletionResultType]::ParameterName, 'The longest text of one message, in UTF-8')
            [CompletionResult]::new('--max-clients', '--max-clients', [CompletionResultType]::ParameterName, 'Clients at a time')
            [CompletionResult]::new('--max-subscribers', '--max-subscribers', [CompletionResultType]::ParameterName, 'Subscribers of one client at a time')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory for all logs together')
            [CompletionResult]::new('--no-auth', '--no-auth', [CompletionResultType]::ParameterName, 'Ask nobody for a token, even beyond loopback')
            [CompletionResult]::new('--plain-streams', '--plain-streams', [CompletionResultType]::ParameterName, 'Leave every request and every stream to the HTTP library, to compare it with the shortcuts')
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
