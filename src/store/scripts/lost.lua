-- Notes the place at which a mirror has noticed that the store lost messages: right before the one with this number.
-- The newest place is enough, because who comes from before it gets a gap of unknown size either way. A store that has
-- gone back to before a place has lost the note of it, too.
-- ARGV: number.
local place = tonumber(ARGV[1])
local channel = read()
if not channel then return missing() end
local known = tonumber(redis.call('HGET', CHANNEL, 'lost') or '0')
if place > known and place <= channel.seq + 1 then
    redis.call('HSET', CHANNEL, 'lost', integer(place))
    tell_nodes(channel.nodes, 'lost ' .. ID .. ' ' .. integer(place))
end
return { 'ok' }
