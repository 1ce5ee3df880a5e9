-- Returns the next part of the log. ARGV: when the channel was created, and the number of the newest message of the parts
-- before. If the log has dropped messages since then, the part begins at its oldest one.
local channel = read()
if not channel or channel.created ~= tonumber(ARGV[1]) then return { 'unknown' } end
local first = first_held(channel)
local index = math.max(0, tonumber(ARGV[2]) + 1 - first)
-- The store may have lost messages, or have evicted the log.
if index >= channel.count or redis.call('LLEN', LOG) ~= channel.count then return { 'unknown' } end
return add_log({ 'ok', integer(first) }, channel, index)
