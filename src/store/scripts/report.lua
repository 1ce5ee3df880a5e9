-- Stores a node's report of its readers. ARGV: node, its subscribers, its publishers that listen, the slowest unread
-- number, 'leaves' if it needs no more notices, 'away' if its subscribers are about to resume at other nodes.
local node, subscribers, listeners = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local leaves, away = ARGV[5] == 'leaves', ARGV[6] == 'away'
local channel = read()
if not channel then return missing() end
local now, nodes = clock(), audience()
local part = nodes[node]
if not part then
    -- Other nodes considered the node dead, and it has missed notices since then, so it has to join again.
    if not leaves then return { 'unknown' } end
    return { 'ok', integer(channel.subscribers), channel.requested }
end
local comes, listens = subscribers > part.subscribers, listeners > part.listeners
local is_news = listeners ~= part.listeners
part.subscribers, part.listeners, part.slowest = subscribers, listeners, tonumber(ARGV[4])
part.reported = math.max(now, part.asked)
local count = count_subscribers(nodes)
if comes and count > MAX_SUBSCRIBERS then return { 'subscribers' } end
if listens and count_listeners(nodes) > MAX_LISTENERS then return { 'listeners' } end

-- Publishers wait for its readers as for those of a node that has not answered yet.
if away then part.asked = part.reported + 1 end
if leaves then stop_telling(channel, node) end
if leaves and not away then
    nodes[node] = nil
    redis.call('HDEL', AUDIENCE, node)
    forget(node)
else
    write_audience(node, part)
end
if set_subscribers(channel, count, comes, now) or is_news then tell_listeners(channel, nodes) end
make_room(channel)
write(channel)
return { 'ok', integer(channel.subscribers), channel.requested }
