-- Publishes one message that has no key and ends no operation. This is the most frequent case, so it reads and writes
-- as little as possible. channel.lua explains the steps. KEYS: channel, log. ARGV: deadline, entry.
local found = redis.call('HMGET', KEYS[1], 'position', 'nodes', 'requested')
if not found[1] then return 'missing' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[1]) then return 'late' end
local seq, newest, bytes, subscribers, dropped, count = found[1]:match('^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
seq, bytes, count = seq + 1, tonumber(bytes), tonumber(count)
local newest_at = tonumber(newest)
if now < newest_at then now = newest_at end
local entry = string.format('%d ', now) .. ARGV[2]
while count > 0 and (count >= MAX_MESSAGES or bytes + #entry > MAX_BYTES) do
    local oldest = redis.call('LPOP', KEYS[2])
    if not oldest then break end
    bytes = bytes - #oldest
    dropped = oldest:match('^%d+')
    count = count - 1
end
count, bytes = count + 1, bytes + #entry
local length = redis.call('RPUSH', KEYS[2], entry)
if length == 1 then redis.call('PEXPIRE', KEYS[2], EXPIRY) end
if length ~= count then count, bytes, dropped = length, #entry, newest end
local position = string.format('%d %d %d %s %s %d', seq, now, bytes, subscribers, dropped, count)
redis.call('HSET', KEYS[1], 'position', position)
local nodes = found[2]
if nodes and nodes ~= '' then
    -- Appended, because the entry may have a byte 0, at which string.format would stop.
    local notice = string.format('published %s %d %d\n%d:', KEYS[1]:sub(-36), seq - count + 1, seq, #entry) .. entry
    for node in nodes:gmatch('%S+') do
        redis.call('PUBLISH', PREFIX .. ':to:' .. node, notice)
    end
end
if not found[3] then return position .. ' ' end
return position .. ' ' .. found[3]
