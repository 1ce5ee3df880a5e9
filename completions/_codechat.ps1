
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
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address; a port alone is one of 127.0.0.1 [default: http://127.0.0.1:2428]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'A file with the server''s token [default: the token in the variable CODECHAT_TOKEN, if any]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Write messages as lines, also on a terminal [default elsewhere: text]')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'Begin with only the newest N messages that the server holds [default: all]')
            [CompletionResult]::new('--id-file', '--id-file', [CompletionResultType]::ParameterName, 'Write the client ID, and only that, to a file once the stream is open')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'End after so many messages')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'End after so many messages')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'End at a message that matches')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'End with exit code 3 at a message that has this level or a worse one, or that matches; with CMD, in the end')
            [CompletionResult]::new('--stop-on', '--stop-on', [CompletionResultType]::ParameterName, 'The same, and with CMD, end it at once')
            [CompletionResult]::new('--heartbeat', '--heartbeat', [CompletionResultType]::ParameterName, 'How often the server says something on a quiet stream: a connection that is silent for 2.5 times as long is made again [default: 15s; of a server that is not codechat''s, what it shows]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'End with exit code 4 after so long')
            [CompletionResult]::new('--theme', '--theme', [CompletionResultType]::ParameterName, 'Which background the pane''s colours are for')
            [CompletionResult]::new('--record', '--record', [CompletionResultType]::ParameterName, 'Write all that happens to a file that is not there yet, to be shown again with --replay')
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'Show a recording, without any server')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'How many times as fast as it happened a recording is shown: a number, or max for no pauses')
            [CompletionResult]::new('--linger', '--linger', [CompletionResultType]::ParameterName, 'After CMD has ended, wait so long at the most for messages that are still on their way')
            [CompletionResult]::new('--ask-level', '--ask-level', [CompletionResultType]::ParameterName, 'Ask for this level of detail; none takes it back')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'A header of the request; ''NAME:'' leaves it out, ''NAME;'' sends it empty, @FILE reads a header a line, @- from stdin')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'A header of the request; ''NAME:'' leaves it out, ''NAME;'' sends it empty, @FILE reads a header a line, @- from stdin')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Form data to POST; several are joined by &; @FILE reads them from a file without its line ends, @- from stdin')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'Form data to POST; several are joined by &; @FILE reads them from a file without its line ends, @- from stdin')
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
            [CompletionResult]::new('--print-id', '--print-id', [CompletionResultType]::ParameterName, 'Print the client ID as the first line on stdout')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'If no server answers, wait for one')
            [CompletionResult]::new('--stay', '--stay', [CompletionResultType]::ParameterName, 'Go on under the same ID when the server ends the stream for idleness')
            [CompletionResult]::new('--until-done', '--until-done', [CompletionResultType]::ParameterName, 'End at a message with an outcome: exit code 0 if it is ok, else 3')
            [CompletionResult]::new('--ascii', '--ascii', [CompletionResultType]::ParameterName, 'Draw the pane with ASCII characters only')
            [CompletionResult]::new('--no-guess', '--no-guess', [CompletionResultType]::ParameterName, 'Take progress only from messages that tell it, never from texts such as "12 of 40"; of other servers'' events, read nothing but the text')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'In the end, say how it went: outcome, times, levels, losses [default: on a terminal, with CMD or --until-done]')
            [CompletionResult]::new('--no-summary', '--no-summary', [CompletionResultType]::ParameterName, 'Say nothing in the end')
            [CompletionResult]::new('--cancel', '--cancel', [CompletionResultType]::ParameterName, 'Ask whatever runs to stop; a publisher does so if and when it sees fit')
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
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'codechat;send' {
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'The client ID to publish to; CODECHAT_ID is read too [default for a command: a new one]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address; a port alone is one of 127.0.0.1 [default: http://127.0.0.1:2428]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'A file with the server''s token [default: the token in the variable CODECHAT_TOKEN, if any]')
            [CompletionResult]::new('--on-level-signal', '--on-level-signal', [CompletionResultType]::ParameterName, 'Send the command this signal when the level that watchers want changes')
            [CompletionResult]::new('--give-up-after', '--give-up-after', [CompletionResultType]::ParameterName, 'Once the input or the command has ended: how long to try in vain to deliver the rest')
            [CompletionResult]::new('--level', '--level', [CompletionResultType]::ParameterName, 'How much it matters [default for the command''s stdout: info]')
            [CompletionResult]::new('--operation', '--operation', [CompletionResultType]::ParameterName, 'The operation it belongs to: 1 to 128 characters [default for a command: its name]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How far the operation is, as in 3/120, or 3 where the total is not known')
            [CompletionResult]::new('--outcome', '--outcome', [CompletionResultType]::ParameterName, 'The operation ends here, in this way')
            [CompletionResult]::new('--event', '--event', [CompletionResultType]::ParameterName, 'The event name: 1 to 64 of A-Z a-z 0-9 _ . - [default: debug]')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'The message, whatever it begins with')
            [CompletionResult]::new('--message', '--message', [CompletionResultType]::ParameterName, 'The message, whatever it begins with')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Publish to every client of the server; takes one message, not lines')
            [CompletionResult]::new('--if-watched', '--if-watched', [CompletionResultType]::ParameterName, 'Publish only if there is a client ID and its client is there, else say nothing and end with 0')
            [CompletionResult]::new('--tee', '--tee', [CompletionResultType]::ParameterName, 'Copy stdin to stdout, or show the command''s output here too')
            [CompletionResult]::new('--pty', '--pty', [CompletionResultType]::ParameterName, 'Run the command on a terminal of its own, so that it writes colours, and each line at once')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'codechat;serve' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Where to listen; repeatable; a port alone is one of 127.0.0.1, and port 0 picks a free one. Beyond loopback it takes a token, or --no-auth')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'How long clients may take over their farewell at shutdown before they are cut')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'What to log: off, error, warn, info, debug, trace, or a filter such as codechat=debug [default: what RUST_LOG says, or info]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to write the log')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'Share clients with all servers that use the same Redis (7.0 or newer) or Valkey, as in redis://127.0.0.1:6379')
            [CompletionResult]::new('--store-password-file', '--store-password-file', [CompletionResultType]::ParameterName, 'A file with the store''s password [default: the password in the variable CODECHAT_STORE_PASSWORD, if any]')
            [CompletionResult]::new('--store-prefix', '--store-prefix', [CompletionResultType]::ParameterName, 'What all keys in the store begin with: one for each installation that uses it')
            [CompletionResult]::new('--store-timeout', '--store-timeout', [CompletionResultType]::ParameterName, 'The store must answer within this')
            [CompletionResult]::new('--store-patience', '--store-patience', [CompletionResultType]::ParameterName, 'So long the store may be away, at the start and later, before those who wait for it are refused')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'A file with the server''s token [default: the token in the variable CODECHAT_TOKEN, if any]')
            [CompletionResult]::new('--allowed-host', '--allowed-host', [CompletionResultType]::ParameterName, 'A name that the server is reached by, besides localhost and the addresses it listens on; repeatable')
            [CompletionResult]::new('--cors-origin', '--cors-origin', [CompletionResultType]::ParameterName, 'An origin whose web pages may use the server, as in http://localhost:3000; repeatable')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Speak HTTPS with the certificate in this file: PEM, with its chain')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The key of that certificate: PEM')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'A client ends after so long without activity: no stream opened, no message delivered')
            [CompletionResult]::new('--heartbeat', '--heartbeat', [CompletionResultType]::ParameterName, 'A stream that was quiet for so long gets a comment, so that both ends know it lives')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'A subscriber that takes no bytes for so long, while some wait, is closed')
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
