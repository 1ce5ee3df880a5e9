-- Finishes a streaming request. ARGV: work, key (or ''), then what was accepted: messages, number and time of the last,
-- subscribers.
local channel = read()
if not channel then return missing() end
if redis.call('HDEL', WORK, ARGV[1]) == 1 then forget(node_of(ARGV[1])) end
if ARGV[2] ~= '' then
    note(ARGV[2], receipt(ARGV[2]), {
        accepted = tonumber(ARGV[3]), seq = tonumber(ARGV[4]), time = tonumber(ARGV[5]), subscribers = tonumber(ARGV[6]),
    }, nil, FINISHED)
end
return { 'ok', integer(channel.subscribers), channel.requested }
