-- Publishes that a publisher has disconnected, unless it has reconnected, another control stream accompanies its
-- operation, or the operation has had its outcome. The store keeps all of this with the work, because a node that
-- cleans up after a dead one does not know it. ARGV: work, the entry to publish.
local work, entry = ARGV[1], ARGV[2]
local channel = read()
if not channel then return missing() end
local state = redis.call('HGET', WORK, work)
-- It was finished, or its loss was published already.
if not state then return { 'ok' } end
redis.call('HDEL', WORK, work)
forget(node_of(work))
local stream = stream_state(state)
local operation = stream and stream.operation or state:match('^%a+ (=.*)$')
local stands = false
for _, other in ipairs(redis.call('HVALS', WORK)) do
    -- A control stream accompanies other control streams until the outcome, and streaming requests even after it.
    stands = stands or other == 'listens ' .. operation or (stream and other == 'over ' .. operation)
end
if stream then
    local known = stream.key ~= '' and receipt(stream.key)
    if known and known.tries > stream.try then return { 'ok' } end
else
    -- Idleness counts from the end of the work.
    was_active(clock())
    if state:sub(1, 5) == 'over ' then return { 'ok' } end
end
if operation ~= '' and stands then return { 'ok' } end
local from = channel.seq + 1
local stamped = append(channel, { entry }, nil, clock())
if not stream then end_operation(channel, operation) end
tell_nodes(channel.nodes, published(channel, from, stamped))
write(channel)
return { 'ok' }
