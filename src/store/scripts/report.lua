-- Notes a node's report of its readers. ARGV: node, its subscribers, its publishers that listen, the slowest unread
-- number, 'leaves' if it needs no more notices.
local node, subscribers, listeners, leaves = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[5] == 'leaves'
local channel = read()
if not channel then return missing() end
local now, nodes = clock(), audience()
local part = nodes[node]
if not part then
    -- The node was taken for dead, and has missed notices since: it has to join again.
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

if leaves then
    nodes[node] = nil
    leave(channel, node)
    forget(node)
else
    write_audience(node, part)
end
if set_subscribers(channel, count, comes, now) or is_news then tell_listeners(channel, nodes) end
make_room(channel)
write(channel)
return { 'ok', integer(channel.subscribers), channel.requested }
