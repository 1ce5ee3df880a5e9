-- Ends the channel. ARGV: the reason; or 'idle' and a time, to end it only if it has not been active since then.
local channel = read()
if not channel then
    -- The store may have evicted it, or it has expired.
    if redis.call('ZREM', OPEN, ID) == 1 then redis.call('DECR', CLIENTS) end
    return missing()
end
local reason, before = ARGV[1], tonumber(ARGV[2])
local now = clock()
if before then
    local active = tonumber(redis.call('HGET', CHANNEL, 'active'))
    if channel.subscribers > 0 then active = math.max(active, channel.time) end
    for _, work in ipairs(redis.call('HVALS', WORK)) do
        -- An operation may be silent for long.
        if work:match('^%a+ =') then active = now end
    end
    if active > before then
        redis.call('ZADD', OPEN, active, ID)
        for index = 1, 7 do redis.call('PEXPIRE', KEYS[index], EXPIRY) end
        return { 'active' }
    end
end
finish(channel, reason, now)
return { 'ok' }
