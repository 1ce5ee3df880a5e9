-- Ends the channel. ARGV: reason, or 'idle' and a time: then it ends if it was not active after that.
local channel = read()
if not channel then
    -- The store may evict it, or have it expire.
    if redis.call('ZREM', OPEN, ID) == 1 then redis.call('DECR', CLIENTS) end
    return missing()
end
local reason, before = ARGV[1], tonumber(ARGV[2])
local now = clock()
if before then
    local active = tonumber(redis.call('HGET', CHANNEL, 'active'))
    if channel.subscribers > 0 then active = math.max(active, channel.time) end
    for _, work in ipairs(redis.call('HVALS', WORK)) do
        -- An operation may have nothing to say for long.
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
