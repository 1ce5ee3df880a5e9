-- Removes a dead node from the audience. Returns its unfinished work, each with '=' and the operation that a control
-- stream accompanies, or ''. ARGV: node.
local node = ARGV[1]
local channel = read()
if not channel then
    redis.call('SREM', AT .. node, ID)
    return missing()
end
redis.call('HDEL', AUDIENCE, node)
stop_telling(channel, node)
local nodes = audience()
if set_subscribers(channel, count_subscribers(nodes), false, clock()) then tell_listeners(channel, nodes) end
make_room(channel)
write(channel)
local answer, flat = { 'ok' }, redis.call('HGETALL', WORK)
for index = 1, #flat, 2 do
    if node_of(flat[index]) == node then
        answer[#answer + 1] = flat[index]
        answer[#answer + 1] = flat[index + 1]:match('^%a+ (=.*)$') or ''
    end
end
forget(node)
return answer
