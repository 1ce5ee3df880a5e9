-- Stores the place at which a mirror has found that the store lost messages: right before the message with this number.
-- The newest place is enough: a reader that begins before it gets a gap of unknown size, whether there is one loss or
-- several. A store that is set back to before a place has lost this entry too. ARGV: number.
local place = tonumber(ARGV[1])
local channel = read()
if not channel then return missing() end
local known = tonumber(redis.call('HGET', CHANNEL, 'lost') or '0')
if place > known and place <= channel.seq + 1 then
    redis.call('HSET', CHANNEL, 'lost', integer(place))
    tell_nodes(channel.nodes, 'lost ' .. ID .. ' ' .. integer(place))
end
return { 'ok' }
