-- Begins a streaming request or a control stream. ARGV: node, work (the node and a ticket), 'streams' or 'listens',
-- then the request's key (or ''), or '=' and the operation that the control stream accompanies.
local node, work, kind, name = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local channel = read()
if not channel then return missing() end
redis.call('SADD', AT .. node, ID)
if kind == 'listens' then
    redis.call('HSET', WORK, work, 'listens ' .. name)
    expire(WORK)
    return { 'ok' }
end
local tries = 0
if name ~= '' then
    local known = receipt(name)
    tries = known and known.tries + 1 or 1
    note(name, known, { accepted = 0, seq = 0, time = 0, subscribers = channel.subscribers }, tries, UNFINISHED)
end
write_stream_state(work, { accepted = 0, seq = 0, time = 0, try = tries, operation = '', key = name })
return { 'ok', integer(channel.subscribers) }
